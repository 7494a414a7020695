//! The list of what goes into an archive. Nothing goes in that is not in this list.

use super::configuration::{check, configuration};
use super::context::{Context, Made};
use super::devices::{rules, slots};
use super::flash_log::{flash_log, images};
use super::journal::journal;
use super::pc::{pc, program};
use super::status::status;
use super::units::units;

/// A file of the archive.
pub(super) struct Part {
    pub(super) name: &'static str,
    /// What is in it, for a person who decides whether to send it.
    pub(super) what: &'static str,
    pub(super) make: fn(&Context) -> Made,
}

/// Every file of the archive besides the page that explains it.
pub(super) const PARTS: [Part; 11] = [
    Part { name: "program.json", what: "version and build of the program, and the formats that it reads and finds", make: program },
    Part {
        name: "pc.json",
        what: "kernel, distribution, processor, memory, room on the disks, time, and whether the clock is set from the network",
        make: pc,
    },
    Part {
        name: "configuration.txt",
        what: "the configuration: values that are known to be harmless, with their lines; no remark, no unknown key",
        make: configuration,
    },
    Part { name: "check.json", what: "the findings of `flashline check`, or the mistakes in the configuration", make: check },
    Part { name: "status.json", what: "what the running station shows; of orders only their numbers", make: status },
    Part { name: "slots.json", what: "controllers, hubs, readers, ports and cards, from sysfs", make: slots },
    Part { name: "rules.txt", what: "the udev rules of the slots, and whether they are those of the configuration", make: rules },
    Part { name: "units.json", what: "states of the station's units, and settings that are words, numbers or paths", make: units },
    Part {
        name: "journal.jsonl",
        what: "the last lines of the journal of the station's units: time, place in the program, the program's own words, slot, model, numbers",
        make: journal,
    },
    Part {
        name: "log.json",
        what: "the flash log: whether it is whole, its anchor, counts of outcomes and reasons; no row",
        make: flash_log,
    },
    Part { name: "images.json", what: "digests and sizes of the staged images", make: images },
];

/// What is never in an archive.
pub(super) const NEVER: &str = "Never in it: the flash log and its rows, names of operators, orders and users, keys, environment variables, command lines, \
other files of this PC, mount points and their labels, the network. Serials of cards and devices are replaced by words that only tell \
whether two are the same, and the name of this PC is left out, unless --serials or --host-name is given.";
