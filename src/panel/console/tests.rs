//! Tests of the panel with every sign, every language and every size of a screen.

use std::time::Duration;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Color;

use super::big;
use super::board::{Board, BoardSlot, Health, StopReasons};
use super::cell::draw_cell;
use super::draw::draw;
use super::language::Language;
use crate::control::wire::Status;
use crate::station::bins::{BinColour, BinLabel, Bins};
use crate::station::outcome::{Act, Failure, Pull, Refusal, StationFault};
use crate::station::port::Port;
use crate::station::restriction::Restriction;
use crate::station::restriction::testing::one_of_each;
use crate::station::sign::{Hold, Sign};
use crate::station::suspect::{Finding, Suspect};
use crate::station::units::Bytes;
use crate::station::view::{Anchor, BoxView, DayCount, ModelView, OrderView, Progress, SlotView, View};

fn signs() -> Vec<Sign> {
    let failure = Failure::Io { act: Act::Writing, at: Bytes(4_194_304), span: Bytes(8_589_934_592), errno: Some(5) };
    let lost = Pull::ReaderLost { device: "pci-0000:00:14.0/usb3-1".into(), slots: vec!["A1".into(), "A2".into()] };
    vec![
        Sign::Empty,
        Sign::Restarting,
        Sign::Maintenance { by: "ann".into(), why: "the contacts of three readers are cleaned".into() },
        Sign::Disarmed("disarmed by ann: bent contacts".into()),
        Sign::Quarantined(Finding { suspect: Suspect::Slot("A1".into()), failed: 9, of: 140, others_failed: 11, others_of: 2400 }),
        Sign::Held(Hold::SinceStart),
        Sign::OrderComplete { count: 500 },
        Sign::OrderUnderWay { count: 500 },
        Sign::NotApproved { card: "4C531001230607119082, attempt 812".into() },
        Sign::FirstCardUnderWay,
        Sign::Preparing,
        Sign::Rechecking,
        Sign::Writing,
        Sign::ReadingBack,
        Sign::Finishing,
        Sign::Recording,
        Sign::Passed,
        Sign::PassedMapped,
        Sign::Done,
        Sign::DoneMapped,
        Sign::Failed(failure.clone()),
        Sign::FailedOnce(failure),
        Sign::Refused(Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) }),
        Sign::Pulled(Pull::Taken),
        Sign::Pulled(lost),
        Sign::OutOfService,
        Sign::Interrupted,
        Sign::Changed { sectors: 8 },
        Sign::StationFault(StationFault::Image { at: Bytes(4_194_304), errno: None }),
    ]
}

/// Slots that show every sign in turn, from this one on.
fn view(slots: usize, first: usize) -> View {
    let signs = signs();
    let slot = |index: usize| {
        let sign = signs[(first + index) % signs.len()].clone();
        let busy = matches!(sign, Sign::Writing | Sign::ReadingBack | Sign::Rechecking);
        let progress = busy.then(|| Progress::new(Bytes(3_000_000_000), Bytes(8_000_000_000), Duration::from_secs(75)));
        let card = (sign != Sign::Empty).then(|| "SanDisk Ultra 15.9 GB".to_owned());
        SlotView { slot: format!("A{}", index + 1), model: "acme/my-pi3".into(), card, progress, ..SlotView::of(sign) }
    };
    let order = OrderView { number: 1, name: None, work_order: None, count: 500, passed: 37, under_way: 4, open_box: None };
    let model = ModelView {
        name: "acme/my-pi3".into(),
        device: "acme/my-pi3".into(),
        armed: Some(crate::station::testing::image()),
        order: Some(order),
        first_off: None,
    };
    View {
        station: "line 3".into(),
        slots: (0..slots).map(slot).collect(),
        models: vec![model],
        today: DayCount { passed: 37, failed: 2 },
        ..View::default()
    }
}

/// What a station in this state shows.
fn board(view: &View) -> Board {
    Board::of(&Status::of(view), "12:34:56", &Bins::default())
}

fn picture(board: &Board, language: &Language, width: u16, height: u16) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    draw(board, language, &mut buffer);
    buffer
}

fn lines(buffer: &Buffer) -> String {
    let area = buffer.area;
    let line = |y| (area.left()..area.right()).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (area.top()..area.bottom()).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_slot_shows_its_name_and_its_word_in_every_language_on_every_common_screen() {
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for (width, height) in [(80, 25), (100, 37), (160, 50)] {
            for slots in [4, 8, 16] {
                for first in 0..signs().len() {
                    let board = board(&view(slots, first));
                    // Letters made of blocks cannot be read back; English and the rest share their layout.
                    let shown = lines(&picture(&board, &language, width, height));
                    for slot in &board.slots {
                        let word = language.word(slot).split(' ').next().expect("a word").chars().next().expect("a sign");
                        let large = shown.matches('█').count() > 20;
                        assert!(large || shown.contains(&slot.name), "{code} {width}x{height} {slots}: {}\n{shown}", slot.name);
                        assert!(large || shown.contains(word), "{code} {width}x{height} {slots}: {}\n{shown}", slot.name);
                    }
                }
            }
        }
    }
}

#[test]
fn thirty_two_slots_fit_the_screen_of_a_kernel_console_each_with_name_and_word() {
    let english = Language::english();
    for first in 0..signs().len() {
        let board = board(&view(32, first));
        let shown = lines(&picture(&board, &english, 160, 50));
        for slot in &board.slots {
            assert!(shown.contains(&format!(" {}", slot.name)), "{}\n{shown}", slot.name);
        }
    }
}

#[test]
fn a_card_too_small_says_why_and_what_to_buy() {
    let mut small = view(8, 0);
    small.slots[2].sign = Sign::Refused(Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) });
    let shown = lines(&picture(&board(&small), &Language::english(), 160, 50));
    assert!(shown.contains("Too small: 7.4 GB, needs 8.0 GB") && shown.contains("USE A 16 GB CARD"), "{shown}");
}

#[test]
fn every_finished_card_shows_its_bin_on_its_colour_in_every_language_on_every_common_screen() {
    let failed = Sign::Failed(Failure::Io { act: Act::Writing, at: Bytes(4_194_304), span: Bytes(8_589_934_592), errno: Some(5) });
    let bins = Bins { bad: BinLabel { word: Some("SCRAP".into()), colour: BinColour::Violet }, ..Bins::default() };
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for (width, height) in [(80, 25), (100, 37), (160, 50)] {
            for slots in [4, 8, 16] {
                for (sign, ground, word) in [(Sign::Passed, Color::Green, None), (failed.clone(), Color::Magenta, Some("→ SCRAP"))] {
                    let mut all = view(slots, 0);
                    for slot in &mut all.slots {
                        *slot = SlotView { slot: slot.slot.clone(), model: slot.model.clone(), ..SlotView::of(sign.clone()) };
                    }
                    let board = Board { bins: bins.clone(), ..board(&all) };
                    let buffer = picture(&board, &language, width, height);
                    let arrows = buffer.content().iter().filter(|cell| cell.symbol() == "→" && cell.bg == ground).count();
                    assert_eq!(arrows, slots, "{code} {width}x{height}\n{}", lines(&buffer));
                    assert!(word.is_none_or(|word| lines(&buffer).matches(word).count() == slots), "{}", lines(&buffer));
                }
            }
        }
    }
}

#[test]
fn a_bin_takes_no_line_from_a_reason_or_from_what_to_do() {
    let refusal = Refusal::TooSmall { capacity: Bytes(7_400_000_000), needs: Bytes(8_000_000_000) };
    for (slots, words) in [(16, vec!["USE A 16 GB", "CARD"]), (12, vec!["Too small: 7.4 GB", "USE A 16 GB CARD"])] {
        let mut small = view(slots, 0);
        small.slots[2] = SlotView { slot: "A3".into(), ..SlotView::of(Sign::Refused(refusal.clone())) };
        let shown = lines(&picture(&board(&small), &Language::english(), 80, 25));
        assert!(words.iter().all(|word| shown.contains(word)), "{slots} slots\n{shown}");
    }
}

#[test]
fn a_bin_that_the_factory_has_named_hides_no_reason_on_any_screen() {
    let reason_of = |slot: &BoardSlot, language: &Language| {
        let reason = slot.why.as_ref().map(|why| language.reason(why)).unwrap_or_default();
        // It may be cut, and not before it says something.
        reason.chars().skip(1).take(if language.needs_glyphs { 2 } else { 5 }).collect::<String>()
    };
    let shows = |buffer: &Buffer, reason: &str| !reason.is_empty() && lines(buffer).contains(reason);
    let mut usual = Vec::new();
    for_every_cell(&Bins::default(), |buffer, _, (slot, language)| usual.push(shows(buffer, &reason_of(slot, language))));
    assert!(usual.iter().filter(|shows| **shows).count() > 1000);
    for word in ["SCRAP", "REWORK LINE 4, LEFT"] {
        let named = |colour| BinLabel { word: Some(word.to_owned()), colour };
        let bins = Bins { good: named(BinColour::Green), not_bad: named(BinColour::Yellow), bad: named(BinColour::Violet) };
        let mut before = usual.iter();
        for_every_cell(&bins, |buffer, shown, (slot, language)| {
            let was_shown = *before.next().expect("the same cells");
            assert!(!was_shown || shows(buffer, &reason_of(slot, language)), "{shown}");
        });
    }
}

#[test]
fn the_header_says_how_many_more_until_a_box_is_full_beside_the_order() {
    for (slots, width, height) in [(4, 160, 50), (8, 100, 37), (16, 80, 25)] {
        let mut with = view(slots, 0);
        let order = with.models[0].order.as_mut().expect("there is one");
        order.open_box = Some(BoxView { number: 3, size: 50, cards: 12, left: 38 });
        let shown = lines(&picture(&board(&with), &Language::english(), width, height));
        assert!(shown.contains("box 3: 38 more"), "{width}x{height}\n{shown}");
        let without = lines(&picture(&board(&view(slots, 0)), &Language::english(), width, height));
        assert!(!without.contains("box 3"), "boxes are not counted: {without}");
        with.models.push(ModelView { device: "acme/other".into(), order: None, ..with.models[0].clone() });
        let shown = lines(&picture(&board(&with), &Language::english(), width, height));
        assert_eq!(shown.matches("box 3: 38 more").count(), 1, "each model has its own: {shown}");
    }
}

#[test]
fn nothing_is_green_while_the_station_has_a_fault_or_is_down() {
    for (health, word) in [
        (Health::Fault(StopReasons::in_words("disk full".into())), "disk full"),
        (Health::Down(None), "no card is being written"),
        (Health::Down(Some("not for you".into())), "not for you"),
    ] {
        let board = Board { health, ..board(&view(8, 9)) };
        let buffer = picture(&board, &Language::english(), 80, 25);
        assert!(buffer.content().iter().all(|cell| cell.bg != Color::Green && cell.fg != Color::Green), "{word}");
        assert!(lines(&buffer).contains(word), "{}", lines(&buffer));
    }
}

#[test]
fn a_hub_that_was_lost_with_several_cards_is_said_once() {
    let mut lost = view(4, 0);
    for slot in &mut lost.slots {
        let port = Port("pci-0000:00:14.0/usb3-1.2/lun-0".into());
        let device = port.upstream().pop().expect("a hub");
        slot.sign = Sign::Pulled(Pull::ReaderLost { device, slots: vec!["A1".into(), "A2".into(), "A3".into(), "A4".into()] });
    }
    let shown = lines(&picture(&board(&lost), &Language::english(), 120, 40));
    assert_eq!(shown.matches("usb3-1 lost").count(), 1, "{shown}");
}

/// A head as the log has it after a while.
fn ended() -> Option<Anchor> {
    Some(Anchor { at: 1_700_000_000_000_000, text: format!("8124:{}", "5f".repeat(32)) })
}

#[test]
fn the_anchor_of_the_last_shift_stands_whole_on_every_common_screen_in_every_language() {
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for (width, height) in [(80, 25), (100, 37), (160, 50)] {
            for slots in [4, 8, 16] {
                let before = view(slots, 6);
                let with = View { anchor: ended(), ..before.clone() };
                let figures = &with.anchor.as_ref().expect("it is there").text;
                let shown = lines(&picture(&board(&with), &language, width, height));
                assert!(shown.contains(figures.as_str()), "{code} {width}x{height} {slots}:\n{shown}");
                let without = lines(&picture(&board(&before), &language, width, height));
                assert!(!without.contains("8124:"), "nothing is to be written down before a shift has ended");
            }
        }
    }
}

#[test]
fn what_is_to_be_written_down_hides_no_slot_and_no_lost_hub() {
    let english = Language::english();
    for (slots, width, height) in [(32, 160, 50), (16, 80, 25), (20, 80, 20), (32, 80, 25), (4, 60, 12), (8, 40, 16)] {
        for first in [0, 14] {
            let with = View { anchor: ended(), ..view(slots, first) };
            let (mut with, without) = (board(&with), board(&view(slots, first)));
            let name = |board: &Board| {
                let shown = lines(&picture(board, &english, width, height));
                board.slots.iter().filter(|slot| shown.contains(&format!(" {}", slot.name))).count()
            };
            assert_eq!(name(&with), name(&without), "{slots} slots, {width}x{height}");
            let lost = |board: &Board| lines(&picture(board, &english, width, height)).matches(" lost: ").count();
            assert_eq!(lost(&with), lost(&without), "{slots} slots, {width}x{height}");
            // A part of the figures proves nothing, and would be written down all the same.
            let shown = lines(&picture(&with, &english, width, height));
            let figures = with.anchor.take().expect("it is there").1;
            assert!(shown.contains(&figures) || !shown.contains("8124:"), "{slots} slots, {width}x{height}:\n{shown}");
        }
    }
}

#[test]
fn the_words_of_the_panel_are_those_of_the_log() {
    let english = Language::english();
    for (sign, slot) in signs().iter().zip(board(&view(signs().len(), 0)).slots) {
        assert_eq!(english.word(&slot), sign.word());
    }
}

/// One slot alone, in every language and in cells of many sizes: the cell's picture, with all that it showed.
fn for_every_cell(bins: &Bins, mut each: impl FnMut(&Buffer, &str, (&BoardSlot, &Language))) {
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for slot in &board(&view(signs().len(), 0)).slots {
            for (width, height) in [19, 38, 39, 52, 79, 159].into_iter().flat_map(|width| (4..20).map(move |height| (width, height))) {
                let cell = Rect::new(0, 0, width, height);
                let mut buffer = Buffer::empty(cell);
                draw_cell(&mut buffer, cell, slot, &language, (false, bins));
                let shown = format!("{code} {} {width}x{height}:\n{}", slot.sign, lines(&buffer));
                each(&buffer, &shown, (slot, &language));
            }
        }
    }
}

#[test]
fn no_letter_touches_the_frame_of_its_cell() {
    let named = |colour| BinLabel { word: Some("REWORK LINE 4, LEFT".to_owned()), colour };
    let bins = Bins { good: named(BinColour::Green), not_bad: named(BinColour::Yellow), bad: named(BinColour::Violet) };
    let mut whole = 0;
    for bins in [Bins::default(), bins] {
        for_every_cell(&bins, |buffer, shown, _| {
            let (width, height) = (buffer.area.width, buffer.area.height);
            if height < super::frame::LEAST_HEIGHT {
                return;
            }
            for y in 1..height - 1 {
                assert!([1, width - 2].into_iter().all(|x| buffer[(x, y)].symbol() == " "), "a column on either side is free: {shown}");
            }
            let is_blank = |x, y| buffer[(x, y)].symbol() == " " && buffer[(x, y)].bg == Color::Reset;
            for (edge, row) in [(0, 1), (height - 1, height - 2)] {
                let mut signs = (1..width - 1).filter(|x| !is_blank(*x, edge));
                assert!(signs.all(|x| (x - 1..=x + 1).filter(|x| (1..width - 1).contains(x)).all(|x| is_blank(x, row))), "{shown}");
            }
            assert!([0, width - 1].into_iter().all(|x| !is_blank(x, 0) && !is_blank(x, height - 1)), "the sides stay: {shown}");
            whole += usize::from((0..width).all(|x| !is_blank(x, 0)));
        });
    }
    assert!(whole > 1000, "where there is room, a frame is whole: {whole}");
}

#[test]
fn a_bin_runs_into_nothing_of_its_colour_on_any_screen() {
    let violet = Bins { bad: BinLabel { word: Some("SCRAP".to_owned()), colour: BinColour::Violet }, ..Bins::default() };
    let (mut arrows, mut grounded) = (0, 0);
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for (width, height) in [(80, 25), (100, 37), (128, 48), (160, 50)] {
            for slots in [1, 2, 4, 6, 8, 12, 16, 24, 32] {
                for (first, bins) in [(11, Bins::default()), (12, violet.clone()), (16, Bins::default()), (21, violet.clone())] {
                    let exposed = if first % 2 == 1 { vec!["A1".to_owned()] } else { Vec::new() };
                    let board = Board { bins, exposed, ..board(&view(slots, first)) };
                    let buffer = picture(&board, &language, width, height);
                    for (place, cell) in buffer.content().iter().enumerate().filter(|(_, cell)| cell.symbol() == "→") {
                        arrows += 1;
                        grounded += usize::from(cell.bg != Color::Reset);
                        let (x, y) = buffer.pos_of(place);
                        let is_ground = |x: u16| cell.bg != Color::Reset && buffer.cell((x, y)).is_some_and(|here| here.bg == cell.bg);
                        let columns = (0..=x).rev().take_while(|x| is_ground(*x)).chain((x..width).take_while(|x| is_ground(*x)));
                        let around: Vec<_> = columns.flat_map(|x| [(x, y.saturating_sub(1)), (x, y + 1)]).collect();
                        let is_same = |at: &(u16, u16)| {
                            let other = buffer.cell(*at).filter(|_| at.1 != y);
                            let is_full = |symbol: &str| ["█", "▒"].contains(&symbol);
                            other.is_some_and(|other| other.bg == cell.bg || (is_full(other.symbol()) && other.fg == cell.bg))
                        };
                        assert!(!around.iter().any(is_same), "{code} {width}x{height} {slots} {first}: {x}, {y}\n{}", lines(&buffer));
                    }
                }
            }
        }
    }
    assert!(arrows > 1000 && grounded * 100 > arrows * 95, "a bin has a ground, but for a few: {grounded} of {arrows}");
}

/// How often a letter of many cells stands in a picture.
fn large(buffer: &Buffer, letter: &str) -> usize {
    let mut wanted = Buffer::empty(Rect::new(0, 0, 5, big::HEIGHT));
    big::draw(&mut wanted, (0, 0), letter, ratatui::style::Style::new());
    let is_here = |left: u16, top: u16| {
        wanted.content().iter().zip(0_u16..).all(|(cell, index)| {
            let place = (left + index % 5, top + index / 5);
            buffer.cell(place).is_some_and(|here| (here.symbol() == "█") == (cell.symbol() == "█"))
        })
    };
    (0..buffer.area.height).map(|top| (0..buffer.area.width).filter(|left| is_here(*left, top)).count()).sum()
}

#[test]
fn a_busy_slot_says_once_how_far_its_card_is() {
    let mut seen = 0;
    for_every_cell(&Bins::default(), |buffer, shown, _| {
        let small = shown.split_once('\n').map_or("", |(_, picture)| picture).matches('%').count();
        let said = small + large(buffer, "%");
        let busy = [" writing ", " reading-back ", " rechecking "].into_iter().any(|sign| shown.contains(sign));
        assert_eq!(said, usize::from(busy), "{shown}");
        seen += said;
    });
    assert!(seen > 0);
}

#[test]
fn no_name_of_a_model_is_cut_by_an_edge_of_the_screen() {
    let english = Language::english();
    let long = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1/my-pi18";
    for (width, height) in [(40, 20), (60, 20), (80, 25), (100, 37), (160, 50)] {
        for slots in [1, 2, 4, 8, 16] {
            let mut several = view(slots, 0);
            several.models[0].device = long.to_owned();
            let mut second = several.models[0].clone();
            "acme/another-one".clone_into(&mut second.device);
            several.models.push(second);
            let shown = lines(&picture(&board(&several), &english, width, height));
            assert!(shown.contains("my-pi18 ") && shown.contains("another-one "), "{width}x{height} {slots}:\n{shown}");
            assert_eq!(shown.matches("37 / 500").count(), 2, "{width}x{height} {slots}:\n{shown}");
            several.models.pop();
            let buffer = picture(&board(&several), &english, width, height);
            let shown = lines(&buffer);
            assert!(shown.contains("my-pi18"), "{width}x{height} {slots}:\n{shown}");
            let edges = (0..big::HEIGHT + 1).flat_map(|y| [(0, y), (width - 1, y)]).chain((0..width).map(|x| (x, 0)));
            let is_large = shown.lines().next().is_some_and(|line| !line.contains("my-pi18"));
            assert!(!is_large || edges.clone().all(|at| buffer[at].symbol() == " "), "{width}x{height} {slots}:\n{shown}");
        }
    }
}

#[test]
fn a_name_too_long_for_the_screen_ends_with_a_sign_that_there_is_more() {
    let mut view = view(8, 0);
    view.models[0].device = "acme/a-device-with-a-name-as-long-as-the-line".to_owned();
    let shown = lines(&picture(&board(&view), &Language::english(), 40, 20));
    assert!(shown.lines().next().is_some_and(|line| line.starts_with(" a-device-with-a-") && line.ends_with("…   37 / 500")), "{shown}");
}

#[test]
fn models_for_which_there_is_no_line_are_counted() {
    let mut view = view(8, 0);
    view.models = vec![view.models[0].clone(); 9];
    let shown = lines(&picture(&board(&view), &Language::english(), 80, 25));
    assert!(shown.lines().nth(5).is_some_and(|line| line.ends_with("… +3")), "{shown}");
}

#[test]
fn every_word_of_a_language_that_a_kernel_console_shows_can_stand_in_large_letters() {
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for slot in board(&view(signs().len(), 0)).slots {
            let word = language.word(&slot);
            assert!(language.needs_glyphs || big::width(word).is_some(), "{code}: {word}");
        }
        for word in ["fault", "down"].map(|key| language.phrase(key)) {
            assert!(language.needs_glyphs || big::width(word).is_some(), "{code}: {word}");
        }
    }
}

proptest! {
    #[test]
    fn no_size_of_a_screen_and_no_number_of_slots_breaks_the_picture(width in 0_u16..300, height in 0_u16..100, slots in 0_usize..70, first in 0_usize..21) {
        let board = board(&view(slots, first));
        for code in ["en", "zh"] {
            drop(picture(&board, &Language::of(code).expect("it can be read"), width, height));
        }
    }
}

#[test]
fn what_the_unit_takes_from_the_station_is_a_line_in_the_operators_language() {
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for restriction in one_of_each().into_iter().filter(|restriction| !restriction.stops()) {
            let board = board(&View { restrictions: vec![restriction.clone()], ..view(4, 0) });
            // A wide sign fills two cells.
            let shown = lines(&picture(&board, &language, 160, 50)).replace(' ', "");
            let words = language.restriction(restriction.code(), "no translation").replace(' ', "");
            assert!(shown.contains(&words), "{code}: {words}\n{shown}");
        }
    }
}

#[test]
fn what_stops_the_station_fills_the_screen_in_the_operators_language_once_and_behind_a_fault_of_the_log() {
    let log = "the flash log cannot be written: disk full";
    // Lines are broken between words, and a wide sign fills two cells.
    let joined = |text: &str| text.split_whitespace().collect::<String>();
    for code in Language::codes() {
        let language = Language::of(code).expect("it can be read");
        for restriction in one_of_each().into_iter().filter(Restriction::stops) {
            let words = joined(language.restriction(restriction.code(), "no translation"));
            for log_fault in [None, Some(log.to_owned())] {
                let fault = log_fault.iter().cloned().chain([restriction.sentence()]).collect::<Vec<_>>().join("; ");
                let stopped = View { fault: Some(fault), log_fault, restrictions: vec![restriction.clone()], ..view(4, 0) };
                let shown = joined(&lines(&picture(&board(&stopped), &language, 160, 50)));
                assert_eq!(shown.matches(&words).count(), 1, "{code}: {words}\n{shown}");
                let before = shown.split(&words).next().unwrap_or_default();
                let logs = usize::from(stopped.log_fault.is_some());
                assert_eq!((before.matches(&joined(log)).count(), shown.matches(&joined(log)).count()), (logs, logs), "{code}: {shown}");
                assert!(!shown.contains(&joined(&restriction.cure())), "{code}: the sentence in English is left out: {shown}");
            }
        }
    }
}
