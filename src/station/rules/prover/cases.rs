use std::time::Duration;

use super::*;
use crate::station::rules::tests::{at, busy_in, configuration, ended, run_until_busy, seen, sign, station, visit};
use crate::station::rules::{End, Event};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::status::station_call::StationCall;
use crate::station::testing::{image, proof, survey};
use crate::station::types::outcome::{Failure, Outcome};
use crate::station::types::prover::{PlantedFault, ProvingTime, Said, VerifierProof};
use crate::station::types::record::Receipt;
use crate::station::types::units::Bytes;

const START: ProvingTime = ProvingTime::Start;

fn proven() -> ProverVerdict {
    ProverVerdict::Proven(VerifierProof { direct: true, planted: 17, took: Duration::from_millis(300) })
}

fn missed() -> ProverVerdict {
    ProverVerdict::Missed(MissedFault { planted: Some((PlantedFault::StaleCache, Bytes(4096))), said: Said::Good })
}

fn full() -> ProverVerdict {
    ProverVerdict::Impossible(ProverObstacle::StateDisk { folder: "/var/lib/flashline/prover".to_owned(), errno: Some(28) })
}

fn tell(station: &mut Station, now: u64, verdict: ProverVerdict) -> Vec<Effect> {
    station.apply(at(now), Event::Prover(ProverReport::Ended { time: START, verdict }))
}

/// A station that has just started.
fn started(slots: &[(&str, &str)]) -> Station {
    let configuration = configuration(slots, vec![image()]);
    let mut station = Station::new(configuration.station.clone(), 1, Standing::default());
    station.apply(at(0), Event::Configure(Box::new(configuration)));
    station
}

fn recorded(effects: &[Effect]) -> Vec<&'static str> {
    effects.iter().filter_map(|effect| if let Effect::Record(entry) = effect { Some(entry.kind()) } else { None }).collect()
}

#[test]
fn a_station_that_starts_begins_no_card_before_its_verifier_is_proven_and_calls_nobody_for_that() {
    let mut station = started(&[("A1", "p1")]);
    station.apply(at(0), Event::Prover(ProverReport::Begun));
    station.apply(at(1), seen("p1", 1));
    assert_eq!(station.apply(at(9000), Event::Tick), [], "the card waits");
    let view = station.view(at(9000));
    assert_eq!((view.slots[0].sign.clone(), view.slots[0].call), (Sign::Preparing, OperatorAction::Wait));
    assert_eq!((view.call(), view.fault.clone(), view.verifier), (StationCall::Well, None, Some(UnprovenVerifier::BeingProven)));
    assert_eq!(recorded(&tell(&mut station, 9001, proven())), ["prover-proven"]);
    assert!(matches!(station.apply(at(9100), Event::Tick).as_slice(), [Effect::Survey(_)]), "and now it is begun");
    assert_eq!(station.view(at(9100)).verifier, None);
}

#[test]
fn a_verifier_that_missed_a_fault_arms_nothing_and_says_which_fault_and_what_to_do_for_the_rest_of_the_run() {
    let mut station = started(&[("A1", "p1"), ("A2", "p2")]);
    assert_eq!(recorded(&tell(&mut station, 100, missed())), ["prover-failed"]);
    station.apply(at(200), seen("p2", 1));
    assert_eq!(station.apply(at(9000), Event::Tick), []);
    let view = station.view(at(9000));
    let Sign::Disarmed(why) = &view.slots[0].sign else { panic!("{:?}", view.slots[0]) };
    for said in [why, view.fault.as_ref().expect("a fault of the station")] {
        assert!(said.contains("a cache that loses a write at byte 4096") && said.contains("install another version"), "{said}");
    }
    assert_eq!((view.call(), view.verifier), (StationCall::Fault, Some(UnprovenVerifier::MissedFault)));
    assert!(view.slots.iter().all(|slot| slot.call == OperatorAction::StationFault), "{view:?}");
    assert_eq!(tell(&mut station, 9001, proven()), [], "a later proof does not take it back");
    assert_eq!(station.apply(at(9002), Event::Prover(ProverReport::Begun)), []);
    assert_eq!(station.apply(at(99_000), Event::Tick), []);
}

#[test]
fn a_verifier_that_could_not_be_proven_is_a_fault_of_the_disk_recorded_once_and_over_when_it_is_proven() {
    let mut station = started(&[("A1", "p1"), ("A2", "p2")]);
    assert_eq!(recorded(&tell(&mut station, 100, full())), ["prover-unproven"]);
    station.apply(at(200), seen("p2", 1));
    for again in 1..50 {
        station.apply(at(again * 5000), Event::Prover(ProverReport::Begun));
        assert_eq!(station.apply(at(again * 5000), Event::Tick), [], "no card is begun");
        assert!(station.view(at(again * 5000)).fault.is_some(), "a further trial does not hide the fault");
        assert_eq!(tell(&mut station, again * 5000 + 1, full()), [], "it is recorded once");
    }
    let view = station.view(at(300_000));
    let fault = view.fault.clone().expect("a fault of the station");
    assert!(fault.contains("could not be proven") && fault.contains("make room on it") && !fault.contains("missed"), "{fault}");
    assert!(matches!(view.slots[0].sign, Sign::Disarmed(_)) && view.slots[1].sign == Sign::Preparing, "{view:?}");
    assert_eq!(view.verifier, Some(UnprovenVerifier::Impossible));
    assert_eq!(recorded(&tell(&mut station, 300_001, proven())), ["prover-proven"]);
    assert!(matches!(station.apply(at(300_100), Event::Tick).as_slice(), [Effect::Survey(_)]), "the waiting card is begun");
    assert_eq!((sign(&station, 0), station.view(at(300_100)).call()), (Sign::Empty, StationCall::Well));
}

#[test]
fn at_the_beginning_of_a_shift_busy_cards_go_on_and_new_ones_wait_until_it_is_proven_again() {
    let mut station = station(&[("A1", "p1"), ("A2", "p2")]);
    let attempt = busy_in(&mut station, "p1", 1);
    station.apply(at(800), Event::Prover(ProverReport::Begun));
    station.apply(at(801), seen("p2", 2));
    assert_eq!(station.apply(at(3000), Event::Tick), []);
    assert_eq!(station.view(at(3000)).slots[1].call, OperatorAction::Wait, "nobody is called for that");
    station.apply(at(3001), ended(attempt, End::Verified(proof())));
    station.apply(at(3002), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Passed, "it was begun under the earlier proof");
    tell(&mut station, 3003, proven());
    assert!(matches!(station.apply(at(3100), Event::Tick).as_slice(), [Effect::Survey(_)]));
}

#[test]
fn facts_that_were_asked_for_before_the_proof_began_begin_no_card_until_it_has_ended() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), seen("p1", 1));
    station.apply(at(1000), Event::Tick);
    station.apply(at(1001), Event::Prover(ProverReport::Begun));
    let answer = || Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) };
    assert_eq!(station.apply(at(1002), answer()), []);
    tell(&mut station, 1003, proven());
    assert!(matches!(station.apply(at(2000), Event::Tick).as_slice(), [Effect::Survey(_)]));
    assert_eq!(recorded(&station.apply(at(2001), answer())), ["attempt-started"]);
}

#[test]
fn no_card_passes_by_a_verifier_that_missed_a_fault_meanwhile_and_it_is_not_called_bad() {
    let mut station = station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut station, 1);
    tell(&mut station, 800, missed());
    let effects = station.apply(at(900), ended(attempt, End::Verified(proof())));
    let [Effect::Record(entry)] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::AttemptClosed { outcome: Outcome::StationFault(fault), .. } = &**entry else { panic!("{entry:?}") };
    assert!(fault.to_string().contains("the verifier missed a planted fault"), "{fault}");
    // What it finds bad, is bad.
    let mut other = super::super::tests::station(&[("A1", "p1")]);
    let attempt = run_until_busy(&mut other, 1);
    tell(&mut other, 800, missed());
    let effects = other.apply(at(900), ended(attempt, End::Failed(Failure::Changed)));
    assert!(
        matches!(effects.as_slice(), [Effect::Record(entry)] if matches!(**entry, Entry::AttemptClosed { outcome: Outcome::Failed(_), .. })),
        "{effects:?}"
    );
}

#[test]
fn an_attempt_whose_start_is_on_its_way_to_the_disk_is_not_begun_when_the_verifier_misses_a_fault() {
    let mut station = station(&[("A1", "p1")]);
    station.apply(at(0), seen("p1", 1));
    station.apply(at(700), Event::Tick);
    let answer = Event::Surveyed { visit: visit(1), survey: Some(Box::new(survey("p1", 1))) };
    assert_eq!(recorded(&station.apply(at(701), answer)), ["attempt-started"]);
    tell(&mut station, 702, missed());
    assert_eq!(recorded(&station.apply(at(703), Event::Recorded(Receipt::Started(1)))), ["attempt-closed"]);
}
