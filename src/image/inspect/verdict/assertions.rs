//! Judges the assertions of the seed: the model, and all others.

use std::collections::{BTreeMap, BTreeSet};

use snap_assertions::assertion::{Assertion, Typed};
use snap_assertions::definition::Model;
use snap_assertions::trust::{Judge, Proof, Trust};

use super::super::codes::{VerdictCode, VerdictReason};
use super::super::page::{self, Check};
use super::super::seed::{Generation, Seed};
use super::{Inspection, keys};
use crate::station::allowed::named_on_fat;

/// Types of assertions that prove others.
const VOUCHING: [&str; 4] = ["account", "account-key", "snap-declaration", "snap-revision"];
/// Types that a model needs, and those that only determine which snaps may be installed later. All other types belong to a store of the
/// brand, to parts of snaps, to a system that was installed in advance or to one device; the accepted types do not.
const GUIDING: [&str; 1] = ["validation-set"];

impl<'a> Inspection<'a> {
    /// Adds the assertions of the seed to the known ones, of the station and of the device; returns the models, and all others with their
    /// files.
    pub(super) fn assertions(
        &self,
        trust: &mut Trust,
        device: &mut Trust,
        reasons: &mut Vec<VerdictReason>,
    ) -> (Vec<Assertion>, Vec<(&'a str, Assertion)>) {
        let (mut models, mut others) = (Vec::new(), Vec::new());
        let seed: &'a Seed = self.seed;
        for file in &seed.assertions {
            let found = match Assertion::read_all(&file.bytes) {
                Ok(found) => found,
                Err(error) => {
                    reasons.push(VerdictCode::AssertionUnreadable.with(format!("{} cannot be read: {error}", file.path)));
                    continue;
                }
            };
            let is_the_place = file.is_the_models || self.seed.generation == Generation::Core16;
            for assertion in found {
                if assertion.as_model().is_some() {
                    if !is_the_place {
                        reasons.push(
                            VerdictCode::AssertionMisplaced
                                .with(format!("{} holds a model, which belongs nowhere but into {}/model", file.path, self.seed.root)),
                        );
                    }
                    models.push(assertion);
                } else if file.is_the_models {
                    reasons.push(VerdictCode::AssertionMisplaced.with(format!(
                        "{} holds {}, and may hold the model only",
                        file.path,
                        assertion.name()
                    )));
                } else {
                    others.push((file.path.as_str(), assertion.clone()));
                    if let Err(error) = trust.insert(assertion.clone()).and_then(|()| device.insert(assertion)) {
                        reasons.push(VerdictCode::AssertionRejected.with(format!("{}: {error}", file.path)));
                    }
                }
            }
        }
        (models, others)
    }

    /// Effects of assertions beside the model that were not requested: they make logins, or give every card one identity. An assertion that
    /// no trusted key signs makes the first boot reject the whole seed.
    pub(super) fn other_assertions(&mut self, judge: &Judge<'_>, others: &[(&str, Assertion)]) -> Vec<VerdictReason> {
        let mut reasons = Vec::new();
        for (path, assertion) in others {
            let (kind, name) = (assertion.kind(), assertion.name());
            if self.is_allowed(path) {
                self.page.uncovered.push(format!("{name} in {path}, which is allowed by configuration"));
                continue;
            }
            if !VOUCHING.contains(&kind) && !GUIDING.contains(&kind) {
                let does = if kind == "system-user" { "makes a login on every card" } else { "belongs into no image of many cards" };
                reasons.push(
                    VerdictCode::AssertionNotForImages
                        .with(format!("{path} holds {name}, which {does}; `allow` takes it on trust as {:?}", self.word(path))),
                );
                continue;
            }
            if self.wanted.signatures
                && let Err(problems) = judge.prove(assertion)
            {
                let why = problems.first().map_or("", String::as_str);
                reasons.push(VerdictCode::AssertionNotProven.with(format!("{path} holds {name}, which no trusted key signs: {why}")));
            } else if GUIDING.contains(&kind) {
                self.page.uncovered.push(format!("what {name} asks for"));
            }
        }
        reasons
    }

    /// A path of the seed, in the form of `allow`.
    fn word(&self, path: &str) -> String {
        match self.seed.generation {
            Generation::Core16 => path.to_owned(),
            Generation::Core20 => named_on_fat(&self.files.label, path),
        }
    }

    pub(super) fn is_allowed(&self, path: &str) -> bool {
        match self.seed.generation {
            Generation::Core16 => self.wanted.allowed.in_writable(path),
            Generation::Core20 => self.wanted.allowed.on_fat(&self.files.label, path),
        }
    }

    pub(super) fn model(&mut self, judge: &Judge<'_>, assertion: &Assertion, model: &Model, mut reasons: Vec<VerdictReason>) {
        let proof = judge.prove(assertion);
        let (chain, problems) = found(proof);
        if self.wanted.signatures {
            reasons.extend(
                problems.iter().map(|problem| VerdictCode::ModelNotProven.with(format!("the model {}: {problem}", model.full_name()))),
            );
        }
        let is_core20 = self.seed.generation == Generation::Core20;
        if model.has_snaps_header() != is_core20 {
            let seed = if is_core20 { "of Ubuntu Core 20 or later" } else { "of Ubuntu Core 16 or 18" };
            reasons.push(
                VerdictCode::ModelOfOtherGeneration.with(format!("the seed is one {seed}, and the model {} is not", model.full_name())),
            );
        }
        if let Some(given) = &self.wanted.model {
            reasons.extend(other_than(given, assertion, model));
        }
        self.page.model = Some(page::FoundModel {
            brand: model.brand.clone(),
            model: model.name.clone(),
            series: model.series.clone(),
            revision: assertion.revision(),
            architecture: model.architecture.clone(),
            base: model.base.clone(),
            grade: model.grade.map(|grade| grade.word()),
            timestamp: model.timestamp.map(|time| time.to_string()),
            required_snaps: model.required_snaps.clone(),
            sha3_384: assertion.digest().to_string(),
            sign_key: assertion.sign_key().map(|key| key.to_string()),
            chain,
            problems,
        });
        self.page.unless(Check::Model, reasons);
    }
}

/// Since Ubuntu Core 20, snapd accepts a seed only with one snap-declaration for every snap-revision, and the reverse.
pub(super) fn undeclared(others: &[(&str, Assertion)]) -> Vec<VerdictReason> {
    let mut declared = BTreeMap::new();
    let mut revisions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for (_, assertion) in others {
        match assertion.typed() {
            Typed::SnapDeclaration(declaration) => _ = declared.insert(declaration.snap_id.as_str(), declaration.name.as_deref()),
            Typed::SnapRevision(revision) => {
                revisions.entry(revision.snap_id.as_str()).or_default().insert(revision.digest.to_string());
            }
            _ => {}
        }
    }
    let mut reasons = Vec::new();
    for (id, of_id) in &revisions {
        if !declared.contains_key(id) {
            reasons.push(
                VerdictCode::Unpaired.with(format!(
                    "the system has a snap-revision of the snap {id} and no snap-declaration: snapd does not take such a seed"
                )),
            );
        } else if of_id.len() > 1 {
            reasons.push(
                VerdictCode::Doubled
                    .with(format!("the system has {} snap-revisions of the snap {id}: snapd takes a seed with one of each", of_id.len())),
            );
        }
    }
    for (id, name) in declared.iter().filter(|(id, _)| !revisions.contains_key(*id)) {
        let name = name.unwrap_or("a snap without a name");
        reasons.push(
            VerdictCode::Unpaired
                .with(format!("the system has a snap-declaration of {name} ({id}) and no snap-revision: snapd does not take such a seed")),
        );
    }
    reasons
}

/// How the model inside differs from the wanted one.
fn other_than(given: &Assertion, inside: &Assertion, model: &Model) -> Vec<VerdictReason> {
    let Some(wanted) = given.as_model() else { return vec![VerdictCode::NotAModel.with("what was given is no model")] };
    let mut reasons = Vec::new();
    if (&model.brand, &model.name) != (&wanted.brand, &wanted.name) {
        reasons.push(VerdictCode::OtherModel.with(format!(
            "it is the image of another model: it has {}, and {} is wanted",
            model.full_name(),
            wanted.full_name()
        )));
        return reasons;
    }
    if model.series != wanted.series {
        reasons
            .push(VerdictCode::OtherSeries.with(format!("its model is of series {:?}, and {:?} is wanted", model.series, wanted.series)));
    }
    if inside.revision() != given.revision() {
        reasons.push(VerdictCode::OtherRevision.with(format!(
            "its model is revision {} of {}, and revision {} is wanted",
            inside.revision(),
            model.full_name(),
            given.revision()
        )));
    } else if inside.headers() != given.headers() {
        reasons.push(
            VerdictCode::OtherContents.with(format!("its model differs from the wanted one of the same revision {}", inside.revision())),
        );
    }
    reasons
}

fn found(proof: Result<Proof, Vec<String>>) -> (Option<Vec<String>>, Vec<String>) {
    match proof {
        Ok(proof) => (Some(keys(proof.chain())), Vec::new()),
        Err(problems) => {
            // A chain repeats the problem of a key for everything that the key signed.
            let mut seen = BTreeSet::new();
            (None, problems.into_iter().filter(|problem| seen.insert(problem.clone())).collect())
        }
    }
}
