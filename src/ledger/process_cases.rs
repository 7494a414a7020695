//! Tests: the log's process dies, hangs and comes back, and no event is lost or written twice.

use std::fs;
use std::io::BufReader;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::tests::{closed, open, place, verdict};
use super::writer::{Writer, WriterAnswer};
use super::*;
use crate::station::outcome::{Outcome, Pull};
use crate::station::record::Receipt;

const LONG: Duration = Duration::from_secs(60);
const LOG: &str = "FLASHLINE_CASES_LOG";
const NEWEST: &str = "FLASHLINE_CASES_NEWEST";

/// Not a test itself, but the process that the others start: the same program again.
#[test]
fn serves_a_log_where_it_was_started_to() {
    let (Some(log), Ok(newest)) = (std::env::var_os(LOG), std::env::var(NEWEST)) else { return };
    let newest = newest.parse().expect("an anchor");
    // The harness prints text without a line end before a test.
    println!();
    serve(Path::new(&log), "bench-1", newest, BufReader::new(std::io::stdin()), std::io::stdout());
    std::process::exit(0);
}

fn program(path: PathBuf, pids: std::sync::mpsc::Sender<()>) -> impl Fn(Head) -> Command + Send + 'static {
    move |newest| {
        let _told = pids.send(());
        let mut command = Command::new("/proc/self/exe");
        command.args(["--exact", "ledger::process_cases::serves_a_log_where_it_was_started_to", "--nocapture", "--test-threads=1"]);
        command.env(LOG, &path).env(NEWEST, newest.to_string()).stderr(Stdio::null());
        command
    }
}

/// The processes of ours that have this log open for writing.
fn processes(path: &Path) -> Vec<Pid> {
    let lock = path.with_file_name("flash-log.db.lock");
    let entries = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let pids =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok()).filter(|pid| *pid != std::process::id().cast_signed());
    let holds = |pid: &i32| {
        let Ok(files) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
        files.filter_map(Result::ok).any(|file| fs::read_link(file.path()).is_ok_and(|there| there == lock))
    };
    pids.filter(holds).map(Pid::from_raw).collect()
}

fn the_process(path: &Path) -> Pid {
    for _ in 0..6000 {
        if let [pid] = processes(path)[..] {
            return pid;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no process has the log open");
}

fn start(path: &Path) -> (Writer, Receiver<WriterAnswer>, Receiver<()>) {
    let (answers, heard) = channel();
    let (started, starts) = channel();
    let answer = move |answer| drop(answers.send(answer));
    let writer = Writer::start_apart(open(path), program(path.to_owned(), started), answer).expect("a thread");
    (writer, heard, starts)
}

fn record(writer: &Writer, number: AttemptNumber) {
    writer.record(Box::new(closed(number, Outcome::Pulled(Pull::Taken)))).expect("taken");
}

/// The receipts up to this one, and the reports of the log's health on the way.
fn until(heard: &Receiver<WriterAnswer>, last: AttemptNumber) -> (Vec<AttemptNumber>, Vec<Option<String>>) {
    let (mut receipts, mut healths) = (Vec::new(), Vec::new());
    while receipts.last() != Some(&last) {
        match heard.recv_timeout(LONG).expect("an answer") {
            WriterAnswer::Recorded(Receipt::Closed(number)) => receipts.push(number),
            WriterAnswer::Recorded(other) => panic!("nobody asked for {other:?}"),
            WriterAnswer::Health(health) => healths.push(health),
        }
    }
    (receipts, healths)
}

#[test]
fn the_log_is_written_by_another_process_which_leaves_one_whole_file_behind() {
    let (_dir, path) = place();
    let (writer, heard, _starts) = start(&path);
    (1..=100).for_each(|number| record(&writer, number));
    assert_eq!(until(&heard, 100), ((1..=100).collect(), Vec::new()));
    assert_ne!(the_process(&path).as_raw(), std::process::id().cast_signed());
    // A signal that ends a group of processes does not end it.
    kill(the_process(&path), Signal::SIGTERM).expect("told");
    record(&writer, 101);
    assert_eq!(until(&heard, 101).1, Vec::<Option<String>>::new());
    writer.finish(LONG).expect("all is written");
    assert_eq!(fs::metadata(path.with_file_name("flash-log.db-wal")).expect("it is there").len(), 0);
    assert_eq!(verdict(&path).expect("the chain holds").count, 102);
    open(&path);
}

#[test]
fn a_process_that_dies_is_said_and_followed_by_another_one_that_records_everything_once() {
    let (_dir, path) = place();
    let (writer, heard, starts) = start(&path);
    let mut said = Vec::new();
    let mut number = 0;
    for _ in 0..5 {
        for _ in 0..40 {
            number += 1;
            record(&writer, number);
        }
        kill(the_process(&path), Signal::SIGKILL).expect("killed");
        let (_, healths) = until(&heard, number);
        said.extend(healths);
        record(&writer, number + 1);
        number += 1;
        said.extend(until(&heard, number).1);
        // Its end is noticed even if no entry is under way.
        starts.recv_timeout(LONG).expect("it is started again");
    }
    writer.finish(LONG).expect("all is written");
    assert!(said.iter().flatten().any(|reason| reason.contains("has ended (signal: 9 (SIGKILL))")), "{said:?}");
    assert_eq!(said.last(), Some(&None), "and it is well in the end");
    assert_eq!(verdict(&path).expect("the chain holds").count, 1 + number, "each once");
    let rows: Vec<_> = LogReader::open(&path).expect("a log").attempts(&Filter::default()).map(|row| row.expect("a row").attempt).collect();
    assert_eq!(rows, (1..=number).collect::<Vec<_>>(), "in order");
}

#[test]
fn a_process_that_hangs_is_a_fault_within_ten_seconds_and_goes_on_when_its_disk_does() {
    let (_dir, path) = place();
    let (writer, heard, _starts) = start(&path);
    record(&writer, 1);
    until(&heard, 1);
    kill(the_process(&path), Signal::SIGSTOP).expect("stopped");
    // No entry is under way; it is noticed all the same.
    let began = std::time::Instant::now();
    let WriterAnswer::Health(Some(reason)) = heard.recv_timeout(LONG).expect("an answer") else { panic!("nothing can be recorded") };
    assert!(reason.contains("has not answered for 5 s") && began.elapsed() < Duration::from_secs(10), "{reason}");
    (2..=300).for_each(|number| record(&writer, number));
    assert!(heard.recv_timeout(Duration::from_millis(1500)).is_err(), "it is told once");
    kill(the_process(&path), Signal::SIGCONT).expect("it goes on");
    let (receipts, healths) = until(&heard, 300);
    assert_eq!((receipts, healths), ((2..=300).collect(), vec![None]));
    writer.finish(LONG).expect("all is written");
    assert_eq!(verdict(&path).expect("the chain holds").count, 301);
}

#[test]
fn a_station_ends_in_time_beside_a_process_that_hangs_and_says_what_is_not_on_disk() {
    let (_dir, path) = place();
    let (writer, heard, _starts) = start(&path);
    record(&writer, 1);
    until(&heard, 1);
    let pid = the_process(&path);
    kill(pid, Signal::SIGSTOP).expect("stopped");
    (2..=3).for_each(|number| record(&writer, number));
    let began = std::time::Instant::now();
    assert_eq!(writer.finish(Duration::from_secs(1)), Err(Unwritten { entries: 2 }));
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    kill(pid, Signal::SIGCONT).expect("it goes on");
    for _ in 0..6000 {
        if processes(&path).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(verdict(&path).expect("the chain holds").count, 4, "what reached the pipe is written when the disk answers again");
    open(&path);
}
