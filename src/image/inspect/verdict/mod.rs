//! Compares the findings with the model, check by check.

mod assertions;
mod copies;
mod first_boot;
mod foreign;
mod snaps;
mod unsigned;

use snap_assertions::assertion::Assertion;
use snap_assertions::trust::Link;

use super::Wanted;
use super::codes::{VerdictCode, VerdictReason};
use super::page::{self, Answer, Check, Page};
use super::readers::files::{Files, System};
use super::readers::table::{self, PartitionTable};
use super::readers::window::Window;
use super::seed::{self, Generation, Seed};
use assertions::undeclared;

/// Of many reasons of one kind, this many are listed.
const REASONS: usize = 20;

pub(super) fn judge(image: &Window, wanted: &Wanted) -> Page {
    let mut page = Page::new(image.length());
    let table = match table::read(image) {
        Ok(Some(table)) => table,
        Ok(None) => {
            page.say(
                Check::Whole,
                Answer::NotCovered,
                vec![VerdictCode::NoTable.with("it has no partition table, which would say how long it must be")],
            );
            page.say(Check::Model, Answer::No, vec![VerdictCode::NoTable.with("it is no image of Ubuntu Core: it has no partition table")]);
            page.rest("there is no model to compare it with");
            return page;
        }
        Err(error) => {
            page.say(Check::Whole, Answer::No, vec![VerdictCode::TableDamaged.with(error.words())]);
            page.rest("its partition table cannot be relied on");
            return page;
        }
    };
    page.table = Some(table.kind);
    if table.needs > image.length() {
        let missing = table.needs - image.length();
        let why =
            format!("it is cut short: it ends at byte {} of {}, {missing} bytes are missing; copy it again", image.length(), table.needs);
        page.say(Check::Whole, Answer::No, vec![VerdictCode::CutShort.with(why)]);
    } else {
        page.say(Check::Whole, Answer::Yes, Vec::new());
    }
    let volumes = open(image, &table, &mut page);
    let Some((seed_files, seed)) = find_seed(&volumes, &mut page) else {
        page.rest("there is no seed");
        return page;
    };
    let mut inspection = Inspection { image, table: &table, volumes: &volumes, files: seed_files, seed: &seed, wanted, page };
    inspection.run();
    let mut page = inspection.page;
    page.rest("there is no model to compare it with");
    for verdict in &mut page.verdicts {
        if verdict.reasons.len() > REASONS {
            let more = verdict.reasons.len() - REASONS;
            verdict.reasons.truncate(REASONS);
            verdict.reasons.push(VerdictCode::More.with(format!("and {more} more")));
        }
    }
    page
}

/// The file system of every partition, in the table's order; `None` for one that is not read here.
fn open(image: &Window, table: &PartitionTable, page: &mut Page) -> Vec<Option<Files>> {
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
        page.partitions.push(page::FoundPartition { entry: partition.clone(), filesystem, label, trouble });
        volumes.push(files);
    }
    volumes
}

/// The only model, or a verdict that says why there is none.
fn find_seed<'a>(volumes: &'a [Option<Files>], page: &mut Page) -> Option<(&'a Files, Seed)> {
    let mut holders = volumes.iter().flatten().filter(|files| seed::is_in(files));
    let troubles = page.partitions.iter().filter_map(|partition| {
        partition
            .trouble
            .as_ref()
            .map(|trouble| VerdictCode::PartitionUnreadable.with(format!("partition {} cannot be read: {trouble}", partition.entry.number)))
    });
    let mut reasons: Vec<VerdictReason> = troubles.collect();
    let (first, second) = (holders.next(), holders.next());
    let read = match (first, second) {
        (None, _) => {
            reasons.push(VerdictCode::NoSeed.with("it has no seed of Ubuntu Core: neither `writable` nor `ubuntu-seed` holds one"));
            None
        }
        (Some(_), Some(_)) => {
            reasons.push(VerdictCode::SeveralSeeds.with("it has two seeds: which of them boots depends on who looks first"));
            None
        }
        (Some(files), None) => match seed::read(files) {
            Ok(seed) => Some((files, seed)),
            Err(error) => {
                reasons.push(VerdictCode::SeedUnusable.with(format!("the seed in {} cannot be used: {}", files.label, error.words())));
                None
            }
        },
    };
    match read {
        Some((files, seed)) if reasons.is_empty() => {
            page.seed = Some(format!("{} in {}", seed.root, files.label));
            Some((files, seed))
        }
        // A partition that cannot be read may contain anything, even another seed.
        _ => {
            page.say(Check::Model, Answer::No, reasons);
            None
        }
    }
}

struct Inspection<'a> {
    image: &'a Window,
    table: &'a PartitionTable,
    volumes: &'a [Option<Files>],
    files: &'a Files,
    seed: &'a Seed,
    wanted: &'a Wanted,
    page: Page,
}

impl Inspection<'_> {
    fn run(&mut self) {
        let mut trust = self.wanted.trust.clone();
        let mut reasons = Vec::new();
        let mut device = trust.built_in(self.seed.generation == Generation::Core16);
        let (models, others) = self.assertions(&mut trust, &mut device, &mut reasons);
        let judge = trust.at(self.wanted.at).of_an_image();
        let device = device.at(self.wanted.at).of_an_image();
        let rows = self.snaps(&judge, &device);
        let inside = match models.as_slice() {
            [only] => Some(only),
            [] => {
                reasons.push(VerdictCode::NoModel.with("there is no model assertion in it"));
                None
            }
            several => {
                let names: Vec<String> = several.iter().map(Assertion::name).collect();
                reasons.push(VerdictCode::SeveralModels.with(format!(
                    "there are {} model assertions in it, where exactly one must be: {}",
                    names.len(),
                    names.join(", ")
                )));
                None
            }
        };
        let Some((assertion, model)) = inside.and_then(|assertion| assertion.as_model().map(|model| (assertion, model))) else {
            self.page.say(Check::Model, Answer::No, reasons);
            return;
        };
        self.model(&judge, assertion, model, reasons);
        self.first_boot(&judge, &device, assertion, &others);
        let undeclared = if self.seed.generation == Generation::Core20 { undeclared(&others) } else { Vec::new() };
        self.present(model, &rows, undeclared);
        self.extra(model, &rows);
        self.unmodified(model, &rows);
        let store = model
            .store
            .as_ref()
            .map(|store| VerdictCode::BrandStore.with(format!("the model names the brand store {store:?}, and the simple model has none")));
        self.page.unless(Check::PublicStore, store.into_iter().collect());
        self.agreement(model, &rows);
        let unsigned_assertions = self.other_assertions(&judge, &others);
        self.copies(model, &rows, unsigned_assertions);
        self.channels(model, &rows);
        self.page.warnings.extend(assertion.warnings().iter().cloned());
    }
}

fn keys(chain: &[Link]) -> Vec<String> {
    chain.iter().map(|link| format!("{}/{} {}", link.account, link.name, link.key)).collect()
}
