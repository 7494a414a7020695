//! Text in the cells of a terminal: lines that are cut or broken where there is no room, and words on a ground.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

/// How many columns a text takes on a terminal.
pub(super) fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A line of text; one that is longer than the area is wide ends with a sign that there is more. What comes from cards and images does no
/// more than be read: control characters are none of a cell's.
pub(super) fn text(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    if row < area.height && area.width > 0 {
        let width = usize::from(area.width);
        buffer.set_stringn(area.x, area.y + row, console::truncate_str(line, width, "…"), width, style);
    }
}

/// A line of text that ends at the area's right edge.
pub(super) fn right(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    let indent = u16::try_from(usize::from(area.width).saturating_sub(columns(line))).unwrap_or(0);
    text(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, row, line, style);
}

pub(super) fn centred(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    let indent = u16::try_from(usize::from(area.width).saturating_sub(columns(line)) / 2).unwrap_or(0);
    text(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, row, line, style);
}

/// A line whose ground goes from edge to edge.
pub(super) fn bar(buffer: &mut Buffer, area: Rect, row: u16, line: &str, style: Style) {
    if row < area.height {
        buffer.set_style(Rect { y: area.y + row, height: 1, ..area }, style);
        text(buffer, area, row, line, style);
    }
}

/// A word on its own ground, where it has one and there is room around it.
pub(super) fn chip(buffer: &mut Buffer, area: Rect, row: u16, word: &str, style: Style) {
    let padded = style.bg.is_some() && columns(word) + 2 <= usize::from(area.width);
    text(buffer, area, row, &if padded { format!(" {word} ") } else { word.to_owned() }, style.add_modifier(Modifier::BOLD));
}

/// The same at the right edge of the area's first row.
pub(super) fn chip_at_right(buffer: &mut Buffer, area: Rect, word: &str, style: Style) {
    let indent = area.width.saturating_sub(chip_width(word, style));
    chip(buffer, Rect { x: area.x + indent, width: area.width - indent, ..area }, 0, word, style);
}

pub(super) fn chip_width(word: &str, style: Style) -> u16 {
    u16::try_from(columns(word)).unwrap_or(u16::MAX).saturating_add(if style.bg.is_some() { 2 } else { 0 })
}

pub(super) fn capitalised(text: &str) -> String {
    let mut signs = text.chars();
    signs.next().map(|first| first.to_uppercase().chain(signs).collect()).unwrap_or_default()
}

/// Lines of at most `width` columns, broken between words; in languages without gaps, anywhere.
pub(super) fn wrap(text: &str, width: u16) -> Vec<String> {
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
