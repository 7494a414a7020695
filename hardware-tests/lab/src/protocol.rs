//! The channel between the tests and the emulated PC: frames over a virtio serial port.
//!
//! Owns the frame's layout and nothing else; both ends include this file, so they cannot disagree. It uses `std` alone,
//! because the guest's end is compiled without cargo.
//!
//! ```text
//! kind: u8 │ id: u32 │ length: u32 │ length bytes           integers are big-endian
//! ```
//!
//! An id names one request of the host's. The guest answers with any number of `STDOUT` and `STDERR`, and one `END`.

use std::io::{self, Read, Write};

/// The port's name, by which the guest finds it.
pub const PORT: &str = "flashline.0";

/// The longest payload. A reader that sees a larger length has lost its place, and must not allocate memory for it.
pub const LONGEST: usize = 1 << 20;

/// The size of the pieces of a stream: small enough that a long file does not delay the output of running jobs.
pub const CHUNK: usize = 128 << 10;

/// Host to guest: run the payload with `sh -c`.
pub const RUN: u8 = b'R';
/// Host to guest: send the signal in the payload (a `u32`) to the process group of job `id`.
pub const SIGNAL: u8 = b'S';
/// Host to guest: start a file. The payload is its mode (a `u32`) and its path.
pub const PUT: u8 = b'P';
/// Host to guest: more of the file started by `PUT`.
pub const PUT_DATA: u8 = b'D';
/// Host to guest: the file is complete and takes its name.
pub const PUT_END: u8 = b'E';
/// Host to guest: send the file named in the payload, as `STDOUT`.
pub const GET: u8 = b'G';
/// Guest to host: the agent has just started; jobs that ran before get no answer any more.
pub const HELLO: u8 = b'h';
/// Guest to host: a piece of standard output, or of a file.
pub const STDOUT: u8 = b'o';
/// Guest to host: a piece of standard error.
pub const STDERR: u8 = b'e';
/// Guest to host: the end of request `id`. The payload is a status (a `u32`): of a job, its exit status or 128 + signal; of a file, an
/// errno or 0.
pub const END: u8 = b'x';

/// One message between host and guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// One of the constants above.
    pub kind: u8,
    /// The request it belongs to.
    pub id: u32,
    /// The contents; their format depends on the kind.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame of any kind.
    pub fn new(kind: u8, id: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, id, payload: payload.into() }
    }

    /// The end of request `id`.
    #[must_use]
    pub fn end(id: u32, status: u32) -> Self {
        Self::new(END, id, status.to_be_bytes())
    }

    /// The start of a file.
    #[must_use]
    pub fn put(id: u32, mode: u32, path: &str) -> Self {
        let mut payload = mode.to_be_bytes().to_vec();
        payload.extend_from_slice(path.as_bytes());
        Self::new(PUT, id, payload)
    }

    /// The number at the start of the payload, and what follows it; `None` if the payload is too short for one.
    #[must_use]
    pub fn number(&self) -> Option<(u32, &[u8])> {
        let (number, rest) = self.payload.split_first_chunk()?;
        Some((u32::from_be_bytes(*number), rest))
    }

    /// Writes the frame in one call, so that a reader never waits in the middle of a header.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let length = u32::try_from(self.payload.len()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(9 + self.payload.len());
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        out.write_all(&bytes)
    }

    /// Reads one frame; blocks until it is whole.
    pub fn read_from(input: &mut impl Read) -> io::Result<Self> {
        let mut header = [0; 9];
        input.read_exact(&mut header)?;
        let [kind, a, b, c, d, e, f, g, h] = header;
        let length = usize::try_from(u32::from_be_bytes([e, f, g, h])).map_err(io::Error::other)?;
        if length > LONGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame longer than any that is sent"));
        }
        let mut payload = vec![0; length];
        input.read_exact(&mut payload)?;
        Ok(Self { kind, id: u32::from_be_bytes([a, b, c, d]), payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_follow_one_another_and_come_out_as_they_went_in() {
        let frames = [Frame::put(7, 0o755, "/etc/a file"), Frame::new(PUT_DATA, 7, vec![0; CHUNK]), Frame::end(u32::MAX, 137)];
        let mut bytes = Vec::new();
        for frame in &frames {
            frame.write_to(&mut bytes).expect("memory takes all");
        }
        let mut input = bytes.as_slice();
        for frame in &frames {
            assert_eq!(&Frame::read_from(&mut input).expect("a frame"), frame);
        }
        assert!(input.is_empty());
        assert_eq!(frames[0].number(), Some((0o755, &b"/etc/a file"[..])));
        assert_eq!(frames[2].number(), Some((137, &b""[..])));
    }

    #[test]
    fn noise_is_not_allocated_and_a_torn_frame_is_an_error() {
        let noise = [0xff; 64];
        assert_eq!(Frame::read_from(&mut noise.as_slice()).map_err(|error| error.kind()), Err(io::ErrorKind::InvalidData));
        let mut bytes = Vec::new();
        Frame::new(RUN, 1, "true").write_to(&mut bytes).expect("memory takes all");
        bytes.pop();
        assert_eq!(Frame::read_from(&mut bytes.as_slice()).map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
        assert_eq!(Frame::new(SIGNAL, 1, "abc").number(), None);
    }
}
