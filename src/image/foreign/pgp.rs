//! Recognises OpenPGP messages, packed contents and signatures by their binary packets.

use std::io::Read;

use flate2::read::DeflateDecoder;

use super::{DECRYPT, FIND, Foreign, is_zlib};

/// OpenPGP's binary packets (RFC 4880, 4.2), recognised by the structure of a whole message: keys for one reader or several, then the
/// encrypted data; or signed data, packed; or a signature alone.
pub(super) fn message(head: &[u8]) -> Option<Foreign> {
    let sealed = Foreign { name: "a file encrypted with PGP", cure: DECRYPT };
    let mut rest = head;
    // A message to a hundred readers does not come with an image.
    for place in 0..100 {
        let packet = Packet::of(rest)?;
        match (packet.tag, packet.body) {
            // For a key, version 3 or 6, or for a password, version 4, 5 or 6.
            (1, [3 | 6, ..]) | (3, [4..=6, ..]) => rest = packet.behind?,
            (9 | 18 | 20, [..]) if place > 0 => return Some(sealed),
            (18, [1 | 2, ..]) => return Some(sealed),
            // Packed by one of the three existing methods; the length is unknown.
            (8, [1, ..]) if packet.behind.is_none() => {
                let mut unpacked = [0; 64];
                let is_packet = DeflateDecoder::new(&packet.body[1..]).read(&mut unpacked).is_ok_and(|count| count > 0);
                return (is_packet && Packet::of(&unpacked).is_some()).then_some(SIGNED);
            }
            (8, [2, packed @ ..]) if packet.behind.is_none() => return is_zlib(packed).then_some(SIGNED),
            (8, [3, b'B', b'Z', b'h', ..]) => return Some(SIGNED),
            (2, [4..=6, ..]) if place == 0 && packet.behind.is_some_and(<[u8]>::is_empty) => {
                return Some(Foreign { name: "a signature (PGP)", cure: FIND });
            }
            _ => return None,
        }
    }
    None
}

/// Signed, and perhaps without further data.
const SIGNED: Foreign =
    Foreign { name: "a file packed and signed with PGP", cure: "unpack it with `gpg --decrypt`, and name the disk image" };

/// One of OpenPGP's packets, as far as it is available.
struct Packet<'a> {
    tag: u8,
    body: &'a [u8],
    /// The data behind it; `None` if it continues, or does not contain its length.
    behind: Option<&'a [u8]>,
}

impl<'a> Packet<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (&first, rest) = bytes.split_first()?;
        let big = |count: usize| Some(rest.get(..count)?.iter().fold(0, |above, byte| above << 8 | usize::from(*byte)));
        let (tag, header, length) = match first {
            // The newer form: one byte of length, two, or five; else parts that each contain their own length.
            0xc0.. => match *rest.first()? {
                short @ 0..192 => (first & 0x3f, 1, Some(usize::from(short))),
                long @ 192..224 => (first & 0x3f, 2, Some(((usize::from(long) - 192) << 8) + usize::from(*rest.get(1)?) + 192)),
                255 => (first & 0x3f, 5, Some(big(5)? & 0xffff_ffff)),
                _ => (first & 0x3f, 1, None),
            },
            0x80.. => match first & 3 {
                3 => (first >> 2 & 0xf, 0, None),
                kind => (first >> 2 & 0xf, 1 << kind, Some(big(1 << kind)?)),
            },
            _ => return None,
        };
        let body = rest.get(header..)?;
        let behind = length.and_then(|length| body.get(length..));
        Some(Self { tag, body: length.and_then(|length| body.get(..length)).unwrap_or(body), behind })
    }
}
