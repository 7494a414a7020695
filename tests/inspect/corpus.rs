//! Runs the seed corpora of the fuzz targets once: no input panics or takes long.

use std::fs;
use std::path::Path;

use flashline::image::inspect::fuzzing;

use crate::fixtures::Changed;

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "the targets of the fuzzer use it as a library")]
mod targets;

fn each(target: &str, run: fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut count = 0;
    for file in files {
        run(&fs::read(file.expect("an entry").path()).expect("it can be read"));
        count += 1;
    }
    assert!(count > 2, "{target} has a beginning");
}

#[test]
fn what_the_fuzzer_begins_with_breaks_no_reader() {
    each("table", targets::table);
    each("seed_yaml", targets::seed_yaml);
    each("snap", targets::snap);
    each("image", targets::image);
}

#[test]
fn a_snap_that_unpacks_to_more_than_it_may_is_refused() {
    // A block of metadata may be 8 KiB. This one is 1 MiB of zeroes, packed.
    let image = Changed::of("uc22-amd64");
    let at = image.find(b"hsqs");
    let good = image.bytes(at, 4096);
    assert!(fuzzing::snap(good.clone()), "the snap itself can be read");
    let packing = u16::from_le_bytes([good[20], good[21]]);
    let zeroes = vec![0; 1 << 20];
    for (number, bomb) in [(1_u16, zlib(&zeroes)), (4, xz(&zeroes)), (6, zstd::bulk::compress(&zeroes, 3).expect("packed"))] {
        assert!(bomb.len() < 2048, "it is small");
        let mut snap = good.clone();
        snap.resize(8192, 0);
        snap[20..22].copy_from_slice(&number.to_le_bytes());
        snap[64..72].copy_from_slice(&4096_u64.to_le_bytes());
        snap[32..40].copy_from_slice(&0_u64.to_le_bytes());
        snap[4096..4098].copy_from_slice(&u16::try_from(bomb.len()).expect("small").to_le_bytes());
        snap[4098..4098 + bomb.len()].copy_from_slice(&bomb);
        assert!(!fuzzing::snap(snap), "method {number}; the fixture's is {packing}");
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, bytes).expect("packed");
    packer.finish().expect("packed")
}

fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut packer = liblzma::write::XzEncoder::new(Vec::new(), 6);
    std::io::Write::write_all(&mut packer, bytes).expect("packed");
    packer.finish().expect("packed")
}
