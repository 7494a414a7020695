//! What stands below the word of a cell: how far its card is, or why it is no good and what to do.

use std::ops::Range;

use ratatui::style::{Color, Style};

use super::bins::bin_line;
use super::board::{BoardProgress, BoardSlot};
use super::colours::bright;
use super::language::Language;
use super::text::{capitalised, columns, wrap};
use crate::panel::lines::clock;
use crate::station::bins::Bins;
use crate::station::sign::OperatorAction;

/// What a card's pace takes at the most, so that the bar beside it does not grow and shrink with its figures.
const PACE: usize = 26;
/// What is left at least of a reason that is cut so that the frame is off the letters.
const LEAST_REASON: usize = 30;
/// The shortest bar beside a pace that still shows how far a card is.
const LEAST_BAR: usize = 20;

/// A line and how it looks.
pub(super) type Line = (String, Style);

/// What stands below the word.
pub(super) struct Below {
    /// How far the card is, or why it is no good.
    pub(super) news: Vec<Line>,
    /// What to do.
    pub(super) todo: Vec<Line>,
    /// What stands at the right edge of the first of these lines.
    pub(super) right: Option<Line>,
    /// The bin that the card goes to.
    pub(super) bin: Option<Line>,
    /// The bin stands behind what to do; else it wants a row below.
    pub(super) is_bin_behind: bool,
}

impl Below {
    pub(super) fn of(slot: &BoardSlot, (language, bins): (&Language, &Bins), width: u16, with_percent: bool) -> Self {
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
    pub(super) fn in_one_line(slot: &BoardSlot, (language, bins): (&Language, &Bins), width: u16, with_percent: bool) -> Option<Self> {
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

    pub(super) fn rows(&self) -> usize {
        self.news.len() + self.todo.len()
    }

    /// Would the bin, in the first of these lines, run into what stands right above it in these columns and this colour?
    pub(super) fn bin_runs_into(&self, width: u16, is_bin_at_right: bool, (above, colour): (Range<u16>, Option<Color>)) -> bool {
        let Some((bin, ground)) = self.bin.as_ref().filter(|_| self.is_bin_behind) else { return false };
        let long = |text: &str| u16::try_from(columns(text)).unwrap_or(u16::MAX);
        let begins = match (&self.right, self.news.as_slice(), self.todo.as_slice()) {
            (Some(_), _, _) => width.saturating_sub(long(bin)),
            (None, [], [_]) if is_bin_at_right => width.saturating_sub(long(bin)),
            (None, [], [(todo, _)]) => long(todo).saturating_add(1),
            _ => return false,
        };
        ground.bg == colour && begins < above.end && above.start < begins.saturating_add(long(bin))
    }

    /// With a row for the bin where that needs one.
    pub(super) fn wanted_rows(&self) -> usize {
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
pub(super) fn cut(mut lines: Vec<Line>, room: usize, width: u16) -> Vec<Line> {
    if lines.len() > room {
        lines.truncate(room);
        if let Some((last, _)) = lines.last_mut() {
            *last = console::truncate_str(&format!("{last}……"), usize::from(width), "…").replace("……", "…");
        }
    }
    lines
}

/// Without its figure where that stands in large letters already.
fn progress_bar(done: u64, of: u64, width: u16, with_percent: bool) -> String {
    let percent = percent(done, of);
    let figure = if with_percent { format!(" {percent:>3} %") } else { String::new() };
    let room = usize::from(width).saturating_sub(columns(&figure));
    let full = usize::from(percent) * room / 100;
    format!("{}{}{figure}", "█".repeat(full), "░".repeat(room - full))
}

pub(super) fn percent(done: u64, of: u64) -> u8 {
    (u128::from(done.min(of)) * 100).checked_div(u128::from(of)).and_then(|percent| u8::try_from(percent).ok()).unwrap_or(0)
}
