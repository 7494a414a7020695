//! Holds what was found to the model, check by check.

use std::collections::{BTreeMap, BTreeSet};

use super::boot::{self, Originals};
use super::files::{Files, System, read_through};
use super::gadget::Gadget;
use super::page::{self, Answer, Check, Page};
use super::seed::{self, Generation, Seed, SnapFile};
use super::snap::{self, SnapYaml};
use super::strangers::{self, Around};
use super::table::{self, Table};
use super::window::Window;
use super::{Trouble, Wanted, unsigned};
use crate::model::assertion::{Assertion, Typed};
use crate::model::definition::{Model, ModelSnap, SnapKind};
use crate::model::signature::Sha3Hasher;
use crate::model::trust::{Judge, Link, Proof};

/// The account that publishes unmodified essential snaps.
const CANONICAL: &str = "canonical";
/// Assertions that prove others.
const VOUCHING: [&str; 4] = ["account", "account-key", "snap-declaration", "snap-revision"];
/// Assertions that a model, or a snap, brings along, and that only say what may be installed from where.
const GUIDING: [&str; 6] = ["confdb-schema", "preseed", "snap-resource-pair", "snap-resource-revision", "store", "validation-set"];
/// Of many reasons of one kind, this many are told.
const REASONS: usize = 20;

/// A partition that was opened.
struct Volume {
    files: Option<Files>,
}

pub(super) fn judge(image: &Window, wanted: &Wanted) -> Page {
    let mut page = Page::new(image.length());
    let table = match table::read(image) {
        Ok(Some(table)) => table,
        Ok(None) => {
            page.say(Check::Whole, Answer::NotCovered, vec!["it has no partition table, which would say how long it must be".to_owned()]);
            page.say(Check::Model, Answer::No, vec!["it is no image of Ubuntu Core: it has no partition table".to_owned()]);
            page.rest("there is no model to hold it to");
            return page;
        }
        Err(error) => {
            page.say(Check::Whole, Answer::No, vec![error.words()]);
            page.rest("its partition table cannot be relied on");
            return page;
        }
    };
    page.table = Some(table.kind);
    if table.needs > image.length() {
        let missing = table.needs - image.length();
        let why =
            format!("it is cut short: it ends at byte {} of {}, {missing} bytes are missing; copy it again", image.length(), table.needs);
        page.say(Check::Whole, Answer::No, vec![why]);
    } else {
        page.say(Check::Whole, Answer::Yes, Vec::new());
    }
    let volumes = open(image, &table, &mut page);
    let Some((seed_files, seed)) = find_seed(&volumes, &mut page) else {
        page.rest("there is no seed");
        return page;
    };
    let mut judged = Judged { image, table: &table, volumes: &volumes, files: seed_files, seed: &seed, wanted, page };
    judged.all();
    let mut page = judged.page;
    page.rest("there is no model to hold it to");
    for verdict in &mut page.verdicts {
        if verdict.reasons.len() > REASONS {
            let more = verdict.reasons.len() - REASONS;
            verdict.reasons.truncate(REASONS);
            verdict.reasons.push(format!("and {more} more"));
        }
    }
    page
}

fn open(image: &Window, table: &Table, page: &mut Page) -> Vec<Volume> {
    let mut volumes = Vec::new();
    for partition in &table.partitions {
        let (files, trouble) = match Files::open(&image.part(partition.start, partition.length)) {
            Ok(files) => (files, None),
            Err(error) => (None, Some(error.words())),
        };
        let filesystem = files.as_ref().map(|files| match files.system {
            System::Fat => "fat",
            System::Ext4 => "ext4",
        });
        let label = files.as_ref().map(|files| files.label.clone());
        page.partitions.push(page::Partition { entry: partition.clone(), filesystem, label, trouble });
        volumes.push(Volume { files });
    }
    volumes
}

/// Exactly one, or a verdict on the model that says why not.
fn find_seed<'a>(volumes: &'a [Volume], page: &mut Page) -> Option<(&'a Files, Seed)> {
    let mut holders = volumes.iter().filter_map(|volume| volume.files.as_ref()).filter(|files| seed::is_in(files));
    let troubles = page.partitions.iter().filter_map(|partition| {
        partition.trouble.as_ref().map(|trouble| format!("partition {} cannot be read: {trouble}", partition.entry.number))
    });
    let mut reasons: Vec<String> = troubles.collect();
    let (first, second) = (holders.next(), holders.next());
    let read = match (first, second) {
        (None, _) => {
            reasons.push("it has no seed of Ubuntu Core: neither `writable` nor `ubuntu-seed` holds one".to_owned());
            None
        }
        (Some(_), Some(_)) => {
            reasons.push("it has two seeds: which of them boots depends on who looks first".to_owned());
            None
        }
        (Some(files), None) => match seed::read(files) {
            Ok(seed) => Some((files, seed)),
            Err(error) => {
                reasons.push(format!("the seed in {} cannot be used: {}", files.label, error.words()));
                None
            }
        },
    };
    match read {
        Some((files, seed)) if reasons.is_empty() => {
            page.seed = Some(format!("{} in {}", seed.root, files.label));
            Some((files, seed))
        }
        // A partition that cannot be read may hold anything, another seed included.
        _ => {
            page.say(Check::Model, Answer::No, reasons);
            None
        }
    }
}

/// A snap of the seed with everything that is known of it.
struct Row {
    file: SnapFile,
    name: String,
    yaml: Result<SnapYaml, Trouble>,
    publisher: Option<String>,
    snap_id: Option<String>,
    proven: bool,
    /// Of its place on the page.
    index: usize,
}

impl Row {
    fn is_called(&self, name: &str) -> bool {
        self.name == name
    }
}

struct Judged<'a> {
    image: &'a Window,
    table: &'a Table,
    volumes: &'a [Volume],
    files: &'a Files,
    seed: &'a Seed,
    wanted: &'a Wanted,
    page: Page,
}

impl<'a> Judged<'a> {
    fn all(&mut self) {
        let mut trust = self.wanted.trust.clone();
        let mut reasons = Vec::new();
        let (models, others) = self.assertions(&mut trust, &mut reasons);
        let judge = trust.at(self.wanted.at);
        let rows = self.snaps(&judge);
        let inside = match models.as_slice() {
            [only] => Some(only),
            [] => {
                reasons.push("there is no model assertion in it".to_owned());
                None
            }
            several => {
                let names: Vec<String> = several.iter().map(Assertion::name).collect();
                reasons.push(format!("there are {} model assertions in it, where exactly one must be: {}", names.len(), names.join(", ")));
                None
            }
        };
        let Some((assertion, model)) = inside.and_then(|assertion| assertion.as_model().map(|model| (assertion, model))) else {
            self.page.say(Check::Model, Answer::No, reasons);
            return;
        };
        self.model(&judge, assertion, model, reasons);
        let undeclared = if self.seed.generation == Generation::Core20 { undeclared(&others) } else { Vec::new() };
        self.present(model, &rows, undeclared);
        self.extra(model, &rows);
        self.unmodified(model, &rows);
        let store = model.store.as_ref().map(|store| format!("the model names the brand store {store:?}, and the simple model has none"));
        self.page.unless(Check::PublicStore, store.into_iter().collect());
        self.agreement(model, &rows);
        let unsigned_assertions = self.other_assertions(&judge, &others);
        self.boot_and_unsigned(model, &rows, unsigned_assertions);
        self.channels(model, &rows);
        self.page.warnings.extend(assertion.warnings().iter().cloned());
    }

    /// Takes the assertions of the seed into what is known; the models among them, and all others with the files they stand in.
    fn assertions(&self, trust: &mut crate::model::trust::Trust, reasons: &mut Vec<String>) -> (Vec<Assertion>, Vec<(&'a str, Assertion)>) {
        let (mut models, mut others) = (Vec::new(), Vec::new());
        let seed: &'a Seed = self.seed;
        for file in &seed.assertions {
            let found = match Assertion::read_all(&file.bytes) {
                Ok(found) => found,
                Err(error) => {
                    reasons.push(format!("{} cannot be read: {error}", file.path));
                    continue;
                }
            };
            let is_the_place = file.is_the_models || self.seed.generation == Generation::Core16;
            for assertion in found {
                if assertion.as_model().is_some() {
                    if !is_the_place {
                        reasons.push(format!("{} holds a model, which belongs nowhere but into {}/model", file.path, self.seed.root));
                    }
                    models.push(assertion);
                } else if file.is_the_models {
                    reasons.push(format!("{} holds {}, and may hold the model only", file.path, assertion.name()));
                } else {
                    others.push((file.path.as_str(), assertion.clone()));
                    if let Err(error) = trust.insert(assertion) {
                        reasons.push(format!("{}: {error}", file.path));
                    }
                }
            }
        }
        (models, others)
    }

    /// What assertions beside the model do that nobody asked for: they make logins, or give every card one identity. One that nobody
    /// vouches for keeps the first boot from taking the seed at all.
    fn other_assertions(&mut self, judge: &Judge<'_>, others: &[(&str, Assertion)]) -> Vec<String> {
        let mut reasons = Vec::new();
        for (path, assertion) in others {
            let (kind, name) = (assertion.kind(), assertion.name());
            if self.wanted.allowed.has(path) {
                self.page.uncovered.push(format!("{name} in {path}, which is allowed by configuration"));
                continue;
            }
            if !VOUCHING.contains(&kind) && !GUIDING.contains(&kind) {
                let does = if kind == "system-user" { "makes a login on every card" } else { "belongs into no image of many cards" };
                reasons.push(format!("{path} holds {name}, which {does}; `allow` takes it on trust"));
                continue;
            }
            if self.wanted.signatures
                && let Err(problems) = judge.prove(assertion)
            {
                let why = problems.first().map_or("", String::as_str);
                reasons.push(format!("{path} holds {name}, which nobody trusted vouches for: {why}"));
            } else if GUIDING.contains(&kind) {
                self.page.uncovered.push(format!("what {name} asks for"));
            }
        }
        reasons
    }

    /// Where the device gets later revisions from. It changes nothing of what is flashed, so it refuses nothing.
    fn channels(&mut self, model: &Model, rows: &[Row]) {
        for row in rows {
            let Some(channel) = row.file.channel.as_deref() else { continue };
            let wanted = model.snap(&row.name).and_then(|snap| snap.channel.as_deref());
            if !follows(channel, wanted) {
                let wanted = wanted.unwrap_or("stable");
                self.page.warnings.push(format!("{} is to be refreshed from {channel:?} later, and the model says {wanted:?}", row.name));
            }
        }
    }

    fn model(&mut self, judge: &Judge<'_>, assertion: &Assertion, model: &Model, mut reasons: Vec<String>) {
        let proof = judge.prove(assertion);
        let (chain, problems) = found(proof);
        if self.wanted.signatures {
            reasons.extend(problems.iter().map(|problem| format!("the model {}: {problem}", model.full_name())));
        }
        let is_core20 = self.seed.generation == Generation::Core20;
        if model.has_snaps_header() != is_core20 {
            let seed = if is_core20 { "of Ubuntu Core 20 or later" } else { "of Ubuntu Core 16 or 18" };
            reasons.push(format!("the seed is one {seed}, and the model {} is not", model.full_name()));
        }
        if let Some(given) = &self.wanted.model {
            reasons.extend(other_than(given, assertion, model));
        }
        self.page.model = Some(page::Model {
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

    /// Hashes every snap and looks for who published those bytes.
    fn snaps(&mut self, judge: &Judge<'_>) -> Vec<Row> {
        let mut rows = Vec::new();
        for file in &self.seed.snaps {
            let (row, snap) = self.snap(judge, file);
            rows.push(row);
            self.page.snaps.push(snap);
        }
        rows
    }

    fn snap(&self, judge: &Judge<'_>, file: &SnapFile) -> (Row, page::Snap) {
        let yaml = snap::open(self.files, &file.path).and_then(|mut snap| snap::describe(&mut snap));
        let own_name = yaml.as_ref().ok().map(|yaml| yaml.name.clone());
        let mut shown = page::Snap {
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
            match judge.snap_revision(digest) {
                Err(reasons) => shown.problems.extend(reasons),
                Ok(revision) => {
                    shown.revision = Some(revision.what.revision);
                    shown.snap_id = Some(revision.what.snap_id.clone());
                    if revision.what.size != size {
                        shown.problems.push(format!("it is {size} bytes long, and its snap-revision says {}", revision.what.size));
                    }
                    if let Some(way) = &revision.what.provenance {
                        shown.problems.push(format!("it was published by a way of its own ({way}), which the simple model does not use"));
                    }
                    match judge.snap_declaration(&revision.what.snap_id) {
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
        // The first boot of Ubuntu Core 20 finds snaps by this name alone.
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

    /// Why the bytes of snaps are not proven, in a sentence for every cause: a root that nobody trusts here is one, however many
    /// snaps it stands behind.
    fn doubts<'r>(&self, rows: impl IntoIterator<Item = &'r Row>) -> Vec<String> {
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
            format!("{} {are} not asserted: {cause}", names.join(", "))
        };
        causes.into_iter().map(sentence).collect()
    }

    fn present(&mut self, model: &Model, rows: &[Row], undeclared: Vec<String>) {
        let mut reasons = self.seed.missing.clone();
        let mut doubtful = Vec::new();
        for wanted in &model.snaps {
            let found: Vec<&Row> = rows.iter().filter(|row| row.is_called(&wanted.name)).collect();
            match found.as_slice() {
                [] if wanted.required => reasons.push(format!("the model requires {}, and the seed does not have it", wanted.name)),
                [] => {}
                [row] => {
                    if self.wanted.signatures && !row.proven {
                        doubtful.push(*row);
                    }
                    if let (Some(id), Some(found)) = (&wanted.id, &row.snap_id)
                        && id != found
                    {
                        reasons.push(format!("the model means the snap {} with the id {id}, and the seed has {found}", wanted.name));
                    }
                }
                _ => reasons.push(format!("the seed has {} snaps called {}", found.len(), wanted.name)),
            }
        }
        reasons.extend(self.doubts(doubtful));
        reasons.extend(undeclared);
        self.page.unless(Check::SnapsPresent, reasons);
    }

    fn extra(&mut self, model: &Model, rows: &[Row]) {
        let mut reasons = Vec::new();
        for row in rows.iter().filter(|row| model.snap(&row.name).is_none()) {
            if is_implicit_core(model, row, rows) && (row.proven || !self.wanted.signatures) {
                self.page.warnings.push("core is there for an app that names no base".to_owned());
                continue;
            }
            let why = "the model does not require it, so the customer could remove it; put it into required-snaps and sign the model again";
            reasons.push(format!("{} ({}) is in the seed: {why}", row.name, row.file.file));
            if self.wanted.signatures && !row.proven {
                reasons.extend(self.doubts([row]));
            }
        }
        reasons.extend(self.seed.odd.iter().cloned());
        self.page.unless(Check::NothingExtra, reasons);
    }

    fn unmodified(&mut self, model: &Model, rows: &[Row]) {
        if !self.wanted.signatures {
            self.page.say(Check::Unmodified, Answer::NotCovered, vec!["signatures are not demanded".to_owned()]);
            return;
        }
        let mut reasons = Vec::new();
        for wanted in model.essential() {
            let Some(row) = rows.iter().find(|row| row.is_called(&wanted.name)) else {
                reasons.push(format!("{} is missing", wanted.name));
                continue;
            };
            if !row.proven {
                reasons.push(format!("{} is not asserted", row.name));
            } else if row.publisher.as_deref() != Some(CANONICAL) {
                let publisher = row.publisher.as_deref().unwrap_or("nobody known");
                reasons.push(format!("{} is published by {publisher}, not by Canonical: the simple model takes it unmodified", row.name));
            }
        }
        self.page.unless(Check::Unmodified, reasons);
    }

    fn agreement(&mut self, model: &Model, rows: &[Row]) {
        let (mut reasons, mut unread) = (Vec::new(), Vec::new());
        for row in rows {
            let yaml = match &row.yaml {
                Ok(yaml) => yaml,
                Err(Trouble::Unreadable(why)) => {
                    unread.push(format!("cannot look inside {}: {why}", row.name));
                    continue;
                }
                Err(error) => {
                    reasons.push(format!("{} cannot be looked into: {}", row.name, error.words()));
                    continue;
                }
            };
            if !yaml.runs_on(&model.architecture) {
                reasons.push(format!("{} is made for {}, and the model is {}", row.name, yaml.architectures(), model.architecture));
            }
            let Some(wanted) = model.snap(&row.name) else { continue };
            if let Some(kind) = kind_other_than(wanted, yaml) {
                reasons.push(kind);
            }
            let base = |base: Option<&str>| base.unwrap_or("core").to_owned();
            let (own, of_model) = (base(yaml.base.as_deref()), base(model.base.as_deref()));
            if wanted.essential && wanted.kind == SnapKind::Gadget && own != of_model {
                reasons.push(format!("the gadget {} is made for {own}, and the model boots {of_model}", row.name));
            }
        }
        match (reasons.is_empty(), unread.is_empty()) {
            (true, false) => self.page.say(Check::Agreement, Answer::NotCovered, unread),
            _ => self.page.unless(Check::Agreement, reasons),
        }
    }

    fn boot_and_unsigned(&mut self, model: &Model, rows: &[Row], unsigned_assertions: Vec<String>) {
        let row = |wanted: Option<&ModelSnap>| wanted.and_then(|wanted| rows.iter().find(|row| row.is_called(&wanted.name)));
        let base_name = model.base.as_deref().unwrap_or("core");
        let base = rows.iter().find(|row| row.is_called(base_name));
        let (Some(kernel), Some(gadget), Some(base)) = (row(model.kernel()), row(model.gadget()), base) else {
            let why = vec!["kernel, gadget or base is missing".to_owned()];
            self.page.say(Check::BootFiles, Answer::NotCovered, why.clone());
            self.page.say(Check::NothingUnsigned, Answer::NotCovered, why);
            return;
        };
        if self.wanted.signatures && !(kernel.proven && gadget.proven) {
            let why = vec!["kernel or gadget is not asserted, and nothing is held to a snap that nobody published".to_owned()];
            self.page.say(Check::BootFiles, Answer::NotCovered, why.clone());
            self.page.say(Check::NothingUnsigned, Answer::NotCovered, why);
            return;
        }
        let described = snap::open(self.files, &gadget.file.path)
            .and_then(|mut snap| Gadget::of(&mut snap).map_err(|error| error.about("the gadget snap")));
        let boot_label = if self.seed.generation == Generation::Core20 { "ubuntu-seed" } else { "system-boot" };
        let with_boot_label: Vec<&Files> = self
            .volumes
            .iter()
            .filter_map(|volume| volume.files.as_ref())
            .filter(|files| files.label.eq_ignore_ascii_case(boot_label))
            .collect();
        let compared = boot::compare(Originals {
            image: self.image,
            table: self.table,
            boot: with_boot_label.first().copied(),
            seed: self.seed,
            kernel_file: &kernel.file.file,
            base_file: &base.file.file,
            kernel: snap::open(self.files, &kernel.file.path),
            gadget: snap::open(self.files, &gadget.file.path),
            gadget_yaml: described.as_ref(),
            allowed: &self.wanted.allowed,
        });
        let mut reasons = compared.different;
        if with_boot_label.len() > 1 {
            reasons.push(format!(
                "there are {} partitions called {boot_label}: which of them boots depends on who looks first",
                with_boot_label.len()
            ));
        }
        reasons.extend(
            compared.foreign.iter().map(|path| format!("{path} is in neither the kernel nor the gadget snap, and nothing signs it")),
        );
        if reasons.is_empty() && compared.equal == 0 {
            self.page.say(Check::BootFiles, Answer::NotCovered, compared.uncovered);
        } else {
            self.page.uncovered.extend(compared.uncovered);
            self.page.unless(Check::BootFiles, reasons);
        }
        let allowed = compared.allowed.into_iter();

        let mut gadget_snap = snap::open(self.files, &gadget.file.path).ok();
        let found = match self.seed.generation {
            Generation::Core16 => unsigned::look(self.files, self.seed, gadget_snap.as_mut(), &self.wanted.allowed),
            // All of ubuntu-seed is the boot partition, and was compared.
            Generation::Core20 => unsigned::Found::default(),
        };
        let mut reasons: Vec<String> =
            found.foreign.iter().map(|path| format!("{path} is in {}, and nothing signs it", self.files.label)).collect();
        let strangers = strangers::look(&Around {
            image: self.image,
            table: self.table,
            volumes: self.volumes.iter().map(|volume| volume.files.as_ref()).collect(),
            seed: self.files,
            boot_label,
            gadget: described.as_ref().ok(),
            compared: &compared.places,
            allowed: &self.wanted.allowed,
        });
        match strangers {
            Ok(found) => {
                reasons.extend(found.foreign);
                self.page.uncovered.extend(found.uncovered);
            }
            Err(error) => reasons.push(format!("what lies outside of the seed cannot be read: {}", error.words())),
        }
        reasons.extend(unsigned_assertions);
        self.page.uncovered.extend(allowed.chain(found.allowed).map(|path| format!("{path}, which is allowed by configuration")));
        self.page.unless(Check::NothingUnsigned, reasons);
    }
}

/// Since Ubuntu Core 20, snapd takes a seed only with one snap-declaration for every snap-revision, and the other way round.
fn undeclared(others: &[(&str, Assertion)]) -> Vec<String> {
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
            reasons
                .push(format!("the system has a snap-revision of the snap {id} and no snap-declaration: snapd does not take such a seed"));
        } else if of_id.len() > 1 {
            reasons.push(format!("the system has {} snap-revisions of the snap {id}: snapd takes a seed with one of each", of_id.len()));
        }
    }
    for (id, name) in declared.iter().filter(|(id, _)| !revisions.contains_key(*id)) {
        let name = name.unwrap_or("a snap without a name");
        reasons.push(format!("the system has a snap-declaration of {name} ({id}) and no snap-revision: snapd does not take such a seed"));
    }
    reasons
}

/// Is this the channel the model means? A track alone is its stable risk, and a risk alone that of the track `latest`.
fn follows(channel: &str, wanted: Option<&str>) -> bool {
    const RISKS: [&str; 4] = ["stable", "candidate", "beta", "edge"];
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

/// How the model inside differs from the one that is wanted.
fn other_than(given: &Assertion, inside: &Assertion, model: &Model) -> Vec<String> {
    let Some(wanted) = given.as_model() else { return vec!["what was given is no model".to_owned()] };
    let mut reasons = Vec::new();
    if (&model.brand, &model.name) != (&wanted.brand, &wanted.name) {
        reasons.push(format!("it is the image of another model: it has {}, and {} is wanted", model.full_name(), wanted.full_name()));
        return reasons;
    }
    if model.series != wanted.series {
        reasons.push(format!("its model is of series {:?}, and {:?} is wanted", model.series, wanted.series));
    }
    if inside.revision() != given.revision() {
        reasons.push(format!(
            "its model is revision {} of {}, and revision {} is wanted",
            inside.revision(),
            model.full_name(),
            given.revision()
        ));
    } else if inside.headers() != given.headers() {
        reasons.push(format!("its model says something else than the one that is wanted, under the same revision {}", inside.revision()));
    }
    reasons
}

/// Ubuntu Core 18 brings core along for apps made for it.
fn is_implicit_core(model: &Model, row: &Row, rows: &[Row]) -> bool {
    let without_base = |row: &Row| row.yaml.as_ref().is_ok_and(|yaml| yaml.kind() == "app" && yaml.base.is_none());
    row.name == "core" && model.base.is_some() && rows.iter().any(without_base)
}

/// A snap that is not of the kind the model takes it for. Apps may need any of what the model lists as theirs.
fn kind_other_than(wanted: &ModelSnap, yaml: &SnapYaml) -> Option<String> {
    // Snapd was an app by its own description before Ubuntu Core 18 had one.
    let is_it = !wanted.essential || yaml.kind() == wanted.kind.word() || (wanted.kind == SnapKind::Snapd && yaml.kind() == "app");
    (!is_it).then(|| format!("{} is of type {}, and the model takes it for the {}", wanted.name, yaml.kind(), wanted.kind.word()))
}

fn found(proof: Result<Proof, Vec<String>>) -> (Option<Vec<String>>, Vec<String>) {
    match proof {
        Ok(proof) => (Some(keys(proof.chain())), Vec::new()),
        Err(problems) => {
            // A chain repeats what is wrong with a key for everything the key signed.
            let mut seen = BTreeSet::new();
            (None, problems.into_iter().filter(|problem| seen.insert(problem.clone())).collect())
        }
    }
}

fn keys(chain: &[Link]) -> Vec<String> {
    chain.iter().map(|link| format!("{}/{} {}", link.account, link.name, link.key)).collect()
}
