//! The fuzz target, a function of the bytes of the fuzzer. A test of the library compiles this file, too, and runs it on the corpus
//! (`tests/corpus.rs`), so that a change of what the target uses is noticed without a fuzzer.

use snap_assertions::assertion::Assertion;

/// The text of assertions.
pub fn assertion(bytes: &[u8]) {
    let _answer = Assertion::read_all(bytes);
}
