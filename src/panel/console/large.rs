//! A cell in large letters, for those who stand far away.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::below::{Below, percent};
use super::big;
use super::board::BoardSlot;
use super::colours::{bright, foreground, style};
use super::language::Language;
use super::text::{chip, chip_at_right, chip_width, text};
use crate::station::bins::Bins;

/// A cell with its word in large letters, and the name too where both have room beside each other; of a busy slot whose word is too long,
/// how far it is.
pub(super) struct Large {
    /// The word, or how far it is.
    letters: String,
    /// They are the word.
    is_word: bool,
    /// The name stands beside it in large letters, else above it in small ones.
    is_name_beside: bool,
    /// Empty rows above all of it.
    pad: u16,
    /// Rows down to the first line below the letters.
    pub(super) rows: u16,
    /// What stands there.
    pub(super) below: Below,
    /// A bin in the first of these lines stands at the right edge: there is no row between, and the letters are at the left.
    pub(super) is_bin_at_right: bool,
}

impl Large {
    pub(super) fn of(area: Rect, slot: &BoardSlot, (language, bins): (&Language, &Bins), is_framed: bool) -> Option<Self> {
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
        // A row between letters beside each other and what stands below them is worth two lines in one.
        let wanted = u16::from(is_name_beside);
        let separate = || Some(Below::of(slot, (language, bins), area.width, is_word));
        let below = separate().filter(|below| room(below) >= Some(wanted));
        let below = below.or_else(|| Below::in_one_line(slot, (language, bins), area.width, is_word)).filter(|below| room(below).is_some());
        let below = below.or_else(separate)?;
        let bin_row = u16::try_from(below.wanted_rows() - below.rows()).unwrap_or(0);
        let free = room(&below)?.saturating_sub(bin_row);
        let is_at_left = !is_name_beside && is_word;
        let width = big::width(letters).unwrap_or(0);
        let from = if is_at_left { 0 } else { area.width.saturating_sub(width) };
        let above = (from..from.saturating_add(width), foreground(slot.call).fg);
        let runs_into = below.bin_runs_into(area.width, is_at_left, above);
        // A row that parts the letters from a bin of their colour is worth more than one that parts them from the frame, and that one more
        // than any other row between.
        let (pad, gap) = match free {
            // The frame has no edge here, so its row is free.
            0 if runs_into && is_framed => (0, 1),
            0 => (0, 0),
            1 => (0, 1),
            2 if runs_into => (1, 1),
            2 => (1, 0),
            _ => (1, 1),
        };
        let (rows, is_bin_at_right) = (pad + tall + gap, is_at_left && gap == 0);
        Some(Self { letters: letters.to_owned(), is_word, is_name_beside, pad, rows, below, is_bin_at_right })
    }

    /// How many rows it takes from the lower edge of the frame around an area of this height.
    pub(super) fn rows_of_frame(&self, height: u16) -> u16 {
        let below = u16::try_from(self.below.rows()).unwrap_or(0);
        self.rows.saturating_add(below).saturating_sub(height)
    }

    pub(super) fn draw(&self, buffer: &mut Buffer, area: Rect, slot: &BoardSlot, name: &str, word: &str) {
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
