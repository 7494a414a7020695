//! Judges the snaps of the seed: their publishers, and whether they are those of the model.

use snap_assertions::definition::{Model, ModelSnap, SnapKind};
use snap_assertions::signature::Sha3Hasher;
use snap_assertions::trust::{Judge, Proven};

use super::super::codes::{VerdictCode, VerdictReason};
use super::super::page::{self, Answer, Check};
use super::super::seed::{Generation, RISKS, SnapFile};
use super::super::snap::{self, SnapYaml};
use super::{Inspection, keys};
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::contents::read_through;

/// The account that publishes unmodified essential snaps.
const CANONICAL: &str = "canonical";

/// A snap of the seed with all known facts.
pub(super) struct Row {
    pub(super) file: SnapFile,
    pub(super) name: String,
    pub(super) yaml: Result<SnapYaml, ReadError>,
    pub(super) publisher: Option<String>,
    pub(super) snap_id: Option<String>,
    pub(super) proven: bool,
    /// Its index on the page.
    pub(super) index: usize,
}

impl Row {
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.name == name
    }
}

/// The later one of the device's and the station's knowledge; the device's if both are equal. An assertion that only the station knows is
/// refused in another place, because the device could not verify it.
fn latest<T>(device: Result<Proven<T>, Vec<String>>, station: Result<Proven<T>, Vec<String>>) -> Result<Proven<T>, Vec<String>> {
    match (device, station) {
        (Ok(device), Ok(station)) if device.assertion.revision() >= station.assertion.revision() => Ok(device),
        (_, station) => station,
    }
}

impl Inspection<'_> {
    /// Hashes every snap and finds the publisher of its bytes: by the seed's own assertion, which the device uses, unless the station knows
    /// a later one.
    pub(super) fn snaps(&mut self, judge: &Judge<'_>, device: &Judge<'_>) -> Vec<Row> {
        let mut rows = Vec::new();
        for file in &self.seed.snaps {
            let (row, snap) = self.snap(judge, device, file);
            rows.push(row);
            self.page.snaps.push(snap);
        }
        rows
    }

    fn snap(&self, judge: &Judge<'_>, device: &Judge<'_>, file: &SnapFile) -> (Row, page::FoundSnap) {
        let yaml = snap::open(self.files, &file.path).and_then(|mut snap| snap::describe(&mut snap));
        let own_name = yaml.as_ref().ok().map(|yaml| yaml.name.clone());
        let mut shown = page::FoundSnap {
            file: file.file.clone(),
            name: own_name.clone().or_else(|| file.called.clone()).unwrap_or_else(|| file.file.clone()),
            kind: yaml.as_ref().ok().map(|yaml| yaml.kind().to_owned()),
            version: yaml.as_ref().ok().map(|yaml| yaml.version.clone()),
            revision: None,
            snap_id: None,
            publisher_id: None,
            publisher: None,
            size: 0,
            sha3_384: String::new(),
            chain: None,
            problems: Vec::new(),
        };
        let mut hasher = Sha3Hasher::default();
        let mut size = 0;
        let hashed = self.files.open_file(&file.path).and_then(|mut contents| {
            size = contents.length();
            read_through(contents.as_mut(), |part| hasher.update(part))
        });
        shown.size = size;
        if let Err(error) = hashed {
            shown.problems.push(format!("it cannot be read: {}", error.words()));
        } else {
            let digest = hasher.finish();
            shown.sha3_384 = digest.to_string();
            match latest(device.snap_revision(digest), judge.snap_revision(digest)) {
                Err(reasons) => shown.problems.extend(reasons),
                Ok(revision) => {
                    shown.revision = Some(revision.what.revision);
                    shown.snap_id = Some(revision.what.snap_id.clone());
                    if revision.what.size != size {
                        shown.problems.push(format!("it is {size} bytes long, and its snap-revision says {}", revision.what.size));
                    }
                    if let Some(way) = &revision.what.provenance {
                        shown.problems.push(format!("it was published with the provenance {way}, which the simple model does not use"));
                    }
                    let id = &revision.what.snap_id;
                    match latest(device.snap_declaration(id), judge.snap_declaration(id)) {
                        Err(reasons) => shown.problems.extend(reasons),
                        Ok(declaration) => {
                            shown.publisher_id = Some(declaration.what.publisher.clone());
                            let account = judge.account(&declaration.what.publisher).ok().flatten();
                            shown.publisher = account.map(|account| account.display_name);
                            match declaration.what.name {
                                Some(name) => shown.name = name,
                                None => shown.problems.push("its declaration was taken back: the store has revoked it".to_owned()),
                            }
                        }
                    }
                    if shown.problems.is_empty() {
                        shown.chain = Some(keys(revision.proof.chain()));
                    }
                }
            }
        }
        if let Some(own_name) = own_name.filter(|own| *own != shown.name && shown.chain.is_some()) {
            shown.problems.push(format!("it calls itself {own_name:?}, and its declaration calls it {:?}", shown.name));
        }
        if let Some(called) = file.called.as_ref().filter(|called| **called != shown.name) {
            shown.problems.push(format!("seed.yaml calls it {called:?}"));
        }
        if let (Some(given), Some(id)) = (&file.id, &shown.snap_id)
            && given != id
        {
            shown.problems.push(format!("seed.yaml gives it the id {given}, and its snap-revision {id}"));
        }
        // The first boot of Ubuntu Core 20 finds snaps only by this name.
        if let (Generation::Core20, Some(revision)) = (self.seed.generation, shown.revision)
            && !file.file.eq_ignore_ascii_case(&format!("{}_{revision}.snap", shown.name))
        {
            shown.problems.push(format!("its file must be called {}_{revision}.snap", shown.name));
        }
        let row = Row {
            file: file.clone(),
            name: shown.name.clone(),
            yaml,
            publisher: shown.publisher_id.clone(),
            snap_id: shown.snap_id.clone(),
            proven: shown.chain.is_some() && shown.problems.is_empty(),
            index: self.page.snaps.len(),
        };
        (row, shown)
    }

    /// Why the bytes of snaps are not proven, in one sentence per cause: a root that is not trusted here is one cause, however many snaps
    /// depend on it.
    fn doubts<'r>(&self, rows: impl IntoIterator<Item = &'r Row>) -> Vec<VerdictReason> {
        let mut causes: Vec<(String, Vec<String>)> = Vec::new();
        for row in rows {
            let cause = self.page.snaps.get(row.index).map(|snap| snap.problems.join("; ")).unwrap_or_default();
            let name = format!("{} ({})", row.name, row.file.file);
            match causes.iter_mut().find(|(known, _)| *known == cause) {
                Some((_, names)) => names.push(name),
                None => causes.push((cause, vec![name])),
            }
        }
        let sentence = |(cause, names): (String, Vec<String>)| {
            let are = if names.len() == 1 { "is" } else { "are" };
            VerdictCode::SnapNotProven.with(format!("{} {are} not asserted: {cause}", names.join(", ")))
        };
        causes.into_iter().map(sentence).collect()
    }

    pub(super) fn present(&mut self, model: &Model, rows: &[Row], undeclared: Vec<VerdictReason>) {
        let mut reasons: Vec<VerdictReason> = self.seed.missing.iter().map(|why| VerdictCode::SnapMissing.with(why.as_str())).collect();
        let mut doubtful = Vec::new();
        for wanted in &model.snaps {
            let found: Vec<&Row> = rows.iter().filter(|row| row.is_called(&wanted.name)).collect();
            match found.as_slice() {
                [] if wanted.required => reasons
                    .push(VerdictCode::SnapMissing.with(format!("the model requires {}, and the seed does not have it", wanted.name))),
                [] => {}
                [row] => {
                    // If the snap is present, its components are required with it (snapd: seed/seed20.go, `deriveSideInfo`).
                    reasons.extend(wanted.required_components.iter().map(|component| {
                        VerdictCode::ComponentRequired.with(format!(
                            "the model requires the component {component} of {}, and images with components are not taken here",
                            wanted.name
                        ))
                    }));
                    if self.wanted.signatures && !row.proven {
                        doubtful.push(*row);
                    }
                    if let (Some(id), Some(found)) = (&wanted.id, &row.snap_id)
                        && id != found
                    {
                        reasons.push(
                            VerdictCode::OtherSnapId
                                .with(format!("the model means the snap {} with the id {id}, and the seed has {found}", wanted.name)),
                        );
                    }
                }
                _ => reasons.push(VerdictCode::SeveralSnaps.with(format!("the seed has {} snaps called {}", found.len(), wanted.name))),
            }
        }
        reasons.extend(self.doubts(doubtful));
        reasons.extend(undeclared);
        self.page.unless(Check::SnapsPresent, reasons);
    }

    pub(super) fn extra(&mut self, model: &Model, rows: &[Row]) {
        let mut reasons = Vec::new();
        for row in rows.iter().filter(|row| model.snap(&row.name).is_none()) {
            if is_implicit_core(model, row, rows) && (row.proven || !self.wanted.signatures) {
                self.page.warnings.push("core is there for an app that names no base".to_owned());
                continue;
            }
            let why = "the model does not require it, so the customer could remove it; put it into required-snaps and sign the model again";
            reasons.push(VerdictCode::SnapNotRequired.with(format!("{} ({}) is in the seed: {why}", row.name, row.file.file)));
            if self.wanted.signatures && !row.proven {
                reasons.extend(self.doubts([row]));
            }
        }
        reasons.extend(self.seed.odd.iter().map(|why| VerdictCode::SeedOdd.with(why.as_str())));
        self.page.unless(Check::NothingExtra, reasons);
    }

    pub(super) fn unmodified(&mut self, model: &Model, rows: &[Row]) {
        if !self.wanted.signatures {
            self.page.say(
                Check::Unmodified,
                Answer::NotCovered,
                vec![VerdictCode::SignaturesNotDemanded.with("signatures are not demanded")],
            );
            return;
        }
        let mut reasons = Vec::new();
        for wanted in model.essential() {
            let Some(row) = rows.iter().find(|row| row.is_called(&wanted.name)) else {
                reasons.push(VerdictCode::SnapMissing.with(format!("{} is missing", wanted.name)));
                continue;
            };
            if !row.proven {
                reasons.push(VerdictCode::SnapNotProven.with(format!("{} is not asserted", row.name)));
            } else if row.publisher.as_deref() != Some(CANONICAL) {
                let publisher = row.publisher.as_deref().unwrap_or("nobody known");
                reasons.push(
                    VerdictCode::NotCanonicals
                        .with(format!("{} is published by {publisher}, not by Canonical: the simple model takes it unmodified", row.name)),
                );
            }
        }
        self.page.unless(Check::Unmodified, reasons);
    }

    pub(super) fn agreement(&mut self, model: &Model, rows: &[Row]) {
        let (mut reasons, mut unread) = (Vec::new(), Vec::new());
        for row in rows {
            let yaml = match &row.yaml {
                Ok(yaml) => yaml,
                Err(ReadError::Unreadable(why)) => {
                    unread.push(VerdictCode::SnapNotRead.with(format!("cannot look inside {}: {why}", row.name)));
                    continue;
                }
                Err(error) => {
                    reasons.push(VerdictCode::SnapDamaged.with(format!("{} cannot be looked into: {}", row.name, error.words())));
                    continue;
                }
            };
            if !yaml.runs_on(&model.architecture) {
                reasons.push(VerdictCode::OtherArchitecture.with(format!(
                    "{} is made for {}, and the model is {}",
                    row.name,
                    yaml.architectures(),
                    model.architecture
                )));
            }
            let Some(wanted) = model.snap(&row.name) else { continue };
            if let Some(kind) = kind_other_than(wanted, yaml) {
                reasons.push(kind);
            }
            let base = |base: Option<&str>| base.unwrap_or("core").to_owned();
            let (own, of_model) = (base(yaml.base.as_deref()), base(model.base.as_deref()));
            if wanted.essential && wanted.kind == SnapKind::Gadget && own != of_model {
                reasons.push(
                    VerdictCode::OtherBase.with(format!("the gadget {} is made for {own}, and the model boots {of_model}", row.name)),
                );
            }
        }
        match (reasons.is_empty(), unread.is_empty()) {
            (true, false) => self.page.say(Check::Agreement, Answer::NotCovered, unread),
            _ => self.page.unless(Check::Agreement, reasons),
        }
    }

    /// The source of later revisions for the device. Nothing signs it, and it does not change the flashed contents, so it is reported and
    /// refuses nothing.
    pub(super) fn channels(&mut self, model: &Model, rows: &[Row]) {
        for row in rows {
            let Some(channel) = row.file.channel.as_deref() else { continue };
            let wanted = model.snap(&row.name).and_then(|snap| snap.channel.as_deref());
            if !follows(channel, wanted) {
                let wanted = wanted.unwrap_or("stable");
                self.page.uncovered.push(format!("{} is to be refreshed from {channel:?} later, and the model says {wanted:?}", row.name));
            }
        }
    }
}

/// Is this the channel of the model? A track alone means its stable risk, and a risk alone means that of the track `latest`.
fn follows(channel: &str, wanted: Option<&str>) -> bool {
    let whole = |channel: &str| -> Vec<String> {
        let parts: Vec<&str> = channel.split('/').collect();
        match parts.as_slice() {
            [one] if RISKS.contains(one) => vec!["latest".to_owned(), (*one).to_owned()],
            [track] => vec![(*track).to_owned(), "stable".to_owned()],
            [first, ..] if RISKS.contains(first) => std::iter::once("latest").chain(parts.iter().copied()).map(str::to_owned).collect(),
            parts => parts.iter().map(|part| (*part).to_owned()).collect(),
        }
    };
    whole(channel) == whole(wanted.unwrap_or("stable"))
}

/// Ubuntu Core 18 adds core for apps made for it.
fn is_implicit_core(model: &Model, row: &Row, rows: &[Row]) -> bool {
    let without_base = |row: &Row| row.yaml.as_ref().is_ok_and(|yaml| yaml.kind() == "app" && yaml.base.is_none());
    row.name == "core" && model.base.is_some() && rows.iter().any(without_base)
}

/// A snap whose type is not that in the model. Where the model says app, the snap may have any type that apps can need.
fn kind_other_than(wanted: &ModelSnap, yaml: &SnapYaml) -> Option<VerdictReason> {
    // Before Ubuntu Core 18 had its own type for it, snapd described itself as an app.
    let is_it = !wanted.essential || yaml.kind() == wanted.kind.word() || (wanted.kind == SnapKind::Snapd && yaml.kind() == "app");
    (!is_it).then(|| {
        VerdictCode::OtherSnapType.with(format!(
            "{} is of type {}, and the model takes it for the {}",
            wanted.name,
            yaml.kind(),
            wanted.kind.word()
        ))
    })
}
