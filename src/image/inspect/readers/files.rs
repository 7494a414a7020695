//! A file system inside the image: it is listed once completely, and then read by that list.
//!
//! Symbolic links are never followed, and only regular files of the list are opened, so no name inside an image can lead to another place.

use super::contents::Contents;
use super::listing::{Listing, Node};
use super::window::Window;
use super::{ext4, fat};
use crate::image::inspect::read_error::ReadError;
use crate::station::units::to_usize;

/// The kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::image::inspect) enum System {
    Fat,
    Ext4,
}

/// A file system, opened and listed.
pub(in crate::image::inspect) struct Files {
    pub(in crate::image::inspect) system: System,
    pub(in crate::image::inspect) label: String,
    pub(in crate::image::inspect) listing: Listing,
    reader: Reader,
}

enum Reader {
    Fat(Box<fat::Fat>),
    Ext4(ext4::Ext4),
}

impl Files {
    /// `None` if there is neither FAT nor ext4.
    pub(in crate::image::inspect) fn open(partition: &Window) -> Result<Option<Self>, ReadError> {
        if ext4::is_here(partition) && fat::is_here(partition) {
            return Err(ReadError::broken("it is FAT and ext4 at once: which of them is read depends on who reads it"));
        }
        if ext4::is_here(partition) {
            let reader = ext4::Ext4::open(partition)?;
            return Ok(Some(Self { system: System::Ext4, label: reader.label(), listing: reader.list()?, reader: Reader::Ext4(reader) }));
        }
        if fat::is_here(partition) {
            let reader = fat::Fat::open(partition)?;
            return Ok(Some(Self {
                system: System::Fat,
                label: reader.label()?,
                listing: reader.list()?,
                reader: Reader::Fat(Box::new(reader)),
            }));
        }
        Ok(None)
    }

    /// The name as in the list: FAT does not distinguish upper and lower case.
    fn key(&self, path: &str) -> String {
        if self.system == System::Fat { path.to_lowercase() } else { path.to_owned() }
    }

    pub(in crate::image::inspect) fn node(&self, path: &str) -> Option<&Node> {
        self.listing.get(&self.key(path))
    }

    /// The direct contents of a directory: names and nodes.
    pub(in crate::image::inspect) fn inside<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, &'a Node)> + 'a {
        let prefix = if directory.is_empty() { String::new() } else { format!("{}/", self.key(directory)) };
        let from = self.listing.range(prefix.clone()..);
        from.take_while({
            let prefix = prefix.clone();
            move |(path, _)| path.starts_with(&prefix)
        })
        .filter_map(move |(path, node)| path.get(prefix.len()..).filter(|name| !name.contains('/')).map(|name| (name, node)))
    }

    /// Everything below a directory, by path from the root.
    pub(in crate::image::inspect) fn below<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, &'a Node)> + 'a {
        let prefix = format!("{}/", self.key(directory));
        let from = self.listing.range(prefix.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&prefix)).map(|(path, node)| (path.as_str(), node))
    }

    /// Opens a regular file; anything else is an error.
    pub(in crate::image::inspect) fn open_file<'a>(&'a self, path: &str) -> Result<Box<dyn Contents + 'a>, ReadError> {
        let path = self.key(path);
        match self.listing.get(&path) {
            Some(Node::File { length }) => match &self.reader {
                Reader::Fat(reader) => reader.open_file(&path, *length),
                Reader::Ext4(reader) => reader.open_file(&path, *length),
            },
            Some(_) => Err(ReadError::Broken(format!("{path:?} is not a regular file"))),
            None => Err(ReadError::Broken(format!("{path:?} is missing"))),
        }
    }

    /// A regular file of at most `most` bytes.
    pub(in crate::image::inspect) fn read(&self, path: &str, most: u64) -> Result<Vec<u8>, ReadError> {
        let mut contents = self.open_file(path)?;
        if contents.length() > most {
            return Err(ReadError::Broken(format!("{path:?} is {} bytes long, where {most} are the most", contents.length())));
        }
        let mut bytes = vec![0; to_usize(contents.length())];
        contents.read_exact_at(0, &mut bytes)?;
        Ok(bytes)
    }
}
