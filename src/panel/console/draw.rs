//! Draws the panel: a header with what is being made, a cell for each slot, a footer with the state of the station.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

use super::big;
use super::bins::{bin_line, box_line, named_bin, says_the_same};
use super::board::{Board, BoardModel, BoardProgress, BoardSlot, Health};
use super::frame;
use super::grid::Grid;
use super::language::Language;
use crate::panel::lines::clock;
use crate::station::bins::Bins;
use crate::station::reason::Fact;
use crate::station::sign::OperatorAction;
use crate::station::standing::LogNote;

/// Below this nothing can be said.
const LEAST_SCREEN: (u16, u16) = (20, 4);
/// Rows of a header in large letters: an empty one, the letters, an empty one, a line, an empty one.
const LARGE_HEADER: u16 = big::HEIGHT + 4;
/// The lowest cells above which a header stands in large letters.
const BELOW_LARGE_HEADER: u16 = 9;
/// What a card's pace takes at the most, so that the bar beside it does not grow and shrink with its figures.
const PACE: usize = 26;
/// What is left at least of a reason that is cut so that the frame is off the letters.
const LEAST_REASON: usize = 30;
/// The shortest bar beside a pace that still shows how far a card is.
const LEAST_BAR: usize = 20;

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

pub(super) fn draw_cell(buffer: &mut Buffer, cell: Rect, slot: &BoardSlot, language: &Language, (several, bins): (bool, &Bins)) {
    let style = style(slot.call);
    let framed = cell.height >= frame::LEAST_HEIGHT;
    if framed {
        frame::draw(buffer, cell, slot.call, foreground(slot.call));
    }
    let inner =
        if framed { Rect { x: cell.x + 2, y: cell.y + 1, width: cell.width.saturating_sub(4), height: cell.height - 2 } } else { cell };
    let word = language.word(slot);
    let identify = if slot.identify { " <<<" } else { "" };
    let name = format!("{} {}{identify}", mark(slot.call), slot.name);
    let (mut below, mut y) = match Large::of(inner, slot, (language, bins)) {
        Some(large) => {
            large.draw(buffer, inner, slot, &name, word);
            (large.below, large.rows)
        }
        None => {
            let below = Below::of(slot, (language, bins), inner.width, true);
            let beside = columns(&name) + columns(word) + 3 <= usize::from(inner.width);
            // PASS (MAPPED ONLY) is never cut to something better.
            let under = if beside { Vec::new() } else { wrap(word, inner.width) };
            let rows = 1 + under.len();
            // The frame is off the letters where a row is free.
            let pad = u16::from(framed && rows + below.wanted_rows() < usize::from(inner.height));
            let inner = Rect { y: inner.y + pad, height: inner.height - pad, ..inner };
            text(buffer, inner, 0, &name, bright());
            if beside && inner.height >= 4 {
                chip_at_right(buffer, inner, word, style);
            } else if beside {
                let at = u16::try_from(columns(&name) + 1).unwrap_or(0);
                chip(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, 0, word, style);
            }
            for (row, part) in (1..).zip(&under) {
                chip(buffer, inner, row, part, style);
            }
            (below, pad + u16::try_from(rows).unwrap_or(u16::MAX))
        }
    };
    let dim = Style::new().fg(Color::Gray);
    let mut extra = Vec::new();
    if several {
        extra.push((slot.model.clone(), dim));
    }
    extra.extend(slot.card.iter().map(|card| (card.clone(), dim)));
    let room = usize::from(inner.height.saturating_sub(y));
    if !below.is_bin_behind
        && let Some(bin) = below.bin.take()
    {
        if below.news.len() + below.todo.len() < room {
            below.todo.push(bin);
        } else if says_the_same(&slot.todo) && named_bin(slot, bins).is_some() {
            match &mut below.right {
                Some(right) if columns(&bin.0) <= columns(&right.0) + 2 => *right = bin,
                Some(_) => {}
                None => below.todo = vec![bin],
            }
        }
    }
    let todo_lines = below.todo.len().min(room);
    let mut news = below.news;
    if slot.progress.is_some() {
        news.truncate(room - todo_lines);
    }
    let news = cut(news, room - todo_lines, inner.width);
    extra.truncate(room - todo_lines - news.len());
    let mut bin = below.bin;
    if let Some((line, style)) = &below.right {
        let behind = bin.take();
        let taken = behind.as_ref().map_or(0, |(bin, _)| u16::try_from(columns(bin) + 1).unwrap_or(0));
        right(buffer, Rect { width: inner.width.saturating_sub(taken), ..inner }, y, line, *style);
        if let Some((bin, style)) = behind {
            right(buffer, inner, y, &bin, style);
        }
    }
    let last_todo = news.len() + below.todo.len();
    for (index, (line, style)) in news.into_iter().chain(below.todo).chain(extra).take(room).enumerate() {
        text(buffer, inner, y, &line, style);
        if let Some((bin, style)) = bin.as_ref().filter(|_| index + 1 == last_todo) {
            let at = u16::try_from(columns(&line) + 1).unwrap_or(u16::MAX).min(inner.width);
            text(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, y, bin, *style);
        }
        y += 1;
    }
}

/// A line and how it looks.
type Line = (String, Style);

/// What stands below the word.
struct Below {
    /// How far the card is, or why it is no good.
    news: Vec<Line>,
    /// What to do.
    todo: Vec<Line>,
    /// What stands at the right edge of the first of these lines.
    right: Option<Line>,
    /// The bin that the card goes to.
    bin: Option<Line>,
    /// The bin stands behind what to do; else it wants a row below.
    is_bin_behind: bool,
}

impl Below {
    fn of(slot: &BoardSlot, (language, bins): (&Language, &Bins), width: u16, with_percent: bool) -> Self {
        if let Some(progress) = &slot.progress {
            let (rate, left) = pace(progress, language);
            let pace = format!("{rate}  {left}");
            let pace = if columns(&pace) > usize::from(width) { left } else { pace };
            let bar = progress_bar(progress.done.0, progress.of.0, width, with_percent);
            return Self {
                news: vec![(bar, busy()), (pace, Style::new())],
                todo: Vec::new(),
                right: None,
                bin: None,
                is_bin_behind: false,
            };
        }
        let lines = |text: &str| wrap(text, width).into_iter().map(|line| (line, bright())).collect::<Vec<_>>();
        // A cause that several slots share stands once, below all cells.
        let why = slot.why.as_ref().filter(|why| why.code != "reader-lost");
        let news = why.map(|why| lines(&capitalised(&language.reason(why)))).unwrap_or_default();
        let todo = if slot.call == OperatorAction::Wait { Vec::new() } else { lines(&language.todo(slot).to_uppercase()) };
        let bin = bin_line(slot, bins, language);
        let is_behind = |(bin, _): &Line| todo.last().is_some_and(|(last, _)| columns(last) + 1 + columns(bin) <= usize::from(width));
        let is_bin_behind = bin.as_ref().is_some_and(is_behind);
        Self { news, todo, right: None, bin, is_bin_behind }
    }

    /// The same in one line, where it has room in one.
    fn in_one_line(slot: &BoardSlot, (language, bins): (&Language, &Bins), width: u16, with_percent: bool) -> Option<Self> {
        let room = usize::from(width);
        if let Some(progress) = &slot.progress {
            let (rate, left) = pace(progress, language);
            let pace = format!("{rate}  {left}");
            let bar = room.checked_sub(columns(&pace).max(PACE) + 2).filter(|bar| *bar >= LEAST_BAR)?;
            let bar = progress_bar(progress.done.0, progress.of.0, u16::try_from(bar).ok()?, with_percent);
            return Some(Self {
                news: vec![(bar, busy())],
                todo: Vec::new(),
                right: Some((pace, Style::new())),
                bin: None,
                is_bin_behind: false,
            });
        }
        let mut below = Self::of(slot, (language, bins), width, with_percent);
        let ([(why, _)], [(todo, _)]) = (below.news.as_mut_slice(), below.todo.as_slice()) else { return None };
        // The end of a long reason is told by `flashline status`.
        let behind = below.bin.as_ref().map_or(0, |(bin, _)| columns(bin) + 1);
        let least = LEAST_REASON.min(columns(why));
        let left = room.checked_sub(columns(todo) + 3).filter(|left| *left >= least)?;
        let beside = left.checked_sub(behind).filter(|left| *left >= least);
        below.is_bin_behind = beside.is_some();
        let left = beside.unwrap_or(left);
        *why = console::truncate_str(why, left, "…").into_owned();
        below.right = below.todo.pop();
        Some(below)
    }

    fn rows(&self) -> usize {
        self.news.len() + self.todo.len()
    }

    /// With a row for the bin where that needs one.
    fn wanted_rows(&self) -> usize {
        self.rows() + usize::from(self.bin.is_some() && !self.is_bin_behind)
    }
}

/// How fast it is, and the time left, as far as they are known.
fn pace(progress: &BoardProgress, language: &Language) -> (String, String) {
    let rate = progress.rate.map(|rate| format!("{rate}/s")).unwrap_or_default();
    let left = progress.left.map(|left| language.phrase("left").replace("{time}", &clock(left))).unwrap_or_default();
    (rate, left)
}

/// Of a bar that grows.
fn busy() -> Style {
    Style::new().fg(Color::Cyan)
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

/// A cell with its word in large letters, and the name too where both have room beside each other; of a busy slot whose word is too long,
/// how far it is.
struct Large {
    /// The word, or how far it is.
    letters: String,
    /// They are the word.
    is_word: bool,
    /// The name stands beside it in large letters, else above it in small ones.
    is_name_beside: bool,
    /// Empty rows above all of it: the frame is off the letters where a row is free.
    pad: u16,
    /// Rows down to the first line below the letters.
    rows: u16,
    /// What stands there.
    below: Below,
}

impl Large {
    fn of(area: Rect, slot: &BoardSlot, (language, bins): (&Language, &Bins)) -> Option<Self> {
        let word = language.word(slot);
        let fits = |text: &str| big::width(text).filter(|width| (1..=area.width).contains(width));
        let percent = slot.progress.map(|progress| format!("{} %", percent(progress.done.0, progress.of.0)));
        let candidates = || [Some(word), percent.as_deref()].into_iter().flatten();
        let beside = fits(&slot.name).and_then(|name| {
            let small_word = |large: &str| if large == word { 0 } else { chip_width(word, style(slot.call)) };
            candidates().find(|large| fits(large).is_some_and(|width| name + 3 + width + small_word(large) <= area.width))
        });
        let letters = beside.or_else(|| candidates().find(|large| fits(large).is_some()))?;
        let (is_word, is_name_beside) = (letters == word, beside.is_some());
        let tall = big::HEIGHT + u16::from(!is_name_beside);
        let room = |below: &Below| area.height.checked_sub(tall)?.checked_sub(u16::try_from(below.rows()).ok()?);
        // Letters beside each other reach up to the frame: a row between is worth two lines in one.
        let wanted = u16::from(is_name_beside);
        let separate = || Some(Below::of(slot, (language, bins), area.width, is_word));
        let below = separate().filter(|below| room(below) >= Some(wanted));
        let below = below.or_else(|| Below::in_one_line(slot, (language, bins), area.width, is_word)).filter(|below| room(below).is_some());
        let below = below.or_else(separate)?;
        let bin_row = u16::try_from(below.wanted_rows() - below.rows()).unwrap_or(0);
        let free = room(&below)?.saturating_sub(bin_row);
        let (pad, gap) = if is_name_beside { (free.min(1), u16::from(free > 1)) } else { (u16::from(free > 1), free.min(1)) };
        Some(Self { letters: letters.to_owned(), is_word, is_name_beside, pad, rows: pad + tall + gap, below })
    }

    fn draw(&self, buffer: &mut Buffer, area: Rect, slot: &BoardSlot, name: &str, word: &str) {
        let width = big::width(&self.letters).unwrap_or(area.width).min(area.width);
        let area = Rect { y: area.y + self.pad, height: area.height.saturating_sub(self.pad), ..area };
        let top = if self.is_name_beside {
            big::draw(buffer, (area.x, area.y), &slot.name, bright());
            0
        } else {
            text(buffer, area, 0, name, bright());
            1
        };
        if !self.is_word && self.is_name_beside {
            let at = big::width(&slot.name).unwrap_or(0) + 2;
            chip(buffer, Rect { x: area.x + at, width: area.width.saturating_sub(at), ..area }, 0, word, style(slot.call));
        } else if !self.is_word {
            chip_at_right(buffer, area, word, style(slot.call));
        }
        let is_at_left = !self.is_name_beside && self.is_word;
        let at = if is_at_left { area.x } else { area.right() - width };
        big::draw(buffer, (at, area.y + top), &self.letters, foreground(slot.call));
    }
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

/// Without its figure where that stands in large letters already.
fn progress_bar(done: u64, of: u64, width: u16, with_percent: bool) -> String {
    let percent = percent(done, of);
    let figure = if with_percent { format!(" {percent:>3} %") } else { String::new() };
    let room = usize::from(width).saturating_sub(columns(&figure));
    let full = usize::from(percent) * room / 100;
    format!("{}{}{figure}", "█".repeat(full), "░".repeat(room - full))
}

fn percent(done: u64, of: u64) -> u8 {
    (u128::from(done.min(of)) * 100).checked_div(u128::from(of)).and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0)
}

/// How many columns a text takes on a terminal.
fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A line of text; one that is longer than the area is wide ends with a sign that there is more. What comes from cards and images does no
/// more than be read: control characters are none of a cell's.
fn text(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    if row < area.height && area.width > 0 {
        let width = usize::from(area.width);
        buffer.set_stringn(area.x, area.y + row, console::truncate_str(line, width, "…"), width, style);
    }
}

/// A line of text that ends at the area's right edge.
fn right(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    let indent = u16::try_from(usize::from(area.width).saturating_sub(columns(line))).unwrap_or(0);
    text(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, row, line, style);
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

/// A word on its own ground, where it has one and there is room around it.
fn chip(buffer: &mut Buffer, area: Rect, row: u16, word: &str, style: Style) {
    let padded = style.bg.is_some() && columns(word) + 2 <= usize::from(area.width);
    text(buffer, area, row, &if padded { format!(" {word} ") } else { word.to_owned() }, style.add_modifier(Modifier::BOLD));
}

/// The same at the right edge of the area's first row.
fn chip_at_right(buffer: &mut Buffer, area: Rect, word: &str, style: Style) {
    let indent = area.width.saturating_sub(chip_width(word, style));
    chip(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, 0, word, style);
}

fn chip_width(word: &str, style: Style) -> u16 {
    u16::try_from(columns(word)).unwrap_or(u16::MAX).saturating_add(if style.bg.is_some() { 2 } else { 0 })
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
