//! Keys that sign, for tests that need an assertion that is not among the fixtures.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::PrivateKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha512};

use super::assertion::Assertion;
use super::signature::PublicKey;

/// A private key, and its public half in the form of an account-key.
pub(super) struct Signer {
    key: PrivateKey,
    pub(super) body: String,
    pub(super) id: String,
}

/// Three keys, made once: a root's, a store's, a brand's.
pub(super) static ROOT: LazyLock<Signer> = LazyLock::new(Signer::new);
pub(super) static STORE: LazyLock<Signer> = LazyLock::new(Signer::new);
pub(super) static BRAND: LazyLock<Signer> = LazyLock::new(Signer::new);

/// A big number with enough leading zero bits to fill its bytes.
fn number(bytes: &[u8]) -> Vec<u8> {
    let bits = u16::try_from(8 * bytes.len()).expect("a short number") - u16::try_from(bytes[0].leading_zeros()).expect("below 8");
    [bits.to_be_bytes().as_slice(), bytes].concat()
}

/// A packet with this tag behind the version byte, in base64.
pub(super) fn packet(tag: u8, contents: &[u8]) -> String {
    let more = contents.len().checked_sub(192).expect("a long packet");
    let len = [u8::try_from(more / 256).expect("below 8383") + 192, u8::try_from(more % 256).expect("a byte")];
    STANDARD.encode([[1, tag].as_slice(), &len, contents].concat())
}

impl Signer {
    fn new() -> Self {
        let key = PrivateKey::new(&mut getrandom::SysRng, 2048).expect("a key");
        // A key with any other time of creation has the same id.
        let contents = [[4, 1, 2, 3, 4, 1].as_slice(), &number(&key.n_bytes()), &number(&[1, 0, 1])].concat();
        let body = packet(0xc6, &contents);
        let id = PublicKey::decode(body.as_bytes()).expect("a key").id().to_string();
        Self { key, body, id }
    }

    /// The contents of a signature's packet, with or without leading zeroes of its number.
    pub(super) fn packet_over(&self, content: &str, keep_zeroes: bool) -> Vec<u8> {
        let hashed = [4, 0, 1, 10, 0, 6, 5, 2, 0x6b, 3, 0x65, 0xa5];
        let digest = Sha512::new().chain_update(content).chain_update(hashed).chain_update([4, 0xff, 0, 0, 0, 12]).finalize();
        let signature = self.key.sign(Pkcs1v15Sign::new::<Sha512>(), &digest).expect("a signature");
        let number = if keep_zeroes {
            [u16::try_from(8 * signature.len()).expect("short").to_be_bytes().as_slice(), &signature].concat()
        } else {
            let zeroes = signature.iter().take_while(|byte| **byte == 0).count();
            number(&signature[zeroes..])
        };
        [hashed.as_slice(), &[0, 0], &digest[..2], &number].concat()
    }

    /// An assertion of these headers, with the signature of this key.
    pub(super) fn sign(&self, headers: &str) -> String {
        self.sign_with_body(headers, None)
    }

    pub(super) fn sign_with_body(&self, headers: &str, body: Option<&str>) -> String {
        let length = body.map(|body| format!("body-length: {}\n", body.len())).unwrap_or_default();
        let body = body.map(|body| format!("\n\n{body}")).unwrap_or_default();
        let content = format!("{headers}\n{length}sign-key-sha3-384: {}{body}", self.id);
        format!("{content}\n\n{}\n", packet(0xc2, &self.packet_over(&content, false)))
    }

    /// An account-key assertion for the key of another account.
    pub(super) fn vouch_for(&self, authority: &str, account: &str, other: &Self, more: &str) -> String {
        let headers = format!(
            "type: account-key\nauthority-id: {authority}\npublic-key-sha3-384: {}\naccount-id: {account}\nname: key\n\
             since: 2026-01-01T00:00:00Z{more}",
            other.id
        );
        self.sign_with_body(&headers, Some(&other.body))
    }

    pub(super) fn account(&self, authority: &str, account: &str) -> String {
        self.sign(&format!(
            "type: account\nauthority-id: {authority}\naccount-id: {account}\ndisplay-name: {account}\n\
             timestamp: 2026-01-02T00:00:00Z\nvalidation: unproven"
        ))
    }
}

pub(super) fn read(text: &str) -> Assertion {
    let mut read = Assertion::read_all(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(read.len(), 1, "one assertion: {text}");
    read.remove(0)
}
