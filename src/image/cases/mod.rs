//! What people give a station for an image, and what must come of it.

mod foreign;
mod packed;
mod sizes;
