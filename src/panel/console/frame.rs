//! The frame of a cell: one cell of the terminal wide on every side whatever it says, so that all frames stand on one grid.
//!
//! It says the colour again as a shape that is told apart from afar: full for good, broken for bad, hatched for neither, finely hatched
//! where nothing is done, and the corners alone for all others. Its signs are those that the fonts of a kernel console have. Where a cell
//! has letters in every row, only its sides are drawn.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::station::sign::OperatorAction;

/// The lowest cell that has a frame.
pub(super) const LEAST_HEIGHT: u16 = 5;
/// Columns of a corner that stands alone; its rows are fewer, because a cell of a terminal is twice as high as it is wide.
const CORNER: u16 = 4;
/// Columns of a piece of a broken frame, and of the gap behind it: as long as one row is high.
const PIECE: u16 = 2;

/// Draws it along the edges of `area`, around what stands there: its sides alone where a letter would touch it above or below. The sides
/// are a column off all letters.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, call: OperatorAction, style: Style) {
    let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    let is_whole = is_clear(buffer, area, call);
    for y in area.top()..area.bottom() {
        for x in area.left()..area.right() {
            let (is_side, is_across) = (x == area.left() || x == right, y == area.top() || y == bottom);
            let is_drawn = is_side || (is_across && is_whole);
            if let (true, Some(sign), Some(cell)) = (is_drawn, sign_at(area, call, (x, y)), buffer.cell_mut((x, y))) {
                cell.set_char(sign).set_style(style);
            }
        }
    }
}

/// Do all letters keep off the signs above and below?
fn is_clear(buffer: &Buffer, area: Rect, call: OperatorAction) -> bool {
    let inside = area.left() + 1..area.right().saturating_sub(1);
    let is_blank = |place| buffer.cell(place).is_none_or(|cell| cell.symbol() == " " && cell.bg == Color::Reset);
    let bottom = area.bottom().saturating_sub(1);
    [(area.top(), area.top() + 1), (bottom, bottom.saturating_sub(1))].into_iter().all(|(edge, row)| {
        let mut signs = inside.clone().filter(|x| sign_at(area, call, (*x, edge)).is_some());
        let beside = |x: u16| (x - 1..=x + 1).filter(|x| inside.contains(x)).flat_map(|x| [(x, edge), (x, row)]);
        signs.all(|x| beside(x).all(is_blank))
    })
}

/// What stands in this place of an edge.
fn sign_at(area: Rect, call: OperatorAction, (x, y): (u16, u16)) -> Option<char> {
    let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    // Counted from the nearest corner, so that all corners look alike.
    let (across, down) = ((x - area.left()).min(right - x), (y - area.top()).min(bottom - y));
    sign(call, across, down)
}

/// What stands this many columns and rows from the nearest corner.
fn sign(call: OperatorAction, across: u16, down: u16) -> Option<char> {
    match call {
        OperatorAction::TakeGood => Some('█'),
        OperatorAction::TakeBad | OperatorAction::StationFault => (across / PIECE + down).is_multiple_of(2).then_some('█'),
        OperatorAction::TakeAside => Some('▒'),
        OperatorAction::Nothing => Some('░'),
        OperatorAction::PutIn | OperatorAction::Wait => (across < CORNER && down < CORNER / PIECE).then_some('█'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every action there is.
    const ACTIONS: [OperatorAction; 7] = [
        OperatorAction::PutIn,
        OperatorAction::Wait,
        OperatorAction::TakeGood,
        OperatorAction::TakeAside,
        OperatorAction::TakeBad,
        OperatorAction::StationFault,
        OperatorAction::Nothing,
    ];

    #[test]
    fn every_frame_is_one_cell_wide_and_begins_at_the_same_corners() {
        for (width, height) in [(39, 10), (79, 9), (79, 19), (14, 5), (40, 5)] {
            let area = Rect::new(3, 2, width, height);
            for call in ACTIONS {
                let mut buffer = Buffer::empty(Rect::new(0, 0, width + 6, height + 4));
                draw(&mut buffer, area, call, Style::new());
                let inner = Rect::new(area.x + 1, area.y + 1, width - 2, height - 2);
                for y in 0..buffer.area.height {
                    for x in 0..buffer.area.width {
                        let (sign, on_edge) = (buffer[(x, y)].symbol(), area.contains((x, y).into()) && !inner.contains((x, y).into()));
                        assert!(on_edge || sign == " ", "{call:?} {width}x{height}: nothing beside the edge, but {sign:?} at {x}, {y}");
                        // Signs that fill a cell from edge to edge, and that the fonts of a kernel console have.
                        assert!([" ", "█", "▒", "░"].contains(&sign), "{call:?}: {sign:?}");
                    }
                }
                for corner in [(area.left(), area.top()), (area.right() - 1, area.top()), (area.left(), area.bottom() - 1)] {
                    assert_ne!(buffer[corner].symbol(), " ", "{call:?} {width}x{height}: the corner at {corner:?}");
                }
            }
        }
    }

    #[test]
    fn good_bad_neither_and_nothing_are_told_apart_without_colours() {
        let shape = |call: OperatorAction| (0..12).flat_map(|across| (0..4).map(move |down| sign(call, across, down))).collect::<Vec<_>>();
        let apart =
            [OperatorAction::TakeGood, OperatorAction::TakeBad, OperatorAction::TakeAside, OperatorAction::Nothing, OperatorAction::Wait];
        for (index, one) in apart.into_iter().enumerate() {
            assert!(apart.into_iter().skip(index + 1).all(|other| shape(one) != shape(other)), "{one:?}");
        }
    }
}
