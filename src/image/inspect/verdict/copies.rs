//! Judges the files that no signature covers directly: the boot files, and the files beside the seed.

use snap_assertions::definition::{Grade, Model, ModelSnap};

use super::super::codes::{VerdictCode, VerdictReason};
use super::super::gadget::Gadget;
use super::super::page::{Answer, Check};
use super::super::seed::Generation;
use super::foreign::Scan;
use super::snaps::Row;
use super::{Inspection, foreign, unsigned};
use crate::image::inspect::boot::comparison::{Compared, Originals};
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::files::Files;
use crate::image::inspect::readers::squashfs::Squashfs;
use crate::image::inspect::{boot, snap};

/// The snaps that are the originals of the copies.
struct Sources<'r> {
    kernel: &'r Row,
    gadget: &'r Row,
    base: &'r Row,
    /// Since Ubuntu Core 20, its program contains a menu; before, snapd is part of core, and nothing is copied from it.
    snapd: Option<&'r Row>,
    described: Result<Gadget, ReadError>,
}

impl Inspection<'_> {
    /// The two verdicts on copies.
    pub(super) fn copies(&mut self, model: &Model, rows: &[Row], unsigned_assertions: Vec<VerdictReason>) {
        let sources = match self.sources(model, rows) {
            Ok(sources) => sources,
            Err(why) => {
                for check in [Check::BootFiles, Check::NothingUnsigned] {
                    self.page.say(check, Answer::NotCovered, vec![VerdictCode::NotReached.with(why)]);
                }
                return;
            }
        };
        let boot_label = if self.seed.generation == Generation::Core20 { "ubuntu-seed" } else { "system-boot" };
        let compared = self.boot_files(model, &sources, boot_label);
        self.nothing_unsigned(model, &sources, boot_label, compared, unsigned_assertions);
    }

    fn sources<'r>(&self, model: &Model, rows: &'r [Row]) -> Result<Sources<'r>, &'static str> {
        let called = |name: &str| rows.iter().find(|row| row.is_called(name));
        let row = |wanted: Option<&ModelSnap>| wanted.and_then(|wanted| called(&wanted.name));
        let (Some(kernel), Some(gadget), Some(base)) =
            (row(model.kernel()), row(model.gadget()), called(model.base.as_deref().unwrap_or("core")))
        else {
            return Err("kernel, gadget or base is missing");
        };
        let is_proven = |row: &Row| row.proven || !self.wanted.signatures;
        if !(is_proven(kernel) && is_proven(gadget)) {
            return Err("kernel or gadget is not asserted, and files are not compared with an unpublished snap");
        }
        let described = self.open(gadget).and_then(|mut snap| Gadget::of(&mut snap).map_err(|error| error.about("the gadget snap")));
        let snapd = called("snapd").filter(|row| is_proven(row));
        Ok(Sources { kernel, gadget, base, snapd, described })
    }

    fn open(&self, row: &Row) -> Result<Squashfs<'_>, ReadError> {
        snap::open(self.files, &row.file.path)
    }

    /// Compares the boot files. Returns the ranges outside of the file systems that were compared.
    fn boot_files(&mut self, model: &Model, sources: &Sources<'_>, boot_label: &str) -> Compared {
        let with_boot_label: Vec<&Files> =
            self.volumes.iter().flatten().filter(|files| files.label.eq_ignore_ascii_case(boot_label)).collect();
        let mut compared = boot::compare(Originals {
            image: self.image,
            table: self.table,
            boot: with_boot_label.first().copied(),
            seed: self.seed,
            kernel_file: &sources.kernel.file.file,
            base_file: &sources.base.file.file,
            kernel: self.open(sources.kernel),
            gadget: self.open(sources.gadget),
            snapd: sources.snapd.map(|row| self.open(row)),
            gadget_yaml: sources.described.as_ref(),
            is_dangerous: model.grade == Some(Grade::Dangerous),
            allowed: &self.wanted.allowed,
        });
        let mut reasons = std::mem::take(&mut compared.different);
        if with_boot_label.len() > 1 {
            reasons.push(VerdictCode::SeveralBootPartitions.with(format!(
                "there are {} partitions called {boot_label}: which of them boots depends on who looks first",
                with_boot_label.len()
            )));
        }
        reasons.extend(compared.foreign.iter().map(|path| {
            VerdictCode::BootFileForeign.with(format!("{path} is in neither the kernel nor the gadget snap, and nothing signs it"))
        }));
        let uncovered = std::mem::take(&mut compared.uncovered);
        if reasons.is_empty() && compared.equal == 0 {
            let reasons = uncovered.into_iter().map(|why| VerdictCode::BootNotCompared.with(why));
            self.page.say(Check::BootFiles, Answer::NotCovered, reasons.collect());
        } else {
            self.page.uncovered.extend(uncovered);
            self.page.unless(Check::BootFiles, reasons);
        }
        compared
    }

    /// Checks the contents beside the seed, in its partition and outside of it.
    fn nothing_unsigned(
        &mut self,
        model: &Model,
        sources: &Sources<'_>,
        boot_label: &str,
        compared: Compared,
        unsigned_assertions: Vec<VerdictReason>,
    ) {
        let mut gadget = self.open(sources.gadget).ok();
        let found = match self.seed.generation {
            Generation::Core16 => unsigned::look(self.files, self.seed, gadget.as_mut(), &self.wanted.allowed),
            // All of ubuntu-seed is the boot partition, and was compared.
            Generation::Core20 => unsigned::Found::default(),
        };
        drop(gadget);
        let mut reasons: Vec<VerdictReason> = found
            .foreign
            .iter()
            .map(|path| VerdictCode::FileNotSigned.with(format!("{path} is in {}, and nothing signs it", self.files.label)))
            .collect();
        let unaccounted = foreign::look(&Scan {
            image: self.image,
            table: self.table,
            volumes: self.volumes.iter().map(Option::as_ref).collect(),
            seed: self.files,
            boot_label,
            gadget: sources.described.as_ref().ok(),
            compared: &compared.places,
            allowed: &self.wanted.allowed,
            is_pc: matches!(model.architecture.as_str(), "amd64" | "i386"),
        });
        match unaccounted {
            Ok(found) => {
                reasons.extend(found.foreign);
                self.page.uncovered.extend(found.uncovered);
            }
            Err(error) => {
                reasons.push(VerdictCode::RestUnreadable.with(format!("what lies outside of the seed cannot be read: {}", error.words())));
            }
        }
        reasons.extend(unsigned_assertions);
        let allowed = compared.allowed.into_iter().chain(found.allowed);
        self.page.uncovered.extend(allowed.map(|path| format!("{path}, which is allowed by configuration")));
        self.page.unless(Check::NothingUnsigned, reasons);
    }
}
