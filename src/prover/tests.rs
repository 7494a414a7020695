//! Tests of the prover: the engine of this program finds every planted fault, and what would be missed is reported.

use std::path::Path;

use super::medium::{BODY, SPAN};
use super::plan::{Expected, Kind, trials};
use super::*;
use crate::device::BlockDevice;
use crate::station::outcome::{Damage, Failure};
use crate::station::prover::{PlantedFault, ProverObstacle, Said};
use crate::station::units::Bytes;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn medium(state: &Path) -> Medium {
    Medium::make(&folder(state)).expect("there is room")
}

#[test]
fn the_verifier_of_this_program_finds_every_planted_fault_and_calls_the_healthy_medium_good() {
    let state = directory();
    let ProverVerdict::Proven(proof) = prove(state.path()) else { panic!("{:?}", prove(state.path())) };
    assert!(proof.planted >= 15, "{proof:?}");
    let left: Vec<_> = std::fs::read_dir(state.path()).expect("readable").collect();
    assert!(left.is_empty(), "nothing is left: {left:?}");
}

#[test]
fn every_kind_of_fault_is_planted_and_each_trial_expects_what_a_healthy_medium_does_not_give() {
    let state = directory();
    let mut medium = medium(state.path());
    assert_eq!(medium.card().logical_block(), 4096, "places are chosen for such blocks");
    let trials = trials(&medium);
    for fault in PlantedFault::ALL {
        assert!(trials.iter().any(|trial| trial.fault().is_some_and(|(kind, _)| kind == fault)), "{fault:?}");
    }
    for trial in &trials {
        assert_eq!(trial.fault().is_none(), trial.expected == Expected::Good, "{trial:?}");
        let judged = try_verifier(&mut medium, trial).expect("the disk is well");
        assert!(matches!(judged, Judged::AsExpected), "{trial:?}: {judged:?}");
    }
}

#[test]
fn a_fault_that_is_not_there_is_reported_as_missed_and_named() {
    let state = directory();
    let mut medium = medium(state.path());
    for mut trial in trials(&medium).into_iter().filter(|trial| trial.plant.is_some()) {
        // As if the verifier did not see it.
        let planted = trial.fault();
        trial.plant = None;
        trial.before = plan::Before::Used { dirty: None };
        let Ok(Judged::Otherwise(missed)) = try_verifier(&mut medium, &trial) else { panic!("{trial:?}") };
        assert_eq!((missed.planted, missed.said), (None, Said::Good), "instead of {planted:?}");
    }
}

#[test]
fn a_fault_is_found_only_if_its_kind_and_its_place_are_named() {
    let one_bit = Expected::Bad { kind: Kind::Mismatch(Damage::BitsFlipped { bits: 1 }), at: BODY };
    let said = |at, damage| Said::Bad(Failure::Mismatch { at: Bytes(at), expected: 0, found: 1, damage });
    assert!(one_bit.is(&said(BODY, Damage::BitsFlipped { bits: 1 })));
    assert!(!one_bit.is(&said(BODY + 1, Damage::BitsFlipped { bits: 1 })));
    assert!(!one_bit.is(&said(BODY, Damage::Other)));
    assert!(!one_bit.is(&Said::Good) && !one_bit.is(&Said::NotDone));
    let alias = Expected::Bad { kind: Kind::FalseCapacity { holds: 4096 }, at: BODY };
    let lies = |at, holds| Said::Bad(Failure::FalseCapacity { at: Bytes(at), holds });
    assert!(alias.is(&lies(BODY, Some(Bytes(4096)))) && alias.is(&lies(BODY + 511, Some(Bytes(4096)))));
    assert!(!alias.is(&lies(BODY, None)) && !alias.is(&lies(BODY + 512, Some(Bytes(4096)))));
    assert!(Expected::Good.is(&Said::Good) && !Expected::Good.is(&Said::GoodUnwritten));
}

#[test]
fn the_image_has_two_pieces_and_more_zeroes_data_and_a_block_that_it_does_not_fill() {
    let state = directory();
    let medium = medium(state.path());
    let image = medium.image();
    assert_eq!(image.span(), Bytes(SPAN));
    assert!(image.map().len() >= 3, "head, and two pieces of body");
    assert_eq!(image.extents().zeroes_in(&(0..SPAN)), [medium::ZEROES]);
    assert!(!SPAN.is_multiple_of(4096));
    assert_eq!((image.layout().head(), image.layout().block), (&[0][..], None), "nothing is taken for a partition table");
}

#[test]
fn files_of_a_killed_station_are_removed_and_others_in_the_folder_stay() {
    let state = directory();
    let folder = folder(state.path());
    std::fs::create_dir(&folder).expect("made");
    for name in ["image", "card", "note.txt"] {
        std::fs::write(folder.join(name), b"left over").expect("written");
    }
    assert!(matches!(prove(state.path()), ProverVerdict::Proven(_)));
    let left: Vec<_> = std::fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("an entry").file_name()).collect();
    assert_eq!(left, ["note.txt"]);
}

#[test]
fn a_folder_that_cannot_be_used_is_a_fault_of_the_disk_and_never_one_of_the_verifier() {
    let state = directory();
    std::fs::write(state.path().join("prover"), b"a file in its place").expect("written");
    let ProverVerdict::Impossible(obstacle) = prove(state.path()) else { panic!("it cannot be used") };
    assert!(matches!(&obstacle, ProverObstacle::StateDisk { errno: Some(_), .. }), "{obstacle:?}");
    let missing = state.path().join("no such folder");
    let ProverVerdict::Impossible(obstacle) = prove(&missing) else { panic!("it is not there") };
    assert!(obstacle.sentence().contains("no such folder/prover"), "{}", obstacle.sentence());
}

#[test]
fn a_medium_that_the_verifier_calls_good_is_compared_without_the_verifier() {
    let state = directory();
    let mut medium = medium(state.path());
    let healthy = trials(&medium).remove(0);
    medium.lay_earlier_contents(None).expect("the disk is well");
    let Ok(Judged::Otherwise(missed)) = trial::judge(&mut medium, &healthy, Said::Good) else { panic!("it does not hold the image") };
    assert_eq!((missed.planted, missed.said), (None, Said::GoodUnwritten));
}

#[test]
fn a_medium_whose_body_the_disk_spoiled_is_no_fault_of_the_verifier() {
    let state = directory();
    let mut medium = medium(state.path());
    let healthy = trials(&medium).remove(0);
    let plant = planted::Plant::FlippedBit { at: SPAN - 1, bit: 1, nth: 1 };
    // The trial does not know of the fault: it is the disk's.
    let said = trial::said(&mut medium, &plan::Trial { plant: Some(plant), ..healthy.clone() }).expect("the disk answers");
    assert!(matches!(said, Said::Bad(Failure::Mismatch { .. })), "{said}");
    let judged = trial::judge(&mut medium, &healthy, said);
    assert!(matches!(judged, Err(ProverObstacle::Contents { at: Bytes(at), .. }) if at == SPAN - 1), "{judged:?}");
    // The same for a head that is wrong when it is read: afterwards the tombstone is in its place.
    let in_head = Said::Bad(Failure::Mismatch { at: Bytes(9), expected: 0, found: 1, damage: Damage::Other });
    for said in [in_head, Said::NotDone] {
        let judged = trial::judge(&mut medium, &healthy, said);
        assert!(matches!(judged, Err(ProverObstacle::Contents { .. })), "{judged:?}");
    }
}
