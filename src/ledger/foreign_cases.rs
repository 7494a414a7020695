//! Tests with events of kinds that a newer program wrote: they do not count as attempts.

use super::chain::{chained, insert};
use super::tests::{closed, open, place, started, verdict};
use super::*;
use crate::station::outcome::Outcome;
use crate::station::standing::{LogNote, Standing};
use crate::station::testing::proof;

/// Appends an event as another program would.
fn append(path: &Path, kind: &str, body: &str) {
    let log = Connection::open(path).expect("opens");
    let newest = chain::newest(&log).expect("readable").expect("there is one");
    let event = chained(&newest.station, Some(&newest), kind, newest.at + 1, body.to_owned());
    insert(&log, &event).expect("appended");
}

#[test]
fn an_event_of_an_unknown_kind_is_no_attempt_whatever_it_holds_and_the_chain_holds() {
    let (_dir, path) = place();
    {
        let mut ledger = open(&path);
        ledger.append(&started(1)).expect("appended");
        ledger.append(&closed(1, Outcome::Passed(proof()))).expect("appended");
    }
    let own = LogReader::open(&path).expect("a log").events(1).expect("readable").pop().expect("its end").body;
    for (kind, body) in [
        // All keys of a good card's end, under another name.
        ("unit", own.as_str()),
        ("label", r#"{"attempt":1,"outcome":{"word":"passed"},"printed":"4711"}"#),
        ("approval", r#"{"attempt":7,"model":"acme/box","slot":"A1"}"#),
        ("harvest", r#"{"card":{"serial":"S-1"},"outcome":{"word":"passed"},"slot":"A1"}"#),
        ("order-praised", r#"{"by":{"uid":0,"user":"root"},"count":5,"model":"acme/box","order":9}"#),
    ] {
        append(&path, kind, body);
    }
    let log = LogReader::open(&path).expect("a log");
    assert_eq!(verdict(&path).expect("the chain holds").count, 8);
    let mut briefs = 0;
    log.briefs(&Filter::default(), |_| {
        briefs += 1;
        std::ops::ControlFlow::Continue(())
    })
    .expect("readable");
    let rows = |filter: &Filter| log.attempts(filter).map(|row| row.expect("readable").attempt).collect::<Vec<_>>();
    assert_eq!((briefs, rows(&Filter::default())), (1, vec![1]), "one card was made");
    assert_eq!(rows(&Filter { serial: Some("S-1".to_owned()), ..Filter::default() }), [1]);
    assert_eq!(rows(&Filter { limit: Some(1), ..Filter::default() }), [1], "and takes no place of one");
    let mut newest = Vec::new();
    log.briefs(&Filter { limit: Some(1), ..Filter::default() }, |brief| {
        newest.push(brief.seq);
        std::ops::ControlFlow::Continue(())
    })
    .expect("readable");
    assert_eq!(newest, [3]);
    assert_eq!(log.row(1).expect("readable").map(|row| row.seq), Some(3));
    let kinds: Vec<String> = log.events(1).expect("readable").into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["attempt-started", "attempt-closed", "unit", "label"], "each is shown as itself");
    let ledger = open(&path);
    let standing = Standing { log: vec![LogNote::Begun], ..Standing::default() };
    assert_eq!(ledger.standing().expect("readable"), standing, "nobody has confirmed that the log is new");
    assert_eq!(ledger.next_attempt().expect("readable"), 8, "a number that is taken is not given again");
}
