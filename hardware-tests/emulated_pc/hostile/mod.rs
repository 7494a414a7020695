//! What a hostile floor does to a station: faults that were found once, each held by what it should have been.
//!
//! One file a subject. What needs no kernel stands beside the code it concerns, in modules named `cases`.

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
