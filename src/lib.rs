//! Flashline.
pub mod config;
pub mod device;
pub mod flash;
pub mod image;
pub mod station;
pub mod watch;
