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
use super::text::{chip, chip_at_right, columns, right, text, wrap};
use crate::station::bins::Bins;

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
