//! What a hostile floor does to a station: faults that were found once, each held by what it should have been.
//!
//! One file a subject. What needs no kernel stands beside the code it concerns, in modules named `cases`.

mod blinks;
mod claims;
mod clients;
mod clock;
mod copies;
mod exchanged;
mod flush;
mod foreign_cards;
mod green;
mod held;
mod images;
mod in_use;
mod journal;
mod log_disk;
mod log_medium;
mod log_programs;
mod nodes;
mod one_station;
mod other_programs;
mod removed_disks;
mod row_on_its_way;
mod shortage;
mod stopped;
mod taught_away;
mod udev_gone;
