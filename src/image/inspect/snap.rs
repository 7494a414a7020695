//! Reads `meta/snap.yaml` inside a snap.

use serde::Deserialize;

use super::read_error::ReadError;
use super::readers::files::Files;
use super::readers::squashfs::{Inode, Squashfs};
use super::readers::yaml;

/// The path of a snap's own description.
pub(super) const YAML: &str = "meta/snap.yaml";

/// A snap's own description. It is part of the snap's digest, so it is true if the snap is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct SnapYaml {
    pub(super) name: String,
    /// Numbers are common here, and `1.10` is not `1.1`; it is shown, and no decision uses it.
    #[serde(default)]
    pub(super) version: String,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    pub(super) base: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
}

impl SnapYaml {
    /// The type as in the model: `core` for the type that the file calls `os`.
    pub(super) fn kind(&self) -> &str {
        match self.kind.as_deref() {
            None => "app",
            Some("os") => "core",
            Some(kind) => kind,
        }
    }

    /// Whether it runs on this architecture; without a list it runs on all.
    pub(super) fn runs_on(&self, architecture: &str) -> bool {
        self.architectures.is_empty() || self.architectures.iter().any(|known| known == "all" || known == architecture)
    }

    pub(super) fn architectures(&self) -> String {
        self.architectures.join(", ")
    }
}

/// Opens a snap in a file system.
pub(super) fn open<'a>(files: &'a Files, path: &str) -> Result<Squashfs<'a>, ReadError> {
    Squashfs::open(files.open_file(path)?)
}

pub(super) fn describe(snap: &mut Squashfs<'_>) -> Result<SnapYaml, ReadError> {
    match snap.find(YAML)? {
        Some(Inode::File(file)) => {
            let text = snap.read(&file, yaml::LONGEST)?;
            yaml::parse("its meta/snap.yaml", &text)
        }
        _ => Err(ReadError::broken("it has no meta/snap.yaml")),
    }
}
