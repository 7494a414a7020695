//! A sound device of the kernel's input layer (Documentation/input/event-codes.rst, EV_SND): the speaker of the PC, or a beeper on USB.
//!
//! The bell of a terminal would sound at the terminal, if one is open. A tone continues until it is ended, even if the program that began
//! it was killed, so the first action after the end of a station is to silence it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc;
use nix::sys::stat::{major, minor};

/// The device number of every input device (`INPUT_MAJOR` in `linux/major.h`).
const INPUT_MAJOR: u64 = 13;

/// Types and codes of input events, from `linux/input-event-codes.h`.
const EV_SYN: u16 = 0x00;
const EV_SND: u16 = 0x12;
const SYN_REPORT: u16 = 0;
const SND_BELL: u16 = 1;
const SND_TONE: u16 = 2;

/// A device that makes sounds.
pub(crate) trait Speaker {
    /// Makes a device sound at this frequency in hertz until the next call; 0 is silence.
    ///
    /// # Errors
    /// If it does not exist, is not such a device, or rejects the event.
    fn sound(&self, device: &Path, hertz: u16) -> io::Result<()>;
}

/// Sound devices of the kernel's input layer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct InputSpeaker;

impl Speaker for InputSpeaker {
    fn sound(&self, device: &Path, hertz: u16) -> io::Result<()> {
        let (mut file, code) = open(device)?;
        // A bell has only one tone.
        let value = if code == SND_BELL { i32::from(hertz > 0) } else { i32::from(hertz) };
        file.write_all(&[event(EV_SND, code, value), event(EV_SYN, SYN_REPORT, 0)].concat())
    }
}

/// Checks that this device can sound, without a sound.
///
/// # Errors
/// If it cannot: the reason.
pub(crate) fn look(device: &Path) -> io::Result<()> {
    open(device).map(drop)
}

/// The device, and its kind of sound: a tone, or a bell. Any other file with this name is not written to.
fn open(device: &Path) -> io::Result<(File, u16)> {
    let file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(device)?;
    let metadata = file.metadata()?;
    let number = metadata.rdev();
    if !metadata.file_type().is_char_device() || major(number) != INPUT_MAJOR {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no input device"));
    }
    let sounds = fs::read_to_string(format!("/sys/dev/char/{INPUT_MAJOR}:{}/device/capabilities/snd", minor(number)))?;
    match code_of(&sounds) {
        Some(code) => Ok((file, code)),
        None => Err(io::Error::new(io::ErrorKind::InvalidInput, "this input device makes no sound")),
    }
}

/// Finds its kind of sound in the kernel's list: numbers of bits in hexadecimal, the lowest word last.
fn code_of(sounds: &str) -> Option<u16> {
    let lowest = sounds.split_whitespace().last().and_then(|word| u64::from_str_radix(word, 16).ok())?;
    [SND_TONE, SND_BELL].into_iter().find(|code| lowest & (1 << code) != 0)
}

/// One event, as the kernel reads it (`struct input_event`): a time, which the kernel sets itself, followed by type, code and value.
fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
    const BEHIND_TIME: usize = 8;
    let mut bytes = vec![0; size_of::<libc::input_event>() - BEHIND_TIME];
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(code.to_ne_bytes());
    bytes.extend(value.to_ne_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_is_asked_for_where_there_is_one_and_a_bell_where_there_is_none() {
        assert_eq!(code_of("6\n"), Some(SND_TONE), "the speaker of a PC");
        assert_eq!(code_of("2\n"), Some(SND_BELL));
        assert_eq!(code_of("0 4\n"), Some(SND_TONE), "the lowest word is the last");
        for none in ["0\n", "1\n", "", "x"] {
            assert_eq!(code_of(none), None, "{none:?}");
        }
    }

    #[test]
    fn an_event_is_as_long_as_the_kernels_and_ends_with_what_is_asked_for() {
        let bytes = event(EV_SND, SND_TONE, 1000);
        assert_eq!(bytes.len(), size_of::<libc::input_event>());
        let expected: Vec<u8> = [EV_SND.to_ne_bytes(), SND_TONE.to_ne_bytes()].concat().into_iter().chain(1000_i32.to_ne_bytes()).collect();
        assert!(bytes.ends_with(&expected) && bytes[..bytes.len() - 8].iter().all(|byte| *byte == 0), "{bytes:?}");
    }

    #[test]
    fn what_is_no_input_device_is_not_written_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("disk");
        fs::write(&path, b"precious").expect("written");
        let error = InputSpeaker.sound(&path, 1000).expect_err("it is a file");
        assert_eq!(
            (error.to_string().as_str(), fs::read(&path).expect("it is there").as_slice()),
            ("it is no input device", &b"precious"[..])
        );
        let error = InputSpeaker.sound(Path::new("/dev/null"), 1000).expect_err("it is another device");
        assert_eq!(error.to_string(), "it is no input device");
        assert_eq!(look(&directory.path().join("none")).expect_err("it is not there").kind(), io::ErrorKind::NotFound);
        nix::unistd::mkfifo(&directory.path().join("pipe"), nix::sys::stat::Mode::S_IRWXU).expect("made");
        look(&directory.path().join("pipe")).expect_err("nobody is waited for at a pipe");
    }
}
