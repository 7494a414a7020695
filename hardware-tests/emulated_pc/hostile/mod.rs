//! Faults of a hostile factory floor: each was found once, and each has a scenario with the right behaviour.
//!
//! One file for each subject. Cases that need no kernel are beside the code they concern, in modules named `cases`.

mod blinks;
mod copies;
mod flush;
mod green;
mod held;
mod images;
mod in_use;
mod journal;
mod log_disk;
mod log_medium;
mod one_station;
