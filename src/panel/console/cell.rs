//! Draws the cell of one slot: its frame, name and word, what stands below them, and the bin of its card.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use super::below::{Below, cut};
use super::bins::{named_bin, says_the_same};
use super::board::BoardSlot;
use super::colours::{bright, foreground, mark, style};
use super::frame;
use super::language::Language;
use super::large::Large;
use super::text::{chip, chip_width, columns, right, text, wrap};
use crate::station::bins::Bins;

pub(super) fn draw_cell(buffer: &mut Buffer, cell: Rect, slot: &BoardSlot, language: &Language, (several, bins): (bool, &Bins)) {
    let framed = cell.height >= frame::LEAST_HEIGHT;
    let mut inner =
        if framed { Rect { x: cell.x + 2, y: cell.y + 1, width: cell.width.saturating_sub(4), height: cell.height - 2 } } else { cell };
    let word = language.word(slot);
    let identify = if slot.identify { " <<<" } else { "" };
    let name = format!("{} {}{identify}", mark(slot.call), slot.name);
    let (mut below, mut y, is_bin_at_right) = match Large::of(inner, slot, (language, bins), framed) {
        Some(large) => {
            inner.height += large.rows_of_frame(inner.height);
            large.draw(buffer, inner, slot, &name, word);
            (large.below, large.rows, large.is_bin_at_right)
        }
        None => {
            let (below, rows) = draw_small(buffer, inner, slot, (language, bins), (&name, framed));
            (below, rows, false)
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
    // Its frame is worth more than these.
    extra.truncate((room - todo_lines - news.len()).saturating_sub(usize::from(framed)));
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
            let behind = Rect { x: inner.x + at, width: inner.width - at, ..inner };
            if is_bin_at_right && index == 0 {
                right(buffer, behind, y, bin, *style);
            } else {
                text(buffer, behind, y, bin, *style);
            }
        }
        y += 1;
    }
    if framed {
        frame::draw(buffer, cell, slot.call, foreground(slot.call));
    }
}

/// Name and word in small letters. Answers what stands below them, and from which row on.
fn draw_small(
    buffer: &mut Buffer,
    inner: Rect,
    slot: &BoardSlot,
    (language, bins): (&Language, &Bins),
    (name, framed): (&str, bool),
) -> (Below, u16) {
    let (word, style) = (language.word(slot), style(slot.call));
    let mut below = Below::of(slot, (language, bins), inner.width, true);
    let beside = columns(name) + columns(word) + 3 <= usize::from(inner.width);
    // PASS (MAPPED ONLY) is never cut to something better.
    let under = if beside { Vec::new() } else { wrap(word, inner.width) };
    let rows = 1 + under.len();
    // The frame is off the letters where a row is free.
    let pad = u16::from(framed && rows + below.wanted_rows() < usize::from(inner.height));
    let inner = Rect { y: inner.y + pad, height: inner.height - pad, ..inner };
    text(buffer, inner, 0, name, bright());
    if beside {
        let width = chip_width(word, style);
        let at = if inner.height >= 4 { usize::from(inner.width.saturating_sub(width)) } else { columns(name) + 1 };
        let at = u16::try_from(at).unwrap_or(0);
        chip(buffer, Rect { x: inner.x + at, width: inner.width - at, ..inner }, 0, word, style);
        // A bin behind the first line below that runs into the word takes a row where one is free.
        let is_free = rows + below.rows() < usize::from(inner.height);
        if is_free && below.bin_runs_into(inner.width, false, (at..at.saturating_add(width), style.bg)) {
            below.is_bin_behind = false;
        }
    }
    for (row, part) in (1..).zip(&under) {
        chip(buffer, inner, row, part, style);
    }
    (below, pad + u16::try_from(rows).unwrap_or(u16::MAX))
}
