//! Tests with chains that the tests sign themselves: one link is broken at a time.

use super::*;
use crate::signature::{CryptoError, Signature};
use crate::testing::{BRAND, ROOT, STORE, Signer, packet, read};

pub(super) fn at(time: &str) -> Timestamp {
    time.parse().expect("a time")
}

pub(super) const NOW: &str = "2026-11-20T08:00:00Z";

pub(super) fn model_of(brand: &str, timestamp: &str) -> String {
    format!(
        "type: model\nauthority-id: {brand}\nseries: 16\nbrand-id: {brand}\nmodel: box\narchitecture: amd64\ngadget: pc\n\
         kernel: pc-kernel\ntimestamp: {timestamp}"
    )
}

/// Root, store and brand, with a change of each assertion by name; `None` leaves the assertion out.
pub(super) fn chain(change: impl Fn(&str) -> Option<Option<String>>) -> Trust {
    let mut trust = Trust::canonical();
    trust.add_roots(ROOT.vouch_for("root", "root", &ROOT, "").as_bytes()).expect("a root");
    let good = [
        ("store key", ROOT.vouch_for("root", "root", &STORE, "")),
        ("brand account", STORE.account("root", "brand")),
        ("brand key", STORE.vouch_for("root", "brand", &BRAND, "")),
    ];
    for (name, assertion) in good {
        if let Some(text) = change(name).unwrap_or(Some(assertion)) {
            trust.add_known(text.as_bytes()).expect("assertions");
        }
    }
    trust
}

fn reasons(trust: &Trust, signer: &Signer, headers: &str) -> String {
    trust.at(at(NOW)).prove(&read(&signer.sign(headers))).map_or_else(|reasons| reasons.join("\n"), |_| "proven".to_owned())
}

/// The reasons against a good model if one assertion of its chain is replaced by another.
fn without(link: &'static str, change: Option<String>) -> String {
    reasons(&chain(|name| (name == link).then(|| change.clone())), &BRAND, &model_of("brand", NOW))
}

#[test]
fn a_chain_that_holds_names_every_key_up_to_the_root() {
    let proof = chain(|_| None).at(at(NOW)).prove(&read(&BRAND.sign(&model_of("brand", NOW)))).expect("it holds");
    let accounts: Vec<&str> = proof.chain().iter().map(|link| link.account.as_str()).collect();
    assert_eq!(accounts, ["brand", "root", "root"]);
    assert_eq!((proof.signer().key.to_string(), proof.root().key.to_string()), (BRAND.id.clone(), ROOT.id.clone()));
}

#[test]
fn no_link_of_a_chain_can_be_missing() {
    for (link, words) in [
        ("store key", "which no trusted root vouches for"),
        ("brand key", "no account-key assertion of it is known"),
        ("brand account", "no account assertion of it is known"),
    ] {
        let found = without(link, None);
        assert!(found.contains(words), "without the {link}: {found}");
    }
}

#[test]
fn what_was_changed_after_it_was_signed_is_not_proven_anywhere_in_the_chain() {
    let changed = BRAND.sign(&model_of("brand", NOW)).replace("model: box", "model: fox");
    let found = chain(|_| None).at(at(NOW)).prove(&read(&changed)).expect_err("it was changed").join("\n");
    assert!(found.contains("the signature does not fit"), "{found}");
    for (link, good, from, to) in [
        ("store key", ROOT.vouch_for("root", "root", &STORE, ""), "name: key", "name: kex"),
        ("brand account", STORE.account("root", "brand"), "unproven", "verified"),
        ("brand key", STORE.vouch_for("root", "brand", &BRAND, ""), "since: 2026-01-01", "since: 2025-01-01"),
    ] {
        let found = without(link, Some(good.replace(from, to)));
        assert!(found.contains("the signature does not fit"), "{link}: {found}");
    }
}

#[test]
fn a_key_speaks_for_its_own_account_only() {
    let trust = chain(|_| None);
    trust.at(at(NOW)).prove(&read(&BRAND.sign(&model_of("brand", NOW)))).expect("its own");
    let found = reasons(&trust, &BRAND, &model_of("other", NOW));
    assert!(found.contains("`authority-id` is other, but the key that signed belongs to brand"), "{found}");
    let found = reasons(&trust, &STORE, &model_of("brand", NOW));
    assert!(found.contains("the key that signed belongs to root"), "not even the store's key: {found}");
}

#[test]
fn only_a_root_says_whose_a_key_and_what_a_snap_is() {
    let found = without("brand key", Some(BRAND.vouch_for("brand", "brand", &BRAND, "")));
    assert!(found.contains("which no trusted root vouches for"), "a key that vouches for itself: {found}");
    let trust = chain(|_| None);
    let found = reasons(
        &trust,
        &BRAND,
        "type: snap-declaration\nauthority-id: brand\nseries: 16\nsnap-id: aW3s0meSnapIdForTheFixtureNo0001\nsnap-name: one\n\
         publisher-id: brand\ntimestamp: 2026-11-20T08:00:00Z",
    );
    assert!(found.contains("only a root's word counts"), "{found}");
    let found = reasons(
        &trust,
        &BRAND,
        "type: account\nauthority-id: brand\naccount-id: shop\ndisplay-name: Shop\ntimestamp: 2026-11-20T08:00:00Z\nvalidation: verified",
    );
    assert!(found.contains("only a root's word counts"), "{found}");
}

#[test]
fn a_root_of_ones_own_does_not_speak_for_canonical() {
    let mut trust = chain(|_| None);
    trust.add_known(STORE.vouch_for("root", "canonical", &BRAND, "\nrevision: 9").as_bytes()).expect("it is known");
    let found = trust.at(at(NOW)).prove(&read(&STORE.vouch_for("root", "canonical", &BRAND, "\nrevision: 9"))).expect_err("no");
    assert!(found.join("\n").contains("`account-id` is canonical, a root's, and root may not give it keys"), "{found:?}");
    assert_eq!(reasons(&trust, &BRAND, &model_of("brand", NOW)), "proven", "and it takes nothing from the brand's own");
}

#[test]
fn keys_sign_within_their_time() {
    let until = |until: &str| STORE.vouch_for("root", "brand", &BRAND, &format!("\nuntil: {until}"));
    let found = without("brand key", Some(until("2026-06-01T00:00:00Z")));
    assert!(found.contains("and not at 2026-11-20T08:00:00Z") && found.contains("`timestamp` is"), "{found}");
    assert_eq!(without("brand key", Some(until("2026-11-20T08:00:01Z"))), "proven", "one second more is enough");
    assert!(without("brand key", Some(until(NOW))).contains("and not at"), "its last moment is before `until`");
    let found = reasons(&chain(|_| None), &BRAND, &model_of("brand", "2025-12-31T23:59:59Z"));
    assert!(found.contains("`timestamp` is 2025-12-31T23:59:59Z, when the key that signed was not valid"), "{found}");
    let trust = chain(|_| None);
    let early = trust.at(at("2025-12-31T23:59:59Z")).prove(&read(&BRAND.sign(&model_of("brand", NOW))));
    assert!(early.expect_err("not valid yet").join("\n").contains("and not at 2025-12-31T23:59:59Z"));
}

#[test]
fn the_highest_proven_revision_of_a_key_holds_and_a_forged_one_pushes_out_nothing() {
    let ended = STORE.vouch_for("root", "brand", &BRAND, "\nrevision: 1\nuntil: 2026-06-01T00:00:00Z");
    let both = format!("{ended}\n{}", STORE.vouch_for("root", "brand", &BRAND, ""));
    let found = without("brand key", Some(both));
    assert!(found.contains("until 2026-06-01T00:00:00Z"), "revision 1 ended the key: {found}");
    let forged = BRAND.vouch_for("brand", "brand", &BRAND, "\nrevision: 1\nuntil: 2026-06-01T00:00:00Z");
    let both = format!("{forged}\n{}", STORE.vouch_for("root", "brand", &BRAND, ""));
    assert_eq!(without("brand key", Some(both)), "proven", "a revision nobody vouches for counts for nothing");
}

#[test]
fn a_key_held_to_constraints_signs_nothing_else() {
    let only = |model: &str| {
        let constraints = format!("\nformat: 1\nconstraints:\n  -\n    headers:\n      model: {model}\n      type: model");
        without("brand key", Some(STORE.vouch_for("root", "brand", &BRAND, &constraints)))
    };
    assert_eq!(only("b.x"), "proven");
    let found = only("bo");
    assert!(found.contains("which may not sign this"), "{found}");
}

#[test]
fn a_snap_is_what_the_store_says_until_it_takes_that_back() {
    const SNAP: &str = "aW3s0meSnapIdForTheFixtureNo0001";
    let declare = |name: &str, more: &str| {
        STORE.sign(&format!(
            "type: snap-declaration\nauthority-id: root\nseries: 16\nsnap-id: {SNAP}\nsnap-name: {name}\npublisher-id: brand\n\
             timestamp: {NOW}{more}"
        ))
    };
    let digest = Sha3::of(b"a snap");
    let revision = STORE.sign(&format!(
        "type: snap-revision\nauthority-id: root\nsnap-sha3-384: {digest}\ndeveloper-id: brand\nsnap-id: {SNAP}\nsnap-revision: 7\n\
         snap-size: 6\ntimestamp: {NOW}"
    ));
    let mut trust = chain(|_| None);
    trust.add_known(revision.as_bytes()).expect("known");
    let found = trust.at(at(NOW)).snap_revision(digest).expect_err("no declaration").join("\n");
    assert!(found.contains("no snap-declaration of it is known"), "{found}");
    trust.add_known(declare("one", "").as_bytes()).expect("known");
    let judge = trust.at(at(NOW));
    let proven = judge.snap_revision(digest).expect("proven");
    assert_eq!((proven.what.size, proven.what.revision), (6, 7));
    assert_eq!(judge.snap_declaration(SNAP).expect("proven").what.name.as_deref(), Some("one"));
    assert!(judge.snap_revision(Sha3::of(b"another")).is_err(), "a file nobody published");
    trust.add_known(declare("", "\nrevision: 1").as_bytes()).expect("known");
    let found = trust.at(at(NOW)).snap_revision(digest).expect_err("taken back").join("\n");
    assert!(found.contains("was taken back"), "{found}");
}

#[test]
fn what_is_no_root_is_not_trusted_as_one() {
    let mut trust = Trust::canonical();
    assert_eq!(trust.add_roots(b""), Err(TrustError::Empty));
    let no_root = |trust: &mut Trust, text: &str| trust.add_roots(text.as_bytes()).expect_err("no root").to_string();
    assert!(no_root(&mut trust, &ROOT.vouch_for("root", "root", &STORE, "")).contains("it is not signed by its own key"));
    assert!(no_root(&mut trust, &ROOT.account("root", "root")).contains("there is no root in it"));
    let two = format!("{}\n{}", ROOT.vouch_for("root", "root", &ROOT, ""), STORE.account("store", "store"));
    assert!(no_root(&mut trust, &two).contains("it is not signed by a root in the same file"));
    let two = format!("{}\n{}", ROOT.vouch_for("root", "root", &ROOT, ""), BRAND.sign(&model_of("brand", NOW)));
    assert!(no_root(&mut trust, &two).contains("only accounts and account-keys can be"));
    let cut = ROOT.vouch_for("root", "root", &ROOT, "").replace("since: 2026", "since: 2025");
    assert!(no_root(&mut trust, &cut).contains("does not fit"), "a root that was changed after it signed itself");
    assert_eq!(trust.roots.len(), 1, "nothing of all that is trusted");
}

#[test]
fn keys_that_vouch_for_one_another_lead_nowhere() {
    let mut trust = Trust::canonical();
    trust.add_known(STORE.vouch_for("aa", "bb", &BRAND, "").as_bytes()).expect("known");
    trust.add_known(BRAND.vouch_for("bb", "aa", &STORE, "").as_bytes()).expect("known");
    let found = reasons(&trust, &BRAND, &model_of("bb", NOW));
    assert!(found.contains("its chain leads back to itself"), "{found}");
    assert!(found.len() < 2000, "and that takes no more words than are needed: {found}");
}

#[test]
fn what_is_known_is_bounded() {
    let mut trust = Trust::canonical();
    let form = |revision: usize| STORE.account("root", "brand").replace("validation", &format!("revision: {revision}\nvalidation"));
    for revision in 1..=MAX_CANDIDATES {
        trust.add_known(form(revision).as_bytes()).expect("they fit");
    }
    trust.add_known(form(1).as_bytes()).expect("what is known already takes no place");
    assert_eq!(trust.add_known(form(MAX_CANDIDATES + 1).as_bytes()), Err(TrustError::TooMany));
}

#[test]
fn a_signature_is_of_the_one_kind_and_a_number_may_lack_its_zeroes() {
    let content = |count: u32| format!("type: model\ncount: {count}");
    let key = PublicKey::decode(BRAND.body.as_bytes()).expect("a key");
    // One signature in 256 begins with a zero byte, which the big number does not contain.
    let (short, packet_of_short) = (0..4000)
        .map(|count| (content(count), BRAND.packet_over(&content(count), false)))
        .find(|(_, contents)| contents.len() < BRAND.packet_over("", true).len())
        .expect("one is shorter");
    let verify = |contents: &[u8], over: &str| {
        Signature::decode(packet(0xc2, contents).as_bytes()).and_then(|signature| key.verify(over.as_bytes(), &signature))
    };
    assert_eq!(verify(&packet_of_short, &short), Ok(()), "the number is filled up to the key's length");
    assert_eq!(verify(&BRAND.packet_over(&short, true), &short), Ok(()), "and may have its zeroes");
    let good = BRAND.packet_over("a", false);
    assert_eq!(verify(&good, "a"), Ok(()));
    assert_eq!(verify(&good, "b"), Err(CryptoError::Contents));
    let changed = |at: usize, byte: u8| {
        let mut contents = good.clone();
        contents[at] = byte;
        verify(&contents, "a").expect_err("changed")
    };
    assert_eq!(changed(0, 3), CryptoError::Algorithm, "version 3");
    assert_eq!(changed(1, 1), CryptoError::Algorithm, "over a text");
    assert_eq!(changed(2, 17), CryptoError::Algorithm, "DSA");
    assert_eq!(changed(3, 8), CryptoError::Algorithm, "SHA-256");
    assert_eq!(changed(7, 16), CryptoError::Subpackets, "no time of signing");
    assert_eq!(changed(7, 0x80 | 7), CryptoError::Subpackets, "a demand that is unknown");
    assert_eq!(changed(6, 200), CryptoError::Subpackets, "a subpacket longer than its place");
    assert_eq!(changed(11, 0), CryptoError::Contents, "the time of signing is signed");
    assert_eq!(changed(14, !good[14]), CryptoError::Contents, "the digest's first bytes");
    assert_eq!(changed(20, !good[20]), CryptoError::Contents, "the number");
    let longer = [good.as_slice(), &[0]].concat();
    assert_eq!(verify(&longer, "a"), Err(CryptoError::Trailing));
    assert_eq!(verify(&good[..good.len() - 1], "a"), Err(CryptoError::Short));
    for broken in ["", "AcLB", "!", "AQ==", "AsLBUgQ="] {
        assert!(Signature::decode(broken.as_bytes()).is_err() && PublicKey::decode(broken.as_bytes()).is_err(), "{broken}");
    }
    let two = packet(0xc2, &good);
    assert!(Signature::decode(format!("{two}{two}").as_bytes()).is_err(), "one signature, not two");
    assert!(Signature::decode(two.replace('\n', "").as_bytes()).is_ok());
    assert_eq!(Signature::decode(format!("{two}\r\n").as_bytes()).expect_err("CR"), CryptoError::Base64);
}

#[test]
fn canonicals_root_is_the_one_pinned() {
    assert_eq!(canonical::root().key.id().to_string(), CANONICAL_ROOT_KEY);
}
