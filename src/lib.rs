//! Flashline.
pub mod station;
