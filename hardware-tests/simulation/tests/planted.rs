//! Faults planted into the simulated world: the oracle finds each, names the promise that it breaks, and makes a short history of it.

use flashline_simulation::{Plant, Property, replay, run, shrink};

/// Runs seeds until this fault breaks a promise, and checks which, and that the history that is left is short.
fn is_found(plant: Plant, expected: &[Property]) {
    // A planted fault needs the events that show it: a restart, another program, a damaged image.
    let report = (1..400).map(|seed| run(seed, 2000, Some(plant), false)).find(|report| report.violation.is_some());
    let report = report.unwrap_or_else(|| panic!("{plant:?} is not found"));
    let violation = report.violation.expect("that is what was looked for");
    assert!(expected.contains(&violation.property), "{plant:?}: {violation}");
    let short = shrink(&report.history, violation.property, Some(plant)).history;
    assert!(short.actions.len() <= 12, "{plant:?}: {} of {} events are left:\n{short}", short.actions.len(), report.history.actions.len());
    let again = replay(&short, Some(plant), true);
    assert_eq!(again.violation.map(|violation| violation.property), Some(violation.property), "{plant:?}");
    assert!(again.words.iter().any(|line| line.contains("BROKEN")), "{plant:?}: it is told in words");
    let without = replay(&short, None, false).violation;
    assert_eq!(without, None, "{plant:?}: without the planted fault the same history breaks nothing");
}

#[test]
fn an_engine_that_proves_a_card_that_it_did_not_write_is_found() {
    is_found(Plant::EngineLies, &[Property::TruePass]);
}

#[test]
fn an_engine_that_blames_a_card_for_a_damaged_image_is_found() {
    is_found(Plant::EngineBlamesCard, &[Property::NoGoodCardIsBad]);
}

#[test]
fn a_log_that_loses_a_closing_row_is_found() {
    is_found(Plant::LogLosesRow, &[Property::TruePass, Property::OneClosingRow, Property::OrderQuantity]);
}

#[test]
fn a_log_that_writes_a_closing_row_twice_is_found() {
    is_found(Plant::LogWritesTwice, &[Property::OneClosingRow]);
}

#[test]
fn a_log_that_confirms_what_is_not_on_disk_is_found() {
    is_found(Plant::LogConfirmsEarly, &[Property::TruePass, Property::NothingForbidden]);
}

#[test]
fn a_watch_that_takes_the_next_card_for_the_one_before_is_found() {
    is_found(Plant::WatchMissesSwap, &[Property::OwnCard, Property::TruePass, Property::NextCard, Property::NoGoodCardIsBad]);
}

#[test]
fn a_watch_that_forgets_which_cards_were_there_before_the_start_is_found() {
    is_found(Plant::WatchForgetsBefore, &[Property::NeverTouched]);
}

#[test]
fn a_keeper_that_releases_a_proven_card_is_found() {
    is_found(Plant::KeeperLetsGo, &[Property::TruePass]);
}

#[test]
fn a_survey_that_does_not_see_a_mount_is_found() {
    is_found(Plant::SurveyMissesUse, &[Property::NeverTouched]);
}

#[test]
fn a_survey_that_is_never_answered_is_found() {
    is_found(Plant::SurveyIsLost, &[Property::NextCard]);
}

#[test]
fn a_restart_that_forgets_the_good_cards_of_an_order_is_found() {
    is_found(Plant::RestartForgetsCards, &[Property::OrderQuantity, Property::Invitation]);
}

#[test]
fn a_restart_that_forgets_a_disarming_is_found() {
    is_found(Plant::RestartForgetsDisarming, &[Property::NothingForbidden, Property::Invitation]);
}

#[test]
fn a_thread_that_is_started_twice_is_found() {
    is_found(Plant::ThreadStartsTwice, &[Property::OneThread]);
}
