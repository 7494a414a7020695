//! Runs the seed corpus of the fuzz target once: no input panics or takes long.

use std::fs;
use std::path::Path;

use snap_assertions::assertion::Assertion;

#[test]
fn what_the_fuzzer_begins_with_breaks_no_reader() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/assertion");
    let mut count = 0;
    for file in fs::read_dir(&directory).expect("the corpus is there") {
        drop(Assertion::read_all(&fs::read(file.expect("an entry").path()).expect("it can be read")));
        count += 1;
    }
    assert!(count > 2, "there is a beginning");
}
