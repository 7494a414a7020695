//! The colours of a panel, and the sign that says the same.

use ratatui::style::{Color, Modifier, Style};

use crate::station::sign::OperatorAction;

/// Colours say again what the word says. Black on a light ground or white on red: readable for every eye, and never bold black, which a
/// kernel console shows grey.
pub(super) fn style(call: OperatorAction) -> Style {
    match call {
        OperatorAction::PutIn => Style::new().fg(Color::Gray),
        OperatorAction::Nothing => Style::new().fg(Color::Magenta),
        OperatorAction::Wait => Style::new().fg(Color::Cyan),
        OperatorAction::TakeGood => Style::new().fg(Color::Black).bg(Color::Green),
        OperatorAction::TakeAside => Style::new().fg(Color::Black).bg(Color::Yellow),
        OperatorAction::TakeBad | OperatorAction::StationFault => Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD),
    }
}

/// The same as a shape: what the hand does.
pub(super) fn mark(call: OperatorAction) -> char {
    match call {
        OperatorAction::PutIn => '↓',
        OperatorAction::Wait => '·',
        OperatorAction::TakeGood => '↑',
        OperatorAction::TakeAside => '?',
        OperatorAction::TakeBad | OperatorAction::StationFault => '!',
        OperatorAction::Nothing => '-',
    }
}

/// White, as bright everywhere: the Linux console draws it grey where it is not bold as well.
pub(super) fn bright() -> Style {
    Style::new().fg(Color::White).add_modifier(Modifier::BOLD)
}

/// Of a word in large letters, which are made of full cells.
pub(super) fn foreground(call: OperatorAction) -> Style {
    let style = style(call);
    Style::new().fg(style.bg.or(style.fg).unwrap_or(Color::White))
}
