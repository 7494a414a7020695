//! Has the verifier proven at the start and when a shift begins.
//!
//! The proof waits for the state disk, so it has a thread; and another thread decides how long it is waited for, because the first may hang
//! in the kernel. What a proof that was late finds out still counts. While one hangs, no other one is begun.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};
use std::{io, panic};

use jiff::Zoned;
use tokio::sync::mpsc;

use crate::prover::{folder, prove};
use crate::report::times::Shifts;
use crate::station::Event;
use crate::station::prover::{ProverObstacle, ProverReport, ProverVerdict, ProvingTime};
use crate::zone;

/// A proof that has not ended by then is reported as one that the state disk keeps from ending. A slow SD card as the state disk takes some
/// seconds for the 60 MiB of a proof.
const DEADLINE: Duration = Duration::from_secs(60);
/// The interval at which a proof that could not be made is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// Interval at which the shift is checked: a clock may be set.
const LOOK: Duration = Duration::from_secs(20);
/// Interval at which it is checked whether a late proof has ended.
const LATE: Duration = Duration::from_millis(500);

/// The thread that has the verifier proven. It ends when this value is dropped; a proof that the state disk holds is left behind.
#[derive(Debug)]
pub(super) struct ProverThread {
    turn: Sender<Shifts>,
}

impl ProverThread {
    /// The files of the proof are made in the folder `state`.
    ///
    /// # Errors
    /// If the system has no thread. Then the verifier is never proven, and no card would be begun.
    pub(super) fn start(state: &Path, shifts: Shifts, tell: mpsc::Sender<Event>) -> io::Result<Self> {
        let (turn, turned) = channel();
        let state = state.to_owned();
        let work = {
            let state = state.clone();
            move || prove(&state)
        };
        let mut proofs = Proofs {
            folder: folder(&state),
            shifts,
            turned,
            deadline: DEADLINE,
            retry: RETRY,
            work,
            tell: move |report| tell.blocking_send(Event::Prover(report)).is_ok(),
            last: None,
        };
        thread::Builder::new().name("prover".to_owned()).spawn(move || {
            let _stopped = proofs.run();
        })?;
        Ok(Self { turn })
    }

    /// Shifts begin at these times from now on.
    pub(super) fn set_shifts(&self, shifts: Shifts) {
        // After a missed fault there is no further proof, and no thread.
        let _ended = self.turn.send(shifts);
    }
}

/// The station stops: nothing is to be proven or told any more.
struct Stopped;

struct Proofs<W, T> {
    /// The folder of the files, for messages.
    folder: PathBuf,
    shifts: Shifts,
    turned: Receiver<Shifts>,
    deadline: Duration,
    retry: Duration,
    /// Makes one proof, and waits for it.
    work: W,
    /// Tells the station; false if it has stopped.
    tell: T,
    /// What came of the last proof.
    last: Option<ProverVerdict>,
}

impl<W: Fn() -> ProverVerdict + Clone + Send + 'static, T: Fn(ProverReport) -> bool> Proofs<W, T> {
    /// Ends with the station, or after a missed fault, which no later proof of this run takes back.
    fn run(&mut self) -> Result<(), Stopped> {
        let mut time = ProvingTime::Start;
        loop {
            self.report(ProverReport::Begun)?;
            let verdict = self.prove(time)?;
            self.ended(time, &verdict)?;
            match verdict {
                ProverVerdict::Missed(_) => return Ok(()),
                ProverVerdict::Impossible(_) => self.wait(self.retry)?,
                ProverVerdict::Proven(_) => {
                    self.wait_for_another_shift()?;
                    time = ProvingTime::Shift;
                }
            }
        }
    }

    fn report(&self, report: ProverReport) -> Result<(), Stopped> {
        if (self.tell)(report) { Ok(()) } else { Err(Stopped) }
    }

    /// Tells the station and the journal of a verdict. Of the same obstacle the journal has one line, however often it is met.
    fn ended(&mut self, time: ProvingTime, verdict: &ProverVerdict) -> Result<(), Stopped> {
        match verdict {
            ProverVerdict::Proven(proof) => {
                let (direct, planted, ms) = (proof.direct, proof.planted, proof.took.as_millis());
                tracing::info!(direct, planted, ms, "the verifier is proven: it found every planted fault");
            }
            ProverVerdict::Missed(missed) => tracing::error!(fault = missed.sentence(), "the verifier is not to be trusted"),
            ProverVerdict::Impossible(_) if self.last.as_ref() == Some(verdict) => {}
            ProverVerdict::Impossible(obstacle) => tracing::error!(fault = obstacle.sentence(), "the verifier is not proven"),
        }
        self.last = Some(verdict.clone());
        self.report(ProverReport::Ended { time, verdict: verdict.clone() })
    }

    /// One proof, in its own thread. If it is late, the station hears that at once, and the verdict when there is one.
    fn prove(&mut self, time: ProvingTime) -> Result<ProverVerdict, Stopped> {
        let (give, taken) = channel();
        let (work, began) = (self.work.clone(), Instant::now());
        let prove = move || {
            let verdict = panic::catch_unwind(panic::AssertUnwindSafe(work));
            let bug = |_panic| {
                ProverVerdict::Impossible(ProverObstacle::Internal { message: "the proof of the prover ended in a panic".to_owned() })
            };
            let _late = give.send(verdict.unwrap_or_else(bug));
        };
        // The engine names its own thread after this one.
        if let Err(error) = thread::Builder::new().name("flash/prover".to_owned()).spawn(prove) {
            return Ok(ProverVerdict::Impossible(ProverObstacle::Internal {
                message: format!("no thread for the proof of the prover: {error}"),
            }));
        }
        if let Ok(verdict) = taken.recv_timeout(self.deadline) {
            return Ok(verdict);
        }
        let waited = began.elapsed();
        let late = ProverVerdict::Impossible(ProverObstacle::Silent {
            folder: self.folder.display().to_string(),
            waited: Duration::from_secs(waited.as_secs()),
        });
        self.ended(time, &late)?;
        loop {
            match taken.try_recv() {
                Ok(verdict) => return Ok(verdict),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    return Ok(ProverVerdict::Impossible(ProverObstacle::Internal {
                        message: "the proof of the prover has ended without a verdict".to_owned(),
                    }));
                }
            }
            self.wait(LATE)?;
        }
    }

    /// Waits, unless the station stops.
    fn wait(&mut self, time: Duration) -> Result<(), Stopped> {
        match self.turned.recv_timeout(time) {
            Ok(shifts) => self.shifts = shifts,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Stopped),
        }
        Ok(())
    }

    fn wait_for_another_shift(&mut self) -> Result<(), Stopped> {
        let before = began(&self.shifts, &zone::now());
        loop {
            self.wait(LOOK)?;
            if began(&self.shifts, &zone::now()) != before {
                return Ok(());
            }
        }
    }
}

/// The beginning of the present shift, in microseconds UTC; `None` at the ends of the calendar.
fn began(shifts: &Shifts, now: &Zoned) -> Option<i64> {
    shifts.around(now).map(|(began, _)| began.timestamp().as_microsecond())
}

#[cfg(test)]
mod cases {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::station::outcome::Failure;
    use crate::station::prover::{MissedFault, Said, VerifierProof};
    use crate::station::units::Bytes;

    const PROVEN: ProverVerdict = ProverVerdict::Proven(VerifierProof { direct: true, planted: 1, took: Duration::ZERO });

    fn full() -> ProverVerdict {
        ProverVerdict::Impossible(ProverObstacle::StateDisk { folder: "/state/prover".to_owned(), errno: Some(28) })
    }

    fn missed() -> ProverVerdict {
        ProverVerdict::Missed(MissedFault { planted: None, said: Said::Bad(Failure::WriteIgnored { at: Bytes(0) }) })
    }

    /// Proofs with these verdicts, one after another; what was told until `enough` of it was, after which the station has stopped.
    fn told_of(enough: usize, deadline: Duration, verdicts: Vec<(Duration, ProverVerdict)>) -> Vec<ProverReport> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let (heard, count) = (Arc::clone(&told), Arc::new(AtomicUsize::new(0)));
        let (turn, turned) = channel();
        let work = move || {
            let (takes, verdict) = verdicts[count.fetch_add(1, Ordering::Relaxed).min(verdicts.len() - 1)].clone();
            thread::sleep(takes);
            verdict
        };
        let tell = move |report| {
            let mut heard = heard.lock().expect("no test panics with it");
            heard.push(report);
            heard.len() < enough
        };
        let retry = Duration::from_millis(1);
        let folder = PathBuf::from("/state/prover");
        let _ended = Proofs { folder, shifts: Shifts::default(), turned, deadline, retry, work, tell, last: None }.run();
        drop(turn);
        told.lock().expect("no test panics with it").clone()
    }

    fn ended(report: &ProverReport) -> &ProverVerdict {
        if let ProverReport::Ended { time: ProvingTime::Start, verdict } = report { verdict } else { panic!("{report:?}") }
    }

    const NOW: Duration = Duration::ZERO;
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_proof_that_the_disk_hinders_is_tried_again_until_it_is_made() {
        let told = told_of(6, LONG, vec![(NOW, full()), (NOW, full()), (NOW, PROVEN)]);
        let [ProverReport::Begun, first, ProverReport::Begun, second, ProverReport::Begun, third] = told.as_slice() else {
            panic!("{told:?}")
        };
        assert_eq!([ended(first), ended(second), ended(third)], [&full(), &full(), &PROVEN]);
    }

    #[test]
    fn a_missed_fault_is_the_last_word_of_a_run() {
        let told = told_of(99, LONG, vec![(NOW, missed()), (NOW, PROVEN)]);
        let [ProverReport::Begun, only] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!(ended(only), &missed());
    }

    #[test]
    fn a_disk_that_hangs_is_reported_after_the_deadline_and_the_late_verdict_counts() {
        let told = told_of(3, Duration::from_millis(50), vec![(Duration::from_millis(700), PROVEN)]);
        let [ProverReport::Begun, late, proven] = told.as_slice() else { panic!("{told:?}") };
        assert!(matches!(ended(late), ProverVerdict::Impossible(ProverObstacle::Silent { .. })), "{late:?}");
        assert_eq!(ended(proven), &PROVEN);
    }

    #[test]
    fn a_shift_is_another_one_when_it_begins_at_another_time() {
        let at = |local: &str| format!("{local}[Europe/Berlin]").parse::<Zoned>().expect("a time");
        let shifts = Shifts::default();
        assert_eq!(began(&shifts, &at("2026-11-24T14:00:00")), began(&shifts, &at("2026-11-24T21:59:59")));
        assert_ne!(began(&shifts, &at("2026-11-24T21:59:59")), began(&shifts, &at("2026-11-24T22:00:00")));
    }
}
