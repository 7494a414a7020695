//! Progress bars of slots, of devices named on a command line, and of images being staged, all in the same style.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::station::units::Bytes;

/// The most redraws a second, on slow terminals too.
pub(super) const REDRAWS_PER_SECOND: u8 = 10;
/// The characters of a bar: full, empty. Both are in the kernel console's own fonts; half blocks are not.
const BAR: &str = "█░";

/// A line with a bar: prefix, bar, percent, message, cut to the terminal's width.
pub(super) fn with_bar() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {bar:24.cyan} {percent:>3} %  {wide_msg}").expect("the template is fixed").progress_chars(BAR)
}

/// A line without: prefix, message.
pub(super) fn without_bar() -> ProgressStyle {
    ProgressStyle::with_template("{prefix} {wide_msg}").expect("the template is fixed")
}

/// One bar on standard error, for a file that is read from its beginning to its end. Hidden if standard error is not a terminal.
#[derive(Debug)]
pub(crate) struct ReadingBar {
    bar: ProgressBar,
}

impl ReadingBar {
    /// With this name in front.
    #[must_use]
    pub(crate) fn new(name: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND));
        let style = ProgressStyle::with_template("{prefix} {bar:24.cyan} {percent:>3} %  {bytes_per_sec}  {eta} left");
        bar.set_style(style.expect("the template is fixed").progress_chars(BAR));
        bar.set_prefix(name.to_owned());
        bar.enable_steady_tick(Duration::from_secs(1));
        Self { bar }
    }

    /// Sets how much of the whole is done.
    pub(crate) fn set(&self, done: Bytes, of: Bytes) {
        self.bar.set_length(of.0);
        self.bar.set_position(done.0);
    }
}

impl Drop for ReadingBar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
