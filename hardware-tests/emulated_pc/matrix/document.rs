//! The page with the outcome of each cell, written by a whole run.

use super::cells::Source;
use super::faults::Fault;
use super::moments::Moment;
use super::run::Judged;

/// The path of the page, from the root of the project.
pub(super) const PAGE: &str = "docs/developer/fault-matrix-of-the-pc.md";

const HEAD: &str = "# The fault matrix of the emulated PC

What the station makes of a fault that strikes a USB stick at one request of an attempt: a real kernel, udev, and the daemon as it
runs. This page is written by the run (`hardware-tests/emulated_pc/matrix`). To write it again:
`FLASHLINE_WRITE_DOCUMENTS=1 hardware-tests/test --all matrix`, some ten minutes. `hardware-tests/test` runs a part of it,
which `FLASHLINE_MATRIX_SEED` changes. [fault-matrix.md](fault-matrix.md) has the engine alone, with more faults.

The stick is stopped by a gate in front of it at the first request of the moment. The fault strikes, and the stick goes on.

## Properties of every cell

1. No false PASS: no slot is green for a stick that is not the image, byte by byte, seen from outside.
2. The outcome is the one of a table that was written from the promises, and its code names the fault.
3. Exactly one row for each attempt, and the log can be verified.
4. Nothing behind the image is written, except marks and the last MiB.
5. A stick that did not pass cannot boot.
6. A good card beside it passes, and holds the image.
7. The slot takes the next card.
";

const LIMITS: &str = "
## What the lab cannot make

| | why, and where it is shown |
| --- | --- |
| SD hosts | QEMU moves their sectors one by one, so that requests do not show the moment: `pulled.rs`, `swapped.rs`, `cards.rs` |
| slots of a reader | their media are behind the guest's memory and get requests late: `readers.rs`, `pulled.rs` |
| UAS behind a hub | QEMU's hub has full speed; UAS needs high speed |
| UAS that leaves the bus and comes back by itself | QEMU ends by an assertion |
| silence for longer than 30 s | QEMU freezes with the guest's SCSI timeout: [fault-matrix.md](fault-matrix.md), stalled |
| ENODATA, a reset in the middle of a write | NBD has no such error, and QEMU resets no single device |
| between proof and row, log disk, journal, memory, clock, sleep | `hostile/row_on_its_way.rs`, `hostile/log_disk.rs`, `hostile/journal.rs`, `hostile/shortage.rs`, `hostile/clock.rs`, `visits.rs` |
| power | `power.rs`, and `hardware-tests/soak` |
";

/// The whole page.
pub(super) fn page(judged: &[Judged]) -> String {
    let mut page = HEAD.to_owned();
    page.push_str(&format!("\n{} cells; all properties held in each. The sticks:", judged.len()));
    for source in Source::ALL {
        let own = judged.iter().filter(|judged| judged.cell.source == source);
        page.push_str(&format!(" {} {},", own.count(), source.name()));
    }
    page.push_str(&format!(" and {} of all are used ones.\n", judged.iter().filter(|judged| judged.cell.is_used).count()));
    page.push_str("\n## Faults\n\n| fault | what strikes |\n| --- | --- |\n");
    for fault in Fault::ALL {
        page.push_str(&format!("| `{}` | {} |\n", fault.name(), fault.meaning()));
    }
    for (title, moments) in [
        ("Until the body is flushed", &Moment::ALL[..8]),
        ("Read-back", &Moment::ALL[8..14]),
        ("Head, and after the proof", &Moment::ALL[14..]),
    ] {
        page.push_str(&format!("\n## {title}\n\n| fault |"));
        moments.iter().for_each(|moment| page.push_str(&format!(" `{}` |", moment.name())));
        page.push_str("\n| --- |");
        moments.iter().for_each(|_| page.push_str(" --- |"));
        page.push('\n');
        for fault in Fault::ALL {
            page.push_str(&format!("| `{}` |", fault.name()));
            for moment in moments {
                let cell = judged.iter().find(|judged| (judged.cell.fault, judged.cell.moment) == (fault, *moment));
                page.push_str(&format!(" {} |", cell.map_or("–", |judged| judged.word.as_str())));
            }
            page.push('\n');
        }
    }
    page.push_str(LIMITS);
    page
}
