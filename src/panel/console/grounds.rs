//! Keeps the bin of a card apart from everything of its colour: the word of a card and the bin it goes to have one colour, and so have a
//! frame, letters made of full cells, and a fault at the foot of the screen.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::style::Color;

use super::bins::ARROW;
use super::text::columns;

/// Cells of one row beside each other that have one ground.
struct Ground {
    row: u16,
    columns: Range<u16>,
    colour: Color,
    is_bin: bool,
}

/// Takes the ground from words that a bin of their colour would run into, and then from bins that would run into anything else. What it
/// is taken from stands in its colour.
pub(super) fn keep_apart(buffer: &mut Buffer) {
    let (bins, words): (Vec<Ground>, Vec<Ground>) = all(buffer).into_iter().partition(|ground| ground.is_bin);
    let fits_screen = |word: &&Ground| word.columns.len() < usize::from(buffer.area.width);
    let words: Vec<&Ground> = words.iter().filter(fits_screen).filter(|word| bins.iter().any(|bin| bin.runs_into(word))).collect();
    words.into_iter().for_each(|word| word.take(buffer));
    for bin in bins {
        if bin.is_surrounded(buffer) {
            bin.take(buffer);
        }
    }
}

/// Every one there is.
fn all(buffer: &Buffer) -> Vec<Ground> {
    let mut grounds: Vec<Ground> = Vec::new();
    for row in buffer.area.top()..buffer.area.bottom() {
        let mut column = buffer.area.left();
        while let Some(cell) = buffer.cell((column, row)) {
            // Of a sign that takes two cells, the second has no ground in a buffer.
            let end = column.saturating_add(u16::try_from(columns(cell.symbol()).max(1)).unwrap_or(1));
            let is_arrow = cell.symbol() == ARROW;
            match grounds.last_mut().filter(|last| last.row == row && last.columns.end == column && last.colour == cell.bg) {
                Some(last) => {
                    last.columns.end = end;
                    last.is_bin |= is_arrow;
                }
                None if cell.bg == Color::Reset => {}
                None => grounds.push(Ground { row, columns: column..end, colour: cell.bg, is_bin: is_arrow }),
            }
            column = end;
        }
    }
    grounds
}

impl Ground {
    fn runs_into(&self, other: &Self) -> bool {
        let overlap = self.columns.start < other.columns.end && other.columns.start < self.columns.end;
        self.colour == other.colour && self.row.abs_diff(other.row) == 1 && overlap
    }

    /// Is something of its colour above or below it?
    fn is_surrounded(&self, buffer: &Buffer) -> bool {
        let rows = [self.row.checked_sub(1), self.row.checked_add(1)];
        let mut around = rows.into_iter().flatten().flat_map(|row| self.columns.clone().map(move |column| (column, row)));
        around.any(|place| {
            let is_full = |symbol: &str| ["█", "▒", "░"].contains(&symbol);
            buffer.cell(place).is_some_and(|cell| cell.bg == self.colour || (is_full(cell.symbol()) && cell.fg == self.colour))
        })
    }

    fn take(&self, buffer: &mut Buffer) {
        for column in self.columns.clone() {
            if let Some(cell) = buffer.cell_mut((column, self.row)) {
                cell.set_fg(self.colour).set_bg(Color::Reset);
            }
        }
    }
}
