//! The kernel command line that GRUB gives to a system since Ubuntu Core 20: the words of snapd's menu, without those that the gadget
//! removes, followed by the gadget's own. Some versions of snapd (2.57) write only the gadget's words into the environment of the system,
//! others (2.62) all of them (snapd: boot/cmdline.go, `bootVarsForTrustedCommandLineFromGadget`); in both cases the kernel must get the
//! same words.

use std::collections::BTreeMap;

use crate::image::inspect::gadget::Gadget;

/// In the menu: its own words for the kernel, once for each kind of processor.
const OWN: &str = "set snapd_static_cmdline_args='";
/// In the environment, read by menus that know it: words that replace all words of the menu.
pub(super) const FULL: &str = "snapd_full_cmdline_args";
/// In the environment: words that follow those of the menu.
pub(super) const EXTRA: &str = "snapd_extra_cmdline_args";
/// Settings of the system that a gadget may set. The second one is used only for models of grade dangerous.
const OPTION: &str = "system.kernel.cmdline-append";
const DANGEROUS_OPTION: &str = "system.kernel.dangerous-cmdline-append";
/// The value by which snapd replaces the menu's words with nothing: an empty value would keep them.
const EMPTY: &str = " ";

/// The files that a gadget without `kernel-cmdline` may have instead.
#[derive(Debug, Default)]
pub(super) struct GadgetFiles {
    /// Contents of `cmdline.extra`; `None` if the gadget has no such file.
    pub(super) extra: Option<Vec<u8>>,
    /// Contents of `cmdline.full`; `None` if the gadget has no such file.
    pub(super) full: Option<Vec<u8>>,
}

/// Words to remove, by their name: `quiet`, `console=ttyS0`, or `console=*`, which means every value (`None`). Of two with the same name
/// the last one counts (snapd: osutil/kcmdline).
type Removed<'g> = BTreeMap<&'g str, Option<&'g str>>;

/// The description in the gadget.
#[derive(Debug)]
pub(super) struct Described<'g> {
    removed: Removed<'g>,
    /// Words that follow the kept words of the menu, or replace them.
    words: String,
    replaces: bool,
    /// The description is in `kernel-cmdline` of `gadget.yaml`, which not every snapd knows.
    is_in_yaml: bool,
    options: Options,
}

/// The words that follow from settings of the gadget.
#[derive(Debug, Default)]
struct Options {
    /// The words that the settings add to the command line.
    words: String,
    /// A snapd that knows such settings may leave the words out.
    may_lack: bool,
}

impl<'g> Described<'g> {
    pub(super) fn by(gadget: &'g Gadget, files: &GadgetFiles, is_dangerous: bool) -> Self {
        let described = Self { options: Options::of(gadget, is_dangerous), ..Self::nothing() };
        if let Some(arguments) = gadget.kernel_arguments().filter(|arguments| !arguments.is_empty()) {
            let removed = arguments.remove().iter().map(|word| Word::of(word).pattern()).collect();
            let words = arguments.append().iter().map(|word| Word::of(word).written()).collect::<Vec<_>>().join(" ");
            return Self { removed, words, is_in_yaml: true, ..described };
        }
        match (&files.full, &files.extra) {
            (Some(full), _) => Self { words: without_comments(full), replaces: true, ..described },
            (None, Some(extra)) => Self { words: without_comments(extra), ..described },
            (None, None) => described,
        }
    }

    /// As for a gadget without a description.
    pub(super) fn nothing() -> Self {
        let options = Options::default();
        Self { removed: Removed::new(), words: String::new(), replaces: false, is_in_yaml: false, options }
    }

    /// The error in these two values of an environment, for this menu. They are compared literally, because GRUB and the kernel each read
    /// their parts in their own way.
    pub(super) fn objection(&self, menu: &MenuWords<'_>, extra: &str, full: &str) -> Option<String> {
        if !full.is_empty() && !extra.is_empty() {
            return Some(format!("sets both {EXTRA} and {FULL}, which no snapd does"));
        }
        for (name, value) in [(EXTRA, extra), (FULL, full)] {
            if !value.is_empty() && !menu.text.contains(name) {
                return Some(format!("sets {name}, which its menu does not heed"));
            }
        }
        let (is_told, given) = match full {
            "" => (self.is_behind(menu, extra), joined(&[menu.last(), extra])),
            full => (self.is_whole(menu, full), full.to_owned()),
        };
        if is_told {
            return None;
        }
        let expected = self.whole(menu.last()).swap_remove(0);
        let cure = "; a snapd that does not know all that is in gadget.yaml makes such images: make it with a newer one";
        let needs_newer = self.is_in_yaml || !self.options.words.is_empty();
        let cure = if needs_newer && full.is_empty() { cure } else { "" };
        Some(format!("gives the kernel {given:?}, where menu and gadget make it {expected:?}{cure}"))
    }

    /// Nothing is removed from any line of the menu, of which GRUB chooses one on the device, and the gadget's words follow.
    fn is_behind(&self, menu: &MenuWords<'_>, extra: &str) -> bool {
        let keeps_all = |own: &&str| self.kept(own) == words(own);
        !self.replaces && menu.own.iter().all(keeps_all) && self.behind().iter().any(|behind| behind == extra)
    }

    /// The kept words of one line of the menu, which the image tool chose, and the gadget's words.
    fn is_whole(&self, menu: &MenuWords<'_>, full: &str) -> bool {
        let written = |whole: String| if whole.is_empty() { EMPTY.to_owned() } else { whole };
        menu.own.iter().any(|own| self.whole(own).into_iter().map(written).any(|whole| whole == full))
    }

    /// The values that a snapd may write to replace the menu's words, the most likely first.
    fn whole(&self, own: &str) -> Vec<String> {
        let kept = if self.replaces { String::new() } else { self.kept(own) };
        self.behind().iter().map(|behind| joined(&[&kept, behind])).collect()
    }

    /// The gadget's own words.
    fn behind(&self) -> Vec<String> {
        let mut behind = vec![joined(&[&self.words, &self.options.words])];
        if self.options.may_lack {
            behind.push(self.words.clone());
        }
        behind
    }

    /// The kept words of the menu.
    fn kept(&self, own: &str) -> String {
        let is_kept = |word: &&str| {
            let word = Word::of(word);
            self.removed.get(word.name).is_none_or(|removed| removed.is_some_and(|removed| removed != word.value))
        };
        own.split_ascii_whitespace().filter(is_kept).collect::<Vec<_>>().join(" ")
    }
}

impl Options {
    fn of(gadget: &Gadget, is_dangerous: bool) -> Self {
        let option = gadget.system_default(OPTION).unwrap_or_default();
        let dangerous = gadget.system_default(DANGEROUS_OPTION);
        // If the second one is not used, snapd leaves out both (boot/makebootable.go, `buildOptionalKernelCommandLine`).
        let may_lack = dangerous.is_some() && !is_dangerous;
        let dangerous = dangerous.filter(|_| is_dangerous).unwrap_or_default();
        Self { words: joined(&[option, dangerous]), may_lack }
    }
}

/// A menu of GRUB, and the words each of its lines gives to the kernel.
pub(super) struct MenuWords<'m> {
    text: &'m str,
    own: Vec<&'m str>,
}

impl<'m> MenuWords<'m> {
    pub(super) fn of(menu: &'m str) -> Self {
        let own = menu.lines().filter_map(|line| line.trim().strip_prefix(OWN)?.strip_suffix('\''));
        let mut own: Vec<&str> = own.collect();
        if own.is_empty() {
            own.push("");
        }
        Self { text: menu, own }
    }

    /// The line for PCs, if there are several.
    fn last(&self) -> &'m str {
        self.own.last().copied().unwrap_or_default()
    }
}

/// A word of the command line, split as by the kernel (lib/cmdline.c, `next_arg`) and by snapd (osutil/kcmdline, `Parse`).
struct Word<'w> {
    name: &'w str,
    value: &'w str,
    /// In quotes, alone or with its name.
    is_quoted: bool,
}

impl<'w> Word<'w> {
    fn of(text: &'w str) -> Self {
        let text = text.trim();
        let opened = text.strip_prefix('"');
        let closed = opened.and_then(|rest| rest.strip_suffix('"'));
        let bare = closed.or(opened).unwrap_or(text);
        let (name, value) = bare.split_once('=').unwrap_or((bare, ""));
        let inner = value.strip_prefix('"');
        let value = inner.map_or(value, |rest| rest.strip_suffix('"').unwrap_or(rest));
        Self { name, value, is_quoted: closed.is_some() || inner.is_some() }
    }

    /// A pattern for words to remove; a star in quotes is a literal star.
    fn pattern(self) -> (&'w str, Option<&'w str>) {
        (self.name, Some(self.value).filter(|value| self.is_quoted || *value != "*"))
    }

    /// As snapd writes it (`Argument.String`): no equals sign before an empty value, and quotes around the value only.
    fn written(self) -> String {
        let quoted = |text: &str, must: bool| if must || text.contains(' ') { format!("\"{text}\"") } else { text.to_owned() };
        match self.value {
            "" => quoted(self.name, false),
            value => format!("{}={}", quoted(self.name, false), quoted(value, self.is_quoted)),
        }
    }
}

/// Words for the kernel, as in files of gadgets.
fn without_comments(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    words(&text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(" "))
}

fn joined(parts: &[&str]) -> String {
    let parts = parts.iter().filter(|part| !part.is_empty());
    parts.copied().collect::<Vec<_>>().join(" ")
}

/// One space between words; text in quotes is unchanged.
fn words(text: &str) -> String {
    let mut is_quoted = false;
    let is_between = |letter: char| {
        is_quoted ^= letter == '"';
        letter == ' ' && !is_quoted
    };
    text.split(is_between).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MENU: &str = "set snapd_static_cmdline_args='panic=-1'\nif true; then\n    set snapd_static_cmdline_args='console=ttyS0 console=tty1 panic=-1'\nfi\nload_env snapd_extra_cmdline_args snapd_full_cmdline_args\n";
    const OWN: &str = "console=ttyS0 console=tty1 panic=-1";

    /// Which of these pairs, extra and full, fit the gadget's description?
    fn accepted(yaml: &str, files: &GadgetFiles, is_dangerous: bool, pairs: &[(&str, &str)]) -> Vec<bool> {
        let gadget = Gadget::read(format!("volumes: {{}}\n{yaml}").as_bytes()).expect("it is one");
        let described = Described::by(&gadget, files, is_dangerous);
        pairs.iter().map(|(extra, full)| described.objection(&MenuWords::of(MENU), extra, full).is_none()).collect()
    }

    fn file(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_owned())
    }

    #[test]
    fn a_word_is_taken_away_by_its_name_by_its_value_or_with_every_value() {
        for (removed, left) in [
            ("console=ttyS0", "console=tty1 panic=-1"),
            ("console=*", "panic=-1"),
            ("console", OWN),
            ("'console=\"*\"'", OWN),
            ("'panic=\"-1\"'", "console=ttyS0 console=tty1"),
            ("'\"panic=-1\"'", "console=ttyS0 console=tty1"),
            ("console=ttyS0, panic=*", "console=tty1"),
            ("console=*, console=tty1", "console=ttyS0 panic=-1"),
        ] {
            let yaml = format!("kernel-cmdline: {{remove: [{removed}]}}\n");
            // Without words in the environment, the menu gives all of its own.
            assert_eq!(accepted(&yaml, &GadgetFiles::default(), false, &[("", left), ("", "")]), [true, left == OWN], "{removed}");
        }
        let yaml = "kernel-cmdline: {append: [quiet], remove: [console=*]}\n";
        assert_eq!(accepted(yaml, &GadgetFiles::default(), false, &[("", "panic=-1 quiet"), ("quiet", "")]), [true, false]);
        let nothing = "kernel-cmdline: {remove: [console=*, panic=*]}\n";
        assert_eq!(
            accepted(nothing, &GadgetFiles::default(), false, &[("", " "), ("", "")]),
            [true, false],
            "an empty one counts as not said"
        );
    }

    #[test]
    fn what_the_gadget_adds_is_told_behind_the_menus_words_or_by_a_newer_snapd_with_them() {
        let files = GadgetFiles { extra: file("quiet  splash\n"), full: None };
        let good = [("quiet splash", ""), ("", "console=ttyS0 console=tty1 panic=-1 quiet splash"), ("", "panic=-1 quiet splash")];
        assert_eq!(accepted("", &files, false, &good), [true; 3]);
        let bad = [
            ("", ""),
            ("quiet", ""),
            ("splash quiet", ""),
            ("", "quiet splash"),
            ("", OWN),
            ("", "console=ttyS0 console=ttyS0 console=tty1 panic=-1 quiet splash"),
            ("", "console=tty1 console=ttyS0 panic=-1 quiet splash"),
            ("quiet splash", "console=ttyS0 console=tty1 panic=-1 quiet splash"),
            // Characters that end a word for one reader and not for another.
            ("quiet\u{2003}splash", ""),
            ("quiet\u{a0}splash", ""),
            ("quiet\tsplash", ""),
            ("quiet\u{b}splash", ""),
            ("quiet  splash", ""),
            ("", "panic=-1\u{2003}quiet splash"),
        ];
        assert_eq!(accepted("", &files, false, &bad), [false; 14]);
    }

    #[test]
    fn a_word_of_gadget_yaml_is_written_as_snapd_writes_it() {
        for (typed, expected) in [
            ("quiet", "quiet"),
            ("foo=", "foo"),
            ("foo=bar=baz", "foo=bar=baz"),
            ("foo=\"bar baz\"", "foo=\"bar baz\""),
            ("foo=\"bar\"", "foo=\"bar\""),
            ("\"foo=bar baz\"", "foo=\"bar baz\""),
            ("\"foo=bar", "foo=bar"),
            ("\"foo\"=bar", "foo\"=bar"),
            ("foo=\"bar", "foo=\"bar\""),
        ] {
            assert_eq!(Word::of(typed).written(), expected, "{typed}");
        }
        let files = GadgetFiles { extra: file("# not this\nfoo=\"a  b\"  c\n\nd#\n"), full: None };
        assert_eq!(accepted("", &files, false, &[("foo=\"a  b\" c d#", ""), ("foo=\"a b\" c d#", "")]), [true, false]);
    }

    #[test]
    fn keys_without_a_value_say_nothing() {
        for yaml in ["defaults:\nkernel-cmdline:\n", "defaults: ~\nkernel-cmdline:\n  append:\n  remove:\n", "defaults: {system: }\n"] {
            assert_eq!(accepted(yaml, &GadgetFiles::default(), false, &[("", ""), ("", OWN), ("x", "")]), [true, true, false], "{yaml}");
        }
    }

    #[test]
    fn what_takes_the_place_of_all_counts_where_the_menu_heeds_it() {
        let files = GadgetFiles { extra: None, full: file("quiet") };
        assert_eq!(accepted("", &files, false, &[("", "quiet"), ("quiet", ""), ("", "")]), [true, false, false]);
        let gadget = Gadget::read(b"volumes: {}\n").expect("it is one");
        let older = MENU.replace(FULL, "");
        let words = Described::by(&gadget, &files, false).objection(&MenuWords::of(&older), "", "quiet").expect("GRUB does not read it");
        assert_eq!(words, "sets snapd_full_cmdline_args, which its menu does not heed");
    }

    #[test]
    fn settings_that_the_gadget_begins_with_follow_and_dangerous_ones_for_dangerous_models() {
        let full = |rest: &str| format!("{OWN}{rest}");
        let all = [full(""), full(" one"), full(" one two"), full(" two")];
        let pairs = all.iter().map(|full| ("", full.as_str())).collect::<Vec<_>>();
        for yaml in [
            "defaults: {system: {system.kernel.cmdline-append: one, system.kernel.dangerous-cmdline-append: two}}\n",
            "defaults: {system: {system: {kernel: {cmdline-append: one, dangerous-cmdline-append: two}}}}\n",
            "defaults: {99T7MUlRhtI3U0QFgl5mXXESAiSwt776: {system: {kernel: {cmdline-append: one, dangerous-cmdline-append: two}}}}\n",
        ] {
            // A snapd that leaves out the second setting leaves out both.
            assert_eq!(accepted(yaml, &GadgetFiles::default(), false, &pairs), [true, true, false, false], "{yaml}");
            assert_eq!(accepted(yaml, &GadgetFiles::default(), true, &pairs), [false, false, true, false], "{yaml}");
        }
        let yaml = "defaults: {system: {system.kernel.cmdline-append: one}}\n";
        assert_eq!(accepted(yaml, &GadgetFiles::default(), false, &pairs), [false, true, false, false]);
        assert_eq!(accepted(yaml, &GadgetFiles::default(), false, &[("", ""), ("one", ""), ("two", "")]), [false, true, false]);
    }
}
