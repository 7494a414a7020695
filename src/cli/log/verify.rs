//! `flashline log verify`: has anyone touched the log?

use std::io::Write;
use std::path::Path;

use super::{Error, GOOD, NOT_GOOD, Place};
use crate::ledger::LogReader;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) place: Place,
}

pub(super) fn run(path: &Path, out: &mut impl Write) -> Result<u8, Error> {
    let (line, code) = match LogReader::open(path)?.verify()? {
        Ok(head) => (head.to_string(), GOOD),
        Err(broken) => (format!("{}: {broken}; keep the file as evidence", path.display()), NOT_GOOD),
    };
    writeln!(out, "{line}").map_err(Error::Output).map(|()| code)
}

#[cfg(test)]
mod tests {
    use super::super::testing::log_of;
    use super::*;
    use crate::ledger::Trouble;

    #[test]
    fn a_whole_log_is_verified_by_its_head_and_a_broken_one_names_the_event() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("flash-log.db");
        log_of(&path, 5);
        let verified = || {
            let mut out = Vec::new();
            let code = run(&path, &mut out).expect("it can be read");
            (code, String::from_utf8(out).expect("it is text"))
        };
        let head = LogReader::open(&path).expect("a log").verify().expect("it can be read").expect("it is whole");
        assert_eq!(verified(), (GOOD, format!("{head}\n")));
        assert!(head.to_string().starts_with("11:"), "five attempts behind the log's own first event: {head}");
        let tampering = rusqlite::Connection::open(&path).expect("the file opens");
        tampering
            .execute_batch("DROP TRIGGER event_is_never_changed; UPDATE event SET at = at + 1 WHERE seq = 3;")
            .expect("the tampering works");
        let (code, line) = verified();
        assert_eq!(code, NOT_GOOD);
        assert!(line.contains("flash-log.db: event 3 was changed"), "{line}");
    }

    #[test]
    fn a_log_that_is_not_there_is_named() {
        let error = run(Path::new("/nowhere/flash-log.db"), &mut Vec::new()).expect_err("no such file");
        assert!(error.to_string().contains("/nowhere/flash-log.db"), "{error}");
        assert!(matches!(error, Error::Log(error) if error.trouble == Trouble::NoFile));
    }
}
