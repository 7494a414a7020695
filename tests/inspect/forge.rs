//! A root key of the tests, whose private half is public: it signs whatever a test needs. The root of the fixtures cannot sign any more.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, PrivateKey};
use sha2::{Digest, Sha512};
use snap_assertions::signature::PublicKey;

const P: &str = "f533ebf8fc91f884eb9fba0c8f700dc15c2e7db90142e4cce1013052f2e9b0236fabf20317fcfae116608e0a63bf3177d7ea3f7db93acfbb573d4ec4f898ab6e\
c44200107c2d2129495a996ad2525d82455ee218fc584c67d9cbd1aaf5bbbdb8099f3e2eafbc7553f8bce5261286fb68f162b4ccf83aaaadee64e4d7c7715a6d";
const Q: &str = "c853d008c5af5db6e1be2643c19516004b96a828104bd469ed0358f50d65a7ee2d0d246c112706990210ce6234215df6d8bd2b7f2dfcd1a19eeb4ddf6aa92168\
fbb17c88e49e511d1a0f3ce883ccc5136f292ca85932c9954271843d0c73be80548fa8045ef714c3e94cb972db14298c33b79cf929a24e653e1626a2aaa2d2f3";
/// The account id of the forged root.
pub(crate) const ACCOUNT: &str = "forge";

/// A key that signs.
pub(crate) struct Key(PrivateKey);

/// The key of the forged root.
pub(crate) static ROOT: LazyLock<Key> = LazyLock::new(|| {
    let number = |hexadecimal: &str| BoxedUint::from_be_hex(hexadecimal, 1024).expect("a number");
    Key(PrivateKey::from_p_q(number(P), number(Q), BoxedUint::from(65_537_u64)).expect("a key"))
});

/// A new-format packet behind the version, in base64 of 76 columns.
fn packet(tag: u8, contents: &[u8]) -> String {
    let more = contents.len() - 192;
    let byte = |number: usize| u8::try_from(number).expect("short enough");
    let mut bytes = vec![1, tag, byte(192 + more / 256), byte(more % 256)];
    bytes.extend(contents);
    let text = STANDARD.encode(bytes);
    let lines: Vec<&str> = (0..text.len()).step_by(76).map(|at| &text[at..text.len().min(at + 76)]).collect();
    lines.join("\n")
}

fn number(bytes: &[u8]) -> Vec<u8> {
    let bytes = &bytes[bytes.iter().position(|byte| *byte != 0).expect("not zero")..];
    let bits = u16::try_from(8 * bytes.len()).expect("short") - u16::try_from(bytes[0].leading_zeros()).expect("at most 8");
    [bits.to_be_bytes().as_slice(), bytes].concat()
}

impl Key {
    /// A new key.
    pub(crate) fn random() -> Self {
        Self(PrivateKey::new(&mut getrandom::SysRng, 2048).expect("a key"))
    }

    /// Its public half in the form of an account-key.
    pub(crate) fn public(&self) -> String {
        let key = &self.0;
        let contents = [vec![4, 0x56, 0x85, 0xc1, 0x80, 1], number(&key.n().to_be_bytes()), number(&key.e().to_be_bytes())].concat();
        packet(0xc6, &contents)
    }

    pub(crate) fn id(&self) -> String {
        PublicKey::decode(self.public().as_bytes()).expect("a key").id().to_string()
    }

    /// Headers with the key that signs, and the signature. `body` may be empty.
    pub(crate) fn signed(&self, headers: &str, body: &str) -> String {
        let length = if body.is_empty() { String::new() } else { format!("\nbody-length: {}", body.len()) };
        let mut content = format!("{headers}{length}\nsign-key-sha3-384: {}", self.id());
        if !body.is_empty() {
            content.push_str(&format!("\n\n{body}"));
        }
        let hashed = [4, 0, 1, 10, 0, 6, 5, 2, 0x6b, 0, 0, 0];
        let digest = Sha512::new().chain_update(&content).chain_update(hashed).chain_update([4, 0xff, 0, 0, 0, 12]).finalize();
        let signature = self.0.sign(Pkcs1v15Sign::new::<Sha512>(), &digest).expect("it signs");
        let contents = [hashed.as_slice(), &[0, 0], &digest[..2], &number(&signature)].concat();
        format!("{content}\n\n{}\n", packet(0xc2, &contents))
    }
}

/// Signed by the root.
pub(crate) fn signed(headers: &str, body: &str) -> String {
    ROOT.signed(headers, body)
}

/// Headers, padded with one that is not read until the whole has this length.
pub(crate) fn filled(headers: &str, length: usize) -> String {
    let mut fill = length - signed(headers, "").len() - "\nx-fill: ".len();
    loop {
        let text = signed(&format!("{headers}\nx-fill: {}", "x".repeat(fill)), "");
        if text.len() == length {
            return text;
        }
        // One signature in 256 is a byte shorter.
        fill = fill + length - text.len();
    }
}

/// The file for `--trust`.
pub(crate) fn root() -> String {
    let id = ROOT.id();
    signed(
        &format!(
            "type: account-key\nauthority-id: {ACCOUNT}\npublic-key-sha3-384: {id}\naccount-id: {ACCOUNT}\nname: root\nsince: 2026-01-01T00:00:00Z"
        ),
        &ROOT.public(),
    )
}

/// Another declaration of a known snap, which holds because its revision is higher.
pub(crate) fn declaration(snap_id: &str, name: &str, publisher: &str) -> String {
    signed(
        &format!(
            "type: snap-declaration\nauthority-id: {ACCOUNT}\nrevision: 99\nseries: 16\nsnap-id: {snap_id}\npublisher-id: {publisher}\nsnap-name: {name}\ntimestamp: 2026-11-01T00:00:00Z",
        ),
        "",
    )
}
