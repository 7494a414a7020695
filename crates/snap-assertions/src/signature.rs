//! Keys and signatures of assertions: OpenPGP packets of one kind each, read by their layout, and RSA.
//!
//! Only what signing tools make is accepted: a new-format packet, version 4, RSA with SHA-512. A general OpenPGP library does not fit: the
//! time of an assertion's key is forced, so the fingerprint in the signature is not that of the key.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::{BoxedUint, PublicKey as RsaKey};
use sha2::{Digest as _, Sha512};
use sha3::Sha3_384;

/// In front of every packet: the version of this use of OpenPGP.
const VERSION: u8 = 1;
/// New format, tag 2.
const SIGNATURE_TAG: u8 = 0xc2;
/// New format, tag 6.
const KEY_TAG: u8 = 0xc6;
/// The time of creation that is used for every key when its id is formed: 2016-01-01T00:00:00Z.
const KEY_TIME: u32 = 0x5685_c180;
/// Version 4, a signature over a document, RSA, SHA-512.
const SIGNATURE_BEGIN: [u8; 4] = [4, 0, 1, 10];
/// Allowed bits of a modulus. A smaller one can be factored; the largest in use is that of Canonical's root.
const MODULUS_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Characters of a SHA3-384 digest in an assertion: 48 bytes, 64 characters.
const DIGEST_LEN: usize = 48;

/// A SHA3-384 digest: of a key, of a snap, of an assertion.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha3(pub [u8; DIGEST_LEN]);

impl Sha3 {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha3_384::digest(bytes).into())
    }

    /// As assertions write it: base64 with the alphabet for URLs, without padding.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Sha3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Sha3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Computes a [`Sha3`] of data that arrives piece by piece.
#[derive(Clone, Default)]
pub struct Sha3Hasher(Sha3_384);

impl Sha3Hasher {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all of them.
    #[must_use]
    pub fn finish(self) -> Sha3 {
        Sha3(self.0.finalize().into())
    }
}

impl fmt::Debug for Sha3Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sha3Hasher")
    }
}

/// Why a key or a signature is rejected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The text is not valid base64.
    #[error("it is not base64: it is cut or damaged")]
    Base64,
    /// It does not have the form that signing tools make.
    #[error("it is not version 1 of the form that signing tools make")]
    Version,
    /// The bytes are not exactly one packet of the required kind.
    #[error("it is not one new-format OpenPGP packet of the expected kind")]
    Packet,
    /// There are bytes behind the packet.
    #[error("there are bytes behind it that belong to nothing")]
    Trailing,
    /// It ends too early.
    #[error("it is cut short")]
    Short,
    /// The signature uses an algorithm or a version that is not accepted.
    #[error("it is not an RSA signature with SHA-512 over a document (OpenPGP version 4), which is all that is accepted")]
    Algorithm,
    /// The subpackets of the signature are damaged, or demand something unknown.
    #[error("its subpackets are damaged, lack the time of signing, or demand what is unknown here")]
    Subpackets,
    /// The key is not an RSA key of an accepted length.
    #[error("the key is not an RSA key of 2048 to 8192 bits")]
    Key,
    /// The contents were changed, or another key signed them.
    #[error("the signature does not fit: the contents were changed after signing, or another key signed them")]
    Contents,
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], CryptoError> {
        let (front, rest) = self.0.split_at_checked(len).ok_or(CryptoError::Short)?;
        self.0 = rest;
        Ok(front)
    }

    fn byte(&mut self) -> Result<u8, CryptoError> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Result<usize, CryptoError> {
        let [high, low] = *self.take(2)? else { return Err(CryptoError::Short) };
        Ok(usize::from(u16::from_be_bytes([high, low])))
    }

    /// A length of a packet or subpacket; a packet of unknown length is not accepted.
    fn len(&mut self, two_byte_until: u8) -> Result<usize, CryptoError> {
        let first = self.byte()?;
        if first < 192 {
            Ok(usize::from(first))
        } else if first < two_byte_until {
            Ok((usize::from(first) - 192) * 256 + usize::from(self.byte()?) + 192)
        } else if first == 255 {
            let [a, b, c, d] = *self.take(4)? else { return Err(CryptoError::Short) };
            usize::try_from(u32::from_be_bytes([a, b, c, d])).or(Err(CryptoError::Short))
        } else {
            Err(CryptoError::Packet)
        }
    }

    /// A big number, without the leading zeroes that some signers write.
    fn number(&mut self) -> Result<&'a [u8], CryptoError> {
        let bits = self.u16()?;
        let bytes = self.take(bits.div_ceil(8))?;
        let zeroes = bytes.iter().take_while(|byte| **byte == 0).count();
        Ok(&bytes[zeroes..])
    }

    fn end(&self) -> Result<(), CryptoError> {
        if self.0.is_empty() { Ok(()) } else { Err(CryptoError::Trailing) }
    }
}

/// The contents of the one packet in a base64 text.
fn packet(text: &[u8], tag: u8) -> Result<Vec<u8>, CryptoError> {
    let lines: Vec<u8> = text.iter().copied().filter(|byte| *byte != b'\n').collect();
    let bytes = STANDARD.decode(lines).or(Err(CryptoError::Base64))?;
    let mut reader = Reader(&bytes);
    if reader.byte()? != VERSION {
        return Err(CryptoError::Version);
    }
    if reader.byte()? != tag {
        return Err(CryptoError::Packet);
    }
    // 224 to 254 start a packet in parts.
    let len = reader.len(224)?;
    let contents = reader.take(len)?.to_vec();
    reader.end()?;
    Ok(contents)
}

/// The public half of a key that signs assertions.
#[derive(Clone)]
pub struct PublicKey {
    key: RsaKey,
    id: Sha3,
    /// Bytes of the modulus. Every signature has this length.
    len: usize,
}

impl PublicKey {
    /// Reads the body of an account-key assertion.
    ///
    /// # Errors
    /// If it is not an RSA key as signing tools write it.
    pub fn decode(text: &[u8]) -> Result<Self, CryptoError> {
        let contents = packet(text, KEY_TAG)?;
        let mut reader = Reader(&contents);
        if reader.byte()? != 4 {
            return Err(CryptoError::Algorithm);
        }
        // The time in the packet is ignored: the id is formed with a time that is the same for all keys.
        reader.take(4)?;
        if reader.byte()? != 1 {
            return Err(CryptoError::Key);
        }
        let modulus = reader.number()?;
        let exponent = reader.number()?;
        reader.end()?;
        let id = key_id(modulus, exponent)?;
        let number = BoxedUint::from_be_slice_vartime;
        let key = RsaKey::new_with_size_limits(number(modulus), number(exponent), MODULUS_BITS).or(Err(CryptoError::Key))?;
        Ok(Self { key, id, len: modulus.len() })
    }

    /// Its name: the SHA3-384 of its packet.
    #[must_use]
    pub fn id(&self) -> Sha3 {
        self.id
    }

    /// Has this key signed these contents?
    ///
    /// # Errors
    /// If the signature does not fit the key and the contents.
    pub fn verify(&self, content: &[u8], signature: &Signature) -> Result<(), CryptoError> {
        let mut hash = Sha512::new();
        hash.update(content);
        hash.update(&signature.hashed);
        hash.update([4, 0xff]);
        hash.update(u32::try_from(signature.hashed.len()).or(Err(CryptoError::Subpackets))?.to_be_bytes());
        let digest = hash.finalize();
        if digest[..2] != signature.begins {
            return Err(CryptoError::Contents);
        }
        // A big number is written without leading zeroes, but RSA needs all of its bytes.
        let zeroes = self.len.checked_sub(signature.number.len()).ok_or(CryptoError::Contents)?;
        let number = [vec![0; zeroes].as_slice(), &signature.number].concat();
        self.key.verify(Pkcs1v15Sign::new::<Sha512>(), &digest, &number).or(Err(CryptoError::Contents))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.id).finish()
    }
}

/// The key's packet is built again, so that its id depends only on modulus and exponent.
fn key_id(modulus: &[u8], exponent: &[u8]) -> Result<Sha3, CryptoError> {
    let mut contents = vec![4];
    contents.extend(KEY_TIME.to_be_bytes());
    contents.push(1);
    for number in [modulus, exponent] {
        let zeroes = number.first().ok_or(CryptoError::Key)?.leading_zeros();
        let bits = u32::try_from(8 * number.len()).or(Err(CryptoError::Key))? - zeroes;
        contents.extend(u16::try_from(bits).or(Err(CryptoError::Key))?.to_be_bytes());
        contents.extend(number);
    }
    let mut packet = vec![VERSION, KEY_TAG];
    let len = contents.len();
    match len.checked_sub(192) {
        None => packet.extend(u8::try_from(len)),
        Some(more) => match u8::try_from(more / 256) {
            Ok(high) if high < 32 => packet.extend([high + 192, u8::try_from(more % 256).or(Err(CryptoError::Key))?]),
            _ => return Err(CryptoError::Key),
        },
    }
    packet.extend(contents);
    Ok(Sha3::of(&packet))
}

/// A parsed signature of an assertion.
#[derive(Clone, Debug)]
pub struct Signature {
    /// The part of the packet that is signed together with the contents.
    hashed: Vec<u8>,
    /// The first two bytes of the digest.
    begins: [u8; 2],
    number: Vec<u8>,
}

impl Signature {
    /// Reads the text behind an assertion's contents.
    ///
    /// # Errors
    /// If it is not one signature as signing tools write it.
    pub fn decode(text: &[u8]) -> Result<Self, CryptoError> {
        let contents = packet(text, SIGNATURE_TAG)?;
        let mut reader = Reader(&contents);
        if reader.take(SIGNATURE_BEGIN.len())? != SIGNATURE_BEGIN {
            return Err(CryptoError::Algorithm);
        }
        let hashed_len = reader.u16()?;
        let time = subpackets(reader.take(hashed_len)?)?;
        let hashed = contents[..SIGNATURE_BEGIN.len() + 2 + hashed_len].to_vec();
        let unhashed_len = reader.u16()?;
        subpackets(reader.take(unhashed_len)?)?;
        if !time {
            return Err(CryptoError::Subpackets);
        }
        let [first, second] = *reader.take(2)? else { return Err(CryptoError::Short) };
        let number = reader.number()?.to_vec();
        reader.end()?;
        Ok(Self { hashed, begins: [first, second], number })
    }
}

/// Walks over the subpackets and returns whether the time of signing is among them. Nothing else in them is used: the assertion names the
/// signer.
fn subpackets(area: &[u8]) -> Result<bool, CryptoError> {
    const TIME: u8 = 2;
    const LIFETIME: u8 = 3;
    const ISSUER: u8 = 16;
    const FINGERPRINT: u8 = 33;
    const CRITICAL: u8 = 0x80;
    let mut reader = Reader(area);
    let mut time = false;
    while !reader.0.is_empty() {
        let len = reader.len(255).or(Err(CryptoError::Subpackets))?;
        let subpacket = reader.take(len).or(Err(CryptoError::Subpackets))?;
        let (kind, contents) = subpacket.split_first().ok_or(CryptoError::Subpackets)?;
        match kind & !CRITICAL {
            TIME if contents.len() == 4 => time = true,
            TIME => return Err(CryptoError::Subpackets),
            LIFETIME | ISSUER | FINGERPRINT => {}
            _ if kind & CRITICAL != 0 => return Err(CryptoError::Subpackets),
            _ => {}
        }
    }
    Ok(time)
}
