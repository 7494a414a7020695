//! Checks a file before or after signing: what it is, and everything that is wrong with it.

use jiff::Timestamp;

use super::assertion::{Assertion, Typed};
use super::definition::Model;
use super::headers::{Findings, Reading};
use super::json;
use super::text::Value;
use super::trust::{Proof, Trust, TrustError};

/// Everything about one file.
#[derive(Debug, Default)]
pub struct Checked {
    /// The `type` of the assertion: `model` if there is one, else that of the first assertion; empty if nothing can be read.
    pub kind: String,
    /// The model in the file, even if it has problems.
    pub model: Option<Model>,
    /// If it is not a model: its type and primary key, or the owner of the key, as text for people.
    pub name: Option<String>,
    /// The revision of the assertion that gave type and name.
    pub revision: u64,
    /// The chain of signatures, if it is complete.
    pub proof: Option<Proof>,
    /// The errors and the warnings.
    pub findings: Findings,
}

impl Checked {
    /// Does a station with this trust accept the file?
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.findings.problems.is_empty()
    }

    fn refused(problem: impl Into<String>) -> Self {
        Self { findings: Findings { problems: vec![problem.into()], warnings: Vec::new() }, ..Self::default() }
    }
}

/// Judges the bytes of a file: assertions, or the form of a model that is given to the signing tool.
#[must_use]
pub fn check(bytes: &[u8], trust: &Trust, time: Timestamp) -> Checked {
    if json::is_json(bytes) {
        return check_json(bytes);
    }
    let assertions = match Assertion::read_all(bytes) {
        Ok(assertions) => assertions,
        Err(error) => return Checked::refused(error.to_string()),
    };
    let mut trust = trust.clone();
    if let Err(error) = assertions.iter().try_for_each(|assertion| trust.insert(assertion.clone())) {
        return Checked::refused(TrustError::to_string(&error));
    }
    let models = assertions.iter().filter(|assertion| assertion.as_model().is_some()).count();
    let Some(main) = assertions.iter().find(|assertion| assertion.as_model().is_some()).or(assertions.first()) else {
        return Checked::refused("there is no assertion in it: the file is empty");
    };
    let judge = trust.at(time);
    let mut checked = Checked {
        kind: main.kind().to_owned(),
        model: main.as_model().cloned(),
        name: Some(main.name()),
        revision: main.revision(),
        proof: judge.prove(main).ok(),
        findings: Findings::default(),
    };
    if models > 1 {
        checked.findings.problems.push(format!("there are {models} models in it, and a station must know which: one model, one file"));
    }
    for assertion in &assertions {
        let of = |sentence: String| if assertions.len() > 1 { format!("{}: {sentence}", assertion.name()) } else { sentence };
        let mut problems = judge.prove(assertion).err().unwrap_or_default();
        let newer = judge.newer(assertion);
        if let Some(newer) = &newer {
            let sentence =
                format!("`revision` is {}, and revision {} is known, which holds instead", assertion.revision(), newer.revision());
            checked.findings.warnings.push(of(sentence));
        }
        match assertion.typed() {
            Typed::AccountKey(key) => {
                match (newer.as_ref().and_then(Assertion::as_account_key).unwrap_or(key).not_valid_at(time), assertions.as_slice()) {
                    (None, _) => {}
                    (Some(sentence), [_]) => problems.push(sentence),
                    // Other assertions may not need this one, and every assertion that it signed is refused by itself.
                    (Some(sentence), _) => checked.findings.warnings.push(of(sentence)),
                }
            }
            Typed::SnapDeclaration(declaration) if declaration.name.is_none() => {
                problems.push("`snap-name` is empty: the store has taken this declaration back".to_owned());
            }
            // The problems of an assertion of a type read here were reported above.
            Typed::Other if problems.is_empty() => {
                let types = "model, account, account-key, snap-declaration and snap-revision";
                problems.push(format!("`type` is {}, and a station asks for {types} only", assertion.kind()));
            }
            _ => {}
        }
        checked.findings.problems.extend(problems.into_iter().map(of));
        checked.findings.warnings.extend(assertion.warnings().iter().cloned().map(of));
        if let Some(timestamp) = assertion.timestamp()
            && timestamp > time
        {
            checked.findings.warnings.push(of(format!("`timestamp` is {timestamp}, which is yet to come")));
        }
    }
    checked
}

fn check_json(bytes: &[u8]) -> Checked {
    let (mut headers, mut findings) = match json::read(bytes) {
        Ok(read) => read,
        Err(problem) => return Checked::refused(problem),
    };
    // The signing tool removes it from the headers and signs it behind them.
    if let Some(body) = headers.remove("body")
        && body != Value::Text(String::new())
    {
        findings.problem("body", "would be signed as a body, and a model has no body: remove it");
    }
    let mut reading = Reading::new(&headers);
    let kind = reading.required("type").unwrap_or_default().to_owned();
    let mut checked = Checked { kind, ..Checked::default() };
    if checked.kind == "model" {
        if let Some(format) = reading.number("format", 0)
            && format > 0
        {
            reading.problem("format", format!("is {format}, and 0 is the newest that is known here"));
        }
        checked.revision = reading.number("revision", 0).unwrap_or_default();
        for header in ["body-length", "sign-key-sha3-384"] {
            if reading.has(header) {
                reading.problem(header, "is what the signing tool adds: remove it");
            }
        }
        let (model, mut found) = Model::read(&headers);
        checked.name = Some(format!("model {}", model.full_name().escape_debug()));
        checked.model = Some(model);
        reading.findings.problems.append(&mut found.problems);
        reading.findings.warnings.append(&mut found.warnings);
    } else if !checked.kind.is_empty() {
        let sentence = format!("is {:?}, and of a brand's assertions a station reads only models", super::text::cited(&checked.kind));
        reading.problem("type", sentence);
    }
    findings.problems.append(&mut reading.findings.problems);
    findings.warnings.append(&mut reading.findings.warnings);
    findings.problems.push("it is not signed: this is the form given to the signing tool (`snap sign -k KEY < FILE > MODEL`)".to_owned());
    checked.findings = findings;
    checked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BRAND, ROOT, STORE};

    const NOW: &str = "2026-11-20T08:00:00Z";
    const MODEL: &str = "type: model\nauthority-id: brand\nseries: 16\nbrand-id: brand\nmodel: box\narchitecture: amd64\ngadget: pc\n\
                         kernel: pc-kernel\nserial-authority:\n  - generic\ntimestamp: 2026-11-20T08:00:00Z";

    /// Root, store and brand.
    fn trust() -> Trust {
        let mut trust = Trust::canonical();
        trust.add_roots(ROOT.vouch_for("root", "root", &ROOT, "").as_bytes()).expect("a root");
        let known =
            [ROOT.vouch_for("root", "root", &STORE, ""), STORE.account("root", "brand"), STORE.vouch_for("root", "brand", &BRAND, "")];
        trust.add_known(known.join("\n").as_bytes()).expect("assertions");
        trust
    }

    fn check_at(text: &str, time: &str) -> Checked {
        check(text.as_bytes(), &trust(), time.parse().expect("a time"))
    }

    fn problems(text: &str) -> Vec<String> {
        check_at(text, NOW).findings.problems
    }

    /// Returns the only problem; fails if there is not exactly one.
    fn problem(text: &str) -> String {
        let found = problems(text);
        assert_eq!(found.len(), 1, "one mistake is one problem: {found:?}: {text}");
        found.concat()
    }

    #[test]
    fn a_key_that_has_expired_or_is_not_valid_yet_says_so_and_is_refused() {
        let key = STORE.vouch_for("root", "brand", &BRAND, "\nrevision: 1\nuntil: 2026-06-01T00:00:00Z");
        let found = problem(&key);
        assert!(found.starts_with("`until` is 2026-06-01T00:00:00Z, and now it is 2026-11-20T08:00:00Z: the key has expired;"), "{found}");
        assert!(check_at(&key, "2026-06-01T00:00:00Z").findings.problems.len() == 1, "`until` is the first moment it is not valid");
        assert!(check_at(&key, "2026-05-31T23:59:59Z").is_accepted());
        let key = STORE.vouch_for("root", "brand", &BRAND, "").replace("since: 2026-01", "since: 2027-01");
        let found = problems(&key).join("\n");
        assert!(found.contains("`since` is 2027-01-01T00:00:00Z, and now it is 2026-11-20T08:00:00Z: the key is not valid yet"), "{found}");
    }

    #[test]
    fn a_key_that_was_ended_later_is_no_more_than_it_is_now() {
        let mut trust = trust();
        let ended = STORE.vouch_for("root", "brand", &BRAND, "\nrevision: 1\nuntil: 2026-06-01T00:00:00Z");
        let forged = BRAND.vouch_for("brand", "brand", &BRAND, "\nrevision: 7\nuntil: 2026-03-01T00:00:00Z");
        trust.add_known(format!("{ended}\n{forged}").as_bytes()).expect("assertions");
        let first = STORE.vouch_for("root", "brand", &BRAND, "");
        let checked = check(first.as_bytes(), &trust, NOW.parse().expect("a time"));
        assert!(checked.findings.problems.join("\n").starts_with("`until` is 2026-06-01T00:00:00Z"), "{:?}", checked.findings);
        assert_eq!(checked.findings.warnings, ["`revision` is 0, and revision 1 is known, which holds instead"]);
        let checked = check(first.as_bytes(), &trust, "2026-05-01T00:00:00Z".parse().expect("a time"));
        assert!(checked.is_accepted() && checked.findings.warnings.len() == 1, "until then it signs: {:?}", checked.findings);
        let checked = check(ended.as_bytes(), &trust, "2026-05-01T00:00:00Z".parse().expect("a time"));
        assert_eq!(checked.findings, Findings::default(), "what nobody vouches for holds nowhere");
    }

    #[test]
    fn a_key_that_has_expired_is_only_worth_a_word_among_others() {
        let key = STORE.vouch_for("root", "brand", &BRAND, "\nrevision: 1\nuntil: 2026-06-01T00:00:00Z");
        let checked = check_at(&format!("{key}\n{}", STORE.account("root", "brand")), NOW);
        let warnings = checked.findings.warnings.join("\n");
        assert!(checked.is_accepted() && warnings.contains("the key has expired"), "{:?}", checked.findings);
        let checked = check_at(&format!("{}\n{key}", BRAND.sign(MODEL)), NOW);
        assert!(!checked.is_accepted(), "what it signed is refused all the same");
    }

    #[test]
    fn a_body_where_none_belongs_is_refused_whatever_the_signature_says() {
        const SNAP: &str = "aW3s0meSnapIdForTheFixtureNo0001";
        let declaration = format!(
            "type: snap-declaration\nauthority-id: root\nseries: 16\nsnap-id: {SNAP}\nsnap-name: one\npublisher-id: brand\ntimestamp: {NOW}"
        );
        let account = format!(
            "type: account\nauthority-id: root\naccount-id: brand\ndisplay-name: Brand\ntimestamp: {NOW}\nvalidation: unproven\nrevision: 1"
        );
        for (signer, kind, headers) in
            [(&BRAND, "model", MODEL.to_owned()), (&STORE, "account", account), (&STORE, "snap-declaration", declaration)]
        {
            assert_eq!(problems(&signer.sign(&headers)), Vec::<String>::new(), "{kind}");
            let found = problem(&signer.sign_with_body(&headers, Some("more")));
            assert!(found.starts_with(&format!("`body-length` is 4, and `type: {kind}` has no body")), "{found}");
        }
        let revision =
            format!("type: snap-revision\nauthority-id: root\nsnap-id: {SNAP}\nsnap-revision: 7\nsnap-size: 6\ntimestamp: {NOW}");
        let found = problems(&STORE.sign_with_body(&revision, Some("more"))).join("\n");
        assert!(found.contains("`body-length` is 4, and `type: snap-revision` has no body"), "{found}");
        assert_eq!(problems(&STORE.vouch_for("root", "brand", &BRAND, "")), Vec::<String>::new(), "the body of an account-key is the key");
    }

    #[test]
    fn numbers_that_nobody_else_can_read_are_refused() {
        let with = |line: &str| BRAND.sign(&MODEL.replace("series:", &format!("{line}\nseries:")));
        assert_eq!(problems(&with("revision: 9223372036854775807")), Vec::<String>::new());
        for (line, words) in [
            ("revision: 9223372036854775808", "`revision` is 9223372036854775808, and 9223372036854775807 is the largest"),
            ("revision: 99999999999999999999", "`revision` is 99999999999999999999, and"),
            ("revision: -1", "`revision` must be a decimal number"),
            ("revision: 01", "`revision` must be a decimal number"),
            ("revision: ", "`revision` is empty"),
            ("revision:\n  - 1", "`revision` must be a text"),
            ("format: 9223372036854775808", "`format` is 9223372036854775808, and 9223372036854775807"),
            ("format: 1", "`format` is 1, and 0 is the newest"),
        ] {
            let found = problem(&with(line));
            assert!(found.starts_with(words), "{line}: {found}");
        }
        let revision = |line: &str| problems(&STORE.sign(&format!("type: snap-revision\nauthority-id: root\n{line}"))).join("\n");
        assert!(revision("snap-revision: 9223372036854775808").contains("`snap-revision` is 9223372036854775808, and"));
        assert!(!revision("snap-size: 18446744073709551615").contains("`snap-size`"), "a length has all 64 bits");
        assert!(revision("snap-size: 18446744073709551616").contains("`snap-size` must be a length"));
        assert!(revision("snap-size: ").contains("`snap-size` is empty") && revision("a: b").contains("`snap-size` is missing"));
        assert!(revision("provenance: ").contains("`provenance` is empty") && revision("provenance: a/b").contains("`provenance` must be"));
    }

    #[test]
    fn a_key_has_a_name_that_signing_tools_can_make() {
        let named = |name: &str| {
            let headers = format!(
                "type: account-key\nauthority-id: root\npublic-key-sha3-384: {}\naccount-id: brand\n{name}since: 2026-01-01T00:00:00Z",
                BRAND.id
            );
            problems(&STORE.sign_with_body(&headers, Some(&BRAND.body))).join("\n")
        };
        for good in ["", "name: default\n", "name: line-2\n", "name: 1a\n"] {
            assert_eq!(named(good), "", "{good}");
        }
        for (bad, words) in [
            ("name: Default\n", "`name` must be a name for a key"),
            ("name: my key\n", "`name` must be a name for a key"),
            ("name: 12\n", "`name` must be a name for a key"),
            ("name: a-\n", "`name` must be a name for a key"),
            ("name: \n", "`name` is empty"),
            ("name:\n  - a\n", "`name` must be a text"),
        ] {
            assert!(named(bad).contains(words), "{bad}: {}", named(bad));
        }
    }

    #[test]
    fn what_the_store_says_of_accounts_and_snaps_has_its_shape() {
        let account = STORE.account("root", "brand").replace("validation", "username:\n  - a\nvalidation");
        assert!(problems(&account).join("\n").contains("`username` must be a text"));
        for (line, words) in [
            ("plugs: x", "`plugs` must be a map"),
            ("plugs:\n  a: b", "`plugs` must be a map of interfaces"),
            ("plugs:\n  a:\n    other: true", "`plugs` must be a map of interfaces"),
            ("plugs:\n  a:\n    allow-connection:\n      plug-attributes:\n        b: (", "`plugs` must be a map of interfaces"),
            ("plugs:\n  a:\n    allow-connection: perhaps", "`plugs` must be a map of interfaces"),
            ("slots:\n  - x", "`slots` must be a map"),
            ("refresh-control: x", "`refresh-control` must be a list of texts"),
            ("auto-aliases:\n  -\n    - x", "`auto-aliases` must be a list of aliases"),
            ("aliases:\n  - x", "`aliases` must be a list of maps, each with the `name` of an alias and"),
            ("aliases:\n  -\n    name: a", "`aliases` must be"),
            ("aliases:\n  -\n    target: a", "`aliases` must be"),
            ("aliases:\n  -\n    name: -a\n    target: a", "`aliases` must be"),
            ("aliases:\n  -\n    name: a\n    target: a_b", "`aliases` must be"),
            ("auto-aliases:\n  - a b", "`auto-aliases` must be a list of aliases"),
            ("revision-authority:\n  a: b", "`revision-authority` must be a list of maps"),
        ] {
            let found = problems(&STORE.sign(&format!("type: snap-declaration\nauthority-id: root\n{line}"))).join("\n");
            assert!(found.contains(words), "{line}: {found}");
        }
        let good = "aliases:\n  -\n    name: a_b.c-d\n    target: App-1\nauto-aliases:\n  - x.y\nrefresh-control:\n  - x\nplugs:\n  a: true\n  b:\n    deny-connection:\n      -\n        on-store:\n          - x";
        let found = problems(&STORE.sign(&format!("type: snap-declaration\nauthority-id: root\n{good}"))).join("\n");
        assert!(!found.contains("alias") && !found.contains("control") && !found.contains("plugs"), "{found}");
    }

    #[test]
    fn a_form_for_the_signing_tool_has_no_body() {
        let form = |more: &str| {
            format!(
                r#"{{"type": "model", "authority-id": "brand", "brand-id": "brand", "series": "16", "model": "box", "architecture": "amd64",
                    "gadget": "pc", "kernel": "pc-kernel", "timestamp": "2026-11-20T08:00:00Z"{more}}}"#
            )
        };
        assert!(problem(&form("")).starts_with("it is not signed"));
        assert!(problem(&form(r#", "body": """#)).starts_with("it is not signed"), "nothing is signed of an empty one");
        for body in [r#""more""#, r#"["more"]"#, r#"{"a": "more"}"#] {
            let found = problems(&form(&format!(r#", "body": {body}"#)));
            assert!(found.len() == 2 && found[0].starts_with("`body` would be signed as a body"), "{found:?}");
        }
        let checked = check_at(&BRAND.sign(&MODEL.replace("series:", "body: more\nseries:")), NOW);
        assert!(checked.is_accepted() && checked.findings.warnings.concat().starts_with("`body` is no header of a model"), "only a header");
    }
}
