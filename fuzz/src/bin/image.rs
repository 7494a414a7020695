#![no_main]
//! Whole images, changed where they hold something: tables, FAT, ext4, the seed, its snaps.

use std::cell::OnceCell;
use std::rc::Rc;

use flashline::image::inspect::{Wanted, inspect_medium};
use flashline_fuzz::{Image, only_uncaught_panics_count, wanted};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static SHARED: OnceCell<(Vec<Image>, Wanted)> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    let Some((which, changes)) = bytes.split_first() else { return };
    SHARED.with(|shared| {
        let (images, wanted) = shared.get_or_init(|| {
            only_uncaught_panics_count();
            (["uc18-pi", "uc22-amd64", "uc16-amd64"].map(Image::read).to_vec(), wanted())
        });
        let image = images[usize::from(*which) % images.len()].changed(changes);
        let page = inspect_medium(Rc::new(image), wanted).expect("memory can be read");
        assert!(!page.verdicts.is_empty());
    });
});
