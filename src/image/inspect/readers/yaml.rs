//! YAML in seeds and snaps, read with a limit on everything that could grow: the description of a snap is a page of text.

use serde::de::DeserializeOwned;
use serde_saphyr::Options;

use crate::image::inspect::read_error::ReadError;
use crate::station::units::KIB;

/// The longest file that is read. The largest `seed.yaml` seen is 4 KiB, the largest `gadget.yaml` 30 KiB.
pub(in crate::image::inspect) const LONGEST: u64 = 512 * KIB;

/// Parses `bytes`; an error calls them `what`.
pub(in crate::image::inspect) fn parse<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, ReadError> {
    let mut options = Options::default();
    // An alias can expand one line to a million; these files need none.
    options.budget = serde_saphyr::budget! {
        max_events: 100_000,
        max_aliases: 64,
        max_anchors: 64,
        max_depth: 32,
        max_documents: 1,
        max_nodes: 50_000,
        max_total_scalar_bytes: 1 << 20,
        max_merge_keys: 64,
    };
    serde_saphyr::from_slice_with_options(bytes, options).map_err(|error| {
        let words = error.to_string();
        ReadError::Broken(format!("{what} is not what it should be: {}", words.lines().next().unwrap_or_default()))
    })
}
