//! The names of the slots to teach, in their order.

use std::str::FromStr;

/// More slots than this no PC has room for: a range that long is a slip of the pen.
const MOST: u64 = 256;

/// Names one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Names {
    /// A list of names, given in full.
    Listed(Vec<String>),
    /// This one, and from then on one more each time, until somebody says that it is enough.
    From(NumberedName),
}

/// A name that ends in a number: `A1`, `left 07`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct NumberedName {
    stem: String,
    number: u64,
    width: usize,
}

impl Names {
    /// The slot at this place in the order.
    pub(super) fn name(&self, index: usize) -> Option<String> {
        match self {
            Self::Listed(names) => names.get(index).cloned(),
            Self::From(first) => first.plus(u64::try_from(index).ok()?),
        }
    }

    /// Is this slot one of them?
    pub(super) fn contains(&self, name: &str) -> bool {
        match self {
            Self::Listed(names) => names.iter().any(|listed| listed == name),
            Self::From(first) => NumberedName::from_str(name).is_ok_and(|other| {
                let index = other.number.checked_sub(first.number).and_then(|index| first.plus(index));
                index.as_deref() == Some(name)
            }),
        }
    }
}

impl FromStr for Names {
    type Err = String;

    /// Parses names and ranges with commas between, such as `A1..A8,B1`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut names = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part.split_once("..") {
                Some((first, last)) => names.extend(range(&first.parse()?, &last.parse()?)?),
                None => names.push(sticker(part)?),
            }
        }
        match names.iter().enumerate().find(|(index, name)| names[..*index].contains(name)) {
            Some((_, twice)) => Err(format!("{twice:?} is there twice: a name is one slot's")),
            None => Ok(Self::Listed(names)),
        }
    }
}

fn range(first: &NumberedName, last: &NumberedName) -> Result<Vec<String>, String> {
    let count = last.number.checked_sub(first.number).filter(|count| *count < MOST && first.stem == last.stem);
    let Some(count) = count else {
        return Err(format!("{}..{} is no range: write it as A1..A8, of at most {MOST} names", first.text(), last.text()));
    };
    Ok((0..=count).filter_map(|more| first.plus(more)).collect())
}

/// What may stand on a sticker and in a table.
fn sticker(name: &str) -> Result<String, String> {
    if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
        return Err(format!("{name:?} is no name of a slot: write names as A1..A8 or A1,A2,B1"));
    }
    Ok(name.to_owned())
}

impl NumberedName {
    fn plus(&self, more: u64) -> Option<String> {
        let number = self.number.checked_add(more).filter(|_| more < MOST)?;
        Some(format!("{}{number:0width$}", self.stem, width = self.width))
    }

    fn text(&self) -> String {
        format!("{}{:0width$}", self.stem, self.number, width = self.width)
    }
}

impl FromStr for NumberedName {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let stem = sticker(name)?.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_owned();
        let digits = name.get(stem.len()..).unwrap_or_default();
        let number = digits.parse().map_err(|_none: std::num::ParseIntError| {
            format!("{name:?} does not end in a number that can be counted on: write it as A1")
        })?;
        // A name with a leading zero keeps its width; any other grows.
        let width = if digits.starts_with('0') { digits.len() } else { 1 };
        Ok(Self { stem, number, width })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(text: &str) -> Result<Vec<String>, String> {
        match text.parse()? {
            Names::Listed(names) => Ok(names),
            Names::From(_) => Err("a list was asked for".to_owned()),
        }
    }

    #[test]
    fn ranges_and_single_names_become_stickers_in_their_order() {
        assert_eq!(listed("A1..A3, B7").expect("they are names"), ["A1", "A2", "A3", "B7"]);
        assert_eq!(listed("S08..S11").expect("they are names"), ["S08", "S09", "S10", "S11"]);
        assert_eq!(listed("left,right").expect("they are names"), ["left", "right"]);
        for (wrong, says) in [
            ("A1..B3", "A1..B3 is no range"),
            ("A3..A1", "A3..A1 is no range"),
            ("A1..A999", "A1..A999 is no range"),
            ("A..C", "does not end in a number"),
            ("A1,,A2", "is no name"),
            ("A1..A3,A2", "\"A2\" is there twice"),
        ] {
            let said = listed(wrong).expect_err(wrong);
            assert!(said.contains(says), "{wrong}: {said}");
        }
    }

    #[test]
    fn counting_on_goes_on_until_it_is_enough() {
        let names = Names::From("A9".parse().expect("it ends in a number"));
        assert_eq!((names.name(0).as_deref(), names.name(2).as_deref()), (Some("A9"), Some("A11")));
        assert!(names.contains("A10") && !names.contains("A8") && !names.contains("B9") && !names.contains("A010"));
    }
}
