//! Tests of the queue in front of a journal that accepts nothing, and of one that accepts everything.

use std::io::Write;
use std::sync::{Condvar, Mutex};
use std::time::Instant;

use super::*;

/// The written events, by a writer that blocks until it is released.
#[derive(Clone, Default)]
struct Journal(Arc<(Mutex<Taken>, Condvar)>);

/// Whether it accepts events, and the accepted ones.
type Taken = (bool, Vec<u8>);

impl Journal {
    fn let_go(&self) {
        self.0.0.lock().expect("whole").0 = true;
        self.0.1.notify_all();
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.0.lock().expect("whole").1.clone()).expect("text")
    }

    fn dispatch(&self) -> Dispatch {
        let journal = self.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing::Level::INFO)
            .without_time()
            .with_ansi(false)
            .with_writer(move || journal.clone())
            .into()
    }
}

impl Write for Journal {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.1.wait_while(self.0.0.lock().expect("whole"), |state| !state.0).expect("whole");
        state.1.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn through_the_queue(journal: &Journal, tell: impl FnOnce()) -> Events {
    let writing = journal.clone();
    let (events, queue) = Events::to(move || writing.dispatch());
    tracing::subscriber::with_default(tracing_subscriber::registry().with(queue), tell);
    events
}

#[test]
fn a_journal_that_takes_nothing_makes_nobody_wait_and_what_it_lost_is_counted() {
    let journal = Journal::default();
    let told = QUEUE + 500;
    let began = Instant::now();
    let events = through_the_queue(&journal, || (0..told).for_each(|number| tracing::info!(number, "a sign")));
    assert!(began.elapsed() < Duration::from_secs(5), "whoever tells does not wait");
    assert_eq!(journal.text(), "", "nothing was taken");
    journal.let_go();
    // Longer than a flush waits, on a busy machine.
    let by = Instant::now() + Duration::from_secs(20);
    while !journal.text().contains(&format!("number={}", QUEUE - 1)) {
        assert!(Instant::now() < by, "what was queued is written: {}", journal.text());
        thread::sleep(Duration::from_millis(5));
    }
    events.flush();
    let text = journal.text();
    let written = text.lines().filter(|line| line.contains("a sign")).count();
    let lost: usize = text.lines().filter_map(|line| line.rsplit_once("lost=")?.1.trim().parse::<usize>().ok()).sum();
    assert!(lost >= 400, "{lost} were lost");
    assert_eq!(written + lost, told, "each event was written or counted");
    assert!(text.contains("events were lost: the journal"), "{text}");
}

#[test]
fn an_event_is_written_as_if_nothing_stood_in_between() {
    #[derive(Debug, thiserror::Error)]
    #[error("writing the sidecar")]
    struct Outer(#[source] io::Error);
    let tell = || {
        let error = Outer(io::Error::from_raw_os_error(28));
        let absent: Option<u64> = None;
        tracing::warn!(
            error = &error as &dyn Error,
            slot = "A\u{1b}1",
            attempt = 7_u64,
            back = -3,
            deaf = true,
            share = 0.5,
            absent,
            "it {}",
            "failed"
        );
        tracing::info!(who = ?Some("ann"), where_ = %"here", "asked");
        tracing::debug!("not wanted");
    };
    let (direct, queued) = (Journal::default(), Journal::default());
    direct.let_go();
    queued.let_go();
    tracing::dispatcher::with_default(&direct.dispatch(), tell);
    through_the_queue(&queued, tell).flush();
    assert!(direct.text().contains("No space left on device"), "{}", direct.text());
    assert_eq!(queued.text(), direct.text());
}
