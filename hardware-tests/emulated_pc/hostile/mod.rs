//! Faults of a hostile factory floor: each was found once, and each has a scenario with the right behaviour.
//!
//! One file for each subject. Cases that need no kernel are beside the code they concern, in modules named `cases`.

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
