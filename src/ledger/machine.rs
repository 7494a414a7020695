//! The PC that a log belongs to, by its `/etc/machine-id`.

use std::fs;
use std::path::Path;

use super::error::{Doing, LogError, LogProblem};

/// `machine-id(5)` asks programs not to show the id itself.
const MACHINE_CONTEXT: &str = "flashline 2026-01-01 station bound to machine-id";

/// The machine-id of this PC.
///
/// # Errors
/// If it has none.
pub(super) fn this_machine(path: &Path) -> Result<String, LogError> {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    let machine = machine.trim();
    if machine.len() != 32 || !machine.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(LogError::new(Doing::Opening, path, LogProblem::NoMachineId));
    }
    Ok(machine.to_owned())
}

/// How a log names the PC with this machine-id.
pub(super) fn machine_key(machine_id: &str) -> String {
    let mut key = String::new();
    for byte in blake3::derive_key(MACHINE_CONTEXT, machine_id.as_bytes()) {
        key.push_str(&format!("{byte:02x}"));
    }
    key
}
