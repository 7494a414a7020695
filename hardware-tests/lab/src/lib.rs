//! The emulated factory PC: QEMU with hot-plugged cards that can be spoiled, and an agent inside.
//!
//! A scenario starts a [`Pc`], plugs cards, runs programs in the guest, and looks at the cards from outside.
//!
//! | module | owns |
//! | --- | --- |
//! | [`pc`], `reboot` | one emulated PC and its verbs |
//! | [`usb`], [`sd`], [`disk`], [`reader`], [`lamp`] | the hardware plugged into it |
//! | [`medium`] | the contents of a card, seen from outside |
//! | [`nbd`] | the block device server with a card's defects |
//! | [`agent`], [`protocol`] | the channel into the guest; its other end is `bin/flashline-agent.rs` |
//! | `qmp` | QEMU's monitor |
//! | `machine`, `state`, `host` | the command line, the saved state, files and processes of the host |
//! | `pattern`, `sync`, [`error`] | seeded bytes, locks, errors |

pub mod agent;
pub mod disk;
pub mod error;
mod hand;
mod host;
pub mod lamp;
mod machine;
pub mod medium;
pub mod nbd;
mod pattern;
pub mod pc;
pub mod protocol;
mod qemu;
mod qmp;
pub mod reader;
mod reboot;
pub mod sd;
mod state;
mod sync;
pub mod usb;

use std::time::Duration;

pub use agent::{Job, Output};
pub use disk::Disk;
pub use lamp::Lamp;
pub use medium::Medium;
pub use nbd::export::Counts;
pub use nbd::faults::{Beyond, Errno, Faults};
pub use nbd::request::Request;
pub use nix::sys::signal::Signal;
pub use pc::Pc;
pub use reader::Reader;
pub use sd::SdCard;
pub use usb::{Hub, UsbBuilder, UsbStick};

/// Bytes in a kibibyte (2^10).
pub const KIB: u64 = 1 << 10;
/// Bytes in a mebibyte (2^20).
pub const MIB: u64 = 1 << 20;
/// Bytes in a gibibyte (2^30).
pub const GIB: u64 = 1 << 30;

/// A duration of whole seconds.
#[must_use]
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The example in the README is compiled.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
