//! Where the cells stand: all of one size and at one distance from each other.

use ratatui::layout::Rect;

use super::big;

/// The smallest cell in which a slot's name and word can be read; the gap behind it is counted.
const LEAST_CELL: (u16, u16) = (14, 3);
/// The smallest cell in which most of them stand in large letters, with two lines below; the gap behind it is counted.
const LARGE_CELL: (u16, u16) = (68, big::HEIGHT + 5);
/// The lowest cell that is parted from the next one by an empty row.
const PARTED: u16 = 4;
/// The lowest cell that is parted from what stands above and below all of them, too.
const ROOMY: u16 = 10;

/// The cells of one screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    columns: u16,
    origin: (u16, u16),
    /// Of one cell.
    size: (u16, u16),
    /// From the first column or row of a cell to that of the next.
    step: (u16, u16),
}

impl Grid {
    /// As many cells side by side as lets them have large letters, else as makes them as large as can be.
    pub(super) fn of(slots: usize, area: Rect) -> Self {
        let tight = Self::within(slots, area);
        let inside = Rect { y: area.y.saturating_add(1), height: area.height.saturating_sub(2), ..area };
        let roomy = Self::within(slots, inside);
        if roomy.size.1 >= ROOMY && roomy.columns == tight.columns { roomy } else { tight }
    }

    fn within(slots: usize, area: Rect) -> Self {
        let slots = u16::try_from(slots).unwrap_or(u16::MAX).max(1);
        let columns = (1..=slots).max_by_key(|columns| {
            let (width, height) = (area.width.saturating_add(1) / columns, area.height.saturating_add(1) / slots.div_ceil(*columns));
            let holds = |cell: (u16, u16)| width >= cell.0 && height >= cell.1;
            // Words are wide: a cell is worth what a line of it holds, and rows beyond a few are worth little.
            (holds(LEAST_CELL), holds(LARGE_CELL), u32::from(width.min(40)) * u32::from(height.min(12)))
        });
        let columns = columns.unwrap_or(1);
        let rows = slots.div_ceil(columns);
        let (width, gap_x, left) = shared_out(area.width, columns, 1);
        let (height, gap_y, top) = match shared_out(area.height, rows, 1) {
            parted if parted.0 >= PARTED => parted,
            _ => shared_out(area.height, rows, 0),
        };
        // Text that begins at the left edge is hard to read, and a frame at the bottom runs into the footer.
        let origin = (area.x + left.div_ceil(2), area.y + top / 2);
        Self { columns, origin, size: (width, height), step: (width + gap_x, height + gap_y) }
    }

    /// Can a slot's name and word be read in every cell?
    pub(super) fn is_readable(&self) -> bool {
        self.size.0 + 1 >= LEAST_CELL.0 && self.size.1 >= LEAST_CELL.1
    }

    /// Is every cell wide enough for a slot's name and word, and at least a line high?
    pub(super) fn is_wide_enough(&self) -> bool {
        self.size.0 + 1 >= LEAST_CELL.0 && self.size.1 > 0
    }

    /// How many rows a cell has.
    pub(super) fn cell_height(&self) -> u16 {
        self.size.1
    }

    /// The cell of this number, from left to right and then down.
    pub(super) fn cell(&self, index: u16) -> Rect {
        let (x, y) = (self.origin.0 + index % self.columns * self.step.0, self.origin.1 + index / self.columns * self.step.1);
        Rect { x, y, width: self.size.0, height: self.size.1 }
    }
}

/// `room` shared out among `parts` with at least `gap` between two: the size of one, the gap, and what is left for both ends.
///
/// What does not divide goes to the ends, and between the parts as far as more than one is left there.
fn shared_out(room: u16, parts: u16, gap: u16) -> (u16, u16, u16) {
    let size = (room.saturating_add(gap) / parts).saturating_sub(gap);
    let rest = room.saturating_sub(size * parts + gap * (parts - 1));
    let wider = rest.saturating_sub(1).checked_div(parts - 1).unwrap_or(0);
    (size, gap + wider, rest - wider * (parts - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_one_screen_have_one_size_and_one_distance_and_lie_on_it() {
        for (width, height) in [(80, 25), (100, 37), (160, 46), (159, 43), (40, 9), (14, 3)] {
            for slots in 1..33_u16 {
                let area = Rect { x: 0, y: 3, width, height };
                let grid = Grid::of(usize::from(slots), area);
                let cells: Vec<Rect> = (0..slots).map(|index| grid.cell(index)).collect();
                for cell in &cells {
                    assert_eq!((cell.width, cell.height), grid.size, "{slots} on {width}x{height}");
                    assert_eq!(area.union(*cell), area, "{slots} on {width}x{height}: {cell:?}");
                    assert!(cells.iter().all(|other| other == cell || !other.intersects(*cell)), "{slots} on {width}x{height}");
                }
                let starts = |of: fn(&Rect) -> u16| {
                    let mut starts: Vec<u16> = cells.iter().map(of).collect();
                    starts.sort_unstable();
                    starts.dedup();
                    starts
                };
                for starts in [starts(|cell| cell.x), starts(|cell| cell.y)] {
                    let distances: Vec<u16> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
                    assert!(distances.windows(2).all(|pair| pair[0] == pair[1]), "{slots} on {width}x{height}: {distances:?}");
                }
            }
        }
    }

    #[test]
    fn what_does_not_divide_goes_to_the_ends_and_then_between() {
        assert_eq!(shared_out(160, 2, 1), (79, 1, 1));
        assert_eq!(shared_out(160, 4, 1), (39, 1, 1));
        assert_eq!(shared_out(46, 4, 1), (10, 1, 3));
        assert_eq!(shared_out(47, 4, 1), (11, 1, 0));
        assert_eq!(shared_out(43, 4, 0), (10, 0, 3));
        assert_eq!(shared_out(49, 4, 4), (9, 4, 1));
        assert_eq!(shared_out(48, 3, 1), (15, 1, 1));
        assert_eq!(shared_out(5, 1, 1), (5, 1, 0));
    }
}
