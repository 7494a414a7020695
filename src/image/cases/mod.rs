//! What people give a station for an image, and what must come of it.

mod foreign;
pub(super) mod sizes;
