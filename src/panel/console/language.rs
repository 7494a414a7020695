//! The panel in the operator's language: a small file for each, with every code of `station::reason` and the panel's own phrases.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Deserialize;

use super::board::{BoardSlot, StopReasons, Suspected, Why};
use crate::panel::lines::clock;
use crate::station::reason::Fact;
use crate::station::sizes::apart;
use crate::station::units::Bytes;
use crate::station::view::REASONS_APART;

/// Every language there is, by its code.
const FILES: [(&str, &str); 5] = [
    ("en", include_str!("languages/en.toml")),
    ("de", include_str!("languages/de.toml")),
    ("es", include_str!("languages/es.toml")),
    ("pl", include_str!("languages/pl.toml")),
    ("zh", include_str!("languages/zh.toml")),
];

/// Sizes that are printed on cards, in GB.
const SOLD: [u64; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
/// One decimal gigabyte, as on a card's label.
const GB: u64 = 1_000_000_000;

/// The words of one language, every one of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Language {
    /// What stands at the head of the file: its name for people.
    pub name: String,
    /// It needs more than the 512 signs of a kernel console's font.
    #[serde(default)]
    pub needs_glyphs: bool,
    /// By the code of a sign.
    signs: BTreeMap<String, String>,
    /// By the code of what is to be done.
    todo: BTreeMap<String, String>,
    /// By the code of a reason, with `{facts}`.
    reasons: BTreeMap<String, String>,
    /// By the code of a restriction.
    restrictions: BTreeMap<String, String>,
    /// Words that belong to the panel itself, by key.
    panel: BTreeMap<String, String>,
}

impl Language {
    /// The language of this code, as `de` or `de_AT.UTF-8`.
    #[must_use]
    pub(crate) fn of(code: &str) -> Option<Self> {
        let wanted = code.split(['_', '.', '-', '@']).next().unwrap_or_default().to_ascii_lowercase();
        let (_, text) = FILES.iter().find(|(known, _)| *known == wanted)?;
        // A test reads every file.
        toml::from_str(text).ok()
    }

    /// English, which is always there.
    #[must_use]
    pub(crate) fn english() -> Self {
        Self::of("en").expect("a test reads it")
    }

    /// Every code there is.
    pub(crate) fn codes() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(code, _)| *code)
    }

    /// The word of a slot's sign. One this program does not know is shown as the station says it.
    #[must_use]
    pub(crate) fn word<'a>(&'a self, slot: &'a BoardSlot) -> &'a str {
        self.signs.get(&slot.sign).map_or(&slot.word, String::as_str)
    }

    /// What has too many failures, and its counts. Something that this program does not know is named as the station does.
    #[must_use]
    pub(crate) fn suspected(&self, suspected: &Suspected) -> String {
        let Suspected { what: (code, name), own: (failed, of), others: (others_failed, others_of) } = suspected;
        let what = self.panel.get(&format!("suspect-{code}")).map_or(code.as_str(), String::as_str);
        let facts = [("{failed}", failed), ("{of}", of), ("{others-failed}", others_failed), ("{others-of}", others_of)];
        let text =
            facts.into_iter().fold(self.phrase("suspected").to_owned(), |text, (mark, count)| text.replace(mark, &count.to_string()));
        text.replace("{what}", what).replace("{name}", name)
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn todo(&self, slot: &BoardSlot) -> String {
        let text = self.todo.get(&slot.todo).map_or(slot.todo_text.as_str(), String::as_str);
        let needs = slot.why.as_ref().and_then(|why| match why.facts.iter().find(|(name, _)| name == "needs") {
            Some((_, Fact::Bytes(bytes))) => size_to_buy(*bytes),
            _ => None,
        });
        match (slot.todo.as_str(), needs) {
            ("use-another", Some(size)) => self.phrase("use-size").replace("{size}", &format!("{size} GB")),
            _ => text.to_owned(),
        }
    }

    /// The reason in this language; in English if the code has no translation.
    #[must_use]
    pub(crate) fn reason(&self, why: &Why) -> String {
        let Some(pattern) = self.reasons.get(&why.code) else { return why.text.clone() };
        let said = |name: &str| pattern.contains(&format!("{{{name}}}"));
        let sizes = why.facts.iter().filter(|(name, _)| said(name)).filter_map(|(_, fact)| match fact {
            Fact::Bytes(bytes) => Some(Bytes(*bytes)),
            _ => None,
        });
        // Two sizes that are compared never read the same.
        let sizes: Vec<Bytes> = sizes.collect();
        why.facts.iter().fold(pattern.clone(), |text, (name, fact)| {
            let value = match (fact, sizes.as_slice()) {
                (Fact::Bytes(bytes), [one, other]) if *bytes == one.0 => apart(*one, *other).0,
                (Fact::Bytes(bytes), [one, other]) if *bytes == other.0 => apart(*one, *other).1,
                _ => shown(fact),
            };
            text.replace(&format!("{{{name}}}"), &value)
        })
    }

    /// What the PC or the unit does not let the station do; in English if the code has no translation.
    #[must_use]
    pub(crate) fn restriction<'a>(&'a self, code: &str, text: &'a str) -> &'a str {
        self.restrictions.get(code).map_or(text, String::as_str)
    }

    /// Why nothing new is begun: first what no restriction says, in the station's words; then each restriction in this language.
    #[must_use]
    pub(crate) fn stop_reasons(&self, why: &StopReasons) -> String {
        let restrictions = why.restrictions.iter().map(|(code, text)| self.restriction(code, text));
        why.words.as_deref().into_iter().chain(restrictions).collect::<Vec<_>>().join(REASONS_APART)
    }

    /// A phrase of the panel's own.
    #[must_use]
    pub(crate) fn phrase(&self, key: &str) -> &str {
        self.panel.get(key).map_or("", String::as_str)
    }
}

/// The smallest card anybody sells that holds so much. A card sold as so many GB may hold a little less than that.
fn size_to_buy(bytes: u64) -> Option<u64> {
    SOLD.into_iter().find(|size| size * GB / 100 * 93 >= bytes)
}

fn shown(fact: &Fact) -> String {
    match fact {
        Fact::Bytes(bytes) => Bytes(*bytes).to_string(),
        Fact::Count(count) => count.to_string(),
        Fact::Seconds(seconds) => clock(Duration::from_secs(*seconds)),
        Fact::Errno(0) => "-".to_owned(),
        Fact::Errno(errno) => io::Error::from_raw_os_error(*errno).to_string(),
        Fact::Text(text) => text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::station::instruction::Instruction;
    use crate::station::reason::{REASONS, SIGNS};
    use crate::station::restriction::testing::one_of_each;

    fn places(pattern: &str) -> BTreeSet<&str> {
        pattern.split('{').skip(1).map(|rest| rest.split('}').next().expect("it ends")).collect()
    }

    #[test]
    fn every_language_says_every_word_every_reason_and_everything_to_do_and_nothing_else() {
        let english = Language::english();
        for code in Language::codes() {
            let language = Language::of(code).unwrap_or_else(|| panic!("{code} can be read"));
            let keys = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(keys(&language.signs), SIGNS.iter().map(ToString::to_string).collect(), "{code}");
            assert_eq!(keys(&language.todo), Instruction::ALL.iter().map(|todo| todo.code().to_owned()).collect(), "{code}");
            assert_eq!(keys(&language.reasons), REASONS.iter().map(|(reason, _)| (*reason).to_owned()).collect(), "{code}");
            assert_eq!(keys(&language.restrictions), one_of_each().iter().map(|one| one.code().to_owned()).collect(), "{code}");
            assert_eq!(keys(&language.panel), keys(&english.panel), "{code}");
            for (reason, facts) in REASONS {
                let said = places(&language.reasons[*reason]);
                assert!(said.is_subset(&facts.iter().copied().collect()), "{code}, {reason}: {said:?}");
                assert_eq!(said, places(&english.reasons[*reason]), "{code}, {reason}: as much as in English");
            }
            for (key, phrase) in &english.panel {
                assert_eq!(places(phrase), places(&language.panel[key]), "{code}, {key}");
            }
        }
    }

    #[test]
    fn a_language_is_found_by_what_people_write_in_lang() {
        assert_eq!(Language::of("de_AT.UTF-8").expect("German").name, "Deutsch");
        assert!(Language::of("C.UTF-8").is_none() && Language::of("").is_none());
    }

    mod cases {
        use super::*;
        use crate::station::outcome::Refusal;
        use crate::station::sign::Sign;

        #[test]
        fn two_sizes_that_are_compared_never_read_the_same_in_any_language() {
            let gb = |size: u64| Bytes(size * GB);
            for code in Language::codes() {
                let language = Language::of(code).expect("it is there");
                let says = |refusal: Refusal| {
                    let sign = Sign::Refused(refusal);
                    let why = sign.why().expect("a reason");
                    let facts = why.facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect();
                    language.reason(&Why { code: why.code.to_owned(), facts, text: String::new() })
                };
                let small = says(Refusal::TooSmall { capacity: Bytes(15_931_539_456), needs: Bytes(15_931_540_480) });
                assert!(small.contains("15.93153 GB") && small.contains("15.93154 GB"), "{code}: {small}");
                let other = says(Refusal::CapacityOutside { capacity: Bytes(31_914_983_424), at_least: gb(16), at_most: gb(16) });
                assert!(other.contains("31.9 GB") && other.matches("16").count() == 1, "{code}: {other}");
            }
        }
    }

    #[test]
    fn a_card_too_small_is_answered_with_the_size_to_buy() {
        for (needs, size) in [(7_400_000_000, 8), (7_600_000_000, 16), (8_000_000_000, 16), (15_900_000_000, 32)] {
            assert_eq!(size_to_buy(needs), Some(size), "{needs}");
        }
    }
}
