//! Flashline.
pub mod device;
pub mod image;
pub mod station;
