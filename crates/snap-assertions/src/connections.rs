//! The plugs and slots of a snap-declaration: what may be installed, and what may be connected automatically.
//!
//! The station makes no decision with them. Snapd reads all of them with the assertion, so a malformed part makes snapd reject the seed
//! (snapd: asserts/ifacedecls.go, `baseCompileRule`).

use super::text::Value;

const OUTCOMES: [&str; 6] =
    ["allow-installation", "deny-installation", "allow-connection", "deny-connection", "allow-auto-connection", "deny-auto-connection"];
const ATTRIBUTES: [&str; 2] = ["plug-attributes", "slot-attributes"];

/// Is this a valid value behind the name of an interface?
pub(super) fn is_rule(rule: &Value) -> bool {
    match rule {
        Value::Map(map) => {
            let mut outcomes = OUTCOMES.iter().filter_map(|outcome| map.get(*outcome)).peekable();
            outcomes.peek().is_some() && outcomes.all(is_outcome)
        }
        other => is_flag(other),
    }
}

fn is_flag(value: &Value) -> bool {
    matches!(value.as_text(), Some("true" | "false"))
}

fn is_outcome(value: &Value) -> bool {
    match value {
        Value::List(alternatives) => !alternatives.is_empty() && alternatives.iter().all(is_constraint),
        Value::Map(_) => is_constraint(value),
        Value::Text(_) => is_flag(value),
    }
}

fn is_constraint(value: &Value) -> bool {
    let Value::Map(map) = value else { return false };
    ATTRIBUTES.iter().filter_map(|name| map.get(*name)).all(are_balanced)
}

/// Are all brackets of the pattern closed? Only Go's regular-expression compiler can say whether the pattern is valid in all other
/// respects.
fn are_balanced(value: &Value) -> bool {
    match value {
        Value::Text(pattern) => is_balanced(pattern),
        Value::Map(map) => map.values().all(are_balanced),
        Value::List(alternatives) => alternatives.iter().all(are_balanced),
    }
}

/// Is every group of a pattern, and every class of characters, closed?
fn is_balanced(pattern: &str) -> bool {
    // Characters between these two are literal.
    if pattern.contains("\\Q") {
        return true;
    }
    let mut depth = 0_u32;
    let mut rest = pattern.chars().peekable();
    while let Some(sign) = rest.next() {
        match sign {
            '\\' if rest.next().is_none() => return false,
            '(' => depth += 1,
            ')' if depth == 0 => return false,
            ')' => depth -= 1,
            '[' => {
                rest.next_if_eq(&'^');
                // The first one is a literal character.
                rest.next_if_eq(&']');
                loop {
                    match rest.next() {
                        None => return false,
                        Some('\\') => _ = rest.next(),
                        // `[:alpha:]`
                        Some('[') if rest.next_if_eq(&':').is_some() => while rest.next().is_some_and(|inside| inside != ']') {},
                        Some(']') => break,
                        Some(_) => {}
                    }
                }
            }
            _ => {}
        }
    }
    depth == 0
}

#[cfg(test)]
mod tests {
    use super::is_balanced;

    #[test]
    fn a_pattern_is_closed_wherever_it_was_opened() {
        for good in ["", "a", "(a|b)+", r"\(", r"[(]", "[]a]", "[^]a]", "[[:alpha:](]", r"[\]]", "a(?P<n>b)", r"\Qa(\E", "a]"] {
            assert!(is_balanced(good), "{good}");
        }
        for bad in ["(", "a)", "((a)", "[a", "[]", "[^]", "a\\", "(a))("] {
            assert!(!is_balanced(bad), "{bad}");
        }
    }
}
