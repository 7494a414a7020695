//! Reads the bytes of an image: windows on it that charge every byte to a budget, partition tables, file systems, snaps, YAML.

pub(super) mod contents;
mod ext4;
mod ext4_superblock;
mod fat;
pub(super) mod files;
pub(super) mod listing;
mod small_inodes;
pub(super) mod squashfs;
pub mod table;
mod unwritten;
pub mod window;
pub(super) mod yaml;
