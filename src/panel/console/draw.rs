//! Draws the panel: a header with what is being made, a cell for each slot, a footer with the state of the station.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::big;
use super::bins::{bin_line, box_line, named_bin, says_the_same};
use super::board::{Board, BoardModel, BoardSlot, Health};
use super::language::Language;
use crate::panel::lines::clock;
use crate::station::bins::Bins;
use crate::station::reason::Fact;
use crate::station::sign::OperatorAction;
use crate::station::standing::LogNote;

/// The smallest cell in which a slot's name and word can be read.
const LEAST_CELL: (u16, u16) = (14, 3);
/// The smallest cell in which most of them stand in large letters, with two lines below.
const LARGE_CELL: (u16, u16) = (68, big::HEIGHT + 5);
/// Below this nothing can be said.
const LEAST_SCREEN: (u16, u16) = (20, 4);

/// Draws the board into all of `buffer`.
pub fn draw(board: &Board, language: &Language, buffer: &mut Buffer) {
    let area = buffer.area;
    buffer.reset();
    if area.width < LEAST_SCREEN.0 || area.height < LEAST_SCREEN.1 {
        return text(buffer, area, 0, language.phrase("too-narrow"), Style::new().add_modifier(Modifier::BOLD));
    }
    match &board.health {
        Health::Down(None) => return alarm(buffer, language.phrase("down"), "", language.phrase("down-todo"), board),
        Health::Down(Some(why)) => return alarm(buffer, language.phrase("down"), why, language.phrase("fault-todo"), board),
        Health::Fault(why) => return alarm(buffer, language.phrase("fault"), why, language.phrase("fault-todo"), board),
        Health::Well => {}
    }
    let head = header(buffer, area, board, language);
    let foot = footer(buffer, area, head, board, language);
    let middle = Rect { y: area.y + head, height: area.height.saturating_sub(head + foot), ..area };
    grid(buffer, middle, board, language);
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
    if let [model] = board.models.as_slice() {
        let name = model.device.rsplit('/').next().unwrap_or(&model.device).to_owned();
        let order = model.order.map(|(passed, count)| format!("{passed}/{count}")).unwrap_or_default();
        let room = big::width(&name).zip(big::width(&order)).filter(|(name, order)| {
            let gap = if *order > 0 { 4 } else { 0 };
            name + gap + order + 2 <= area.width && cell_height(board.slots.len(), area) > 8
        });
        if let Some((_, order_width)) = room {
            big::draw(buffer, (area.x + 1, area.y), &name, bright());
            if order_width > 0 {
                big::draw(buffer, (area.right() - order_width - 1, area.y), &order, bright());
            }
            text(buffer, area, big::HEIGHT, &made(model, language), Style::new());
            return big::HEIGHT + 2;
        }
        let order = if order.is_empty() { order } else { format!("   {}", order.replace('/', " / ")) };
        text(buffer, area, 0, &format!("{}{order}{}   {}", model.device, packing(model, language), image(model, language)), bright());
        return 1;
    }
    let lines = u16::try_from(board.models.len()).unwrap_or(u16::MAX).clamp(1, (area.height / 4).max(1));
    for (row, model) in (0..lines).zip(&board.models) {
        let order = model.order.map(|(passed, count)| format!("   {passed} / {count}")).unwrap_or_default();
        text(buffer, area, row, &format!("{}{order}{}   {}", model.device, packing(model, language), image(model, language)), bright());
    }
    lines
}

fn made(model: &BoardModel, language: &Language) -> String {
    format!("{}{}   {}", model.device, packing(model, language), image(model, language))
}

/// How many more until the box of its order is full; nothing where boxes are not counted.
fn packing(model: &BoardModel, language: &Language) -> String {
    model.open_box.as_ref().map(|open| format!("   {}", box_line(open, language))).unwrap_or_default()
}

fn image(model: &BoardModel, language: &Language) -> String {
    match &model.image {
        Some((source, digest)) => {
            let file = source.rsplit('/').next().unwrap_or(source);
            format!("{file}   {}", digest.chars().take(12).collect::<String>())
        }
        None => language.phrase("no-image").to_owned(),
    }
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
    let fits = rows + anchor_rows <= most && (readable(slots, middle(rows + anchor_rows)) || !readable(slots, middle(rows)));
    let anchor_rows = if fits { anchor_rows } else { 0 };
    for (row, line) in (0..anchor_rows).zip(&anchor) {
        text(buffer, area, area.height - 1 - anchor_rows + row, &format!(" {line}"), bright());
    }
    let lost_rows = rows - 1;
    let rows = rows + anchor_rows;
    let top = area.height - rows;
    for (row, words) in (0..lost_rows).zip(&lost) {
        bar(buffer, area, top + row, words, Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD));
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

/// What concerns several slots, once: faults of the station, devices that were lost, slots that are not kept from other programs, and
/// what is to be known of the flash log.
fn causes(board: &Board, language: &Language) -> Vec<String> {
    let lost = lost(board).into_iter();
    let lost = lost.map(|(device, slots)| language.phrase("lost").replace("{device}", &device).replace("{slots}", &slots));
    let exposed = (!board.exposed.is_empty()).then(|| language.phrase("exposed").replace("{slots}", &board.exposed.join(" ")));
    let faults = board.faults.iter().map(|fault| format!("{}: {fault}", language.phrase("fault")));
    let notes = board.log.iter().filter_map(|word| LogNote::of(word)).map(|note| {
        language.phrase(match note {
            LogNote::Begun => "log-begun",
            LogNote::Volatile => "log-volatile",
        })
    });
    faults.chain(lost).chain(exposed).chain(notes.map(str::to_owned)).collect()
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

/// How many cells stand side by side: as lets them have large letters, else as makes them as large as can be.
fn columns_of(slots: usize, area: Rect) -> u16 {
    let slots = u16::try_from(slots).unwrap_or(u16::MAX).max(1);
    (1..=slots)
        .max_by_key(|columns| {
            let (width, height) = (area.width / columns, area.height / slots.div_ceil(*columns));
            let holds = |cell: (u16, u16)| width >= cell.0 && height >= cell.1;
            // Words are wide: a cell is worth what a line of it holds, and rows beyond a few are worth little.
            (holds(LEAST_CELL), holds(LARGE_CELL), u32::from(width.min(40)) * u32::from(height.min(12)))
        })
        .unwrap_or(1)
}

/// Has every slot a cell in which its name and word can be read?
fn readable(slots: usize, area: Rect) -> bool {
    let columns = columns_of(slots, area);
    let rows = u16::try_from(slots).unwrap_or(u16::MAX).max(1).div_ceil(columns);
    area.width / columns >= LEAST_CELL.0 && area.height / rows >= LEAST_CELL.1
}

fn cell_height(slots: usize, area: Rect) -> u16 {
    let columns = columns_of(slots, area);
    (area.height.saturating_sub(big::HEIGHT + 3)) / u16::try_from(slots).unwrap_or(u16::MAX).max(1).div_ceil(columns)
}

fn grid(buffer: &mut Buffer, area: Rect, board: &Board, language: &Language) {
    if board.slots.is_empty() {
        return text(buffer, area, area.height / 2, language.phrase("no-slots"), Style::new().add_modifier(Modifier::BOLD));
    }
    let columns = columns_of(board.slots.len(), area);
    let rows = u16::try_from(board.slots.len()).unwrap_or(u16::MAX).div_ceil(columns);
    let (width, height) = (area.width / columns, area.height / rows.max(1));
    if width < LEAST_CELL.0 || height == 0 {
        return worst_first(buffer, area, board, language);
    }
    let several = board.models.len() > 1;
    for (index, slot) in (0_u16..).zip(&board.slots) {
        let cell = Rect { x: area.x + index % columns * width, y: area.y + index / columns * height, width, height };
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

/// Colours say again what the word says. Black on a light ground or white on red: readable for every eye, and never bold black, which a
/// kernel console shows grey.
fn style(call: OperatorAction) -> Style {
    match call {
        OperatorAction::PutIn => Style::new().fg(Color::Gray),
        OperatorAction::Nothing => Style::new().fg(Color::Magenta),
        OperatorAction::Wait => Style::new().fg(Color::Cyan),
        OperatorAction::TakeGood => Style::new().fg(Color::Black).bg(Color::Green),
        OperatorAction::TakeAside => Style::new().fg(Color::Black).bg(Color::Yellow),
        OperatorAction::TakeBad | OperatorAction::StationFault => Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// The same as a shape: what the hand does.
fn mark(call: OperatorAction) -> char {
    match call {
        OperatorAction::PutIn => '↓',
        OperatorAction::Wait => '·',
        OperatorAction::TakeGood => '↑',
        OperatorAction::TakeAside => '?',
        OperatorAction::TakeBad | OperatorAction::StationFault => '!',
        OperatorAction::Nothing => '-',
    }
}

/// And as a frame, which is told apart from afar: full for good, hatched for bad, dotted for neither, a thin line for all others.
fn frame(call: OperatorAction) -> char {
    match call {
        OperatorAction::TakeGood => '█',
        OperatorAction::TakeBad | OperatorAction::StationFault => '▓',
        OperatorAction::TakeAside => '▒',
        OperatorAction::Nothing => '░',
        OperatorAction::PutIn | OperatorAction::Wait => ' ',
    }
}

fn draw_cell(buffer: &mut Buffer, cell: Rect, slot: &BoardSlot, language: &Language, (several, bins): (bool, &Bins)) {
    let style = style(slot.call);
    // One column to the right and, where there are many, one row below part the cells.
    let outer = Rect { width: cell.width - 1, height: if cell.height > 4 { cell.height - 1 } else { cell.height }, ..cell };
    let framed = outer.height >= 5;
    if framed {
        outline(buffer, outer, slot.call);
    }
    let inner = if framed {
        Rect { x: outer.x + 2, y: outer.y + 1, width: outer.width.saturating_sub(4), height: outer.height - 2 }
    } else {
        outer
    };
    let word = language.word(slot);
    let identify = if slot.identify { " <<<" } else { "" };
    let name = format!("{} {}{identify}", mark(slot.call), slot.name);
    let mut y = 0;
    let (news, mut todo) = news(slot, language, inner.width);
    if let Some(height) = large_word(buffer, inner, slot, &name, word, news.len() + todo.len()) {
        y += height;
    } else if inner.height >= 4 || columns(&name) + columns(word) + 3 > usize::from(inner.width) {
        if columns(&name) + columns(word) + 3 <= usize::from(inner.width) {
            text(buffer, inner, 0, &name, bright());
            let at = inner.width - u16::try_from(columns(word)).unwrap_or(0) - 2;
            chip(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, 0, word, style);
            y += 1;
        } else {
            text(buffer, inner, 0, &name, bright());
            y += 1;
            // PASS (MAPPED ONLY) is never cut to something better.
            for part in wrap(word, inner.width) {
                chip(buffer, inner, y, &part, style);
                y += 1;
            }
        }
    } else {
        text(buffer, inner, 0, &name, bright());
        let at = u16::try_from(columns(&name) + 1).unwrap_or(0);
        chip(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, 0, word, style);
        y += 1;
    }
    let dim = Style::new().fg(Color::Gray);
    let mut extra = Vec::new();
    if several {
        extra.push((slot.model.clone(), dim));
    }
    extra.extend(slot.card.iter().map(|card| (card.clone(), dim)));
    let room = usize::from(inner.height.saturating_sub(y));
    let behind = place_bin(&mut todo, slot, (bins, language), inner.width, room.saturating_sub(news.len()));
    let todo_lines = todo.len().min(room);
    let news = cut(news, room - todo_lines, inner.width);
    extra.truncate(room - todo_lines - news.len());
    let last_todo = news.len() + todo.len();
    for (index, (line, style)) in news.into_iter().chain(todo).chain(extra).take(room).enumerate() {
        text(buffer, inner, y, &line, style);
        if let Some((bin, style)) = behind.as_ref().filter(|_| index + 1 == last_todo) {
            let at = u16::try_from(columns(&line) + 1).unwrap_or(u16::MAX).min(inner.width);
            text(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, y, bin, *style);
        }
        y += 1;
    }
}

/// A line and how it looks.
type Line = (String, Style);

/// How far the card is, or why it is no good; and what to do.
fn news(slot: &BoardSlot, language: &Language, width: u16) -> (Vec<Line>, Vec<Line>) {
    if let Some(progress) = &slot.progress {
        let rate = progress.rate.map(|rate| format!("{rate}/s")).unwrap_or_default();
        let left = progress.left.map(|left| language.phrase("left").replace("{time}", &clock(left))).unwrap_or_default();
        let pace = format!("{rate}  {left}");
        let pace = if columns(&pace) > usize::from(width) { left } else { pace };
        let bar = progress_bar(progress.done.0, progress.of.0, width);
        return (vec![(bar, Style::new().fg(Color::Cyan)), (pace, Style::new())], Vec::new());
    }
    let lines = |text: &str, style: Style| wrap(text, width).into_iter().map(|line| (line, style)).collect::<Vec<_>>();
    // A cause that several slots share stands once, below all cells.
    let why = slot.why.as_ref().filter(|why| why.code != "reader-lost");
    let why = why.map(|why| lines(&capitalised(&language.reason(why)), bright())).unwrap_or_default();
    let todo = if slot.call == OperatorAction::Wait { Vec::new() } else { lines(&language.todo(slot).to_uppercase(), bright()) };
    (why, todo)
}

/// Puts the bin of a card below what to do, where there is room for it beside the reason, and answers it where it goes behind the last of
/// these lines. A bin that the factory has named takes the place of words that say no more, if there is no other.
fn place_bin(todo: &mut Vec<Line>, slot: &BoardSlot, (bins, language): (&Bins, &Language), width: u16, room: usize) -> Option<Line> {
    let bin = bin_line(slot, bins, language)?;
    if todo.last().is_some_and(|(last, _)| columns(last) + 1 + columns(&bin.0) <= usize::from(width)) {
        return Some(bin);
    }
    if todo.len() < room {
        todo.push(bin);
    } else if says_the_same(&slot.todo) && named_bin(slot, bins).is_some() {
        *todo = vec![bin];
    }
    None
}

/// The first of these lines, and a sign that there were more.
fn cut(mut lines: Vec<Line>, room: usize, width: u16) -> Vec<Line> {
    if lines.len() > room {
        lines.truncate(room);
        if let Some((last, _)) = lines.last_mut() {
            *last = console::truncate_str(&format!("{last}……"), usize::from(width), "…").replace("……", "…");
        }
    }
    lines
}

/// The word in large letters, and the name too where both have room beside each other and above as many lines; of a busy slot whose word
/// is too long, how far it is. Answers how many rows they took.
fn large_word(buffer: &mut Buffer, area: Rect, slot: &BoardSlot, name: &str, word: &str, lines: usize) -> Option<u16> {
    let lines = u16::try_from(lines).unwrap_or(u16::MAX);
    let width = |text: &str| big::width(text).filter(|width| (1..=area.width).contains(width));
    let percent = slot.progress.map(|progress| format!("{} %", percent(progress.done.0, progress.of.0)));
    let candidates = || [Some(word), percent.as_deref()].into_iter().flatten();
    let small_word = u16::try_from(columns(word)).unwrap_or(u16::MAX).saturating_add(2);
    let room = area.height.checked_sub(lines.saturating_add(big::HEIGHT))?;
    let beside = width(&slot.name).and_then(|name| {
        let fits =
            |large: &str| Some(name + 3 + width(large)? + if large == word { 0 } else { small_word }).filter(|all| *all <= area.width);
        candidates().find(|large| fits(large).is_some()).map(|large| (name, large))
    });
    let (top, large) = match beside {
        Some((name_width, large)) => {
            big::draw(buffer, (area.x, area.y), &slot.name, bright());
            if large != word {
                chip(buffer, Rect { x: area.x + name_width + 1, width: small_word, ..area }, 0, word, style(slot.call));
            }
            (0, large)
        }
        None if room == 0 => return None,
        None => {
            let large = candidates().find(|large| width(large).is_some())?;
            text(buffer, area, 0, name, bright());
            if large != word {
                let at = area.width.saturating_sub(small_word);
                chip(buffer, Rect { x: area.x + at, width: area.width - at, ..area }, 0, word, style(slot.call));
            }
            (1, large)
        }
    };
    let at = if top == 1 && large == word { area.x } else { area.right() - width(large)? };
    big::draw(buffer, (at, area.y + top), large, foreground(slot.call));
    Some(big::HEIGHT + top + u16::from(room > top))
}

/// White, as bright everywhere: the Linux console draws it grey where it is not bold as well.
fn bright() -> Style {
    Style::new().fg(Color::White).add_modifier(Modifier::BOLD)
}

/// Of a word in large letters, which are made of full cells.
fn foreground(call: OperatorAction) -> Style {
    let style = style(call);
    Style::new().fg(style.bg.or(style.fg).unwrap_or(Color::White))
}

fn outline(buffer: &mut Buffer, area: Rect, call: OperatorAction) {
    let sign = frame(call);
    let style = foreground(call);
    let thin = sign == ' ';
    let (right, bottom) = (area.right() - 1, area.bottom() - 1);
    for x in area.left()..=right {
        for y in [area.top(), bottom] {
            set(buffer, (x, y), if thin { '─' } else { sign }, style);
        }
    }
    for y in area.top()..=bottom {
        for x in [area.left(), right] {
            set(buffer, (x, y), if thin { '│' } else { sign }, style);
        }
    }
    if thin {
        for (at, corner) in
            [((area.left(), area.top()), '┌'), ((right, area.top()), '┐'), ((area.left(), bottom), '└'), ((right, bottom), '┘')]
        {
            set(buffer, at, corner, style);
        }
    }
}

fn set(buffer: &mut Buffer, at: (u16, u16), sign: char, style: Style) {
    if let Some(cell) = buffer.cell_mut(at) {
        cell.set_char(sign).set_style(style);
    }
}

fn progress_bar(done: u64, of: u64, width: u16) -> String {
    let percent = percent(done, of);
    let room = usize::from(width).saturating_sub(6);
    let full = usize::from(percent) * room / 100;
    format!("{}{} {percent:>3} %", "█".repeat(full), "░".repeat(room - full))
}

fn percent(done: u64, of: u64) -> u8 {
    (u128::from(done.min(of)) * 100).checked_div(u128::from(of)).and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0)
}

/// How many columns a text takes on a terminal.
fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A line of text, cut at the area's edge. What comes from cards and images does no more than be read: control characters are none of
/// a cell's.
fn text(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    if row < area.height && area.width > 0 {
        buffer.set_stringn(area.x, area.y + row, line, usize::from(area.width), style);
    }
}

fn centred(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    let indent = u16::try_from(usize::from(area.width).saturating_sub(columns(line)) / 2).unwrap_or(0);
    text(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, row, line, style);
}

/// A line whose ground goes from edge to edge.
fn bar(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    if row < area.height {
        buffer.set_style(Rect { y: area.y + row, height: 1, ..area }, style);
        text(buffer, area, row, line, style);
    }
}

/// A word on its own ground.
fn chip(buffer: &mut Buffer, area: Rect, row: u16, word: &str, style: Style) {
    let padded = columns(word) + 2 <= usize::from(area.width);
    text(buffer, area, row, &if padded { format!(" {word} ") } else { word.to_owned() }, style.add_modifier(Modifier::BOLD));
}

fn capitalised(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// Lines of at most `width` columns, broken between words; in languages without gaps, anywhere.
fn wrap(text: &str, width: u16) -> Vec<String> {
    let width = usize::from(width).max(1);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let gap = usize::from(!line.is_empty());
        if columns(&line) + gap + columns(word) > width && !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        for sign in word.chars() {
            if columns(&line) + columns(sign.encode_utf8(&mut [0; 4])) > width && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(sign);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}
