//! What an engineer wants to know of a file before and after signing: what it is, and everything that is wrong with it.

use jiff::Timestamp;

use super::assertion::{Assertion, Typed};
use super::definition::Model;
use super::headers::{Findings, Reading};
use super::json;
use super::trust::{Proof, Trust, TrustError};

/// Everything about one file.
#[derive(Debug, Default)]
pub struct Checked {
    /// The `type` of what is in it: `model` where there is one, else that of the first assertion; empty where nothing can be read.
    pub kind: String,
    /// The model in it, however wrong.
    pub model: Option<Model>,
    /// What else, or whose key, it is; a name for people.
    pub name: Option<String>,
    /// Of the assertion that gave type and name.
    pub revision: u64,
    /// The chain, where it holds.
    pub proof: Option<Proof>,
    /// What is wrong and what is odd.
    pub findings: Findings,
}

impl Checked {
    /// Would a station with this trust take it?
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
        match assertion.typed() {
            Typed::SnapDeclaration(declaration) if declaration.name.is_none() => {
                problems.push("`snap-name` is empty: the store has taken this declaration back".to_owned());
            }
            // What is wrong with one that should be of a type read here has been said.
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
    let (headers, mut findings) = match json::read(bytes) {
        Ok(read) => read,
        Err(problem) => return Checked::refused(problem),
    };
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
        let sentence = format!("is {:?}, and of what a brand signs a station reads models only", super::text::cited(&checked.kind));
        reading.problem("type", sentence);
    }
    findings.problems.append(&mut reading.findings.problems);
    findings.warnings.append(&mut reading.findings.warnings);
    findings.problems.push("it is not signed: this is the form given to the signing tool (`snap sign -k KEY < FILE > MODEL`)".to_owned());
    checked.findings = findings;
    checked
}
