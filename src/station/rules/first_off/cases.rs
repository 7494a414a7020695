use super::*;
use crate::station::rules::tests::{at, configuration, ended, gone, seen, sign, visit};
use crate::station::rules::{Effect, End, Event};
use crate::station::status::sign::{OperatorAction, Sign};
use crate::station::testing::{image, proof, survey};
use crate::station::types::armed::{DeviceModel, ModelProof};
use crate::station::types::outcome::{Digest, Failure, Pull, Refusal};
use crate::station::types::record::{Receipt, Step};
use crate::station::types::request::{Command, RequestId};
use crate::station::types::settings::Configuration;
use crate::station::types::standing::Standing;
use crate::station::types::units::Bytes;

const SLOTS: [(&str, &str); 3] = [("A1", "p1"), ("A2", "p2"), ("A3", "p3")];
const REQUEST: RequestId = 1;

fn who(uid: u32, name: &str) -> Who {
    Who { uid, name: name.to_owned() }
}

/// What the engineer has configured, with a change.
fn configured(change: impl FnOnce(&mut Configuration)) -> Event {
    let mut configuration = configuration(&SLOTS, vec![image()]);
    configuration.station.first_off = true;
    change(&mut configuration);
    Event::Configure(Box::new(configuration))
}

/// A station that wants a first card, with these requests of earlier runs.
fn going_on(next_attempt: AttemptNumber, standing: Standing) -> Station {
    let settings = configuration(&SLOTS, Vec::new()).station;
    let mut station = Station::new_proven(settings, next_attempt, standing);
    station.apply(at(0), configured(|_| {}));
    station
}

fn line() -> Station {
    going_on(1, Standing::default())
}

/// A card is put in and sits still.
fn put_in(station: &mut Station, port: &str, diskseq: u64) -> Vec<Effect> {
    station.apply(at(0), seen(port, diskseq));
    station.apply(at(700), Event::Tick)
}

/// It is found to be a good one.
fn surveyed(station: &mut Station, port: &str, diskseq: u64) -> Vec<Effect> {
    station.apply(at(701), Event::Surveyed { visit: visit(diskseq), survey: Some(Box::new(survey(port, diskseq))) })
}

/// The attempt whose start is to be recorded.
fn begun(effects: &[Effect]) -> AttemptNumber {
    let [Effect::Record(entry)] = effects else { panic!("a start is recorded: {effects:?}") };
    let Some(Receipt::Started(number)) = entry.receipt() else { panic!("{entry:?}") };
    number
}

fn begin(station: &mut Station, port: &str, diskseq: u64) -> AttemptNumber {
    let effects = put_in(station, port, diskseq);
    assert!(matches!(effects.as_slice(), [Effect::Survey(_)]), "it is asked about: {effects:?}");
    let number = begun(&surveyed(station, port, diskseq));
    station.apply(at(702), Event::Recorded(Receipt::Started(number)));
    number
}

fn end(station: &mut Station, attempt: AttemptNumber, end: End) {
    station.apply(at(800), ended(attempt, end));
    station.apply(at(801), Event::Recorded(Receipt::Closed(attempt)));
}

/// A card of the slot passes, and is taken out.
fn make(station: &mut Station, port: &str, diskseq: u64) -> AttemptNumber {
    let attempt = begin(station, port, diskseq);
    end(station, attempt, End::Verified(proof()));
    station.apply(at(900), gone(diskseq));
    attempt
}

fn ask(station: &mut Station, by: Who, card: Option<&str>) -> Result<Entry, Denied> {
    let command = Command::Approve { model: "acme/box".to_owned(), card: card.map(str::to_owned) };
    match station.apply(at(1000), Event::Asked { request: REQUEST, by, command }).as_slice() {
        [Effect::RecordAsked { entry, .. }] => Ok((**entry).clone()),
        [Effect::Answer { answer: Err(denied), .. }] => Err(denied.clone()),
        other => panic!("{other:?}"),
    }
}

fn approve(station: &mut Station) {
    ask(station, who(1001, "bob"), None).expect("a second person approves");
}

/// What the events of arming say about the first card.
fn rules(effects: &[Effect]) -> Vec<FirstOffRule> {
    let rule = |effect: &Effect| match effect {
        Effect::Record(entry) => match &**entry {
            Entry::ModelArmed { first_off, .. } => Some(*first_off),
            _ => None,
        },
        _ => None,
    };
    effects.iter().filter_map(rule).collect()
}

fn state(station: &Station) -> FirstOffState {
    station.view(at(5000)).models[0].first_off.clone().expect("an approval is wanted").state
}

fn waits(attempt: AttemptNumber) -> Sign {
    Sign::NotApproved { card: format!("S-1, attempt {attempt}") }
}

#[test]
fn one_card_is_made_and_every_other_one_waits_untouched_until_a_second_person_has_approved_it() {
    let mut station = line();
    assert_eq!((state(&station), sign(&station, 0)), (FirstOffState::Wanted, Sign::Empty));
    let first = begin(&mut station, "p1", 1);
    assert_eq!(put_in(&mut station, "p2", 2), [], "nothing asks about it, and nothing opens it");
    assert_eq!((sign(&station, 1), sign(&station, 2)), (Sign::FirstCardUnderWay, Sign::Empty));
    assert_eq!(state(&station), FirstOffState::UnderWay { slot: "A1".to_owned() });
    end(&mut station, first, End::Verified(proof()));
    assert_eq!([0, 1, 2].map(|slot| sign(&station, slot)), [Sign::Passed, waits(1), waits(1)]);
    assert!(station.view(at(2000)).slots[1..].iter().all(|slot| slot.call == OperatorAction::Nothing), "no lamp looks empty or busy");
    station.apply(at(2000), gone(1));
    assert_eq!(sign(&station, 0), waits(1));
    assert_eq!(put_in(&mut station, "p1", 3), []);
    assert_eq!(station.apply(at(600_000), Event::Tick), [], "however long it takes");

    let Entry::Approved { card, config, armed, by } = ask(&mut station, who(1001, "bob"), None).expect("approved") else { panic!() };
    assert_eq!((card.attempt, card.slot.as_str(), card.serial.as_deref()), (1, "A1", Some("S-1")), "it names the card");
    assert_eq!((config, armed.digest, by.name.as_str()), (Digest([1; 32]), image().digest, "bob"), "and what it is for");
    let effects = station.apply(at(600_100), Event::Tick);
    assert_eq!(effects.iter().filter(|effect| matches!(effect, Effect::Survey(_))).count(), 2, "the line goes on: {effects:?}");
    assert_eq!((begun(&surveyed(&mut station, "p2", 2)), begun(&surveyed(&mut station, "p1", 3))), (2, 3), "all at once");
    assert!(matches!(state(&station), FirstOffState::Approved { by, .. } if by == "bob"));
}

#[test]
fn of_two_cards_that_are_asked_about_at_once_one_begins() {
    let mut station = line();
    station.apply(at(0), seen("p1", 1));
    station.apply(at(0), seen("p2", 2));
    assert_eq!(station.apply(at(700), Event::Tick).len(), 2);
    begun(&surveyed(&mut station, "p1", 1));
    assert_eq!(surveyed(&mut station, "p2", 2), [], "the answer comes too late");
    assert_eq!(sign(&station, 1), Sign::FirstCardUnderWay);
}

#[test]
fn a_first_card_that_is_not_good_or_was_not_written_frees_the_place_for_the_next() {
    let ends = [
        End::Failed(Failure::Changed),
        End::Refused(Refusal::Busy),
        End::Cancelled,
        // Whoever made this one, it was not made now.
        End::Rechecked(proof()),
    ];
    for how in ends {
        let mut station = line();
        let attempt = begin(&mut station, "p1", 1);
        put_in(&mut station, "p2", 2);
        end(&mut station, attempt, how.clone());
        assert_eq!(state(&station), FirstOffState::Wanted, "{how:?}");
        assert!(matches!(station.apply(at(2000), Event::Tick).as_slice(), [Effect::Survey(_)]), "{how:?}");
    }
    let mut station = line();
    let attempt = begin(&mut station, "p1", 1);
    put_in(&mut station, "p2", 2);
    station.apply(at(800), gone(1));
    station.apply(at(801), ended(attempt, End::Gone));
    assert_eq!(station.apply(at(1000), Event::Tick), [], "until it is known why it left, it has not ended");
    station.apply(at(1900), Event::Tick);
    station.apply(at(1901), Event::Recorded(Receipt::Closed(attempt)));
    assert_eq!(sign(&station, 0), Sign::Pulled(Pull::Taken));
    assert!(matches!(station.apply(at(2000), Event::Tick).as_slice(), [Effect::Survey(_)]));
}

#[test]
fn an_approval_ends_with_any_change_of_what_it_is_for_and_does_not_come_back_when_that_does() {
    let proven = |sha3_384: &str, revision| {
        ModelProof::Proven(DeviceModel {
            brand: "acme".to_owned(),
            model: "box".to_owned(),
            series: "16".to_owned(),
            revision,
            sha3_384: sha3_384.to_owned(),
            sign_key: None,
        })
    };
    let as_before = |configuration: &mut Configuration| configuration.armed[0].model_proof = proven("aa", 1);
    type Change = fn(&mut Configuration);
    let changes: [(&str, Change); 3] = [
        ("another image", |configuration| configuration.armed[0].digest = Digest([9; 32])),
        ("another model", |configuration| {
            if let ModelProof::Proven(device) = &mut configuration.armed[0].model_proof {
                (device.sha3_384, device.revision) = ("bb".to_owned(), 2);
            }
        }),
        // `allow`, a slot, a shift: the image and its model are the same.
        ("another configuration", |configuration| configuration.by.digest = Digest([2; 32])),
    ];
    for (what, change) in changes {
        let mut station = line();
        assert_eq!(rules(&station.apply(at(0), configured(as_before))), [FirstOffRule::Wanted], "{what}");
        make_with(&mut station, proven("aa", 1));
        approve(&mut station);
        assert_eq!(station.apply(at(1100), configured(as_before)), [], "a reload that changes nothing: {what}");
        assert!(matches!(state(&station), FirstOffState::Approved { .. }), "{what}");
        for again in [true, false] {
            let effects = station.apply(
                at(1200),
                configured(|now| {
                    as_before(now);
                    if again {
                        change(now);
                    }
                }),
            );
            assert_eq!(rules(&effects), [FirstOffRule::Wanted], "{what}, and back: the log has both");
            assert_eq!(state(&station), FirstOffState::Wanted, "{what}");
            assert_eq!(
                ask(&mut station, who(1001, "bob"), None),
                Err(Denied::NoFirstCard { model: "acme/box".to_owned(), under_way: None })
            );
        }
    }
}

/// `flashline model rollback` has a configuration reloaded that names the image of before by its digest.
#[test]
fn an_image_that_is_rolled_back_to_wants_a_first_card_again_and_a_busy_card_ends_with_the_one_it_began_with() {
    let later = Digest([9; 32]);
    let mut station = line();
    make(&mut station, "p1", 1);
    approve(&mut station);
    station.apply(at(1100), configured(|now| (now.armed[0].digest, now.by.digest) = (later, Digest([2; 32]))));
    begin(&mut station, "p1", 2);
    let effects = station.apply(at(1200), configured(|now| now.by.digest = Digest([3; 32])));
    assert_eq!(rules(&effects), [FirstOffRule::Wanted], "it is recorded, and nothing else is done: {effects:?}");
    assert_eq!(effects.len(), 1, "the busy card goes on: {effects:?}");
    assert_eq!((state(&station), station.view(at(1200)).config), (FirstOffState::Wanted, Some(Digest([3; 32]))));
    assert!(station.needs_image(later), "the busy card needs its image");
    put_in(&mut station, "p2", 3);
    let number = begun(&surveyed(&mut station, "p2", 3));
    let effects = station.apply(at(702), Event::Recorded(Receipt::Started(number)));
    let [Effect::Start(attempt)] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!(attempt.image.as_ref().map(|armed| armed.digest), Some(image().digest), "the next one gets the image of before");
}

/// A card passes that holds the image with this proof of its model.
fn make_with(station: &mut Station, proof_of_model: ModelProof) {
    assert_eq!(station.armed[0].model_proof, proof_of_model);
    make(station, "p1", 1);
}

#[test]
fn a_card_that_was_begun_before_the_image_was_armed_is_not_its_first_one() {
    let mut station = line();
    let before = begin(&mut station, "p1", 1);
    station.apply(at(750), configured(|now| now.by.digest = Digest([2; 32])));
    let first = begin(&mut station, "p2", 2);
    end(&mut station, before, End::Verified(proof()));
    assert_eq!(state(&station), FirstOffState::UnderWay { slot: "A2".to_owned() }, "it finishes, and counts for nothing here");
    end(&mut station, first, End::Verified(proof()));
    assert!(matches!(state(&station), FirstOffState::Waits(card) if card.attempt == first));
}

#[test]
fn whoever_armed_the_image_may_not_approve_neither_the_owner_of_the_file_nor_the_one_who_asked() {
    let mut station = line();
    station.apply(at(0), configured(|now| (now.by.digest, now.by.asked_by) = (Digest([2; 32]), Some(who(1000, "ann")))));
    make(&mut station, "p1", 1);
    for by in [who(0, "root"), who(1000, "ann")] {
        let denied = ask(&mut station, by.clone(), None).expect_err("armed by the same person");
        assert_eq!(denied.code(), "armed-by-approver");
        let said = denied.to_string();
        assert!(
            said.starts_with(&by.name) && said.contains("root and ann armed") && said.contains("adduser NAME flashline-admin"),
            "{said}"
        );
    }
    assert!(matches!(state(&station), FirstOffState::Waits(_)), "nothing has changed");
    approve(&mut station);
    // A station that root starts, with a file of another user: both of them decided what is armed.
    let mut station = line();
    station.apply(at(0), configured(|now| (now.by.digest, now.by.owner) = (Digest([2; 32]), Some(who(1001, "bob")))));
    make(&mut station, "p1", 1);
    assert_eq!(ask(&mut station, who(1001, "bob"), None).expect_err("his file").code(), "armed-by-approver");
    assert_eq!(ask(&mut station, who(0, "root"), None).expect_err("root started it").code(), "armed-by-approver");
}

#[test]
fn an_approval_that_cannot_be_given_says_why_and_changes_nothing() {
    let bob = || who(1001, "bob");
    let mut station = line();
    assert_eq!(ask(&mut station, bob(), None), Err(Denied::NoFirstCard { model: "acme/box".to_owned(), under_way: None }));
    let attempt = begin(&mut station, "p1", 1);
    assert_eq!(ask(&mut station, bob(), None), Err(Denied::NoFirstCard { model: "acme/box".to_owned(), under_way: Some("A1".to_owned()) }));
    end(&mut station, attempt, End::Verified(proof()));
    let other = ask(&mut station, bob(), Some("S-2")).expect_err("another card");
    assert!(other.code() == "other-first-card" && other.to_string().contains("S-1, attempt 1"), "{other}");
    assert!(matches!(state(&station), FirstOffState::Waits(_)));
    assert!(ask(&mut station, bob(), Some("s-1")).is_ok(), "letters of a serial in any case");
    let again = ask(&mut station, bob(), None).expect_err("once");
    assert_eq!((again.code(), again.to_string().contains("by bob")), ("approved-before", true));

    let command = |model: &str| Command::Approve { model: model.to_owned(), card: Some("1".to_owned()) };
    let unknown = station.apply(at(1000), Event::Asked { request: REQUEST, by: bob(), command: command("acme/bag") });
    assert!(matches!(unknown.as_slice(), [Effect::Answer { answer: Err(Denied::NoSuchModel { .. }), .. }]), "{unknown:?}");
    station.apply(at(1000), configured(|now| now.armed.clear()));
    let unarmed = station.apply(at(1000), Event::Asked { request: REQUEST, by: bob(), command: command("acme/box") });
    assert!(matches!(unarmed.as_slice(), [Effect::Answer { answer: Err(Denied::NotArmed { .. }), .. }]), "{unarmed:?}");
    let mut station = crate::station::rules::tests::station(&SLOTS);
    assert_eq!(ask(&mut station, bob(), None), Err(Denied::NoApprovalWanted));
}

#[test]
fn a_first_card_that_another_program_changed_frees_the_place_until_it_is_approved() {
    let mut station = line();
    let attempt = begin(&mut station, "p1", 1);
    end(&mut station, attempt, End::Verified(proof()));
    station.apply(at(900), Event::Changed { attempt, sectors: 8 });
    station.apply(at(901), Event::Recorded(Receipt::Changed(attempt)));
    assert_eq!(state(&station), FirstOffState::Wanted);
    station.apply(at(910), gone(1));
    let next = begin(&mut station, "p1", 2);
    end(&mut station, next, End::Verified(proof()));
    approve(&mut station);
    station.apply(at(1000), Event::Changed { attempt: next, sectors: 8 });
    assert!(matches!(state(&station), FirstOffState::Approved { .. }), "that card was looked at");
}

#[test]
fn what_the_log_has_of_an_earlier_run_holds_and_arming_says_that_it_is_as_before() {
    let mut station = line();
    make(&mut station, "p1", 1);
    let mut again = going_on(2, station.standing.clone());
    assert_eq!(sign(&again, 2), waits(1), "a restart approves nothing");
    assert_eq!(put_in(&mut again, "p2", 2), []);
    approve(&mut again);
    let settings = configuration(&SLOTS, Vec::new()).station;
    let mut third = Station::new_proven(settings.clone(), 2, again.standing.clone());
    assert_eq!(rules(&third.apply(at(0), configured(|_| {}))), [FirstOffRule::AsBefore]);
    assert!(matches!(state(&third), FirstOffState::Approved { .. }), "and forgets none");
    let mut changed = Station::new_proven(settings, 2, again.standing.clone());
    assert_eq!(rules(&changed.apply(at(0), configured(|now| now.by.digest = Digest([2; 32])))), [FirstOffRule::Wanted]);
    assert_eq!(state(&changed), FirstOffState::Wanted, "a file that was changed meanwhile ends it");
}

#[test]
fn a_station_that_wants_no_approval_makes_every_card_and_says_so_in_the_log_when_that_begins() {
    let mut station = line();
    make(&mut station, "p1", 1);
    let effects = station.apply(at(1000), configured(|now| (now.station.first_off, now.by.digest) = (false, Digest([2; 32]))));
    assert_eq!(rules(&effects), [FirstOffRule::Off]);
    assert!(station.view(at(1000)).models[0].first_off.is_none());
    let (first, second) = (begin(&mut station, "p1", 2), begin(&mut station, "p2", 3));
    station.apply(at(1000), Event::Advanced { attempt: second, step: Step::Writing, done: Bytes(1), of: Bytes(2) });
    assert_eq!((first, second), (2, 3));
    assert_eq!(rules(&station.apply(at(1000), configured(|_| {}))), [FirstOffRule::Wanted], "the same file as at first approves nothing");
}

#[test]
fn an_image_that_is_staged_anew_keeps_its_approval() {
    use crate::station::types::outcome::StationFault;
    let mut station = line();
    make(&mut station, "p1", 1);
    approve(&mut station);
    let digest = image().digest;
    station.apply(at(1000), Event::ImageFault { digest, fault: StationFault::Image { at: Bytes(0), errno: None } });
    let effects = station.apply(at(1100), Event::Restaged { digest, result: Ok(()) });
    assert_eq!(rules(&effects), [FirstOffRule::AsBefore], "{effects:?}");
    begin(&mut station, "p1", 2);
}
