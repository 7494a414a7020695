//! Reads an image in: unpacks, hashes, maps and stores it in one pass, with a thread for each step.
//!
//! ```text
//!   unpack ──pieces──▶ hash ──runs of data──▶ keep ──every now and then──▶ sync
//!     ▲                                        │
//!     └──────────────── buffers ◀──────────────┘
//! ```
//! The buffers are its only memory, whatever the image's length: a thread that is ahead waits for the next buffer.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::thread::{self, ScopedJoinHandle};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::extents::Extents;
use super::layout::{FIRST_BYTES, Layout};
use super::map::{PIECE, PieceMap, PieceValue, ZeroValues, value};
use super::packing::Opened;
use super::{ImageError, store};
use crate::station::units::{Bytes, MIB, to_u64, to_usize};

/// Buffers: two for each of unpack, hash and keep, one at work and one waiting, and one to look ahead.
const BUFFERS: usize = 7;
/// Limit of an image. No card is larger (SDXC ends here), so a small file that unpacks to more is made to harm.
const LONGEST: u64 = 2 << 40;
/// After this many bytes the disk is told to begin writing, so that the last sync has little left to wait for.
const SYNC_EVERY: u64 = 32 * MIB;

/// Receives the progress of staging: bytes of the source file that were read, and its length.
pub trait StagingProgress {
    /// Called when `consumed` bytes of the source file, which has `of` bytes, have been read.
    fn advanced(&mut self, consumed: Bytes, of: Bytes);
}

impl<F: FnMut(Bytes, Bytes)> StagingProgress for F {
    fn advanced(&mut self, consumed: Bytes, of: Bytes) {
        self(consumed, of);
    }
}

/// The result of one pass over an image.
#[derive(Debug)]
pub(super) struct TakenIn {
    pub(super) map: PieceMap,
    pub(super) extents: Extents,
    pub(super) layout: Layout,
    pub(super) zeroes: ZeroValues,
}

/// The use of the image's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Keep<'k> {
    /// They are only hashed.
    Nothing,
    /// Runs of data go to this file, zeroes become holes. Its length is left to the caller.
    Copy(&'k File),
    /// The same, and the disk begins to write at once. The caller makes the whole file durable.
    Durably(&'k File),
}

/// A piece on its way, with its contents so far.
struct Piece {
    start: Bytes,
    buffer: Box<[u8]>,
    length: usize,
    /// The image's length as far as it is known: exact for an image of one piece, whose value depends on it.
    span: Bytes,
}

/// A hashed piece: only its runs of data, counted from its beginning, are still needed.
struct Hashed {
    piece: Piece,
    runs: Vec<Range<usize>>,
}

#[derive(Default)]
struct Sums {
    values: Vec<PieceValue>,
    extents: Extents,
    first: Vec<u8>,
    /// The pieces that contain only zeroes.
    zeroes: Vec<usize>,
}

/// Reads `source`, just opened, from its beginning to its end. `place` is the path of the copy, for errors of its disk.
pub(super) fn take_in(
    source: &Path,
    opened: &mut Opened,
    keep: Keep<'_>,
    place: &Path,
    progress: &mut dyn StagingProgress,
) -> Result<TakenIn, ImageError> {
    let stored = |error| ImageError::Store { path: place.to_owned(), source: error };
    let (filled, to_hash) = bounded::<Piece>(BUFFERS);
    let (hashed, to_keep) = bounded::<Hashed>(BUFFERS);
    let (emptied, empty) = bounded::<Box<[u8]>>(BUFFERS);
    let (written, to_sync) = bounded::<()>(1);
    for _ in 0..BUFFERS {
        emptied.send(vec![0; to_usize(PIECE)].into_boxed_slice()).expect("its receiver is in hand");
    }
    let (span, sums) = thread::scope(|scope| {
        let spawn_failed = |source| ImageError::Thread { source };
        let hasher = thread::Builder::new().name("stage/hash".to_owned());
        let hasher = hasher.spawn_scoped(scope, move || hash(&to_hash, &hashed)).map_err(spawn_failed)?;
        let keeper = thread::Builder::new().name("stage/keep".to_owned());
        let keeper = keeper.spawn_scoped(scope, move || write(keep, &to_keep, &emptied, &written)).map_err(spawn_failed)?;
        let syncer = thread::Builder::new().name("stage/sync".to_owned());
        let syncer = syncer.spawn_scoped(scope, move || sync(keep, &to_sync)).map_err(spawn_failed)?;
        let span = unpack(source, opened, &empty, &filled, progress);
        // The hasher ends with its last piece, the keeper with the hasher, the sync with the keeper.
        drop(filled);
        let (sums, kept, synced) = (joined(hasher), joined(keeper), joined(syncer));
        // A full disk stops all threads. The keeper's own error comes first; then that of the sync, before the keeper's consequence of it.
        // The kernel reports an error of a sync once, and not again at a later one.
        let full = synced.and(kept).map_err(stored)?;
        let span = span?;
        match full {
            Some(full) => Err(full.explain(keep, place)),
            None => Ok((span, sums)),
        }
    })?;
    // Fewer values than pieces: a thread ended early without an error. Then the stored copy is not the image.
    let unfinished = || stored(io::Error::other("a part of the image was not kept: one of the threads that take it in ended early"));
    let map = PieceMap::new(span, sums.values).ok_or_else(unfinished)?;
    let zeroes = ZeroValues::new(map.len());
    for piece in sums.zeroes {
        zeroes.note(piece, map.values()[piece]);
    }
    Ok(TakenIn { map, extents: sums.extents, layout: Layout::of(&sums.first, span), zeroes })
}

/// A panic continues in the thread that joins.
fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Fills pieces until the image ends, or the receiver is gone; returns the length of the image.
fn unpack(
    source: &Path,
    opened: &mut Opened,
    empty: &Receiver<Box<[u8]>>,
    filled: &Sender<Piece>,
    progress: &mut dyn StagingProgress,
) -> Result<Bytes, ImageError> {
    let mut ahead: Option<Piece> = None;
    let mut span = Bytes(0);
    while let Ok(mut buffer) = empty.recv() {
        let start = span;
        // A short piece is the end, even if the file grows meanwhile.
        let is_over = ahead.as_ref().is_some_and(|before| before.length < before.buffer.len());
        let length = if is_over { 0 } else { opened.fill(source, start, &mut buffer)? };
        span = Bytes(start.0 + to_u64(length));
        if span.0 > LONGEST {
            return Err(ImageError::TooLong { path: source.to_owned(), most: Bytes(LONGEST) });
        }
        // One piece ahead: only the end of the image shows whether its first piece is its only one, whose value is the root.
        let next = (length > 0).then_some(Piece { start, buffer, length, span });
        let more = next.is_some();
        if let Some(before) = std::mem::replace(&mut ahead, next)
            && filled.send(Piece { span, ..before }).is_err()
        {
            break;
        }
        progress.advanced(opened.consumed(), opened.packed);
        if !more {
            break;
        }
    }
    if span.0 == 0 { Err(ImageError::Empty { path: source.to_owned() }) } else { Ok(span) }
}

fn hash(to_hash: &Receiver<Piece>, hashed: &Sender<Hashed>) -> Sums {
    let mut sums = Sums::default();
    for piece in to_hash {
        let data = &piece.buffer[..piece.length];
        if piece.start.0 == 0 {
            sums.first = data[..data.len().min(to_usize(FIRST_BYTES))].to_vec();
        }
        let runs = sums.extents.push(piece.start, data);
        if runs.is_empty() {
            sums.zeroes.push(sums.values.len());
        }
        sums.values.push(value(piece.start, data, piece.span));
        if hashed.send(Hashed { piece, runs }).is_err() {
            break;
        }
    }
    sums
}

/// A disk without room for the whole copy.
struct Full {
    /// The free space before.
    free: u64,
    /// The size of the whole copy.
    needs: u64,
}

impl Full {
    fn explain(&self, keep: Keep<'_>, place: &Path) -> ImageError {
        let (path, free) = (place.to_owned(), Bytes(self.free));
        let missing = Bytes((self.needs + store::LEFT_FREE.0).saturating_sub(self.free));
        match keep {
            Keep::Durably(_) => ImageError::NoRoom { path, missing, free },
            Keep::Copy(_) | Keep::Nothing => ImageError::NoScratch { path, missing, free },
        }
    }
}

/// Stores runs of data. Once the disk is full they are only counted, to report how much is missing; the written part of the copy is freed
/// at once, because the log may be on the same disk.
fn write(keep: Keep<'_>, to_keep: &Receiver<Hashed>, emptied: &Sender<Box<[u8]>>, written: &Sender<()>) -> io::Result<Option<Full>> {
    let (mut since_sync, mut kept) = (0, 0);
    let mut full: Option<Full> = None;
    for Hashed { piece, runs } in to_keep {
        if let Keep::Copy(file) | Keep::Durably(file) = keep {
            for run in runs {
                let length = to_u64(run.len());
                if let Some(full) = &mut full {
                    full.needs += length;
                    continue;
                }
                let written = file.write_all_at(&piece.buffer[run.clone()], piece.start.0 + to_u64(run.start));
                let has_room = || if since_sync + length < SYNC_EVERY { Ok(()) } else { store::leave_room(file) };
                match written.and_then(|()| has_room()) {
                    Ok(()) => (since_sync, kept) = (since_sync + length, kept + length),
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                        full = Some(Full { free: store::free(file)? + kept, needs: kept + length });
                        file.set_len(0)?;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        if since_sync >= SYNC_EVERY && full.is_none() {
            since_sync = 0;
            // A sync under way is followed by at most one more. If its thread is gone, it ended with an error, which is reported first.
            if written.try_send(()).is_err_and(|error| error.is_disconnected()) {
                return Err(io::Error::other("the thread that syncs the copy has ended"));
            }
        }
        // The thread that unpacks may have ended already.
        let _done = emptied.send(piece.buffer);
    }
    Ok(full)
}

/// Its first error ends the staging: the kernel reports it once. It runs until the keeper has ended, even if nothing is to be synced: an
/// earlier end of this channel is an error for the keeper.
fn sync(keep: Keep<'_>, to_sync: &Receiver<()>) -> io::Result<()> {
    for () in to_sync {
        if let Keep::Durably(file) = keep {
            file.sync_data()?;
        }
    }
    Ok(())
}
