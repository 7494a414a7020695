//! The cells: every fault at every moment where it can strike, with a source and a card such that each fault and each moment also meets every
//! source and every card.

use super::faults::Fault;
use super::moments::Moment;

/// Where the stick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// In a port of the PC, with bulk-only transport.
    Bulk,
    /// In a port of the PC, with USB attached SCSI.
    Uas,
    /// Behind a hub of full speed, the only one that QEMU has; UAS needs more.
    Hub,
}

impl Source {
    pub(crate) const ALL: [Self; 3] = [Self::Bulk, Self::Uas, Self::Hub];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bulk => "bulk",
            Self::Uas => "uas",
            Self::Hub => "hub",
        }
    }

    /// Can this fault be made with a stick there? QEMU ends by an assertion when a guest takes a UAS device off its bus under load.
    fn takes(self, fault: Fault) -> bool {
        !(self == Self::Uas && fault == Fault::Blinks)
    }
}

/// One attempt that is struck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) fault: Fault,
    pub(crate) moment: Moment,
    pub(crate) source: Source,
    /// The card is full of other data, so that the image's zeroes are written, too.
    pub(crate) is_used: bool,
}

impl Cell {
    pub(crate) fn name(&self) -> String {
        let card = if self.is_used { "used" } else { "new" };
        format!("{} at {}, {}, {card}", self.fault.name(), self.moment.name(), self.source.name())
    }
}

/// Every cell, in the order of its moments.
pub(crate) fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (column, moment) in Moment::ALL.into_iter().enumerate() {
        // At each moment the faults take sources and cards in turn, and each moment begins elsewhere.
        for (row, fault) in Fault::ALL.into_iter().filter(|fault| fault.strikes_at(moment)).enumerate() {
            let source = Source::ALL[(row + column) % 3];
            let source = if source.takes(fault) { source } else { Source::Bulk };
            cells.push(Cell { fault, moment, source, is_used: (row + column / 3).is_multiple_of(2) });
        }
    }
    cells
}

/// Those that run in one PC: of one source, at most this many, and station faults beside no others.
pub(crate) fn groups(cells: &[Cell], most: usize) -> Vec<Vec<Cell>> {
    let mut groups: Vec<Vec<Cell>> = Vec::new();
    for is_of_station in [false, true] {
        for source in Source::ALL {
            let own = cells.iter().filter(|cell| cell.source == source && cell.fault.is_of_station() == is_of_station);
            let mut own: Vec<Cell> = own.copied().collect();
            // Cards that stop at much the same time wait for each other for a moment only.
            own.sort_by_key(|cell| cell.moment);
            groups.extend(own.chunks(most).map(<[Cell]>::to_vec));
        }
    }
    groups
}

#[test]
fn every_fault_and_every_moment_meets_every_source_and_every_card() {
    let cells = all();
    assert!(cells.len() > 140, "{}", cells.len());
    for source in Source::ALL {
        for moment in Moment::ALL {
            assert!(cells.iter().any(|cell| (cell.source, cell.moment) == (source, moment)), "{source:?} {moment:?}");
        }
        for fault in Fault::ALL.into_iter().filter(|fault| source.takes(*fault)) {
            assert!(cells.iter().any(|cell| (cell.source, cell.fault) == (source, fault)), "{source:?} {fault:?}");
        }
    }
    for is_used in [false, true] {
        for moment in Moment::ALL {
            assert!(cells.iter().any(|cell| (cell.is_used, cell.moment) == (is_used, moment)), "{is_used} {moment:?}");
        }
        for fault in Fault::ALL {
            assert!(cells.iter().any(|cell| (cell.is_used, cell.fault) == (is_used, fault)), "{is_used} {fault:?}");
        }
    }
    let grouped: usize = groups(&cells, 6).iter().map(Vec::len).sum();
    assert_eq!(grouped, cells.len(), "each is in one group");
}
