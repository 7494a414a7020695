//! Reads single keys without waiting, and restores the terminal at the end.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::read;

use super::lesson::Key;

/// What came from the keyboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A key with a meaning here.
    Key(Key),
    /// Ctrl-C, or a terminal that is gone.
    Abort,
}

/// The terminal on standard input, telling keys as they are pressed.
pub(super) struct Keyboard {
    before: Termios,
}

impl Keyboard {
    pub(super) fn open() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut by_key = before.clone();
        // Ctrl-C is a key like any other: it must not leave the terminal like this.
        by_key.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &by_key)?;
        Ok(Self { before })
    }

    /// What is pressed within this time, as far as it means something.
    pub(super) fn listen(&self, patience: Duration) -> io::Result<Vec<Heard>> {
        let stdin = io::stdin();
        let timeout = PollTimeout::try_from(patience).map_err(io::Error::other)?;
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut ready, timeout) {
            Ok(0) | Err(nix::Error::EINTR) => return Ok(Vec::new()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = [0; 64];
        let count = read(stdin.as_fd(), &mut bytes)?;
        if count == 0 {
            return Ok(vec![Heard::Abort]);
        }
        Ok(bytes.iter().take(count).filter_map(|byte| meaning(*byte)).collect())
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing any more.
        let _gone = tcsetattr(io::stdin(), SetArg::TCSANOW, &self.before);
    }
}

fn meaning(byte: u8) -> Option<Heard> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    match byte.to_ascii_lowercase() {
        b's' => Some(Heard::Key(Key::Skip)),
        b'b' => Some(Heard::Key(Key::Back)),
        b'a' => Some(Heard::Key(Key::Add)),
        b'q' => Some(Heard::Key(Key::Quit)),
        CTRL_C | CTRL_D => Some(Heard::Abort),
        // Enter behind a letter says nothing more.
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_keys_in_either_case_and_enter_is_none() {
        assert_eq!(meaning(b's'), Some(Heard::Key(Key::Skip)));
        assert_eq!(meaning(b'Q'), Some(Heard::Key(Key::Quit)));
        assert_eq!(meaning(3), Some(Heard::Abort));
        assert_eq!((meaning(b'\n'), meaning(b'x')), (None, None));
    }
}
