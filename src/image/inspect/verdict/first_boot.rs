//! Judges whether the device can verify its seed alone. It has the assertions built into its snapd and those in the seed. Further knowledge
//! of the station can count against an image, but never complete it.

use std::collections::BTreeMap;

use snap_assertions::assertion::{Assertion, Typed};
use snap_assertions::signature::Sha3;
use snap_assertions::trust::Judge;

use super::super::codes::{VerdictCode, VerdictReason};
use super::super::page::{Answer, Check};
use super::super::seed::Generation;
use super::Inspection;

const COULD_NOT: &str = "the device could not verify this at its first boot";

impl Inspection<'_> {
    /// `judge` has the knowledge of the station, `device` that of the device.
    pub(super) fn first_boot(&mut self, judge: &Judge<'_>, device: &Judge<'_>, model: &Assertion, others: &[(&str, Assertion)]) {
        if !self.wanted.signatures {
            self.page.say(
                Check::FirstBoot,
                Answer::NotCovered,
                vec![VerdictCode::SignaturesNotDemanded.with("signatures are not demanded")],
            );
            return;
        }
        let all = || std::iter::once(model).chain(others.iter().map(|(_, assertion)| assertion));
        let missing = device.lacking(all());
        let mut reasons: Vec<VerdictReason> = missing
            .iter()
            .map(|missing| {
                VerdictCode::NotInSeed.with(format!(
                    "{COULD_NOT}: {} is not in the seed, and {} needs it; make the image again",
                    missing.what, missing.needed_by
                ))
            })
            .collect();
        for snap in &self.page.snaps {
            let Some(digest) = Sha3::parse(&snap.sha3_384).filter(|digest| judge.snap_revision(*digest).is_ok()) else { continue };
            if !device.has_snap_revision(digest) {
                reasons.push(
                    VerdictCode::NotInSeed
                        .with(format!("{COULD_NOT}: snap-revision {digest} is not in the seed, and {} needs it", snap.file)),
                );
            }
        }
        if reasons.is_empty() {
            reasons = self.not_by_itself(judge, device, model, others);
        }
        reasons.extend(self.doubled(others));
        reasons.extend(keys_of_one_name(device, others));
        self.page.unless(Check::FirstBoot, reasons);
    }

    /// Nothing is missing, but the device does not believe an assertion that the station believes, or was told to let through.
    fn not_by_itself(&self, judge: &Judge<'_>, device: &Judge<'_>, model: &Assertion, others: &[(&str, Assertion)]) -> Vec<VerdictReason> {
        let mut reasons = Vec::new();
        let allowed = others.iter().map(|(path, assertion)| (self.is_allowed(path), assertion));
        for (is_allowed, assertion) in std::iter::once((false, model)).chain(allowed) {
            // An assertion that neither believes is refused in another place.
            if let Err(problems) = device.prove(assertion)
                && (is_allowed || judge.prove(assertion).is_ok())
            {
                let why = problems.first().map_or("", String::as_str);
                reasons.push(VerdictCode::NotVerifiable.with(format!("{COULD_NOT}: {}: {why}", assertion.name())));
            }
        }
        reasons
    }

    /// Things that occur twice in the seed and that snapd therefore refuses, however well both are signed.
    fn doubled(&self, others: &[(&str, Assertion)]) -> Vec<VerdictReason> {
        let is_core20 = self.seed.generation == Generation::Core20;
        let mut reasons = Vec::new();
        let mut known: BTreeMap<String, &Assertion> = BTreeMap::new();
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for (_, assertion) in others {
            if let Some(key) = assertion.key()
                && let Some(first) = known.insert(key.clone(), assertion)
                && first.digest() != assertion.digest()
            {
                // Of two revisions the higher one counts; a system of Ubuntu Core 20 counts both (snapd: `seed/seed20.go`).
                if first.revision() == assertion.revision() {
                    reasons.push(
                        VerdictCode::Doubled
                            .with(format!("the seed has two of {key}, both of revision {}, with different contents", first.revision())),
                    );
                } else if is_core20 && matches!(assertion.typed(), Typed::SnapDeclaration(_) | Typed::SnapRevision(_)) {
                    reasons.push(
                        VerdictCode::Doubled.with(format!("the system has two revisions of {key}: snapd takes a seed with one of each")),
                    );
                }
            }
            if let Typed::SnapDeclaration(declaration) = assertion.typed()
                && let Some(name) = declaration.name.as_deref().filter(|_| is_core20)
                && let Some(first) = names.insert(name, &declaration.snap_id).filter(|first| *first != declaration.snap_id)
            {
                let id = &declaration.snap_id;
                reasons.push(
                    VerdictCode::Doubled
                        .with(format!("the system has snap-declarations of two snaps called {name}, {first} and {id}: snapd takes one")),
                );
            }
        }
        reasons
    }
}

/// Snapd does not accept two keys of an account with one name (snapd: asserts/account_key.go, `checkConsistency`).
fn keys_of_one_name(device: &Judge<'_>, others: &[(&str, Assertion)]) -> Vec<VerdictReason> {
    let mut known: BTreeMap<(String, String), Sha3> = device.roots().map(|root| ((root.account, root.name), root.key)).collect();
    let mut reasons = Vec::new();
    for key in others.iter().filter_map(|(_, assertion)| assertion.as_account_key()).filter(|key| !key.name.is_empty()) {
        let id = key.key.id();
        match known.insert((key.account.clone(), key.name.clone()), id) {
            Some(first) if first != id => reasons.push(VerdictCode::Doubled.with(format!(
                "the seed has two keys of {} with the name {:?}, {first} and {id}: snapd takes one of each name",
                key.account, key.name
            ))),
            _ => {}
        }
    }
    reasons
}
