//! Draws the panel: a header with what is being made, a cell for each slot, a footer with the state of the station.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::big;
use super::bins::box_line;
use super::board::{Board, BoardModel, BoardSlot, Health};
use super::cell::draw_cell;
use super::colours::{bright, mark, style};
use super::grid::Grid;
use super::grounds;
use super::language::Language;
use super::text::{bar, centred, columns, right, text, wrap};
use crate::station::reason::Fact;
use crate::station::sign::OperatorAction;
use crate::station::standing::LogNote;

/// Below this nothing can be said.
const LEAST_SCREEN: (u16, u16) = (20, 4);
/// Rows of a header in large letters: an empty one, the letters, an empty one, a line, an empty one.
const LARGE_HEADER: u16 = big::HEIGHT + 4;
/// The lowest cells above which a header stands in large letters.
const BELOW_LARGE_HEADER: u16 = 9;
/// Draws the board into all of `buffer`.
pub(crate) fn draw(board: &Board, language: &Language, buffer: &mut Buffer) {
    let area = buffer.area;
    buffer.reset();
    if area.width < LEAST_SCREEN.0 || area.height < LEAST_SCREEN.1 {
        return text(buffer, area, 0, language.phrase("too-narrow"), Style::new().add_modifier(Modifier::BOLD));
    }
    match &board.health {
        Health::Down(None) => return alarm(buffer, language.phrase("down"), "", language.phrase("down-todo"), board),
        Health::Down(Some(why)) => return alarm(buffer, language.phrase("down"), why, language.phrase("fault-todo"), board),
        Health::Fault(why) => {
            return alarm(buffer, language.phrase("fault"), &language.stop_reasons(why), language.phrase("fault-todo"), board);
        }
        Health::Well => {}
    }
    let head = header(buffer, area, board, language);
    let foot = footer(buffer, area, head, board, language);
    let middle = Rect { y: area.y + head, height: area.height.saturating_sub(head + foot), ..area };
    grid(buffer, middle, board, language);
    grounds::keep_apart(buffer);
}

/// Nothing else is to be believed: all of the screen says so.
fn alarm(buffer: &mut Buffer, word: &str, why: &str, todo: &str, board: &Board) {
    let area = buffer.area;
    let style = Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD);
    buffer.set_style(area, style);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            if let Some(cell) = buffer.cell_mut((x, y)) {
                cell.set_char(' ');
            }
        }
    }
    let middle = area.height / 2;
    let large = big::width(word).filter(|width| *width <= area.width && area.height >= big::HEIGHT + 6);
    let below = match large {
        Some(width) => {
            big::draw(buffer, (area.x + (area.width - width) / 2, middle.saturating_sub(big::HEIGHT)), word, style);
            middle + 1
        }
        None => {
            centred(buffer, area, middle.saturating_sub(1), word, style);
            middle
        }
    };
    for (y, line) in (below..).zip(wrap(why, area.width).into_iter().chain(wrap(todo, area.width))) {
        centred(buffer, area, y, &line, style);
    }
    let bottom = area.height.saturating_sub(1);
    centred(buffer, area, bottom, &format!("{}  {}", board.station, board.clock), style);
}

/// Model and image, as large as there is room for; answers how many rows they took.
fn header(buffer: &mut Buffer, area: Rect, board: &Board, language: &Language) -> u16 {
    let inner = Rect { x: area.x + 1, width: area.width - 2, ..area };
    if let [model] = board.models.as_slice() {
        let order = model.order.map(|(passed, count)| format!("{passed}/{count}")).unwrap_or_default();
        let below = Rect { height: area.height.saturating_sub(LARGE_HEADER + 1), ..area };
        let grid = Grid::of(board.slots.len(), below);
        let room = big::width(short_name(model)).zip(big::width(&order)).filter(|(name, order)| {
            let gap = if *order > 0 { 4 } else { 0 };
            name + gap + order <= inner.width && grid.is_readable() && grid.cell_height() >= BELOW_LARGE_HEADER
        });
        if let Some((_, order_width)) = room {
            big::draw(buffer, (inner.x, inner.y + 1), short_name(model), bright());
            big::draw(buffer, (inner.right() - order_width, inner.y + 1), &order, bright());
            let packing = packing(model, language).unwrap_or_default();
            text(buffer, inner, LARGE_HEADER - 2, &headline(model, &packing, language, inner.width), Style::new());
            return LARGE_HEADER;
        }
    }
    let lines = u16::try_from(board.models.len()).unwrap_or(u16::MAX).clamp(1, (area.height / 4).max(1));
    let left_out = board.models.len().saturating_sub(usize::from(lines));
    for (row, model) in (0..lines).zip(&board.models) {
        let more = if left_out > 0 && row + 1 == lines { format!("… +{left_out}") } else { String::new() };
        let order = model.order.map(|(passed, count)| format!("{passed} / {count}"));
        let order = order.into_iter().chain(packing(model, language)).collect::<Vec<_>>().join("   ");
        let width = inner.width.saturating_sub(u16::try_from(columns(&more) + 1).unwrap_or(0));
        text(buffer, Rect { width, ..inner }, row, &headline(model, &order, language, width), bright());
        right(buffer, inner, row, &more, bright());
    }
    lines
}

/// How many more until the box of its order is full; nothing where boxes are not counted.
fn packing(model: &BoardModel, language: &Language) -> Option<String> {
    model.open_box.as_ref().map(|open| box_line(open, language))
}

/// What the model is called without its brand.
fn short_name(model: &BoardModel) -> &str {
    model.device.rsplit('/').next().unwrap_or(&model.device)
}

/// Model, order and image in one line. Where it is too narrow, the digest goes first, then the brand, then the image, and the model's
/// name is the last.
fn headline(model: &BoardModel, order: &str, language: &Language, width: u16) -> String {
    let (file, digest) = match &model.image {
        Some((source, digest)) => (source.rsplit('/').next().unwrap_or(source), digest.chars().take(12).collect()),
        None => (language.phrase("no-image"), String::new()),
    };
    let (device, name) = (model.device.as_str(), short_name(model));
    let lines = [[device, order, file, &digest], [device, order, file, ""], [name, order, file, ""], [name, order, "", ""]];
    let joined = lines.map(|parts| parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("   "));
    let fitting = joined.into_iter().find(|line| columns(line) <= usize::from(width));
    fitting.unwrap_or_else(|| {
        let behind = if order.is_empty() { String::new() } else { format!("   {order}") };
        format!("{}{behind}", console::truncate_str(name, usize::from(width).saturating_sub(columns(&behind)), "…"))
    })
}

/// Causes shared by several slots, once; what to write down of the last shift; what was made today; how the station is. Answers how many
/// rows they took.
fn footer(buffer: &mut Buffer, area: Rect, head: u16, board: &Board, language: &Language) -> u16 {
    let lost = causes(board, language);
    let most = (area.height / 5).max(1);
    let rows = (u16::try_from(lost.len()).unwrap_or(u16::MAX) + 1).min(most);
    let anchor = anchor(board, language, area.width);
    let anchor_rows = u16::try_from(anchor.len()).unwrap_or(u16::MAX);
    // All of it or nothing: a part proves nothing. And no slot is made unreadable for it.
    let middle = |rows| Rect { height: area.height.saturating_sub(head + rows), ..area };
    let slots = board.slots.len();
    let readable = |rows| Grid::of(slots, middle(rows)).is_readable();
    let fits = rows + anchor_rows <= most && (readable(rows + anchor_rows) || !readable(rows));
    let anchor_rows = if fits { anchor_rows } else { 0 };
    for (row, line) in (0..anchor_rows).zip(&anchor) {
        text(buffer, area, area.height - 1 - anchor_rows + row, &format!(" {line}"), bright());
    }
    let lost_rows = rows - 1;
    let rows = rows + anchor_rows;
    let top = area.height - rows;
    for (row, words) in (0..lost_rows).zip(&lost) {
        bar(buffer, area, top + row, &format!(" {words}"), Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD));
    }
    let today = language.phrase("today").replace("{passed}", &board.passed.to_string()).replace("{failed}", &board.failed.to_string());
    let left = format!(" {}   {today}", board.station);
    let right = format!("{}   {} ", language.phrase("well"), board.clock);
    let gap = usize::from(area.width).saturating_sub(columns(&left) + columns(&right));
    let line = if gap == 0 { format!(" {today}   {}", board.clock) } else { format!("{left}{}{right}", " ".repeat(gap)) };
    bar(buffer, area, area.height - 1, &line, Style::new().fg(Color::Black).bg(Color::Gray));
    rows
}

/// What to write on the shift sheet: in one line, or in two so that the figures stand together. Nothing where there is nothing, or where
/// they do not stand in one line.
fn anchor(board: &Board, language: &Language, width: u16) -> Vec<String> {
    let Some((time, figures)) = &board.anchor else { return Vec::new() };
    let words = format!("{}:", language.phrase("shift-ended").replace("{time}", time));
    let room = usize::from(width).saturating_sub(1);
    let line = format!("{words} {figures}");
    if columns(&line) <= room {
        return vec![line];
    }
    if columns(figures).max(columns(&words)) <= room { vec![words, figures.clone()] } else { Vec::new() }
}

/// What concerns several slots, once: faults of the station, work on it, devices that were lost, slots that are not kept from other programs, and
/// what is to be known of the flash log.
fn causes(board: &Board, language: &Language) -> Vec<String> {
    let lost = lost(board).into_iter();
    let lost = lost.map(|(device, slots)| language.phrase("lost").replace("{device}", &device).replace("{slots}", &slots));
    let exposed = (!board.exposed.is_empty()).then(|| language.phrase("exposed").replace("{slots}", &board.exposed.join(" ")));
    let restrictions = board.restrictions.iter().map(|(code, text)| language.restriction(code, text));
    let faults = board.faults.iter().map(String::as_str).chain(restrictions);
    let faults = faults.map(|fault| format!("{}: {fault}", language.phrase("fault")));
    let notes = board.log.iter().filter_map(|word| LogNote::of(word)).map(|note| {
        language.phrase(match note {
            LogNote::Begun => "log-begun",
            LogNote::Volatile => "log-volatile",
        })
    });
    let work = board.maintenance.as_ref();
    let work = work.map(|(by, why)| language.phrase("maintenance").replace("{by}", by).replace("{why}", why));
    let suspects = board.suspects.iter().map(|suspected| language.suspected(suspected));
    faults.chain(work).chain(lost).chain(suspects).chain(exposed).chain(notes.map(str::to_owned)).collect()
}

/// Devices that were lost with several slots' cards.
fn lost(board: &Board) -> Vec<(String, String)> {
    let mut lost = Vec::new();
    for why in board.slots.iter().filter_map(|slot| slot.why.as_ref()).filter(|why| why.code == "reader-lost") {
        let fact = |wanted: &str| match why.facts.iter().find(|(name, _)| name == wanted) {
            Some((_, Fact::Text(text))) => text.clone(),
            _ => String::new(),
        };
        let cause = (fact("device"), fact("slots"));
        if !lost.contains(&cause) {
            lost.push(cause);
        }
    }
    lost
}

fn grid(buffer: &mut Buffer, area: Rect, board: &Board, language: &Language) {
    if board.slots.is_empty() {
        return text(buffer, area, area.height / 2, language.phrase("no-slots"), Style::new().add_modifier(Modifier::BOLD));
    }
    let grid = Grid::of(board.slots.len(), area);
    if !grid.is_wide_enough() {
        return worst_first(buffer, area, board, language);
    }
    let several = board.models.len() > 1;
    for (index, slot) in (0_u16..).zip(&board.slots) {
        let cell = grid.cell(index);
        if cell.bottom() <= area.bottom() {
            draw_cell(buffer, cell, slot, language, (several, &board.bins));
        }
    }
}

/// A screen too small for all: what somebody has to do comes first.
fn worst_first(buffer: &mut Buffer, area: Rect, board: &Board, language: &Language) {
    let mut slots: Vec<&BoardSlot> = board.slots.iter().collect();
    slots.sort_by_key(|slot| match slot.call {
        OperatorAction::StationFault => 0,
        OperatorAction::TakeBad => 1,
        OperatorAction::Nothing => 2,
        OperatorAction::TakeAside => 3,
        OperatorAction::TakeGood => 4,
        OperatorAction::PutIn => 5,
        OperatorAction::Wait => 6,
    });
    for (row, slot) in (0..area.height).zip(slots) {
        bar(buffer, area, row, &format!(" {} {} {}", mark(slot.call), slot.name, language.word(slot)), style(slot.call));
    }
}
