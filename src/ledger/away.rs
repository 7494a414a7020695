//! A log that has left its PC: to which folder, and when.

use std::fmt;

/// A log that has left this PC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Away {
    /// The folder that it was copied to, as the user named it.
    pub to: String,
    /// When: UTC, microseconds since 1970.
    pub at: i64,
}

impl fmt::Display for Away {
    /// As in `has moved to FOLDER on DATE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = jiff::Timestamp::from_microsecond(self.at).unwrap_or_default().to_string();
        write!(f, "{} on {}", self.to, day.split('T').next().unwrap_or_default())
    }
}
