//! The contents of a file system by path: limited, and no path twice.

use std::collections::BTreeMap;

use crate::image::inspect::read_error::ReadError;

/// Limit of entries. A seed has some hundred files, a boot partition with every device tree some two thousand.
const MOST_ENTRIES: usize = 20_000;
/// The most bytes that all names together may have: 4 MiB.
const MOST_NAMES: usize = 4 << 20;
/// Limit of the depth of directories.
pub(in crate::image::inspect) const DEEPEST: usize = 32;

/// The kind of entry at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::image::inspect) enum Node {
    File {
        length: u64,
    },
    Directory,
    Link {
        target: String,
    },
    /// A device, a pipe or a socket.
    Special,
}

/// All entries of a file system, by path from its root, without a leading slash. Parents come before their contents.
pub(in crate::image::inspect) type Listing = BTreeMap<String, Node>;

/// Adds an entry, as long as the listing is within its limits.
pub(in crate::image::inspect) fn list(listing: &mut Listing, names: &mut usize, path: String, node: Node) -> Result<(), ReadError> {
    *names += path.len();
    if listing.len() >= MOST_ENTRIES || *names > MOST_NAMES {
        return Err(ReadError::Broken(format!("it holds more than {MOST_ENTRIES} files, which no seed does")));
    }
    if path.split('/').count() > DEEPEST {
        return Err(ReadError::Broken(format!("its directories lie more than {DEEPEST} deep in one another")));
    }
    match listing.insert(path.clone(), node) {
        None => Ok(()),
        Some(_) => Err(ReadError::Broken(format!("two of its files are called {path:?}"))),
    }
}

/// A path inside a directory.
pub(in crate::image::inspect) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}
