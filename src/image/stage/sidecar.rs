//! The file beside a staged image: its map and extents, and the source files it was made from.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{READ_ONLY, UNFINISHED};
use crate::file::FileVersion;
use crate::image::extents::Extents;
use crate::image::map::{PieceMap, PieceValue};
use crate::station::outcome::Digest;
use crate::station::units::Bytes;

/// The contents of the file beside a staged image.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Sidecar {
    version: u32,
    span: u64,
    /// BLAKE3 subtree values, in hexadecimal.
    pieces: Vec<String>,
    /// Runs of data: first byte, and the byte behind the last.
    data: Vec<(u64, u64)>,
    pub(super) sources: Vec<FileVersion>,
}

/// Limit of sources that are remembered for one image: a few copies, not every download.
const SOURCES: usize = 16;

/// A sidecar of another version is not read; its image is staged again.
const SIDECAR_VERSION: u32 = 2;

impl Sidecar {
    /// Two sources may contain the same image: both are kept, the newest last.
    pub(super) fn new(map: &PieceMap, extents: &Extents, source: FileVersion, before: Option<Self>) -> Self {
        let pieces: Vec<String> = map.values().iter().map(|value| Digest(*value).to_string()).collect();
        let data = extents.data().iter().map(|range| (range.start, range.end)).collect();
        // A sidecar for another image does not know this one's sources.
        let before = before.filter(|before| before.span == map.span().0 && before.pieces == pieces);
        let mut sources = before.map(|before| before.sources).unwrap_or_default();
        sources.retain(|known| !known.is_same_file(&source));
        sources.drain(..sources.len().saturating_sub(SOURCES - 1));
        sources.push(source);
        Self { version: SIDECAR_VERSION, span: map.span().0, pieces, data, sources }
    }

    pub(super) fn read(path: &Path) -> Option<Self> {
        let sidecar: Self = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        (sidecar.version == SIDECAR_VERSION).then_some(sidecar)
    }

    /// Replaces the file atomically, so that no reader sees half of it.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("."));
        let file = tempfile::Builder::new().prefix(UNFINISHED[1]).tempfile_in(directory)?;
        serde_json::to_writer(file.as_file(), self)?;
        file.as_file().set_permissions(Permissions::from_mode(READ_ONLY))?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    pub(super) fn extents(&self) -> Option<Extents> {
        Extents::new(self.data.iter().map(|(start, end)| *start..*end).collect(), Bytes(self.span))
    }

    pub(super) fn map(&self) -> Option<PieceMap> {
        let values: Option<Vec<PieceValue>> = self.pieces.iter().map(|text| parse_value(text)).collect();
        PieceMap::new(Bytes(self.span), values?)
    }
}

fn parse_value(text: &str) -> Option<PieceValue> {
    blake3::Hash::from_hex(text).ok().map(|hash| *hash.as_bytes())
}
