//! What GRUB tells the kernel of a system since Ubuntu Core 20: the words of snapd's menu, without those that the gadget takes away, and
//! the gadget's own behind them. A snapd of 2.57 writes the gadget's alone into the environment of the system, and one of 2.62 all of them
//! (snapd: boot/cmdline.go, `bootVarsForTrustedCommandLineFromGadget`); either way the kernel must be told the same.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::gadget::Gadget;

/// In the menu: what it tells the kernel by itself. It says so once for each kind of processor.
const OWN: &str = "set snapd_static_cmdline_args='";
/// In the environment, and read by menus that know it: what takes the place of all the menu's words.
pub(super) const FULL: &str = "snapd_full_cmdline_args";
/// In the environment: what stands behind the menu's words.
pub(super) const EXTRA: &str = "snapd_extra_cmdline_args";
/// Settings of the system that a gadget may begin with. The second is heeded for models of grade dangerous.
const OPTION: &str = "system.kernel.cmdline-append";
const DANGEROUS_OPTION: &str = "system.kernel.dangerous-cmdline-append";

/// What a gadget's `gadget.yaml` says under `kernel-cmdline`.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KernelArguments {
    #[serde(default)]
    append: Vec<String>,
    #[serde(default)]
    remove: Vec<String>,
}

impl KernelArguments {
    fn is_empty(&self) -> bool {
        self.append.is_empty() && self.remove.is_empty()
    }
}

/// The files that a gadget without `kernel-cmdline` may have instead, as their words.
#[derive(Debug, Default)]
pub(super) struct GadgetFiles {
    /// `cmdline.extra`.
    pub(super) extra: Option<String>,
    /// `cmdline.full`.
    pub(super) full: Option<String>,
}

/// Words to remove, by their name: `quiet`, `console=ttyS0`, or `console=*`, which is every value (`None`). Of two with one name the
/// last counts (snapd: osutil/kcmdline).
type Removed<'g> = BTreeMap<&'g str, Option<&'g str>>;

/// What the gadget describes.
#[derive(Debug)]
pub(super) struct Described<'g> {
    /// Where it does.
    file: &'static str,
    removed: Removed<'g>,
    /// In the place of the menu's words, or behind those that are left.
    words: String,
    replaces: bool,
    /// What may follow: nothing, where the snapd that made the image did not know of such settings.
    options: Vec<String>,
}

impl<'g> Described<'g> {
    pub(super) fn by(gadget: &'g Gadget, files: &GadgetFiles, is_dangerous: bool) -> Self {
        let described = Self { options: options(gadget, is_dangerous), ..Self::nothing() };
        let arguments = gadget.kernel_arguments();
        if !arguments.is_empty() {
            let removed = arguments.remove.iter().map(|word| pattern(word)).collect();
            return Self { file: "gadget.yaml", removed, words: words(&arguments.append.join(" ")), ..described };
        }
        match (&files.full, &files.extra) {
            (Some(full), _) => Self { file: "cmdline.full", words: words(full), replaces: true, ..described },
            (None, Some(extra)) => Self { words: words(extra), ..described },
            (None, None) => described,
        }
    }

    /// As a gadget that says nothing.
    pub(super) fn nothing() -> Self {
        Self { file: "cmdline.extra", removed: Removed::new(), words: String::new(), replaces: false, options: vec![String::new()] }
    }

    /// What is wrong with what the environment says, behind the words themselves.
    pub(super) fn objection(&self) -> String {
        if self.removed.is_empty() {
            format!("which the gadget's {} does not", self.file)
        } else {
            format!("which is not what the gadget's {} leaves", self.file)
        }
    }

    /// Is the kernel told this, and nothing else?
    pub(super) fn is_told(&self, menu: &MenuWords<'_>, extra: &str, full: &str) -> bool {
        // No snapd sets both; and what the menu does not heed is told to nobody.
        if !full.is_empty() && (!extra.is_empty() || !menu.heeds_full) {
            return false;
        }
        menu.own.iter().any(|own| {
            let told = if full.is_empty() { joined(&[own, extra]) } else { words(full) };
            self.options.iter().any(|option| told == joined(&[&self.before(own), &self.words, option]))
        })
    }

    /// What is left of the menu's words.
    fn before(&self, own: &str) -> String {
        if self.replaces {
            return String::new();
        }
        let is_left = |word: &&str| {
            let (name, value) = named(word);
            self.removed.get(name).is_none_or(|removed| removed.is_some_and(|removed| removed != value))
        };
        own.split_whitespace().filter(is_left).collect::<Vec<_>>().join(" ")
    }
}

/// The menu's side.
pub(super) struct MenuWords<'m> {
    own: Vec<&'m str>,
    heeds_full: bool,
}

impl<'m> MenuWords<'m> {
    pub(super) fn of(menu: &'m str) -> Self {
        let mut own: Vec<&str> = menu.lines().filter_map(|line| line.trim().strip_prefix(OWN)?.strip_suffix('\'')).collect();
        if own.is_empty() {
            own.push("");
        }
        Self { own, heeds_full: menu.contains(FULL) }
    }
}

fn options(gadget: &Gadget, is_dangerous: bool) -> Vec<String> {
    let option = gadget.system_default(OPTION).unwrap_or_default();
    let dangerous = gadget.system_default(DANGEROUS_OPTION).filter(|_| is_dangerous).unwrap_or_default();
    vec![String::new(), joined(&[option, dangerous])]
}

fn pattern(word: &str) -> (&str, Option<&str>) {
    let (name, value) = named(word);
    // A star in quotes is the star itself.
    (name, Some(value.trim_matches('"')).filter(|_| value != "*"))
}

fn named(word: &str) -> (&str, &str) {
    word.trim().split_once('=').unwrap_or((word.trim(), ""))
}

fn joined(parts: &[&str]) -> String {
    words(&parts.join(" "))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MENU: &str = "set snapd_static_cmdline_args='panic=-1'\nif true; then\n    set snapd_static_cmdline_args='console=ttyS0 console=tty1 panic=-1'\nfi\nload_env snapd_full_cmdline_args\n";

    fn told(yaml: &str, files: &GadgetFiles, is_dangerous: bool, pairs: &[(&str, &str)]) -> Vec<bool> {
        let gadget = Gadget::read(format!("volumes: {{}}\n{yaml}").as_bytes()).expect("it is one");
        let described = Described::by(&gadget, files, is_dangerous);
        pairs.iter().map(|(extra, full)| described.is_told(&MenuWords::of(MENU), extra, full)).collect()
    }

    #[test]
    fn a_word_is_taken_away_by_its_name_by_its_value_or_with_every_value() {
        for (removed, left) in [
            ("console=ttyS0", "console=tty1 panic=-1"),
            ("console=*", "panic=-1"),
            ("console", "console=ttyS0 console=tty1 panic=-1"),
            ("'console=\"*\"'", "console=ttyS0 console=tty1 panic=-1"),
            ("'panic=\"-1\"'", "console=ttyS0 console=tty1"),
            ("console=ttyS0, panic=*", "console=tty1"),
            ("console=*, console=tty1", "console=ttyS0 panic=-1"),
        ] {
            let yaml = format!("kernel-cmdline: {{remove: [{removed}]}}\n");
            assert_eq!(told(&yaml, &GadgetFiles::default(), false, &[("", left)]), [true], "{removed} leaves {left:?}");
        }
        let nothing = "kernel-cmdline: {remove: [console=*, panic=*]}\n";
        assert_eq!(told(nothing, &GadgetFiles::default(), false, &[("", " "), ("", "")]), [true, false], "an empty one counts as not said");
    }

    #[test]
    fn what_the_gadget_adds_is_told_behind_the_menus_words_or_by_a_newer_snapd_with_them() {
        let files = GadgetFiles { extra: Some("quiet  splash\n".to_owned()), full: None };
        let pairs = [
            ("quiet splash", ""),
            ("", "console=ttyS0 console=tty1 panic=-1 quiet splash"),
            ("", "panic=-1 quiet splash"),
            ("", ""),
            ("quiet", ""),
            ("splash quiet", ""),
            ("", "quiet splash"),
            ("", "console=ttyS0 console=tty1 panic=-1"),
            ("", "console=ttyS0 console=ttyS0 console=tty1 panic=-1 quiet splash"),
            ("", "console=tty1 console=ttyS0 panic=-1 quiet splash"),
            ("quiet splash", "console=ttyS0 console=tty1 panic=-1 quiet splash"),
        ];
        let expected = [true, true, true, false, false, false, false, false, false, false, false];
        assert_eq!(told("", &files, false, &pairs), expected);
    }

    #[test]
    fn what_takes_the_place_of_all_counts_where_the_menu_heeds_it() {
        let files = GadgetFiles { extra: None, full: Some("quiet".to_owned()) };
        assert_eq!(told("", &files, false, &[("", "quiet"), ("quiet", ""), ("", "")]), [true, false, false]);
        let gadget = Gadget::read(b"volumes: {}\n").expect("it is one");
        let older = MENU.replace(FULL, "snapd_extra_cmdline_args");
        assert!(!Described::by(&gadget, &files, false).is_told(&MenuWords::of(&older), "", "quiet"));
    }

    #[test]
    fn settings_that_the_gadget_begins_with_may_follow_and_dangerous_ones_for_dangerous_models() {
        let own = "console=ttyS0 console=tty1 panic=-1";
        let pairs = [("", ""), ("", &format!("{own} one") as &str), ("", &format!("{own} one two")), ("", &format!("{own} two"))];
        for yaml in [
            "defaults: {system: {system.kernel.cmdline-append: one, system.kernel.dangerous-cmdline-append: two}}\n",
            "defaults: {system: {system: {kernel: {cmdline-append: one, dangerous-cmdline-append: two}}}}\n",
            "defaults: {99T7MUlRhtI3U0QFgl5mXXESAiSwt776: {system: {kernel: {cmdline-append: one, dangerous-cmdline-append: two}}}}\n",
        ] {
            assert_eq!(told(yaml, &GadgetFiles::default(), false, &pairs), [true, true, false, false], "{yaml}");
            assert_eq!(told(yaml, &GadgetFiles::default(), true, &pairs), [true, false, true, false], "{yaml}");
        }
    }
}
