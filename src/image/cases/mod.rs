//! Tests with files that people give to a station as an image.

mod foreign;
pub(super) mod sizes;
