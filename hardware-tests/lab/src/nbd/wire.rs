//! The NBD protocol: newstyle negotiation as far as QEMU's client uses it, and simple replies.
//!
//! Owns the bytes on the socket. [`Export`] decides the answers.

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::export::Export;
use super::faults::Errno;

const MAGIC: &[u8; 16] = b"NBDMAGICIHAVEOPT";
/// Flags of the handshake: `FIXED_NEWSTYLE` and `NO_ZEROES`.
const HANDSHAKE_FLAGS: u16 = 1 | 2;
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;

const OPT_ABORT: u32 = 2;
const OPT_INFO: u32 = 6;
const OPT_GO: u32 = 7;

const REP_ACK: u32 = 1;
const REP_INFO: u32 = 3;
const REP_ERR_UNSUPPORTED: u32 = 0x8000_0001;
const REP_ERR_INVALID: u32 = 0x8000_0003;
const REP_ERR_UNKNOWN: u32 = 0x8000_0006;

const INFO_EXPORT: u16 = 0;
const INFO_BLOCK_SIZE: u16 = 3;

/// HAS_FLAGS, SEND_FLUSH, SEND_FUA, SEND_TRIM.
const EXPORT_FLAGS: u16 = 1 | 1 << 2 | 1 << 3 | 1 << 5;
const EXPORT_READ_ONLY: u16 = 1 << 1;

const CMD_READ: u16 = 0;
const CMD_WRITE: u16 = 1;
const CMD_DISCONNECT: u16 = 2;
const CMD_FLUSH: u16 = 3;
const CMD_TRIM: u16 = 4;
const FLAG_FUA: u16 = 1;

/// What the server accepts in one request; QEMU splits longer ones.
const LONGEST: u32 = 32 << 20;

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn u16_from(input: &mut impl Read) -> io::Result<u16> {
    array(input).map(u16::from_be_bytes)
}

fn u32_from(input: &mut impl Read) -> io::Result<u32> {
    array(input).map(u32::from_be_bytes)
}

fn u64_from(input: &mut impl Read) -> io::Result<u64> {
    array(input).map(u64::from_be_bytes)
}

fn bytes_from(input: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    if length > LONGEST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "longer than the server said it accepts"));
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn option_reply(out: &mut impl Write, option: u32, kind: u32, payload: &[u8]) -> io::Result<()> {
    let length = u32::try_from(payload.len()).map_err(io::Error::other)?;
    let mut reply = OPTION_REPLY.to_be_bytes().to_vec();
    reply.extend_from_slice(&option.to_be_bytes());
    reply.extend_from_slice(&kind.to_be_bytes());
    reply.extend_from_slice(&length.to_be_bytes());
    reply.extend_from_slice(payload);
    out.write_all(&reply)
}

/// The name at the start of an INFO or GO option.
fn export_name(mut option: &[u8]) -> Option<String> {
    let length = usize::try_from(u32_from(&mut option).ok()?).ok()?;
    option.get(..length).map(|name| String::from_utf8_lossy(name).into_owned())
}

/// Agrees with a client on an export; `None` if it left without one.
pub(super) fn negotiate(stream: &mut (impl Read + Write), find: impl Fn(&str) -> Option<Arc<Export>>) -> io::Result<Option<Arc<Export>>> {
    stream.write_all(MAGIC)?;
    stream.write_all(&HANDSHAKE_FLAGS.to_be_bytes())?;
    u32_from(stream)?;
    loop {
        let _magic = u64_from(stream)?;
        let option = u32_from(stream)?;
        let length = u32_from(stream)?;
        let payload = bytes_from(stream, length)?;
        match option {
            OPT_INFO | OPT_GO => {
                let Some(name) = export_name(&payload) else {
                    option_reply(stream, option, REP_ERR_INVALID, &[])?;
                    continue;
                };
                let Some(export) = find(&name) else {
                    option_reply(stream, option, REP_ERR_UNKNOWN, &[])?;
                    continue;
                };
                let flags = if export.read_only() { EXPORT_FLAGS | EXPORT_READ_ONLY } else { EXPORT_FLAGS };
                let mut info = INFO_EXPORT.to_be_bytes().to_vec();
                info.extend_from_slice(&export.size().to_be_bytes());
                info.extend_from_slice(&flags.to_be_bytes());
                option_reply(stream, option, REP_INFO, &info)?;
                // Smallest, preferred and largest request: without these, QEMU requests whole pages.
                let mut info = INFO_BLOCK_SIZE.to_be_bytes().to_vec();
                for size in [1, 4096, LONGEST] {
                    info.extend_from_slice(&size.to_be_bytes());
                }
                option_reply(stream, option, REP_INFO, &info)?;
                option_reply(stream, option, REP_ACK, &[])?;
                if option == OPT_GO {
                    return Ok(Some(export));
                }
            }
            OPT_ABORT => {
                option_reply(stream, option, REP_ACK, &[])?;
                return Ok(None);
            }
            _ => option_reply(stream, option, REP_ERR_UNSUPPORTED, &[])?,
        }
    }
}

/// Answers requests, one after the other, until the client leaves.
pub(super) fn transmit(stream: &mut (impl Read + Write), export: &Export) -> io::Result<()> {
    loop {
        if u32_from(stream)? != REQUEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
        }
        let flags = u16_from(stream)?;
        let command = u16_from(stream)?;
        let cookie = u64_from(stream)?;
        let offset = u64_from(stream)?;
        let length = u32_from(stream)?;
        let (status, data) = match command {
            CMD_READ if length > LONGEST => (Err(Errno::INVALID), Vec::new()),
            CMD_READ => match export.read(offset, length) {
                Ok(data) => (Ok(()), data),
                Err(errno) => (Err(errno), Vec::new()),
            },
            CMD_WRITE => {
                let data = bytes_from(stream, length)?;
                (export.write(offset, data, flags & FLAG_FUA != 0), Vec::new())
            }
            CMD_DISCONNECT => return Ok(()),
            CMD_FLUSH => (export.flush(), Vec::new()),
            CMD_TRIM => (export.trim(offset, length), Vec::new()),
            _ => (Err(Errno::INVALID), Vec::new()),
        };
        let mut reply = Vec::with_capacity(16 + data.len());
        reply.extend_from_slice(&REPLY.to_be_bytes());
        reply.extend_from_slice(&status.map_or_else(|errno| errno.number(), |()| 0).to_be_bytes());
        reply.extend_from_slice(&cookie.to_be_bytes());
        reply.extend_from_slice(&data);
        stream.write_all(&reply)?;
    }
}
