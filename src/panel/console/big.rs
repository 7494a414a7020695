//! Letters five rows high, made of one character that every console font has.

use ratatui::buffer::Buffer;
use ratatui::style::Style;

/// Rows of a letter.
pub(super) const HEIGHT: u16 = 5;
/// Columns of a letter, the gap behind it included.
const ADVANCE: u16 = 6;

/// How many columns a word takes; nothing where one of its signs has no large form.
pub(super) fn width(word: &str) -> Option<u16> {
    let letters = word.chars().map(shape).collect::<Option<Vec<_>>>()?;
    u16::try_from(letters.len()).ok()?.checked_mul(ADVANCE).map(|width| width.saturating_sub(1))
}

/// Draws a word from its upper left cell on. What lies outside of the buffer is left out.
pub(super) fn draw(buffer: &mut Buffer, at: (u16, u16), word: &str, style: Style) {
    let mut column = at.0;
    for letter in word.chars() {
        if let Some(rows) = shape(letter) {
            for (row, bits) in (0_u16..).zip(rows) {
                for bit in 0..5_u16 {
                    if bits & (0b1_0000 >> bit) != 0
                        && let Some(cell) = buffer.cell_mut((column + bit, at.1 + row))
                    {
                        cell.set_char('█').set_style(style);
                    }
                }
            }
        }
        column = column.saturating_add(ADVANCE);
    }
}

/// Five rows of five, the leftmost in the highest bit.
fn shape(letter: char) -> Option<[u8; 5]> {
    Some(match letter.to_uppercase().next().unwrap_or(letter) {
        ' ' => [0; 5],
        '%' => [0b11001, 0b11010, 0b00100, 0b01011, 0b10011],
        'A' => [0b01110, 0b10001, 0b11111, 0b10001, 0b10001],
        'B' => [0b11110, 0b10001, 0b11110, 0b10001, 0b11110],
        'C' => [0b01111, 0b10000, 0b10000, 0b10000, 0b01111],
        'D' => [0b11110, 0b10001, 0b10001, 0b10001, 0b11110],
        'E' => [0b11111, 0b10000, 0b11110, 0b10000, 0b11111],
        'F' => [0b11111, 0b10000, 0b11110, 0b10000, 0b10000],
        'G' => [0b01111, 0b10000, 0b10011, 0b10001, 0b01111],
        'H' => [0b10001, 0b10001, 0b11111, 0b10001, 0b10001],
        'I' => [0b01110, 0b00100, 0b00100, 0b00100, 0b01110],
        'J' => [0b00111, 0b00001, 0b00001, 0b10001, 0b01110],
        'K' => [0b10010, 0b10100, 0b11000, 0b10100, 0b10010],
        'L' => [0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
        'M' => [0b10001, 0b11011, 0b10101, 0b10001, 0b10001],
        'N' => [0b10001, 0b11001, 0b10101, 0b10011, 0b10001],
        'O' | '0' => [0b01110, 0b10001, 0b10001, 0b10001, 0b01110],
        'P' => [0b11110, 0b10001, 0b11110, 0b10000, 0b10000],
        'Q' => [0b01110, 0b10001, 0b10101, 0b10010, 0b01101],
        'R' => [0b11110, 0b10001, 0b11110, 0b10010, 0b10001],
        'S' => [0b01111, 0b10000, 0b01110, 0b00001, 0b11110],
        'T' => [0b11111, 0b00100, 0b00100, 0b00100, 0b00100],
        'U' => [0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
        'V' => [0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
        'W' => [0b10001, 0b10001, 0b10101, 0b11011, 0b10001],
        'X' => [0b10001, 0b01010, 0b00100, 0b01010, 0b10001],
        'Y' => [0b10001, 0b01010, 0b00100, 0b00100, 0b00100],
        'Z' => [0b11111, 0b00010, 0b00100, 0b01000, 0b11111],
        'Ä' => [0b01010, 0b01110, 0b10001, 0b11111, 0b10001],
        'Ö' => [0b01010, 0b00000, 0b01110, 0b10001, 0b01110],
        'Ü' => [0b01010, 0b00000, 0b10001, 0b10001, 0b01110],
        'Á' => [0b00110, 0b01110, 0b10001, 0b11111, 0b10001],
        'Í' => [0b00110, 0b00000, 0b01110, 0b00100, 0b01110],
        'Ó' => [0b00110, 0b00000, 0b01110, 0b10001, 0b01110],
        'Ę' => [0b11111, 0b11110, 0b10000, 0b11110, 0b00011],
        'Ł' => [0b01000, 0b01010, 0b01100, 0b11000, 0b01111],
        'Ń' => [0b00110, 0b10001, 0b11001, 0b10101, 0b10011],
        'Ż' => [0b00100, 0b11111, 0b00010, 0b01100, 0b11111],
        '1' => [0b00100, 0b01100, 0b00100, 0b00100, 0b01110],
        '2' => [0b11110, 0b00001, 0b01110, 0b10000, 0b11111],
        '3' => [0b11110, 0b00001, 0b00110, 0b00001, 0b11110],
        '4' => [0b10010, 0b10010, 0b11111, 0b00010, 0b00010],
        '5' => [0b11111, 0b10000, 0b11110, 0b00001, 0b11110],
        '6' => [0b01110, 0b10000, 0b11110, 0b10001, 0b01110],
        '7' => [0b11111, 0b00001, 0b00010, 0b00100, 0b00100],
        '8' => [0b01110, 0b10001, 0b01110, 0b10001, 0b01110],
        '9' => [0b01110, 0b10001, 0b01111, 0b00001, 0b01110],
        '-' => [0, 0, 0b01110, 0, 0],
        '(' => [0b00010, 0b00100, 0b00100, 0b00100, 0b00010],
        ')' => [0b01000, 0b00100, 0b00100, 0b00100, 0b01000],
        '/' => [0b00001, 0b00010, 0b00100, 0b01000, 0b10000],
        '.' => [0, 0, 0, 0, 0b00100],
        '!' => [0b00100, 0b00100, 0b00100, 0, 0b00100],
        _ => return None,
    })
}
