//! The settings for the operator: the bins, the boxes, and the bell of the station.

use std::path::{Component, Path, PathBuf};

use toml::Spanned;

use super::source::{ConfigError, Mistakes, Source};
use super::tables::{BinTable, BinsTable};
use crate::station::bins::{Bin, BinColour, BinLabel, Bins};
use crate::station::labels::is_unseen;

/// As many letters as the smallest cell of a panel shows behind an arrow.
const LONGEST_WORD: usize = 20;
/// No box is larger; a larger number was meant for something else.
const MOST_CARDS: u64 = 100_000;
/// The directory of the kernel's input devices.
const INPUT_DEVICES: &str = "/dev/input";

pub(super) fn prove_bins(source: &Source<'_>, table: &BinsTable, mistakes: &mut Mistakes) -> Option<Bins> {
    let usual = Bins::default();
    let mut label = |bin, table| mistakes.note(prove_bin(source, bin, table, usual.of(bin)));
    let (good, not_bad, bad) = (label(Bin::Good, &table.good), label(Bin::NotBad, &table.not_bad), label(Bin::Bad, &table.bad));
    let bins = Bins { good: good?, not_bad: not_bad?, bad: bad? };
    mistakes.note(told_apart(source, table, &bins))?;
    Some(bins)
}

fn prove_bin(source: &Source<'_>, bin: Bin, table: &BinTable, usual: &BinLabel) -> Result<BinLabel, ConfigError> {
    let key = key(bin);
    let mut label = usual.clone();
    if let Some(word) = &table.word {
        let text = source.name("word", word)?;
        if text.chars().count() > LONGEST_WORD || text.chars().any(is_unseen) {
            let problem =
                format!("`word` of `{key}`: {text:?} is too long for a cell of the panel: write at most {LONGEST_WORD} visible letters");
            return Err(source.wrong(word.span(), problem));
        }
        label.word = Some(text);
    }
    if let Some(colour) = &table.colour {
        let known = BinColour::ALL.into_iter().find(|known| known.word() == colour.get_ref());
        label.colour = known.ok_or_else(|| {
            let words: Vec<&str> = BinColour::ALL.iter().map(|colour| colour.word()).collect();
            let problem =
                format!("`colour` of `{key}`: {:?} is no colour of a terminal: write one of {}", colour.get_ref(), words.join(", "));
            source.wrong(colour.span(), problem)
        })?;
        if bin != Bin::Good && label.colour == BinColour::Green {
            let problem = format!("`colour` of `{key}` is green, which means good on this panel: use another colour for the bin");
            return Err(source.wrong(colour.span(), problem));
        }
    }
    Ok(label)
}

/// If a card could go to either of two bins, it goes to the wrong one.
fn told_apart(source: &Source<'_>, table: &BinsTable, bins: &Bins) -> Result<(), ConfigError> {
    let tables = [(Bin::Good, &table.good), (Bin::NotBad, &table.not_bad), (Bin::Bad, &table.bad)];
    for (place, (one, _)) in tables.iter().enumerate() {
        for (other, other_table) in &tables[place + 1..] {
            let (label, other_label) = (bins.of(*one), bins.of(*other));
            let same_word = label.word.is_some() && label.word == other_label.word;
            let at = |key: Option<&Spanned<String>>| key.map_or(0..0, Spanned::span);
            let (span, what, value) = if same_word {
                (at(other_table.word.as_ref()), "word", label.word.clone().unwrap_or_default())
            } else if label.colour == other_label.colour {
                let own = other_table.colour.as_ref().or(tables[place].1.colour.as_ref());
                (at(own), "colour", label.colour.word().to_owned())
            } else {
                continue;
            };
            let (one, other) = (key(*one), key(*other));
            let problem =
                format!("`bins`: `{one}` and `{other}` have the same {what}, {value:?}: each bin has its own, change one of them");
            return Err(source.wrong(span, problem));
        }
    }
    Ok(())
}

/// The key of a bin in the table `bins`.
pub(super) fn key(bin: Bin) -> &'static str {
    match bin {
        Bin::Good => "good",
        Bin::NotBad => "not_bad",
        Bin::Bad => "bad",
    }
}

/// The number of good cards that fill a box; `None` if boxes are not counted.
pub(super) fn box_size(source: &Source<'_>, size: &Spanned<u64>) -> Result<Option<u32>, ConfigError> {
    let cards = u32::try_from(*size.get_ref()).ok().filter(|cards| u64::from(*cards) <= MOST_CARDS);
    let cards = cards.ok_or_else(|| {
        let problem =
            format!("`box` is at most {MOST_CARDS}: it counts the good cards that fill one box, as in box = 50; 0 counts no boxes");
        source.wrong(size.span(), problem)
    })?;
    Ok(Some(cards).filter(|cards| *cards > 0))
}

/// The device that sounds for the whole station, if any. Only an input device is ever opened, because a mistake must not write to a disk.
pub(super) fn station_bell(source: &Source<'_>, bell: &Spanned<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    let path = bell.get_ref();
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let is_plain = !path.components().any(|part| part == Component::ParentDir);
    if !path.starts_with(INPUT_DEVICES) || path.as_path() == Path::new(INPUT_DEVICES) || !is_plain {
        let problem = format!(
            "`bell`: {} is no sound device of the kernel: write one below {INPUT_DEVICES}, as \
             \"/dev/input/by-path/platform-pcspkr-event-spkr\" for the speaker of the PC, or leave it out for no bell",
            path.display()
        );
        return Err(source.wrong(bell.span(), problem));
    }
    Ok(Some(path.clone()))
}
