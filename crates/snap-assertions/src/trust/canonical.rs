//! Canonical's root key, where every published chain ends: built in, and pinned by its id.

use jiff::Timestamp;

use super::Root;
use crate::headers::time;
use crate::signature::{PublicKey, Sha3};

/// The account it belongs to.
pub(super) const ACCOUNT: &str = "canonical";
/// The id is the hash of the key, so it pins the key itself. In the store as `account-key`, name `root`; unchanged since 2016.
pub const ROOT_KEY: &str = "-CvQKAwRQ5h3Ffn10FILJoEZUXOv6km9FwA80-Rcj-f-6jadQ89VRswHNiEB9Lxk";
/// The packet of the public key, in base64, as in the body of that account-key assertion: two numbers.
const PACKET: &[u8] = include_bytes!("canonical-root.key");
const SINCE: &str = "2016-04-01T00:00:00Z";

/// The root itself.
///
/// # Panics
/// If the built-in key does not have the pinned id: such a program must not judge anything.
pub(super) fn root() -> Root {
    let key = PublicKey::decode(PACKET).expect("the built-in key can be read");
    assert_eq!(Some(key.id()), Sha3::parse(ROOT_KEY), "the built-in key is the one pinned");
    let since: Timestamp = time(SINCE).expect("a time");
    Root { account: ACCOUNT.to_owned(), name: "root".to_owned(), since, until: None, key }
}
