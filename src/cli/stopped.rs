//! For commands that need the station to be stopped: keeps it stopped meanwhile, and tells who runs the command.

use std::path::Path;

use nix::unistd::{User, getuid};

use crate::daemon::single_instance::{LOCK, OnlyError, OnlyStation};
use crate::station::request::Who;

/// Why the station is not kept from starting.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStopped {
    #[error("the station runs on this PC{holder}: stop it first (systemctl stop flashline), and run this again")]
    Runs { holder: String },
    #[error(transparent)]
    Lock(OnlyError),
}

/// No station starts on this PC as long as the result lives.
pub(super) fn keep_stopped(config: &Path) -> Result<OnlyStation, NotStopped> {
    OnlyStation::claim(Path::new(LOCK), config).map_err(|error| match error {
        OnlyError::Another { holder } => NotStopped::Runs { holder: holder.to_string() },
        other => NotStopped::Lock(other),
    })
}

/// The user of this process, as the log names users.
pub(super) fn this_user() -> Who {
    let uid = getuid();
    let name = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    Who { uid: uid.as_raw(), name }
}
