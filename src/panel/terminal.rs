//! Keeps a line for each slot in its place on a terminal: word, bar, MB/s, time left.

use console::{Alignment, Style, Term, measure_text_width, pad_str};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::Screen;
use super::bars::{REDRAWS_PER_SECOND, with_bar, without_bar};
use super::lines::{anchor, detail, note, title};
use crate::station::sign::OperatorAction;
use crate::station::view::{SlotView, View};

/// The longest word, `OUT OF SERVICE`. `PASS (MAPPED ONLY)` is longer, but few stations ever show it, and all would need the wider column.
const WORD_WIDTH: usize = 14;

/// Lines on standard output.
#[derive(Debug)]
pub(crate) struct Terminal {
    /// The terminal; its cursor is hidden meanwhile.
    term: Term,
    lines: MultiProgress,
    title: ProgressBar,
    /// A line for the anchor, if there is one to write down.
    anchor: Option<ProgressBar>,
    /// The notes about the flash log.
    notes: Vec<ProgressBar>,
    slots: Vec<ProgressBar>,
}

impl Terminal {
    /// On standard output, which is a terminal.
    #[must_use]
    pub(crate) fn on_stdout() -> Self {
        Self::on(Term::buffered_stdout())
    }

    /// On standard error, if that is a terminal; otherwise nothing is drawn.
    #[must_use]
    pub(crate) fn on_stderr() -> Self {
        Self::on(Term::buffered_stderr())
    }

    fn on(term: Term) -> Self {
        let lines = MultiProgress::with_draw_target(ProgressDrawTarget::term(term.clone(), REDRAWS_PER_SECOND));
        let title = lines.add(ProgressBar::new(0).with_style(without_bar()));
        if term.is_term() {
            let _gone = term.hide_cursor().and_then(|()| term.flush());
        }
        Self { term, lines, title, anchor: None, notes: Vec::new(), slots: Vec::new() }
    }
}

/// Colours only repeat the word. Never bold black: a kernel console shows it grey.
fn style(call: OperatorAction) -> Style {
    match call {
        OperatorAction::PutIn | OperatorAction::Nothing => Style::new().dim(),
        OperatorAction::Wait => Style::new().cyan(),
        OperatorAction::TakeGood => Style::new().black().on_green(),
        OperatorAction::TakeAside => Style::new().black().on_yellow(),
        OperatorAction::TakeBad | OperatorAction::StationFault => Style::new().white().on_red().bold(),
    }
}

fn prefix(slot: &SlotView, name_width: usize) -> String {
    let name = pad_str(&slot.slot, name_width, Alignment::Left, None);
    let word = pad_str(slot.sign.word(), WORD_WIDTH, Alignment::Center, None);
    format!(" {}  {}", Style::new().bold().apply_to(name), style(slot.call).apply_to(format!(" {word} ")))
}

impl Screen for Terminal {
    fn draw(&mut self, view: &View) {
        let heading = if view.has_fault() { style(OperatorAction::TakeBad) } else { Style::new().bold() };
        self.title.set_prefix(heading.apply_to(format!(" {} ", title(view))).to_string());
        self.title.tick();
        if let Some(shown) = &view.anchor {
            let line =
                self.anchor.get_or_insert_with(|| self.lines.insert_after(&self.title, ProgressBar::new(0).with_style(without_bar())));
            line.set_prefix(format!(" {}", anchor(shown.at, &shown.text)));
            line.tick();
        }
        if self.notes.len() != view.log.len() {
            for bar in self.notes.drain(..) {
                bar.finish_and_clear();
                self.lines.remove(&bar);
            }
            let new = || self.lines.insert_after(&self.title, ProgressBar::new(0).with_style(without_bar()));
            self.notes = view.log.iter().map(|_| new()).collect();
        }
        for (shown, bar) in view.log.iter().zip(&self.notes) {
            bar.set_prefix(format!(" {}", note(*shown)));
            bar.tick();
        }
        let name_width = view.slots.iter().map(|slot| measure_text_width(&slot.slot)).max().unwrap_or(0);
        while self.slots.len() < view.slots.len() {
            self.slots.push(self.lines.add(ProgressBar::new(0).with_style(without_bar())));
        }
        // A slot that is no longer configured: its last word must not stay.
        while self.slots.len() > view.slots.len() {
            if let Some(bar) = self.slots.pop() {
                bar.finish_and_clear();
                self.lines.remove(&bar);
            }
        }
        for (slot, bar) in view.slots.iter().zip(&self.slots) {
            let card = slot.card.as_deref().map(|card| format!("  {}", Style::new().dim().apply_to(card))).unwrap_or_default();
            bar.set_prefix(prefix(slot, name_width));
            bar.set_message(format!("{}{card}", detail(slot)));
            match &slot.progress {
                Some(progress) => {
                    bar.set_style(with_bar());
                    bar.set_length(progress.of.0);
                    bar.set_position(progress.done.0);
                }
                None => bar.set_style(without_bar()),
            }
            bar.tick();
        }
    }

    fn end(&mut self) {
        for bar in self.slots.iter().chain([&self.title]).chain(&self.anchor).chain(&self.notes) {
            bar.abandon();
        }
        if self.term.is_term() {
            let _gone = self.term.show_cursor().and_then(|()| self.term.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::sign::Sign;

    #[test]
    fn a_slot_that_is_gone_leaves_no_line_behind() {
        let slot = |name: &str| SlotView { slot: name.into(), model: "acme/box".into(), ..SlotView::of(Sign::Passed) };
        let mut terminal = Terminal::on_stderr();
        for names in [&["A1", "A2", "A3"][..], &["A3"], &["A3", "A4"]] {
            let slots = names.iter().map(|name| slot(name)).collect();
            terminal.draw(&View { station: "line 3".into(), slots, ..View::default() });
            let shown: Vec<String> = terminal.slots.iter().filter(|bar| !bar.is_finished()).map(ProgressBar::prefix).collect();
            assert_eq!(shown.len(), names.len());
            assert!(shown.iter().zip(names).all(|(line, name)| line.contains(name)), "{shown:?}");
        }
    }
}
