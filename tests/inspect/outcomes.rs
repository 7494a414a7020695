//! Tests: each fixture image has the outcome it was made for.

use flashline::image::inspect::inspect;
use flashline::image::inspect::page::{Answer, Check, Page};
use flashline::station::allowed::Allowed;

use crate::fixtures::{Changed, model, no, only_no, staged, wanted};

#[test]
fn good_images_are_proven_in_themselves_and_good_for_their_own_model() {
    for (name, of) in [
        ("uc18-pi", "my-pi18.model"),
        ("uc16-pi3-seed-sample", "my-pi3-r1.model"),
        ("uc16-amd64", "my-pc16.model"),
        ("uc22-amd64", "my-pc22.model"),
    ] {
        let staged = staged(name);
        let page = inspect(&staged, wanted()).expect("the station can look");
        assert!(page.is_good(), "{name}: {page:#?}");
        assert_eq!(page.refusal(), None, "{name}");
        assert!(page.verdicts.iter().all(|verdict| verdict.answer == Answer::Yes), "{name}: {:#?}", page.verdicts);
        assert!(page.snaps.iter().all(|snap| snap.chain.is_some() && snap.publisher.is_some()), "{name}: {:#?}", page.snaps);
        let mut wanted = wanted();
        wanted.model = Some(model(of));
        let page = inspect(&staged, wanted).expect("the station can look");
        assert!(page.is_good(), "{name} for {of}: {page:#?}");
    }
}

#[test]
fn an_image_whose_required_snap_is_missing_is_refused() {
    let said = only_no(&Changed::of("bad-required-snap-missing").judged(), Check::SnapsPresent);
    assert!(said.contains("the model requires mysecondawesomesnap, and the seed does not have it"), "{said}");
}

#[test]
fn an_image_with_a_snap_that_nobody_published_and_no_model_requires_is_refused() {
    let said = only_no(&Changed::of("bad-extra-unasserted-snap").judged(), Check::NothingExtra);
    assert!(said.contains("intruder"), "{said}");
}

#[test]
fn an_image_that_boots_another_kernel_than_its_snap_is_refused() {
    let said = only_no(&Changed::of("bad-boot-kernel-differs-from-snap").judged(), Check::BootFiles);
    assert!(said.contains("pi-kernel_794.snap/kernel.img differs from kernel.img in the kernel snap, from byte 3000 on"), "{said}");
}

#[test]
fn user_data_that_nothing_signs_is_refused_unless_it_is_allowed() {
    let image = Changed::of("odd-cloud-init-user-data");
    let path = "system-data/var/lib/cloud/seed/nocloud-net/user-data";
    let said = only_no(&image.clone().judged(), Check::NothingUnsigned);
    assert!(said.contains(path), "{said}");

    let mut wanted = wanted();
    wanted.allowed = Allowed::new(&["/system-data/var/lib/cloud/"]).expect("a path");
    let page = image.clone().judged_by(&wanted);
    assert!(page.is_good(), "{page:#?}");
    assert!(page.not_covered().iter().any(|sentence| sentence.contains(path)), "what is allowed is told: {page:#?}");

    wanted.allowed = Allowed::new(&["system-data/var/lib/cloud/seed/nocloud-net/meta-data"]).expect("a path");
    assert!(!image.judged_by(&wanted).is_good(), "another file's permission is none");
}

#[test]
fn small_inodes_with_checksums_are_no_damage() {
    let page = Changed::of("uc16-amd64-small-inodes").judged();
    assert!(page.is_good(), "{page:#?}");
    let of_large = Changed::of("uc16-amd64").judged();
    let digests = |page: &Page| page.snaps.iter().map(|snap| snap.sha3_384.clone()).collect::<Vec<_>>();
    assert_eq!(digests(&page), digests(&of_large), "the same files are read");
}

#[test]
fn damage_to_small_inodes_is_found() {
    const WRITABLE: u64 = 106_496 * 512;
    let image = Changed::of("uc16-amd64-small-inodes");
    let word = |at: u64| u64::from(u32::from_le_bytes(image.bytes(at, 4).try_into().expect("four")));
    // Blocks of 1 KiB: the descriptors of the groups are in the third, and the root is the second inode of the first table.
    let root = WRITABLE + word(WRITABLE + 2048 + 8) * 1024 + 128;
    for (at, words) in [
        (WRITABLE + 1024 + 0x6a, "the checksum of its superblock does not hold"),
        (WRITABLE + 2048 + 20, "the checksum of its group 0 does not hold"),
        (WRITABLE + 2048 + 64 + 20, "the checksum of its group 1 does not hold"),
        (root + 8, "inode 2"),
        (root + 0x7c, "inode 2"),
    ] {
        let said = no(&image.clone().flip(at).judged(), Check::Model);
        assert!(said.contains(words), "{at}: {said}");
    }
    // The checksum of a directory itself is still verified.
    let names = image.find_from(WRITABLE, b"system-data").expect("a name in the root");
    let said = no(&image.clone().flip(names + 11).judged(), Check::Model);
    assert!(said.contains("ext4"), "{said}");
}
