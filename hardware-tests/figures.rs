//! The figures of a benchmark: a table for people, and a list for programs.

use std::fs;
use std::io;
use std::path::Path;

/// A measured value, its unit and the limit it must keep.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    /// The name in tables and lists.
    pub(crate) name: &'static str,
    /// The measured value, in the unit of this figure.
    pub(crate) value: f64,
    /// Its unit; `ratio` has none.
    pub(crate) unit: &'static str,
    /// Its limit, if it has one.
    pub(crate) bar: Option<Bar>,
    /// The measured quantity, in words.
    pub(crate) of: String,
}

/// The limit of a figure.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bar {
    /// At most this.
    AtMost(f64),
    /// At least this.
    #[allow(dead_code, reason = "each benchmark has bars of its own")]
    AtLeast(f64),
}

impl Bar {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {}", short(limit)),
            Self::AtLeast(limit) => format!("≥ {}", short(limit)),
        }
    }
}

/// The median of several runs, which all count the same.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// The value with three significant digits.
fn short(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        100.0.. => format!("{value:.1}"),
        10.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Prints all figures as one table.
pub(crate) fn print(figures: &[Figure]) {
    println!();
    println!("{:<24} {:>9} {:<9} {:<9} measure", "name", "value", "unit", "bar");
    for figure in figures {
        let bar = figure.bar.map_or_else(|| "report".to_owned(), Bar::text);
        let met = figure.bar.is_none_or(|bar| bar.is_met(figure.value));
        let missed = if met { "" } else { "MISSED: " };
        println!("{:<24} {:>9} {:<9} {:<9} {missed}{}", figure.name, short(figure.value), figure.unit, bar, figure.of);
    }
}

/// Writes the list for machines: `{"name","value","unit"}` each.
///
/// # Errors
/// If the file cannot be written.
pub(crate) fn write_json(path: &Path, figures: &[Figure]) -> io::Result<()> {
    let list: Vec<_> =
        figures.iter().map(|figure| serde_json::json!({"name": figure.name, "value": figure.value, "unit": figure.unit})).collect();
    fs::write(path, format!("{}\n", serde_json::to_string_pretty(&list)?))
}
