//! The files that the firmware of the Raspberry Pi reads if there is no U-Boot between it and the kernel: `config.txt` names the directory
//! of the kernel, and `cmdline.txt` in it has the kernel's command line. Snapd makes both from the gadget's files, and arranges the
//! kernel's files as the firmware needs them. All of that is made again here and compared.

/// The place of a file of the kernel snap, below the directory that the firmware uses.
pub(super) fn place(path: &str, has_broadcom: bool) -> Option<String> {
    if path == "kernel.img" || path == "initrd.img" {
        return Some(path.to_owned());
    }
    let inside = path.strip_prefix("dtbs/")?;
    if !has_broadcom {
        return Some(inside.to_owned());
    }
    // Kernels for arm64 keep the boards of every maker; those of one are moved up, as are the overlays.
    let moved = inside.strip_prefix("broadcom/").or_else(|| inside.starts_with("overlays/").then_some(inside));
    Some(moved.map_or_else(|| path.to_owned(), str::to_owned))
}

/// A file that was made for this image from one of the gadget's.
pub(super) enum Made {
    /// The firmware's own configuration, with the directory of the kernel.
    Config { lines: Vec<String>, prefix: String },
    /// The kernel's command line.
    CommandLine { words: Vec<String> },
    /// If this file exists, the firmware looks for overlays beside it.
    Empty,
}

impl Made {
    /// The first `os_prefix=` becomes that of the system, the others become comments; if there is none, it is added as the last line.
    pub(super) fn config(original: &[u8], prefix: &str) -> Self {
        let wanted = format!("os_prefix={prefix}");
        let mut lines: Vec<String> = lines(original);
        let mut replaced = false;
        for line in lines.iter_mut().filter(|line| line.starts_with("os_prefix=")) {
            *line = if replaced { format!("# {line}") } else { wanted.clone() };
            replaced = true;
        }
        if !replaced {
            lines.push(wanted);
        }
        Self::Config { lines, prefix: prefix.to_owned() }
    }

    /// The first line of the gadget's file, then mode and system.
    pub(super) fn command_line(original: &[u8], label: &str) -> Self {
        let first = String::from_utf8_lossy(original.split(|byte| *byte == b'\n').next().unwrap_or_default()).into_owned();
        let text = format!("{first} snapd_recovery_mode=install snapd_recovery_system={label}");
        Self::CommandLine { words: words(&text) }
    }

    /// The difference of the found file, described by its effect.
    pub(super) fn difference(&self, found: &[u8]) -> Option<String> {
        match self {
            Self::Config { lines, prefix } => config_difference(lines, Some(prefix), found),
            Self::CommandLine { words } => command_line_difference(words, found),
            Self::Empty => (!found.is_empty()).then(|| "is not empty, as snapd makes it".to_owned()),
        }
    }
}

/// How a copy of the gadget's own file differs from it, in words; `None` for files that are not the firmware's.
pub(super) fn difference(path: &str, original: &[u8], found: &[u8]) -> Option<String> {
    match path {
        "config.txt" => config_difference(&lines(original), None, found),
        "cmdline.txt" => command_line_difference(&words(&String::from_utf8_lossy(original)), found),
        _ => None,
    }
}

fn config_difference(wanted: &[String], prefix: Option<&str>, found: &[u8]) -> Option<String> {
    let found = lines(found);
    if found == wanted {
        return None;
    }
    let is_prefix = |line: &&String| line.trim_start().starts_with("os_prefix");
    let lead = found.iter().filter(is_prefix).find(|line| !wanted.contains(line));
    let compared = |prefix: &str| format!("and the kernel that was compared lies in {prefix:?}");
    Some(match (lead, prefix) {
        (Some(line), _) => {
            let to = line.split_once('=').map_or("", |(_, to)| to);
            let elsewhere = prefix.map_or_else(|| "which the gadget's does not".to_owned(), compared);
            format!("leads the firmware to {to:?} (os_prefix), {elsewhere}")
        }
        (None, Some(prefix)) if !found.iter().any(|line| is_prefix(&line)) => {
            format!("leads the firmware nowhere (os_prefix), {}", compared(prefix))
        }
        _ => {
            let added = found.iter().find(|line| !wanted.contains(line));
            let missing = wanted.iter().find(|line| !found.contains(line));
            match (added, missing) {
                (Some(line), _) => format!("says {line:?}, which the gadget's does not"),
                (None, Some(line)) => format!("does not say {line:?}, as the gadget's does"),
                (None, None) => "says the same as the gadget's in another order, or more often".to_owned(),
            }
        }
    })
}

fn command_line_difference(wanted: &[String], found: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(found);
    // The firmware passes on only the first line.
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let given = words(first);
    if let Some(word) = given.iter().find(|word| !wanted.contains(word)) {
        return Some(format!("gives the kernel {word:?}, which the gadget's does not"));
    }
    if let Some(word) = wanted.iter().find(|word| !given.contains(word)) {
        return Some(format!("does not give the kernel {word:?} in its first line"));
    }
    if given != wanted {
        return Some("gives the kernel the words of the gadget's in another order, or more often".to_owned());
    }
    (!rest.trim().is_empty()).then(|| "has more than one line".to_owned())
}

/// Without empty lines, which have no meaning.
fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.split('\n').filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split_ascii_whitespace().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_files_lie_where_the_firmware_looks() {
        for (path, with_broadcom, without) in [
            ("kernel.img", Some("kernel.img"), Some("kernel.img")),
            ("dtbs/broadcom/bcm2711-rpi-4-b.dtb", Some("bcm2711-rpi-4-b.dtb"), Some("broadcom/bcm2711-rpi-4-b.dtb")),
            ("dtbs/overlays/a.dtbo", Some("overlays/a.dtbo"), Some("overlays/a.dtbo")),
            ("dtbs/other/b.dtb", Some("dtbs/other/b.dtb"), Some("other/b.dtb")),
            ("dtbs/bcm2710-rpi-3-b.dtb", Some("dtbs/bcm2710-rpi-3-b.dtb"), Some("bcm2710-rpi-3-b.dtb")),
            ("config-5.15", None, None),
        ] {
            assert_eq!(place(path, true).as_deref(), with_broadcom, "{path}");
            assert_eq!(place(path, false).as_deref(), without, "{path}");
        }
    }

    #[test]
    fn a_configuration_is_led_to_the_system_once() {
        let prefix = "/systems/1/kernel/";
        for (original, made) in [
            ("[all]\nkernel=kernel.img\n", "[all]\nkernel=kernel.img\n\nos_prefix=/systems/1/kernel/\n"),
            ("os_prefix=/x/\n[pi4]\nos_prefix=/y/\n", "os_prefix=/systems/1/kernel/\n[pi4]\n# os_prefix=/y/\n"),
        ] {
            assert_eq!(Made::config(original.as_bytes(), prefix).difference(made.as_bytes()), None, "{original}");
            let why = Made::config(original.as_bytes(), prefix).difference(original.as_bytes()).expect("it leads elsewhere");
            assert!(why.contains("(os_prefix), and the kernel that was compared lies in \"/systems/1/kernel/\""), "{why}");
        }
    }

    #[test]
    fn every_way_in_which_a_text_differs_has_its_words() {
        let config = |found: &str| difference("config.txt", b"a=1\nb=2\n", found.as_bytes());
        assert_eq!(config("a=1\n\nb=2"), None);
        assert!(config("a=1\nb=2\ninclude x.txt\n").is_some_and(|why| why.contains("says \"include x.txt\"")));
        assert!(config("a=1\nb=2\n os_prefix = /x/\n").is_some_and(|why| why.contains("leads the firmware to \" /x/\"")));
        assert!(config("a=1\n").is_some_and(|why| why.contains("does not say \"b=2\"")));
        assert!(config("b=2\na=1\n").is_some_and(|why| why.contains("another order")));
        let line = |found: &str| difference("cmdline.txt", b"console=tty1 quiet\n", found.as_bytes());
        assert_eq!(line("console=tty1  quiet"), None);
        assert!(line("console=tty1 quiet init=/x").is_some_and(|why| why.contains("gives the kernel \"init=/x\"")));
        assert!(line("console=tty1\nquiet").is_some_and(|why| why.contains("does not give the kernel \"quiet\"")));
        assert!(line("quiet console=tty1").is_some_and(|why| why.contains("another order")));
        assert!(line("console=tty1 quiet\ninit=/x\n").is_some_and(|why| why.contains("more than one line")));
        assert_eq!(difference("other.txt", b"a", b"b"), None);
    }
}
