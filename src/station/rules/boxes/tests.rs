use proptest::prelude::*;

use super::*;
use crate::station::rules::order_tests::Line;
use crate::station::rules::tests::at;
use crate::station::rules::{End, Event};
use crate::station::status::view::OrderView;
use crate::station::testing::proof;
use crate::station::types::outcome::Failure;
use crate::station::types::request::{Command, Who};
use crate::station::types::standing::Standing;

/// A station with one slot whose orders are packed into boxes of this size.
fn packing(size: u32) -> Line {
    Line::going_on(1, false, Some(size), Standing::default())
}

/// One more good card.
fn make(line: &mut Line) -> AttemptNumber {
    line.put_in(0);
    let attempt = line.threads[0].0;
    line.end(0, End::Verified(proof()));
    attempt
}

fn make_all(line: &mut Line, cards: u32) {
    for _ in 0..cards {
        make(line);
    }
}

fn order(line: &Line) -> OrderView {
    line.station.view(at(line.now)).models[0].order.clone().expect("there is an order")
}

/// The open box in the view: its number, its cards, and how many more are needed.
fn shown(line: &Line) -> (u32, u32, u32) {
    let open = order(line).open_box.expect("boxes are counted");
    (open.number, open.cards, open.left)
}

fn closed(line: &Line) -> Vec<(u32, u32, BoxEnd)> {
    line.boxes.iter().map(|closed| (closed.number, closed.cards, closed.why)).collect()
}

#[test]
fn a_box_is_closed_when_it_is_full_and_the_last_one_when_the_order_is_complete() {
    let mut line = packing(2);
    line.order(5).expect("it begins");
    assert_eq!(shown(&line), (1, 0, 2));
    let mut seen = Vec::new();
    let attempts: Vec<AttemptNumber> = (0..5)
        .map(|_| {
            let attempt = make(&mut line);
            seen.push(shown(&line));
            attempt
        })
        .collect();
    assert_eq!(seen, [(1, 1, 1), (2, 0, 2), (2, 1, 1), (3, 0, 1), (4, 0, 0)], "the last box is closed when the order has all it needs");
    assert_eq!(closed(&line), [(1, 2, BoxEnd::Full), (2, 2, BoxEnd::Full), (3, 1, BoxEnd::OrderComplete)]);
    let last: Vec<_> = line.boxes.iter().map(|closed| closed.last).collect();
    assert_eq!(last, [attempts[1], attempts[3], attempts[4]].map(Some), "each names the card that came last");
}

#[test]
fn a_card_that_is_not_good_comes_into_no_box() {
    let mut line = packing(2);
    line.order(4).expect("it begins");
    make(&mut line);
    line.put_in(0);
    line.end(0, End::Failed(Failure::Changed));
    assert_eq!((shown(&line), line.boxes.len()), ((1, 1, 1), 0));
}

#[test]
fn an_order_that_is_stopped_closes_its_box_short_before_it_ends_and_an_empty_box_is_no_box() {
    let by = || Who { uid: 0, name: "root".to_owned() };
    let stop = || Command::StopOrder { model: "acme/box".to_owned() };
    let mut line = packing(2);
    line.order(9).expect("it begins");
    make_all(&mut line, 3);
    let effects = line.station.apply(at(line.now), Event::Asked { request: 7, by: by(), command: stop() });
    let recorded = |effect: &Effect| match effect {
        Effect::Record(entry) | Effect::RecordAsked { entry, .. } => Some(entry.kind()),
        _ => None,
    };
    assert_eq!(effects.iter().filter_map(recorded).collect::<Vec<_>>(), ["box-closed", "order-stopped"], "in this order");
    let [Effect::Record(entry), Effect::RecordAsked { .. }] = effects.as_slice() else { panic!("{effects:?}") };
    let Entry::BoxClosed { closed, .. } = &**entry else { panic!("{entry:?}") };
    assert_eq!(*closed, ClosedBox { number: 2, cards: 1, why: BoxEnd::OrderStopped, last: None });
    line.order(9).expect("the next begins");
    make_all(&mut line, 2);
    let before = line.boxes.len();
    line.ask(stop()).expect("it can be stopped");
    assert_eq!(line.boxes.len(), before, "nothing was in the open box");
}

#[test]
fn a_card_that_is_good_no_more_is_missing_in_its_box_and_the_next_good_one_takes_its_place() {
    let mut line = packing(2);
    line.order(9).expect("it begins");
    make(&mut line);
    let attempt = make(&mut line);
    line.tell(Event::Changed { attempt, sectors: 8 });
    assert_eq!(shown(&line), (2, 0, 3), "one for the box that was closed, and two for this one");
    assert_eq!((make(&mut line), shown(&line)).1, (2, 0, 2));
    make(&mut line);
    make(&mut line);
    assert_eq!(closed(&line), [(1, 2, BoxEnd::Full), (2, 2, BoxEnd::Full)]);
    let attempt = make(&mut line);
    line.tell(Event::Changed { attempt, sectors: 8 });
    assert_eq!(shown(&line), (3, 0, 2), "of the open box, too");
}

#[test]
fn a_box_that_was_full_when_the_power_went_is_closed_by_the_next_start_and_no_other() {
    let boxes = Some(Boxes { size: 2, closed: 1, packed: 2 });
    let left = |passed, count| {
        let order = Order { number: 1, model: "acme/box".to_owned(), name: None, work_order: None, count, passed, boxes };
        let line = Line::going_on(1, false, None, Standing { orders: vec![order], orders_ever: 1, ..Standing::default() });
        (closed(&line), shown(&line))
    };
    assert_eq!(left(3, 9), (vec![], (2, 1, 1)), "it goes on where it was, whatever is configured now");
    assert_eq!(left(4, 9), (vec![(2, 2, BoxEnd::Full)], (3, 0, 2)));
    assert_eq!(left(7, 9), (vec![(2, 2, BoxEnd::Full), (3, 2, BoxEnd::Full)], (4, 1, 1)));
    assert_eq!(left(5, 5), (vec![(2, 2, BoxEnd::Full), (3, 1, BoxEnd::OrderComplete)], (4, 0, 0)));
}

#[test]
fn an_order_keeps_the_box_size_it_began_with_and_one_without_closes_none() {
    let mut line = Line::going_on(1, false, None, Standing::default());
    line.order(3).expect("it begins");
    line.station.settings.box_size = Some(1);
    make_all(&mut line, 3);
    assert_eq!((order(&line).open_box, line.boxes.len()), (None, 0));
    line.order(2).expect("the next begins");
    line.station.settings.box_size = None;
    make_all(&mut line, 2);
    assert_eq!(closed(&line), [(1, 1, BoxEnd::Full), (2, 1, BoxEnd::Full)]);
}

proptest! {
    /// Whatever fails and however often the power fails, also between a row and the event of its box: every good card is in one box, each
    /// box except the last is full, and they are numbered without a gap.
    #[test]
    fn every_good_card_is_in_one_box_over_any_failures_and_power_cuts(
        count in 1_u32..40,
        size in 1_u32..9,
        choices in proptest::collection::vec(0_u8..6, 1..120),
    ) {
        let mut line = packing(size);
        line.order(count).expect("it begins");
        let (mut passed, mut boxes): (u32, Vec<ClosedBox>) = (0, Vec::new());
        for choice in choices.into_iter().chain(std::iter::repeat_n(0, 40)) {
            if passed == count {
                break;
            }
            let before = boxes.len();
            match choice {
                0..=2 => {
                    make(&mut line);
                }
                3 => {
                    line.put_in(0);
                    line.end(0, End::Failed(Failure::Changed));
                }
                // The power fails, either now or before the last entry was on disk.
                lost => {
                    passed += u32::from(lost == 5);
                    let packed = boxes.iter().map(|closed| closed.cards).sum();
                    let closed = u32::try_from(boxes.len()).expect("they are few");
                    let boxes = Some(Boxes { size, closed, packed });
                    let order = Order { number: 1, model: "acme/box".to_owned(), name: None, work_order: None, count, passed, boxes };
                    line = Line::going_on(1, false, Some(size), Standing { orders: vec![order], orders_ever: 1, ..Standing::default() });
                }
            }
            boxes.append(&mut line.boxes);
            passed = order(&line).passed;
            prop_assert!(boxes.len() <= before + 1, "no box is closed twice");
        }
        let cards: Vec<u32> = boxes.iter().map(|closed| closed.cards).collect();
        prop_assert_eq!(passed, count);
        prop_assert_eq!(cards.iter().sum::<u32>(), count, "every good card is in one box");
        prop_assert!(cards.iter().rev().skip(1).all(|cards| *cards == size), "{:?}", cards);
        let numbers = boxes.iter().map(|closed| closed.number);
        prop_assert!(numbers.eq(1..=u32::try_from(boxes.len()).expect("they are few")), "{:?}", boxes);
    }
}
