//! Flashline.
pub mod cli {
    //! The command line.
    pub mod log;
}
pub mod config;
pub mod device;
pub mod flash;
pub mod image;
pub mod ledger;
pub mod report;
pub mod station;
pub mod watch;
