//! Runs the seed corpus of the fuzz target once: no input panics or takes long.

use std::fs;
use std::path::Path;

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "the target of the fuzzer uses it as a library")]
mod targets;

#[test]
fn what_the_fuzzer_begins_with_breaks_no_reader() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/assertion");
    let mut count = 0;
    for file in fs::read_dir(&directory).expect("the corpus is there") {
        targets::assertion(&fs::read(file.expect("an entry").path()).expect("it can be read"));
        count += 1;
    }
    assert!(count > 2, "there is a beginning");
}
