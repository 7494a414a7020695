//! Flashline.
pub mod device;
pub mod flash;
pub mod image;
pub mod station;
