//! Tests of space in a file that was reserved and never written: a device reads zeroes there, and the station must not read anything else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::process::Command;
use std::rc::Rc;

use flashline::image::inspect::inspect_medium;
use flashline::image::inspect::page::{Check, Page};
use flashline::station::allowed::Allowed;

use crate::fixtures::{Changed, only_no, wanted};
use crate::snapd::{TREE, WRITABLE, run};

/// The only file that is added to `writable`, and allowed there.
const ADDED: &str = "system-data/etc/extra";
const BLOCK: usize = 1024;

/// Ubuntu Core 18 with one additional file, whose blocks contain their own number or nothing; made by `mkfs.ext4` with these options, and
/// changed by these calls of `debugfs`.
fn judged(blocks: &[u8], options: &[&str], calls: &[&str]) -> Page {
    let work = tempfile::tempdir().expect("a directory");
    let tree = work.path().join("tree");
    run(Command::new("cp").arg("-a").arg(TREE.directory.path().join("tree")).arg(&tree));
    fs::create_dir_all(tree.join(ADDED).parent().expect("a directory")).expect("room");
    let contents: Vec<u8> = blocks.iter().flat_map(|number| [*number; BLOCK]).collect();
    fs::write(tree.join(ADDED), contents).expect("room");
    let file = work.path().join("part");
    File::create(&file).and_then(|file| file.set_len(TREE.length)).expect("a file");
    run(Command::new("mkfs.ext4").args(["-q", "-F", "-b", "1024", "-L", "writable"]).args(options).arg("-d").arg(&tree).arg(&file));
    for call in calls {
        run(Command::new("debugfs").args(["-w", "-R", call]).arg(&file));
    }
    let start = usize::try_from(WRITABLE).expect("small");
    let mut bytes = Changed::of("uc18-pi").bytes(0, start);
    bytes.resize(start + usize::try_from(TREE.length).expect("small"), 0);
    File::open(&file).and_then(|file| file.read_exact_at(&mut bytes[start..], 0)).expect("whole");
    let mut wanted = wanted();
    wanted.allowed = Allowed::new(&[ADDED]).expect("a path");
    inspect_medium(Rc::new(bytes), &wanted).expect("memory can be read")
}

/// With checksums and without, with inodes of either size.
const KINDS: [&[&str]; 3] = [&[], &["-O", "^metadata_csum"], &["-I", "128"]];

#[test]
fn a_file_with_space_that_was_never_written_is_refused_by_its_name_and_one_with_a_hole_is_taken() {
    // A few extents fit into the inode, many are in a separate block.
    let many: Vec<u8> = (0..20).map(|number| if number % 2 == 0 { number + 1 } else { 0 }).collect();
    for options in KINDS {
        for (blocks, hole) in [(&[1, 0, 0, 4][..], "1 2"), (&many, "17 17")] {
            let page = judged(blocks, options, &[]);
            assert!(page.is_good(), "a hole is read as zeroes, {options:?}: {:#?}", page.verdicts);
            let said = only_no(&judged(blocks, options, &[&format!("fallocate /{ADDED} {hole}")]), Check::Model);
            assert!(said.contains(&format!("partition 2 cannot be read: /{ADDED} has space that was reserved")), "{options:?}: {said}");
            assert!(said.contains("make the image again"), "{said}");
        }
    }
}

#[test]
fn space_behind_the_end_of_a_file_is_no_contents_of_it() {
    for options in KINDS {
        let page = judged(&[1, 2, 3], options, &[&format!("fallocate /{ADDED} 3 40")]);
        assert!(page.is_good(), "{options:?}: {:#?}", page.verdicts);
    }
}

#[test]
fn a_journal_that_was_not_played_back_is_refused_with_its_cure() {
    let said = only_no(&judged(&[1], &[], &["feature needs_recovery"]), Check::Model);
    assert!(said.contains("its journal was not played back: unmount it cleanly, or make the image again"), "{said}");
}
