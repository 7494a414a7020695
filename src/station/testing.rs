//! Cards and images for tests: each is good in every respect, so that a test can spoil one.

use super::types::armed::{Armed, ArmedBy, ModelProof, Occasion, Zeroes};
use super::types::card::{Bus, Card, DevNum, Identity, Visit};
use super::types::labels::Labels;
use super::types::outcome::{Digest, MappedProof, OutcomeWord, Proof, ReadBack};
use super::types::past::{Ended, Past, Rows};
use super::types::port::{Chain, Port};
use super::types::record::{Attempt, AttemptNumber, Plan};
use super::types::request::Who;
use super::types::survey::Survey;
use super::types::units::{Bytes, MIB};

/// A stick of 64 MiB in this port, as the `diskseq`th medium since boot.
pub(crate) fn card(port: &str, diskseq: u64) -> Card {
    Card {
        port: Port(port.to_owned()),
        visit: Visit { devnum: DevNum { major: 8, minor: 16 }, diskseq },
        kernel_name: "sdb".to_owned(),
        hangs_on: Chain(vec!["0781:5581:S-1".to_owned()]),
        bus: Bus::Usb,
        whole_disk: true,
        vendor: Some("Acme".to_owned()),
        product: Some("Stick".to_owned()),
        serial: Some("S-1".to_owned()),
        wwn: None,
        cid: None,
        identified: Identity::UsbSerial,
        capacity: Bytes(64 * MIB),
        logical_block: 512,
        write_protected: false,
        partitioned: false,
    }
}

/// The same, not in use; if it holds [`image`], it was made and counted before.
pub(crate) fn survey(port: &str, diskseq: u64) -> Survey {
    let counted = Ended { outcome: OutcomeWord::Passed, image: Some(image().digest.to_string()), order: None };
    let past = Past::BySerial(Rows { newest: Some(counted.clone()), good: Some(counted) });
    Survey { card: card(port, diskseq), uses: Vec::new(), marks: Vec::new(), covered: Some(true), past }
}

/// An image of 8 MiB for blocks of 512 bytes.
pub(crate) fn image() -> Armed {
    Armed {
        model: "acme/box".to_owned(),
        model_proof: ModelProof::None,
        uncovered: Vec::new(),
        digest: Digest([7; 32]),
        source: "box.img".to_owned(),
        span: Bytes(8 * MIB),
        block: Some(512),
        zeroes: Zeroes::Prove,
    }
}

/// An attempt to write [`image`] to this card, of which nothing else is known.
pub(crate) fn attempt(number: AttemptNumber, slot: &str, card: Card) -> Attempt {
    Attempt {
        number,
        slot: slot.to_owned(),
        model: "acme/box".to_owned(),
        image: Some(image()),
        card,
        plan: Plan::Write,
        order: None,
        past: Past::Unknown,
        labels: Labels::default(),
        looks_for_tombstone: false,
        second_try_of: None,
    }
}

/// The engineer's configuration, at the station's start.
pub(crate) fn armed_by() -> ArmedBy {
    ArmedBy {
        occasion: Occasion::Start,
        config: "/etc/flashline/config.toml".to_owned(),
        digest: Digest([1; 32]),
        owner: Some(Who { uid: 0, name: "root".to_owned() }),
        changed: Some(1_700_000_000_000_000),
        asked_by: None,
    }
}

/// The proof that the data of [`image`] was read back.
pub(crate) fn mapped_proof() -> MappedProof {
    let image = image();
    MappedProof::conclude(&ReadBack { digest: image.digest, bytes: Bytes(5) }, image.digest, Bytes(5)).expect("it is the image's data")
}

/// The proof that [`image`] was read back.
pub(crate) fn proof() -> Proof {
    let image = image();
    Proof::conclude(ReadBack { digest: image.digest, bytes: image.span }, image.digest, image.span).expect("it is the image")
}
