//! Makes snaps with just the files that a test needs: squashfs 4.0, without compression.

use std::collections::BTreeMap;

const BLOCK: usize = 128 << 10;
const METADATA: usize = 8 << 10;
const NOT_PACKED: u32 = 0x0100_0000;

/// The entry at a path.
#[derive(Clone)]
pub(crate) enum Item {
    File(Vec<u8>),
    Link(&'static str),
}

/// The files of a snap by path.
pub(crate) type Items = BTreeMap<String, Item>;

pub(crate) fn file(contents: impl AsRef<[u8]>) -> Item {
    Item::File(contents.as_ref().to_vec())
}

#[derive(Default)]
struct Maker {
    data: Vec<u8>,
    inodes: Vec<u8>,
    directories: Vec<u8>,
    count: u32,
}

/// The number and the kind of an inode.
#[derive(Clone, Copy)]
struct Made {
    place: usize,
    number: u32,
    kind: u16,
}

fn u16_of(number: usize) -> u16 {
    u16::try_from(number).expect("small")
}

fn u32_of(number: usize) -> u32 {
    u32::try_from(number).expect("small")
}

/// A byte of a table: its block's place in the file, and the place in that block.
fn split(place: usize) -> (u32, u16) {
    (u32_of(place / METADATA * (METADATA + 2)), u16_of(place % METADATA))
}

impl Maker {
    fn inode(&mut self, kind: u16, rest: &[u8]) -> Made {
        self.count += 1;
        let place = self.inodes.len();
        for half in [kind, 0o644, 0, 0] {
            self.inodes.extend(half.to_le_bytes());
        }
        self.inodes.extend(0_u32.to_le_bytes());
        self.inodes.extend(self.count.to_le_bytes());
        self.inodes.extend(rest);
        Made { place, number: self.count, kind }
    }

    fn item(&mut self, item: &Item) -> Made {
        match item {
            Item::Link(target) => {
                let rest = [&1_u32.to_le_bytes(), &u32_of(target.len()).to_le_bytes(), target.as_bytes()].concat();
                self.inode(3, &rest)
            }
            Item::File(contents) => {
                let start = u32_of(96 + self.data.len());
                self.data.extend(contents);
                let mut rest: Vec<u8> = [start, u32::MAX, 0, u32_of(contents.len())].iter().flat_map(|word| word.to_le_bytes()).collect();
                rest.extend(contents.chunks(BLOCK).flat_map(|block| (u32_of(block.len()) | NOT_PACKED).to_le_bytes()));
                self.inode(2, &rest)
            }
        }
    }

    fn directory(&mut self, items: &Items, prefix: &str) -> Made {
        let mut inside: BTreeMap<&str, Option<&Item>> = BTreeMap::new();
        for (path, item) in items {
            let Some(rest) = path.strip_prefix(prefix) else { continue };
            match rest.split_once('/') {
                Some((name, _)) => inside.insert(name, None),
                None => inside.insert(rest, Some(item)),
            };
        }
        let made: Vec<(&str, Made)> = inside
            .into_iter()
            .map(|(name, item)| match item {
                Some(item) => (name, self.item(item)),
                None => (name, self.directory(items, &format!("{prefix}{name}/"))),
            })
            .collect();
        let from = self.directories.len();
        for (name, made) in made {
            let (block, offset) = split(made.place);
            for word in [0, block, made.number] {
                self.directories.extend(word.to_le_bytes());
            }
            for half in [offset, 0, made.kind, u16_of(name.len() - 1)] {
                self.directories.extend(half.to_le_bytes());
            }
            self.directories.extend(name.as_bytes());
        }
        let (block, offset) = split(from);
        let length = u16_of(self.directories.len() - from + 3);
        let rest = [&block.to_le_bytes()[..], &2_u32.to_le_bytes(), &length.to_le_bytes(), &offset.to_le_bytes(), &[0; 4]].concat();
        self.inode(1, &rest)
    }
}

fn blocks(table: &[u8]) -> Vec<u8> {
    table.chunks(METADATA).flat_map(|block| [&(u16_of(block.len()) | 0x8000).to_le_bytes(), block].concat()).collect()
}

pub(crate) fn snap(items: &Items) -> Vec<u8> {
    let mut maker = Maker::default();
    let root = maker.directory(items, "");
    let (block, offset) = split(root.place);
    let inode_table = 96 + maker.data.len();
    let inodes = blocks(&maker.inodes);
    let directory_table = inode_table + inodes.len();
    let directories = blocks(&maker.directories);
    let end = directory_table + directories.len();
    // Owners: one block with root's number, and the place of that block.
    let owners = [&0x8004_u16.to_le_bytes()[..], &[0; 4], &u64::from(u32_of(end)).to_le_bytes()].concat();
    let mut bytes = vec![0; 96];
    let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
    put(0, b"hsqs");
    put(4, &maker.count.to_le_bytes());
    put(12, &u32_of(BLOCK).to_le_bytes());
    put(20, &1_u16.to_le_bytes());
    put(22, &17_u16.to_le_bytes());
    put(26, &1_u16.to_le_bytes());
    put(28, &4_u16.to_le_bytes());
    put(32, &((u64::from(block) << 16) | u64::from(offset)).to_le_bytes());
    for (at, place) in [(40, end + owners.len()), (48, end + 6), (64, inode_table), (72, directory_table), (80, end)] {
        put(at, &u64::from(u32_of(place)).to_le_bytes());
    }
    for at in [56, 88] {
        put(at, &[0xff; 8]);
    }
    let mut bytes = [bytes, maker.data, inodes, directories, owners].concat();
    bytes.resize(bytes.len().next_multiple_of(4096), 0);
    bytes
}
