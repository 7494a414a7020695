//! Flashline.
pub mod cli;
pub mod config;
pub mod daemon;
pub mod device;
pub mod flash;
pub mod image;
pub mod ledger;
pub mod panel;
pub mod report;
pub mod station;
pub mod watch;
