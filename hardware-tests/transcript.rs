//! Writes the transcript of the demo: short on the terminal, complete in a file.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

use flashline_lab::Pc;

/// Columns of a sentence and of a line of output on the terminal.
const WIDTH: usize = 110;

/// The prompt in front of every command.
pub(crate) const DIRECTORY: &str = "/srv/images";

/// How much of the output of a command the terminal shows.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Show<'a> {
    /// Every line; a long one in two.
    All,
    /// Only lines with one of these words.
    Only(&'a [&'a str]),
    /// The rows of a table, cut at the edge of the terminal.
    Table,
}

/// The terminal and the file.
pub(crate) struct Transcript {
    began: Instant,
    whole: File,
}

impl Transcript {
    /// Creates the file and writes its head.
    pub(crate) fn begin(path: &Path) -> io::Result<Self> {
        Ok(Self { began: Instant::now(), whole: File::create(path)? })
    }

    /// Seconds since the beginning.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// Writes a heading to screen and file.
    pub(crate) fn heading(&self, text: &str) -> io::Result<()> {
        let line = "─".repeat(text.chars().count());
        self.both(&format!("\n{text}\n{line}\n"))
    }

    /// Writes a paragraph to screen and file.
    pub(crate) fn say(&self, text: &str) -> io::Result<()> {
        self.both(&format!("\n{}", wrapped(text, WIDTH)))
    }

    /// A line of a list.
    pub(crate) fn line(&self, text: &str) -> io::Result<()> {
        self.both(&format!("  {text}\n"))
    }

    /// A line about the present step.
    pub(crate) fn now(&self, text: &str) -> io::Result<()> {
        self.both(&format!("  {:5.1} s  {text}\n", self.seconds()))
    }

    /// Types a command in the emulated PC and returns its output.
    ///
    /// Fails if the command ends with another exit code than `code`.
    pub(crate) fn typed(&self, pc: &Pc, command: &str, code: u32, show: Show<'_>) -> Result<String, Box<dyn Error>> {
        self.both(&format!("\n  $ {command}\n"))?;
        let output = pc.run(&format!("cd {DIRECTORY}\n{command}"));
        let text = format!("{}{}", output.stdout, output.stderr);
        write!(&self.whole, "{}", text.lines().map(|line| format!("  {line}\n")).collect::<String>())?;
        let mut out = io::stdout().lock();
        let mut is_left_out = false;
        for line in text.lines() {
            let is_shown = !matches!(show, Show::Only(words) if !words.iter().any(|word| line.contains(word)));
            if !is_shown && !is_left_out {
                writeln!(out, "    …")?;
            }
            is_left_out = !is_shown;
            let short = match show {
                _ if !is_shown => continue,
                Show::Table => cut(line, WIDTH),
                Show::All | Show::Only(_) => in_two(line, WIDTH),
            };
            write!(out, "{}", short.split('\n').map(|line| format!("  {line}\n")).collect::<String>())?;
        }
        drop(out);
        if output.status != 0 {
            self.both(&format!("  (exit code {})\n", output.status))?;
        }
        if output.status != code {
            return Err(format!("`{command}` ended with exit code {}, and must end with {code}", output.status).into());
        }
        Ok(text)
    }

    fn both(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()?;
        write!(&self.whole, "{text}")
    }
}

/// A line that fits, with a mark for the part that was cut.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    line.chars().take(width - 1).chain(['…']).collect()
}

/// A long line as two, the second one cut as well.
fn in_two(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let edge: usize = line.chars().take(width).map(char::len_utf8).sum();
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let at = line[indent..edge].rfind(' ').map_or(edge, |space| indent + space);
    let (first, rest) = line.split_at(at);
    format!("{first}\n{}", cut(&format!("{}{}", " ".repeat(indent + 4), rest.trim_start()), width))
}

/// Fills lines with words up to the width.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.chars().count());
        if line > 0 && line + 1 + word.chars().count() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}
