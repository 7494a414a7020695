//! Passes on only what this program itself says. A message is made of the program's own words and of values from elsewhere; the words are in
//! the program's file, and a value is not. So no list of messages has to be kept, and no value passes that is not known to be harmless.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};

use memchr::memmem;

/// A stretch of words must be at least this long: the program's file has any few letters somewhere, by chance.
const LEAST: usize = 8;
/// Places in the file that are compared for one stretch. The most common beginning of a sentence has fewer.
const MOST_PLACES: usize = 4096;
/// What stands for anything else.
const CUT: char = '…';

/// Words between values that are too short to be told by the program's file.
const GLUE: [&str; 34] = [
    "a", "and", "are", "at", "bad", "be", "by", "card", "error", "event", "for", "from", "good", "have", "in", "is", "it", "lamp", "log",
    "no", "not", "of", "off", "on", "or", "os", "slot", "station", "the", "this", "to", "was", "with", "yes",
];

/// The words of signs, for the same reason. A word that is missing here is cut out.
const SIGNS: [&str; 28] = [
    "BACK",
    "CHANGED",
    "DISARMED",
    "DONE",
    "DOWN",
    "EMPTY",
    "FAILED",
    "FAULT",
    "FINISHING",
    "HELD",
    "INTERRUPTED",
    "LOG",
    "MAPPED",
    "NEW",
    "OF",
    "ONLY",
    "ORDER",
    "OUT",
    "PASS",
    "PULLED",
    "READING",
    "RECHECKING",
    "RECORDING",
    "REFUSED",
    "RESTARTING",
    "SERVICE",
    "STATION",
    "WRITING",
];

/// The sentences in the program's file.
#[derive(Debug)]
pub(super) struct OwnWords {
    text: Vec<u8>,
}

impl OwnWords {
    /// Reads this program's file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub(super) fn read() -> io::Result<Self> {
        Self::of(File::open("/proc/self/exe")?)
    }

    /// Every run of printable bytes with a space in it.
    fn of(mut program: impl Read) -> io::Result<Self> {
        let mut text = Vec::new();
        let mut run: Vec<u8> = Vec::new();
        let mut chunk = vec![0; 1 << 20];
        loop {
            let length = program.read(&mut chunk)?;
            for byte in &chunk[..length] {
                if matches!(byte, b' '..=b'~' | b'\n' | 0x80..) {
                    run.push(*byte);
                    continue;
                }
                if run.len() >= LEAST && run.contains(&b' ') {
                    text.append(&mut run);
                    text.push(0);
                }
                run.clear();
            }
            if length == 0 {
                text.append(&mut run);
                return Ok(Self { text });
            }
        }
    }

    /// The text with everything cut out that is neither the program's own nor one of `known`.
    pub(super) fn keep(&self, text: &str, known: &Known) -> String {
        let mut kept = String::new();
        let mut at = 0;
        // A piece may begin inside a word only behind one that was kept: else it would show the end of a value.
        let mut follows = true;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let before = text[..at].chars().next_back();
            let begins = follows || !is_word(first) || !before.is_some_and(is_word);
            let piece = begins.then(|| known.at(rest).or_else(|| self.stretch(rest)).or_else(|| small_number(before, rest))).flatten();
            if let Some(length) = piece {
                kept.push_str(&rest[..length]);
                at += length;
                follows = true;
                continue;
            }
            follows = false;
            if is_word(first) {
                let length = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
                if begins && (GLUE.contains(&&rest[..length]) || SIGNS.contains(&&rest[..length])) {
                    kept.push_str(&rest[..length]);
                } else {
                    cut(&mut kept);
                }
                at += length;
            } else {
                if first == ' ' || first == '→' || first.is_ascii_punctuation() {
                    kept.push(first);
                } else {
                    cut(&mut kept);
                }
                at += first.len_utf8();
            }
        }
        kept
    }

    /// How much of the beginning of `text` stands in the program, up to the end of a word.
    fn stretch(&self, text: &str) -> Option<usize> {
        let begin = text.as_bytes().get(..LEAST)?;
        let longest =
            memmem::find_iter(&self.text, begin).take(MOST_PLACES).map(|place| same(&self.text[place..], text.as_bytes())).max()?;
        let mut length = longest;
        let ends_a_word = |length: usize| {
            text.is_char_boundary(length)
                && !(text[length..].starts_with(is_word) && text[..length].chars().next_back().is_some_and(is_word))
        };
        while !ends_a_word(length) {
            length -= 1;
        }
        (length >= LEAST && text[..length].contains(' ')).then_some(length)
    }
}

/// Values from elsewhere that may be shown: names and paths of the configuration, ports, the kernel's names of disks.
#[derive(Clone, Debug, Default)]
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) fn of(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().filter(|word| !word.trim().is_empty()).collect())
    }

    /// The longest value that `text` begins with, if it ends there.
    fn at(&self, text: &str) -> Option<usize> {
        let fits = |word: &&String| text.starts_with(word.as_str()) && !text[word.len()..].starts_with(is_word);
        self.0.iter().filter(fits).map(String::len).max()
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// A count or a number of seconds that stands by itself. With other signs beside it, it may be part of a serial.
fn small_number(before: Option<char>, text: &str) -> Option<usize> {
    if !before.is_none_or(|before| before == ' ' || before == '(') {
        return None;
    }
    let length = text.find(|digit: char| !digit.is_ascii_digit() && digit != '.').unwrap_or(text.len());
    let number = text[..length].trim_end_matches('.');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let ends = text[number.len()..].chars().next().is_none_or(|next| matches!(next, ' ' | ')' | ',' | ';' | '.'));
    ((1..=3).contains(&whole.len()) && fraction.len() <= 2 && !fraction.contains('.') && ends).then_some(number.len())
}

fn same(one: &[u8], other: &[u8]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

fn cut(text: &mut String) {
    if !text.ends_with(CUT) {
        text.push(CUT);
    }
}

#[cfg(test)]
mod cases {
    use super::*;

    const PROGRAM: &[u8] = b"\x7fELF\x01the station has a fault: nothing new is begun\0a text stands in quotes, as in name = \"A1\": \x02\
        no_space_in_this_one_at_all\x03the node of slot \x04: the kernel asks \x05 for a card only every \x06";

    fn keep(text: &str, known: &[&str]) -> String {
        let words = OwnWords::of(PROGRAM).expect("it is read");
        words.keep(text, &Known::of(known.iter().map(|word| (*word).to_owned())))
    }

    #[test]
    fn the_programs_own_words_and_known_values_pass_and_nothing_else() {
        for (said, kept) in [
            ("the station has a fault: nothing new is begun", "the station has a fault: nothing new is begun"),
            ("the station has a fault: hunter2", "the station has a fault: …"),
            (
                "a text stands in quotes, as in name = \"A1\": wifi = hunter2 # pass",
                "a text stands in quotes, as in name = \"A1\": … = … # …",
            ),
            ("slot A2: the kernel asks sdc for a card only every 2.0 s", "slot A2: the kernel asks sdc for a card only every 2.0 …"),
            ("slot A22: the kernel asks sdcard for a card only every 2345 s", "slot …: the kernel asks … for a card only every … …"),
            ("no_space_in_this_one_at_all", "…"),
            ("hunter2 hunter2 (os error 13)", "… … (os error 13)"),
            ("00:11:22:33 47-11 12.345 555", "…:…:…:… …-… ….… 555"),
            ("A1  REFUSED  in use: SECRET", "…  REFUSED  in …: …"),
            ("pässwörd→ñ", "…→…"),
            ("", ""),
        ] {
            assert_eq!(keep(said, &["A2", "sdc"]), kept, "{said}");
        }
    }

    #[test]
    fn a_stretch_ends_and_begins_with_a_word_so_that_it_shows_no_part_of_a_value() {
        // The value begins with letters that follow in the program, and ends with letters that stand before a sentence in it.
        assert_eq!(keep("the station has a faulty-passwd", &[]), "the station has a …-…");
        assert_eq!(keep("xyzthe station has a fault: ", &[]), "… station has a fault: ");
        assert_eq!(keep("/srv/imagesXY /srv/images", &["/srv/images"]), "/…/… /srv/images");
    }

    #[test]
    fn the_sentences_of_the_running_program_are_found_in_its_file() {
        let words = OwnWords::read().expect("it is read");
        // A sentence of the daemon, which is not written as a whole in this file.
        let sentence =
            ["the", "station", "has", "a", "fault:", "nothing", "new", "is", "begun", "in", "the", "slots", "it", "concerns"].join(" ");
        assert_eq!(words.keep(&sentence, &Known::default()), sentence);
        let value = blake3::hash(b"a value that the program does not have").to_hex();
        assert_eq!(words.keep(&format!("{sentence} {value}"), &Known::default()), format!("{sentence} …"));
    }
}
