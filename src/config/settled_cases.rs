//! Tests of a configuration that is being copied while it is read.

use std::fs::{self, File};
use std::io::Write;
use std::thread;
use std::time::Duration;

use super::tests::GOOD;
use super::{ConfigError, settled};

const SOON: Duration = Duration::from_millis(400);

#[test]
fn a_configuration_that_is_being_copied_is_read_when_it_is_whole() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.toml");
    // Cut behind a table, the file is a valid configuration with fewer slots.
    let slot = |name: &str| GOOD.replace("A1", name).split_once("\n\n").expect("two tables").1.to_owned();
    let parts = [GOOD.to_owned(), slot("A2"), slot("A3")];
    let (mut file, whole) = (File::create(&path).expect("a temporary file"), parts.concat());
    file.write_all(parts[0].as_bytes()).expect("written");
    let copying = thread::spawn(move || {
        for part in &parts[1..] {
            thread::sleep(SOON / 4);
            file.write_all(part.as_bytes()).expect("written");
        }
    });
    let read = settled(&path, SOON, Duration::from_secs(20)).expect("it comes to an end");
    copying.join().expect("it only writes");
    assert_eq!(String::from_utf8_lossy(&read), whole);
}

#[test]
fn a_configuration_that_never_comes_to_rest_is_an_error_and_one_that_has_rested_is_read_at_once() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.toml");
    fs::write(&path, GOOD).expect("written");
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let restless = path.clone();
    let writing = thread::spawn(move || {
        while stopped.try_recv().is_err() {
            fs::write(&restless, GOOD).expect("written");
            thread::sleep(SOON / 20);
        }
    });
    let read = settled(&path, SOON, SOON);
    assert!(matches!(read, Err(ConfigError::Unsettled { .. })), "{read:?}");
    stop.send(()).expect("it listens");
    writing.join().expect("it only writes");
    thread::sleep(SOON);
    let began = std::time::Instant::now();
    settled(&path, SOON / 2, Duration::ZERO).expect("it is whole");
    assert!(began.elapsed() < SOON / 2, "nobody waits for what has rested");
}
