//! The memory of a card: a file, the defects in front of it, and a record of every request.
//!
//! Owns the answers to requests. It does not know the protocol that carries them, nor QEMU.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::faults::{self, Beyond, Errno, Faults};
use super::gate::{Gate, StopsAt};
use super::request::Request;
use crate::pattern::Stream;
use crate::sync::{Watched, lock};

/// The number of requests that are kept one by one: ten times that of any scenario. Older ones are only in the sums.
const REMEMBERED: usize = 1 << 20;

/// Sums over all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Clients that have connected so far.
    pub connections: u64,
    /// Reads answered or failed.
    pub reads: u64,
    /// The bytes of these reads.
    pub bytes_read: u64,
    /// Writes that were acknowledged.
    pub writes: u64,
    /// Bytes of all acknowledged writes.
    pub bytes_written: u64,
    /// Bytes of the longest write.
    pub longest_write: u64,
    /// Bytes acknowledged since the last flush: 0 on a card that was released properly.
    pub bytes_since_flush: u64,
    /// Flushes that were acknowledged.
    pub flushes: u64,
    /// Flushes that were requested, whatever the answer.
    pub flushes_asked: u64,
    /// Discards (trims) that were requested.
    pub trims: u64,
    /// Requests that a fault answered.
    pub failed: u64,
}

#[derive(Debug, Default)]
struct State {
    faults: Faults,
    gate: Gate,
    /// The card has no power: every request fails, and the contents of its cache are lost.
    dead: bool,
    counts: Counts,
    requests: VecDeque<Request>,
    /// The volatile cache, oldest first.
    cache: Vec<(u64, Vec<u8>)>,
    /// The time until which the rate limit delays the next request.
    busy_until: Option<Instant>,
}

/// The memory of one card.
#[derive(Debug)]
pub struct Export {
    name: String,
    file: File,
    /// The capacity that the card claims.
    size: u64,
    /// The bytes that the card can really keep.
    real: u64,
    beyond: Beyond,
    read_only: bool,
    state: Watched<State>,
    connections: Mutex<Vec<UnixStream>>,
}

impl Export {
    /// A card over `file`, which is as long as the card's real capacity.
    pub fn new(file: File, size: u64, beyond: Beyond, read_only: bool) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let real = file.metadata()?.len();
        Ok(Self {
            name: format!("card{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            file,
            size,
            real,
            beyond,
            read_only,
            state: Watched::default(),
            connections: Mutex::default(),
        })
    }

    /// Its name on any server, unique in this process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The capacity that the card claims, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// It refuses to be opened for writing.
    #[must_use]
    pub fn read_only(&self) -> bool {
        self.read_only
    }

    /// Changes the defects of the card at once.
    pub fn faults<R>(&self, change: impl FnOnce(&mut Faults) -> R) -> R {
        self.state.change(|state| change(&mut state.faults))
    }

    /// The card stops at the first request, from now on, for which this is true.
    pub fn stop_at(&self, stops_at: StopsAt) {
        self.state.change(|state| state.gate.set(stops_at));
    }

    /// Waits until the card has stopped, and returns the request; `None` if it did not in time.
    #[must_use]
    pub fn wait_stopped(&self, timeout: Duration) -> Option<Request> {
        self.state.wait(timeout, |state| state.gate.stopped())
    }

    /// The request at which the card is stopped, if it is.
    #[must_use]
    pub fn stopped(&self) -> Option<Request> {
        self.state.lock().gate.stopped()
    }

    /// The card answers what it was asked, and everything else.
    pub fn go_on(&self) {
        self.state.change(|state| state.gate.open());
    }

    /// Waits while the card is stopped.
    fn pass_gate(&self, request: Request) {
        self.state.change(|state| state.gate.arrives(request));
        let may_pass = |state: &mut State| (state.dead || state.gate.stopped().is_none()).then_some(());
        while self.state.wait(Duration::from_secs(3600), may_pass).is_none() {}
    }

    /// The sums so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.state.lock().counts
    }

    /// The requests so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.state.lock().requests.iter().copied().collect()
    }

    /// Waits until the sums satisfy `holds`; `false` if they did not in time.
    #[must_use]
    pub fn wait_counts(&self, timeout: Duration, holds: impl Fn(&Counts) -> bool) -> bool {
        self.state.wait(timeout, |state| holds(&state.counts).then_some(())).is_some()
    }

    /// From now on every request fails, also one that hangs, and the volatile cache is lost. For a card that is being pulled.
    pub fn power_off(&self) {
        self.state.change(|state| {
            state.dead = true;
            state.cache.clear();
        });
    }

    /// The card has power again.
    pub fn power_on(&self) {
        self.state.change(|state| {
            state.dead = false;
            state.gate.open();
        });
    }

    /// Cuts the power: of the unflushed data, about `keep` percent of the 512-byte sectors reach the medium, in no order; the rest is lost.
    /// Returns the number of lost bytes. The same seed keeps the same sectors.
    ///
    /// QEMU flushes a card when it is removed, so cut first and pull then.
    pub fn power_cut(&self, keep: u8, seed: u64) -> io::Result<u64> {
        let mut random = Stream::new(seed);
        let cache = self.state.change(|state| {
            state.dead = true;
            std::mem::take(&mut state.cache)
        });
        let mut lost = 0;
        for (offset, data) in cache {
            for (at, sector) in (offset..).step_by(512).zip(data.chunks(512)) {
                if random.next() % 100 < u64::from(keep) {
                    self.store(at, sector)?;
                } else {
                    lost += length_of(sector);
                }
            }
        }
        Ok(lost)
    }

    /// Closes every connection, as a card does whose controller dies.
    pub fn disconnect(&self) {
        for stream in lock(&self.connections).drain(..) {
            // One that is already closed needs nothing.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    pub(super) fn connected(&self, stream: &UnixStream) {
        // A connection that cannot be stored cannot be cut, but works otherwise.
        lock(&self.connections).extend(stream.try_clone());
        self.state.change(|state| state.counts.connections += 1);
    }

    /// Waits as the defects demand, and returns whether the card still has power.
    fn pace(&self, bytes: u64) -> Result<(), Errno> {
        let wait = loop {
            let step = self.state.wait(Duration::from_secs(3600), |state| {
                if state.dead {
                    Some(Err(Errno::IO))
                } else if state.faults.hang {
                    None
                } else {
                    Some(Ok(pause(state, bytes)))
                }
            });
            if let Some(step) = step {
                break step?;
            }
        };
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        // The card may have lost its power during the wait.
        if self.state.lock().dead { Err(Errno::IO) } else { Ok(()) }
    }

    fn fail(&self, errno: Errno) -> Errno {
        self.state.change(|state| state.counts.failed += 1);
        errno
    }

    pub(super) fn read(&self, offset: u64, length: u32) -> Result<Vec<u8>, Errno> {
        let bytes = u64::from(length);
        self.pass_gate(Request::Read { offset, length: bytes });
        self.pace(bytes).map_err(|errno| self.fail(errno))?;
        let mut data = vec![0; usize::try_from(length).map_err(|_too_long| Errno::INVALID)?];
        let (bad, flips) = self.state.change(|state| {
            state.counts.reads += 1;
            state.counts.bytes_read += bytes;
            state.remember(Request::Read { offset, length: bytes });
            (faults::touches(&state.faults.read_errors, offset, bytes), state.faults.flips_on_read.clone())
        });
        if bad || offset.saturating_add(bytes) > self.size {
            return Err(self.fail(Errno::IO));
        }
        let cache = self.state.lock();
        self.load(offset, &mut data).map_err(|_io| Errno::IO)?;
        for (at, cached) in &cache.cache {
            overlay(offset, &mut data, *at, cached);
        }
        drop(cache);
        faults::flip(&flips, offset, &mut data);
        Ok(data)
    }

    pub(super) fn write(&self, offset: u64, mut data: Vec<u8>, forced: bool) -> Result<(), Errno> {
        let bytes = length_of(&data);
        self.pass_gate(Request::Write { offset, length: bytes });
        self.pace(bytes).map_err(|errno| self.fail(errno))?;
        let beyond_the_end = offset.saturating_add(bytes) > self.size;
        self.state.change(|state| {
            let faults = &state.faults;
            let refusal = if self.read_only {
                Some(Errno::READ_ONLY)
            } else if beyond_the_end {
                Some(Errno::NO_SPACE)
            } else if faults::touches(&faults.write_errors, offset, bytes) {
                Some(Errno::IO)
            } else if faults.read_only_after.is_some_and(|most| state.counts.bytes_written + bytes > most) {
                Some(Errno::READ_ONLY)
            } else {
                faults.all_writes
            };
            if let Some(errno) = refusal {
                state.counts.failed += 1;
                return Err(errno);
            }
            let lost = faults.ignores_writes || faults::touches(&faults.stuck, offset, bytes);
            faults::flip(&faults.flips_on_write, offset, &mut data);
            let volatile = faults.volatile_cache && !forced;
            if lost {
                // Acknowledged like any other write.
            } else if volatile {
                state.cache.push((offset, data));
            } else {
                self.store(offset, &data).map_err(|_io| Errno::IO)?;
            }
            state.counts.writes += 1;
            state.counts.bytes_written += bytes;
            state.counts.longest_write = state.counts.longest_write.max(bytes);
            state.counts.bytes_since_flush += if forced { 0 } else { bytes };
            state.remember(Request::Write { offset, length: bytes });
            Ok(())
        })
    }

    pub(super) fn flush(&self) -> Result<(), Errno> {
        self.state.change(|state| state.counts.flushes_asked += 1);
        self.pass_gate(Request::Flush);
        while self.state.wait(Duration::from_secs(3600), |state| (state.dead || !state.faults.flushes_hang).then_some(())).is_none() {}
        self.pace(0).map_err(|errno| self.fail(errno))?;
        self.state.change(|state| {
            if let Some(errno) = state.faults.all_flushes {
                state.counts.failed += 1;
                return Err(errno);
            }
            for (offset, data) in std::mem::take(&mut state.cache) {
                self.store(offset, &data).map_err(|_io| Errno::IO)?;
            }
            state.counts.flushes += 1;
            state.counts.bytes_since_flush = 0;
            state.remember(Request::Flush);
            Ok(())
        })
    }

    pub(super) fn trim(&self, offset: u64, length: u32) -> Result<(), Errno> {
        self.pass_gate(Request::Trim { offset, length: length.into() });
        self.pace(0).map_err(|errno| self.fail(errno))?;
        self.state.change(|state| {
            state.counts.trims += 1;
            state.remember(Request::Trim { offset, length: length.into() });
        });
        Ok(())
    }

    /// The pieces of a request as the real memory has them: offset there, and range of the request's data.
    fn pieces(&self, offset: u64, length: usize) -> Vec<(u64, std::ops::Range<usize>)> {
        let mut pieces = Vec::new();
        let (mut at, mut done) = (offset, 0);
        while done < length {
            let there = match self.beyond {
                Beyond::Wraps => at % self.real.max(1),
                Beyond::Vanishes if at >= self.real => break,
                Beyond::Vanishes => at,
            };
            let room = usize::try_from(self.real.saturating_sub(there)).unwrap_or(usize::MAX);
            let take = room.min(length - done);
            if take == 0 {
                break;
            }
            pieces.push((there, done..done + take));
            done += take;
            at += u64::try_from(take).unwrap_or_default();
        }
        pieces
    }

    fn load(&self, offset: u64, data: &mut [u8]) -> io::Result<()> {
        for (at, range) in self.pieces(offset, data.len()) {
            self.file.read_exact_at(data.get_mut(range).unwrap_or_default(), at)?;
        }
        Ok(())
    }

    fn store(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        for (at, range) in self.pieces(offset, data.len()) {
            self.file.write_all_at(data.get(range).unwrap_or_default(), at)?;
        }
        Ok(())
    }
}

impl State {
    fn remember(&mut self, request: Request) {
        if self.requests.len() == REMEMBERED {
            self.requests.pop_front();
        }
        self.requests.push_back(request);
    }
}

/// How long a request of this size must wait; reserves its time.
fn pause(state: &mut State, bytes: u64) -> Duration {
    let now = Instant::now();
    let mut wait = state.faults.delay;
    if let Some(rate) = state.faults.bytes_per_second.filter(|&rate| rate > 0) {
        let start = state.busy_until.map_or(now, |until| until.max(now));
        let until = start + Duration::from_nanos(bytes.saturating_mul(1_000_000_000) / rate);
        state.busy_until = Some(until);
        wait += until - now;
    }
    wait
}

/// Puts the data of cached writes over the data of the medium.
fn overlay(offset: u64, data: &mut [u8], at: u64, cached: &[u8]) {
    let start = offset.max(at);
    let end = (offset + length_of(data)).min(at + length_of(cached));
    let index = |from: u64, place: u64| usize::try_from(place - from).unwrap_or(usize::MAX);
    if start < end
        && let Some(to) = data.get_mut(index(offset, start)..index(offset, end))
        && let Some(from) = cached.get(index(at, start)..index(at, end))
    {
        to.copy_from_slice(from);
    }
}

fn length_of(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}
