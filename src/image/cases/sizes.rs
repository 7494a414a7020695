//! Tests with images that have more data than one round of the intake pipeline.

use std::fs;

use super::super::intake::{Keep, take_in};
use super::super::packing::Opened;
use super::super::stage::tests::{packers, silent, write, xz};
use super::super::stage::{SourceImage, find_staged, stage};
use crate::image::ImageError;
use crate::station::outcome::Digest;
use crate::station::units::{MIB, to_u64, to_usize};

/// An image of this many MiB in which every grain is data that all packers make short: a few numbers in each.
pub(in crate::image) fn data(mebibytes: u64) -> Vec<u8> {
    let mut raw = vec![0; to_usize(mebibytes * MIB)];
    for (number, grain) in raw.chunks_mut(32 << 10).enumerate() {
        let noise = blake3::hash(&to_u64(number).to_le_bytes());
        grain[1000..1032].copy_from_slice(noise.as_bytes());
    }
    raw
}

/// For each packing: the image for one call, and the staged copy of a station, equal the packed image.
fn come_out_whole(sizes: &[u64]) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for size in sizes {
        let raw = data(*size);
        let digest = Digest(*blake3::hash(&raw).as_bytes());
        for (packing, pack) in packers() {
            let source = write(directory.path(), "a.img", &pack(&raw));
            let now = SourceImage::open(&source).and_then(|source| source.for_now(directory.path(), &mut silent())).expect("a good image");
            assert_eq!((now.digest(), now.span().0), (digest, to_u64(raw.len())), "{packing}, {size} MiB");
            let mut copy = vec![0; raw.len()];
            now.file().try_clone().and_then(|mut file| std::io::Read::read_exact(&mut file, &mut copy)).expect("it can be read");
            assert!(copy == raw, "{packing}, {size} MiB: the copy is the image");
            let store = directory.path().join("images");
            let staged = stage(&source, &store, &mut silent()).expect("a good image");
            assert_eq!(staged.digest(), digest, "{packing}, {size} MiB");
            assert!(fs::read(staged.path()).expect("it can be read") == raw, "{packing}, {size} MiB: the staged copy is the image");
            fs::remove_dir_all(&store).expect("it is ours");
        }
    }
}

#[test]
fn a_packed_image_of_any_length_comes_out_whole() {
    come_out_whole(&[1, 33, 34, 40]);
}

#[test]
#[ignore = "it takes minutes"]
fn long_a_packed_image_of_hundreds_of_mebibytes_comes_out_whole() {
    come_out_whole(&[300]);
}

#[test]
fn an_error_of_a_sync_of_the_copy_is_told_and_no_later_sync_is_taken_for_that_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = write(directory.path(), "a.img", &data(40));
    // It accepts every write, and answers EINVAL to a sync.
    let copy = fs::OpenOptions::new().write(true).open("/dev/null").expect("Linux has it");
    let mut opened = Opened::open(&source).expect("it can be read");
    let error =
        take_in(&source, &mut opened, Keep::Durably(&copy), directory.path(), &mut silent()).expect_err("who knows what is on the disk");
    assert!(matches!(&error, ImageError::Store { source, .. } if source.raw_os_error() == Some(nix::libc::EINVAL)), "{error:?}");
}

#[test]
fn a_copy_that_is_not_the_image_is_noticed_and_does_not_stay_in_the_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let store = directory.path().join("images");
    let source = write(directory.path(), "a.img.xz", &xz(&data(12)));
    // A program writes into the copy while it is made, so the copy differs from the hashed data. The first piece has been stored by the
    // time the last one is unpacked, because there are fewer buffers than pieces.
    let mut disturb = |_, _| {
        for entry in fs::read_dir(&store).expect("it is there").filter_map(Result::ok) {
            let path = entry.path();
            let copy = fs::OpenOptions::new().write(true).open(&path).expect("it can be opened");
            std::os::unix::fs::FileExt::write_all_at(&copy, b"not the image", 40_000).expect("it can be written");
        }
    };
    let error = stage(&source, &store, &mut disturb).expect_err("the copy is not the image");
    assert!(matches!(error, ImageError::Copy { at, .. } if at == 0), "{error:?}");
    assert_eq!(fs::read_dir(&store).expect("it is there").count(), 0, "it is gone");
    assert!(find_staged(&source, &store).is_none());
    let staged = stage(&source, &store, &mut silent()).expect("an undisturbed one is good");
    assert_eq!(staged.digest(), Digest(*blake3::hash(&data(12)).as_bytes()));
}
