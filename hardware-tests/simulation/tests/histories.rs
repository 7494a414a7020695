//! Histories of the simulated factory: the station keeps its promises in each, and each can be told again.

use flashline_simulation::{History, Property, replay, run};

/// The steps of a history in these tests.
const STEPS: u64 = 2000;

#[test]
fn the_station_keeps_every_promise_in_the_histories_of_a_hundred_factories() {
    let mut counts = std::collections::BTreeMap::new();
    for seed in 1..=100 {
        let report = run(seed, STEPS, None, false);
        if let Some(violation) = report.violation {
            panic!("seed {seed}: {violation}\n`hardware-tests/simulate --seed {seed}` makes a short history of it");
        }
        assert!(report.steps >= STEPS);
        report.counts.into_iter().for_each(|(what, count)| *counts.entry(what).or_insert(0) += count);
    }
    for what in ["passed", "failed", "pulled", "refused", "interrupted", "recheck", "passed-as-found", "station-fault"] {
        assert!(counts.get(what).is_some_and(|count| *count > 0), "no card ended as {what}: {counts:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history_and_another_seed_another_one() {
    let [one, again, other] = [7, 7, 8].map(|seed| run(seed, STEPS, None, true));
    assert_eq!((&one.history, &one.words, one.steps), (&again.history, &again.words, again.steps));
    assert_ne!(one.history.actions, other.history.actions);
}

#[test]
fn a_history_that_was_written_to_a_file_happens_as_it_did_from_its_seed() {
    let first = run(11, STEPS, None, true);
    let text = first.history.to_string();
    let read: History = text.parse().expect("it was written a moment ago");
    assert_eq!(read, first.history);
    let again = replay(&read, None, true);
    assert_eq!((again.words, again.steps), (first.words, first.steps));
}

#[test]
fn a_file_that_is_no_history_is_refused_and_the_line_named() {
    for (text, why) in [
        ("", "it ends before the line `flashline-simulation 1`"),
        ("flashline-simulation 2\n", "\"flashline-simulation 2\" stands where `flashline-simulation 1` is expected"),
        ("flashline-simulation 1\nseed x\nend 5\n", "\"x\" is no number"),
        ("flashline-simulation 1\nseed 1\nend 5\n10 jump-high 0 1\n", "line 4: \"10 jump-high 0 1\" is no event"),
        ("flashline-simulation 1\nseed 1\nend 5\n10 insert 900 1\n", "line 4: "),
    ] {
        let error = text.parse::<History>().expect_err(text);
        assert!(error.starts_with(why), "{text:?}: {error}");
    }
}

#[test]
fn every_promise_is_a_sentence_of_its_own() {
    let sentences: std::collections::BTreeSet<&str> = Property::ALL.iter().map(|property| property.sentence()).collect();
    assert_eq!(sentences.len(), Property::ALL.len());
    assert!(sentences.iter().all(|sentence| sentence.ends_with('.')));
}
