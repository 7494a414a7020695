//! The boot environments: files in which a boot loader keeps what it starts next, and how. They are made for one image, so no snap contains
//! their original; instead, every word in them is checked.
//!
//! Boot loader and snapd read them with different parsers. An environment that the two could read differently is refused, whatever its
//! contents.

use std::collections::BTreeMap;

use super::command_line::{self, Described, GadgetFiles, MenuWords};
use super::comparison::{Compared, Expected, LARGEST_TEXT, Original, Originals};
use super::loader::Loader;
use super::{menu, published};
use crate::image::inspect::codes::VerdictCode;
use crate::image::inspect::gadget::Gadget;
use crate::image::inspect::read_error::ReadError;
use crate::image::inspect::readers::files::Files;
use crate::image::inspect::readers::listing::Node;
use crate::image::inspect::readers::squashfs::Inode;

/// The path of GRUB's menu on the boot partition.
const GRUB_CONFIG: &str = "efi/ubuntu/grub.cfg";
/// An environment of GRUB has exactly this length, and begins with this text.
const GRUB_LENGTH: usize = 1024;
const GRUB_HEAD: &str = "# GRUB Environment Block\n";
/// The length of environments in U-Boot's form that snapd makes itself.
const UBOOT_LENGTH: usize = 4096;
/// A CRC-32 at the beginning, followed by a flag if U-Boot was built for two copies.
const CRC: usize = 4;
/// Modes that snapd knows; a fresh image is in the first one.
const INSTALL: &str = "install";
/// Boot flags that snapd knows: the first boots happen in a factory (`ubuntu-image --factory-image`).
const FLAGS: [&str; 1] = ["factory"];

type Variables = BTreeMap<String, String>;

/// An environment in U-Boot's form.
#[derive(Debug, PartialEq, Eq)]
struct Uboot {
    variables: Variables,
    has_flag: bool,
}

impl Compared {
    /// Checks every environment that the boot loader reads: it must exist, be undamaged, and have the contents of a fresh image. If the
    /// boot loader is unknown, every existing environment is checked.
    pub(super) fn environments(
        &mut self,
        originals: &mut Originals<'_, '_>,
        gadget: Option<&Gadget>,
        loader: Option<Loader>,
        boot: &Files,
        expected: &mut Expected,
    ) -> Result<(), ReadError> {
        if gadget.is_some() && loader.is_none() {
            self.uncovered.push("the environment of the gadget's boot loader, which is neither GRUB nor U-Boot nor piboot".to_owned());
        }
        let has_state_partition = originals.seed.label.is_some() && gadget.is_some_and(Gadget::has_boot_state_partition);
        let mut found = |which: Loader, path: &str| -> Result<Option<Vec<u8>>, ReadError> {
            if loader.is_some_and(|loader| loader != which) {
                return Ok(None);
            }
            // If there is such a partition, no program reads the file, so it counts as a foreign one.
            let is_read = which != Loader::Uboot || !has_state_partition;
            if is_read && matches!(boot.node(path), Some(Node::File { .. })) {
                expected.insert(path.to_owned(), Original::Elsewhere)?;
                return boot.read(path, LARGEST_TEXT).map(Some);
            }
            if which == Loader::Uboot && has_state_partition {
                self.uncovered.push(
                    "the environment of U-Boot: it is in the gadget's partition with the role system-boot-state, and this loader is not \
                     covered"
                        .to_owned(),
                );
            } else if loader.is_some() {
                self.different.push(VerdictCode::BootFileMissing.with(format!(
                    "{path} is missing on {}: {} reads it to know what to start",
                    boot.label,
                    which.name()
                )));
            }
            Ok(None)
        };
        match originals.seed.label.clone() {
            None => {
                let config = found(Loader::Grub, GRUB_CONFIG)?;
                let grubenv = found(Loader::Grub, "efi/ubuntu/grubenv")?;
                let uboot = found(Loader::Uboot, "uboot.env")?;
                if let Some(config) = config {
                    self.grub_config(originals, boot, &config)?;
                }
                let wanted = [("snap_kernel", originals.kernel_file), ("snap_core", originals.base_file)];
                if let Some(variables) = grubenv.and_then(|bytes| self.whole("efi/ubuntu/grubenv", grub(&bytes))) {
                    self.names("efi/ubuntu/grubenv", &variables, &wanted);
                    self.unexpected("efi/ubuntu/grubenv", &variables, &["snap_kernel", "snap_core", "snap_menuentry"]);
                }
                if let Some(bytes) = uboot {
                    self.uboot_env(originals, boot, &bytes, &wanted)?;
                }
            }
            Some(label) => {
                let of_system = format!("{}/grubenv", originals.seed.root);
                let config = found(Loader::Grub, GRUB_CONFIG)?;
                let grubenv = found(Loader::Grub, "efi/ubuntu/grubenv")?;
                let system = found(Loader::Grub, &of_system)?;
                let selection = found(Loader::Uboot, "uboot/ubuntu/boot.sel")?;
                let piboot = found(Loader::Piboot, "piboot/ubuntu/piboot.conf")?;
                if let Some(config) = &config {
                    self.seed_menu(originals, boot, config)?;
                }
                // The menu of GRUB and the script of U-Boot start an installation if no mode is given.
                if let Some(variables) = grubenv.and_then(|bytes| self.whole("efi/ubuntu/grubenv", grub(&bytes))) {
                    self.recovery("efi/ubuntu/grubenv", &variables, &label, false);
                }
                if let Some(variables) = system.and_then(|bytes| self.whole(&of_system, grub(&bytes))) {
                    let menu = String::from_utf8_lossy(config.as_deref().unwrap_or_default());
                    self.system(originals, gadget, boot, &MenuWords::of(&menu), &of_system, &variables)?;
                }
                if let Some(bytes) = selection {
                    // A gadget may contain one to show that its U-Boot wants no flag: only its checksum counts, not its contents.
                    let pattern = of_gadget(originals, "boot.sel")?;
                    let has_flag = pattern.and_then(|pattern| uboot_contents(&pattern).map(|(_, has_flag)| has_flag).ok());
                    self.made("uboot/ubuntu/boot.sel", &bytes, has_flag.unwrap_or(true), &label, false);
                }
                if let Some(bytes) = piboot {
                    // Here only the mode that snapd wrote is used, so it must be present.
                    self.made("piboot/ubuntu/piboot.conf", &bytes, true, &label, true);
                }
            }
        }
        Ok(())
    }

    fn whole<T>(&mut self, path: &str, read: Result<T, String>) -> Option<T> {
        read.map_err(|why| self.different.push(VerdictCode::EnvironmentDamaged.with(format!("{path} {why}")))).ok()
    }

    fn grub_config(&mut self, originals: &mut Originals<'_, '_>, boot: &Files, config: &[u8]) -> Result<(), ReadError> {
        match of_gadget(originals, "grub.conf")? {
            Some(original) if config == original => self.equal += 1,
            Some(_) => self.different.push(VerdictCode::BootFileDiffers.with(format!("{GRUB_CONFIG} differs from the gadget's grub.conf"))),
            None => {
                let why = no_original(originals, "grub.conf");
                self.refuse_unless_allowed(originals.allowed, boot, vec![GRUB_CONFIG.to_owned()], &why);
            }
        }
        Ok(())
    }

    /// Since Ubuntu Core 20, the menu is snapd's own.
    fn seed_menu(&mut self, originals: &mut Originals<'_, '_>, boot: &Files, config: &[u8]) -> Result<(), ReadError> {
        if published::is_menu(config) {
            self.equal += 1;
            return Ok(());
        }
        let why = match &mut originals.snapd {
            Some(Ok(snapd)) => {
                if menu::is_in(snapd, config).map_err(|error| error.about("the snapd snap"))? {
                    self.equal += 1;
                    return Ok(());
                }
                "it is not the menu of a published snapd, and the snapd in the image does not contain it".to_owned()
            }
            Some(Err(error)) => {
                format!("it is not a known menu, and the snapd that may contain it cannot be read: {}", error.words())
            }
            None => "it is not a known menu, and there is no proven snapd in the image that could contain it".to_owned(),
        };
        self.refuse_unless_allowed(originals.allowed, boot, vec![GRUB_CONFIG.to_owned()], &why);
        Ok(())
    }

    /// Of Ubuntu Core 16 and 18: the gadget's environment, with the names of two snaps.
    fn uboot_env(
        &mut self,
        originals: &mut Originals<'_, '_>,
        boot: &Files,
        bytes: &[u8],
        wanted: &[(&str, &str)],
    ) -> Result<(), ReadError> {
        let path = "uboot.env";
        let Some(found) = self.whole(path, uboot(bytes)) else { return Ok(()) };
        self.names(path, &found.variables, wanted);
        let original = match of_gadget(originals, "uboot.conf")? {
            None => Err(no_original(originals, "uboot.conf")),
            // Snapd makes one itself if the gadget's is empty.
            Some(original) if original.is_empty() => Ok((Uboot { variables: Variables::new(), has_flag: true }, UBOOT_LENGTH)),
            Some(original) => uboot(&original)
                .map(|read| (read, original.len()))
                .map_err(|why| format!("the gadget has no original that it could be compared with: its uboot.conf {why}")),
        };
        let own = original.as_ref().ok().map(|(original, _)| &original.variables);
        let of_snaps = found.variables.iter().filter(|(name, value)| {
            let is_set_by_snapd = matches!(name.as_str(), "snap_mode" | "snap_try_core" | "snap_try_kernel");
            name.starts_with("snap_") && (is_set_by_snapd || own.is_none_or(|own| own.get(*name) != Some(*value)))
        });
        self.unexpected(path, of_snaps, &["snap_kernel", "snap_core", "snap_menuentry"]);
        match original {
            Err(why) => self.refuse_unless_allowed(originals.allowed, boot, vec![path.to_owned()], &why),
            Ok((_, length)) if length != bytes.len() => {
                self.different.push(VerdictCode::EnvironmentDamaged.with(format!(
                    "{path} is {} bytes long, and the gadget's uboot.conf {length}: U-Boot reads no other length",
                    bytes.len()
                )));
            }
            Ok((original, _)) if original.has_flag != found.has_flag => {
                self.different.push(
                    VerdictCode::EnvironmentDamaged
                        .with(format!("{path} has another header than the gadget's uboot.conf: U-Boot takes it for damaged")),
                );
            }
            Ok((original, _)) if without_snap_variables(&original.variables) == without_snap_variables(&found.variables) => self.equal += 1,
            Ok(_) => self.different.push(
                VerdictCode::EnvironmentDiffers
                    .with(format!("{path} differs from the gadget's uboot.conf in more than the names of snaps")),
            ),
        }
        Ok(())
    }

    /// An environment that snapd made from nothing, in U-Boot's form.
    fn made(&mut self, path: &str, bytes: &[u8], has_flag: bool, label: &str, must_name_mode: bool) {
        if bytes.len() != UBOOT_LENGTH {
            self.different.push(
                VerdictCode::EnvironmentDamaged.with(format!("{path} is {} bytes long, where snapd makes {UBOOT_LENGTH}", bytes.len())),
            );
            return;
        }
        let Some(found) = self.whole(path, uboot(bytes)) else { return };
        if found.has_flag != has_flag {
            self.different.push(
                VerdictCode::EnvironmentDamaged
                    .with(format!("{path} has another header than the gadget asks for: the boot loader takes it for damaged")),
            );
        }
        self.recovery(path, &found.variables, label, must_name_mode);
    }

    /// Since Ubuntu Core 20: names the system to start and its mode.
    fn recovery(&mut self, path: &str, variables: &Variables, label: &str, must_name_mode: bool) {
        self.names(path, variables, &[("snapd_recovery_system", label)]);
        match variables.get("snapd_recovery_mode").map_or("", String::as_str) {
            INSTALL => {}
            "" if !must_name_mode => {}
            "" => self
                .different
                .push(VerdictCode::EnvironmentDiffers.with(format!("{path} does not say snapd_recovery_mode, so that nothing starts"))),
            other => {
                self.different.push(
                    VerdictCode::EnvironmentDiffers
                        .with(format!("{path} names {other:?} as snapd_recovery_mode, and a fresh image begins with {INSTALL:?}")),
                );
            }
        }
        let flags = variables.get("snapd_boot_flags").map_or("", String::as_str);
        for flag in flags.split(',').filter(|flag| !flag.is_empty() && !FLAGS.contains(flag)) {
            self.different
                .push(VerdictCode::EnvironmentDiffers.with(format!("{path} sets the boot flag {flag:?}, which snapd does not know")));
        }
        self.unexpected(path, variables, &["snapd_recovery_system", "snapd_recovery_mode", "snapd_boot_flags"]);
    }

    /// Since Ubuntu Core 20, with GRUB: the kernel of one system, and its command line.
    fn system(
        &mut self,
        originals: &mut Originals<'_, '_>,
        gadget: Option<&Gadget>,
        boot: &Files,
        menu: &MenuWords<'_>,
        path: &str,
        variables: &Variables,
    ) -> Result<(), ReadError> {
        self.names(path, variables, &[("snapd_recovery_kernel", &format!("/snaps/{}", originals.kernel_file))]);
        self.unexpected(path, variables, &["snapd_recovery_kernel", command_line::EXTRA, command_line::FULL]);
        let value = |name: &str| variables.get(name).map_or("", String::as_str);
        let (extra, full) = (value(command_line::EXTRA), value(command_line::FULL));
        let Some(gadget) = gadget else {
            if let Some(words) = Described::nothing().objection(menu, extra, full) {
                let why = format!("it {words}, and the gadget that may have brought this cannot be looked into");
                self.refuse_unless_allowed(originals.allowed, boot, vec![path.to_owned()], &why);
            }
            return Ok(());
        };
        let files = GadgetFiles { extra: of_gadget(originals, "cmdline.extra")?, full: of_gadget(originals, "cmdline.full")? };
        if let Some(words) = Described::by(gadget, &files, originals.is_dangerous).objection(menu, extra, full) {
            self.different.push(VerdictCode::CommandLineDiffers.with(format!("{path} {words}")));
        }
        Ok(())
    }

    fn names(&mut self, path: &str, variables: &Variables, wanted: &[(&str, &str)]) {
        for (name, value) in wanted {
            match variables.get(*name) {
                Some(found) if found == value => {}
                Some(found) => self
                    .different
                    .push(VerdictCode::EnvironmentDiffers.with(format!("{path} names {found:?} as {name}, and the seed's is {value:?}"))),
                None => self.different.push(VerdictCode::EnvironmentDiffers.with(format!("{path} does not say {name}"))),
            }
        }
    }

    /// Every other variable is empty in a fresh image: nothing signed describes a trial of another kernel or base, or words for the
    /// kernel's command line.
    fn unexpected<'v>(&mut self, path: &str, variables: impl IntoIterator<Item = (&'v String, &'v String)>, known: &[&str]) {
        for (name, value) in variables {
            // Empty ones, too, if snapd does not know the name: they would remove a value that a menu set before.
            let is_told = !value.is_empty() || !name.starts_with("snap");
            if is_told && !known.contains(&name.as_str()) {
                self.different
                    .push(VerdictCode::EnvironmentDiffers.with(format!("{path} sets {name} to {value:?}, which no fresh image does")));
            }
        }
    }
}

/// A file of the gadget; a link in its place is followed once: `uboot.conf` often leads to `uboot.env`.
fn of_gadget(originals: &mut Originals<'_, '_>, path: &str) -> Result<Option<Vec<u8>>, ReadError> {
    let Ok(snap) = &mut originals.gadget else { return Ok(None) };
    let mut found = snap.find(path)?;
    if let Some(Inode::Link { target }) = &found {
        found = snap.find(target)?;
    }
    match found {
        Some(Inode::File(file)) => snap.read(&file, LARGEST_TEXT).map(Some),
        _ => Ok(None),
    }
}

/// Why the gadget does not have this file: it is missing, or that cannot be determined.
fn no_original(originals: &Originals<'_, '_>, file: &str) -> String {
    match &originals.gadget {
        Ok(_) => format!("the gadget has no {file} that it could be compared with"),
        Err(error) => format!("the gadget whose {file} it could be compared with cannot be looked into: {}", error.words()),
    }
}

/// Lines of `NAME=VALUE`, padded with `#`.
fn grub(bytes: &[u8]) -> Result<Variables, String> {
    if bytes.len() != GRUB_LENGTH {
        return Err(format!("is {} bytes long, where an environment of GRUB has {GRUB_LENGTH}", bytes.len()));
    }
    let text = std::str::from_utf8(bytes).map_err(|_error| "is damaged: it is not text".to_owned())?;
    let Some(rest) = text.strip_prefix(GRUB_HEAD) else {
        return Err("is damaged: it does not begin as an environment of GRUB".to_owned());
    };
    // GRUB takes everything that follows as part of the value, even a line's end; snapd does not.
    if rest.contains(['\\', '\r', '\0']) {
        return Err("holds a character that GRUB and snapd read differently".to_owned());
    }
    // GRUB searches the end of a name across line ends, and ignores a value that the end of the file cuts off (grub-core/lib/envblk.c).
    if rest.starts_with('\n') || rest.contains("\n\n") {
        return Err("holds an empty line, which GRUB takes for a part of the next name".to_owned());
    }
    if !text.trim_end_matches('#').ends_with('\n') {
        return Err("ends within a line, which GRUB does not read".to_owned());
    }
    // GRUB skips lines that begin with `#`, and snapd reads them as names; lines without `=` are skipped by both.
    if let Some(line) = rest.lines().find(|line| line.starts_with('#') == line.contains('=')) {
        return Err(format!("holds a line that GRUB and snapd read differently: {:?}", shortened(line)));
    }
    unique(rest.lines().filter(|line| !line.starts_with('#')))
}

/// A CRC-32, an optional flag, and `NAME=VALUE` entries, each ended by a zero and the last by two.
fn uboot(bytes: &[u8]) -> Result<Uboot, String> {
    let (contents, has_flag) = uboot_contents(bytes)?;
    if is_padding(contents) {
        return Ok(Uboot { variables: Variables::new(), has_flag });
    }
    let Some(end) = contents.windows(2).position(|pair| pair == [0, 0]) else {
        return Err("is damaged: it has no end".to_owned());
    };
    let text = std::str::from_utf8(&contents[..end]).map_err(|_error| "is damaged: it is not text".to_owned())?;
    let variables = if text.is_empty() { Variables::new() } else { unique(text.split('\0'))? };
    Ok(Uboot { variables, has_flag })
}

/// The bytes that the leading checksum covers, and whether a flag stands between the two.
fn uboot_contents(bytes: &[u8]) -> Result<(&[u8], bool), String> {
    let Some((checksum, rest)) = bytes.split_first_chunk::<CRC>().filter(|(_, rest)| rest.len() > 2) else {
        return Err(format!("is too short for an environment of U-Boot: {} bytes", bytes.len()));
    };
    let holds = |contents: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(contents);
        crc.sum() == u32::from_le_bytes(*checksum)
    };
    match (holds(&rest[1..]), holds(rest)) {
        (true, false) => Ok((&rest[1..], true)),
        (false, true) => Ok((rest, false)),
        (true, true) => Err("can be read with a flag and without one, with different results".to_owned()),
        (false, false) => Err("is damaged: its checksum does not hold; make the image again".to_owned()),
    }
}

/// Is this an environment without variables? `mkenvimage` writes one zero and pads with 0xff, `fw_setenv` pads with zeroes.
fn is_padding(contents: &[u8]) -> bool {
    let rest = contents.strip_prefix(&[0]).unwrap_or(contents);
    rest.first().is_none_or(|first| matches!(first, 0 | 0xff) && rest.iter().all(|byte| byte == first))
}

/// Every name must occur once: of two, one reader takes the first, and another the last.
fn unique<'t>(lines: impl Iterator<Item = &'t str>) -> Result<Variables, String> {
    let mut variables = Variables::new();
    for line in lines {
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.is_empty()) else {
            return Err(format!("is damaged: {:?} gives no name a value", shortened(line)));
        };
        if variables.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(format!("says {name} twice: which of the two counts depends on who reads it"));
        }
    }
    Ok(variables)
}

fn shortened(line: &str) -> String {
    line.chars().take(40).collect()
}

/// The variables that are not about snaps.
fn without_snap_variables(variables: &Variables) -> Vec<(&String, &String)> {
    variables.iter().filter(|(name, _)| !name.starts_with("snap_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grubenv(lines: &str) -> Vec<u8> {
        let mut bytes = format!("{GRUB_HEAD}{lines}").into_bytes();
        bytes.resize(bytes.len().max(GRUB_LENGTH), b'#');
        bytes
    }

    fn ubootenv(contents: &[u8], flag: &[u8], length: usize) -> Vec<u8> {
        let mut contents = contents.to_vec();
        contents.resize(length - CRC - flag.len(), 0xff);
        let mut crc = flate2::Crc::new();
        crc.update(&contents);
        [&crc.sum().to_le_bytes(), flag, &contents].concat()
    }

    #[test]
    fn what_grub_and_snapd_read_alike_is_read() {
        let variables = grub(&grubenv("# WARNING: do not edit\nsnap_mode=\nsnap_core=core_1.snap\n")).expect("it is whole");
        assert_eq!(
            variables.into_iter().collect::<Vec<_>>(),
            [("snap_core".to_owned(), "core_1.snap".to_owned()), ("snap_mode".to_owned(), String::new())]
        );
    }

    #[test]
    fn what_grub_and_snapd_read_differently_is_refused_with_its_own_words() {
        for (bytes, words) in [
            (grubenv("")[..1023].to_vec(), "1023 bytes long"),
            (grubenv(&"a".repeat(2000)), "bytes long"),
            (vec![b'#'; GRUB_LENGTH], "does not begin as an environment of GRUB"),
            (grubenv("a=1\na=1\n"), "says a twice"),
            (grubenv("a=1\\\nb=2\n"), "GRUB and snapd read differently"),
            (grubenv("#a=1\n"), "GRUB and snapd read differently: \"#a=1\""),
            (grubenv("nothing\n"), "GRUB and snapd read differently: \"nothing\""),
            (grubenv("=1\n"), "gives no name a value"),
            (grubenv("a=1\n\nb=2\n"), "an empty line"),
            (grubenv("\nb=2\n"), "an empty line"),
            (grubenv("b=2"), "ends within a line"),
            (grubenv(&format!("# {}\nb=2", "x".repeat(GRUB_LENGTH - GRUB_HEAD.len() - 6))), "ends within a line"),
            ([GRUB_HEAD.as_bytes(), &[0xff; 999]].concat(), "it is not text"),
        ] {
            let why = grub(&bytes).expect_err(words);
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn an_environment_of_u_boot_is_read_with_its_flag_and_without() {
        for (flag, has_flag) in [(&[1][..], true), (&[0], true), (&[], false)] {
            let found = uboot(&ubootenv(b"a=1\0b=x=y\0\0", flag, 64)).expect("it is whole");
            assert_eq!(found.has_flag, has_flag);
            assert_eq!(found.variables.get("b").map(String::as_str), Some("x=y"));
            assert_eq!(uboot(&ubootenv(b"\0\0", flag, 64)).expect("it is empty").variables, Variables::new());
        }
    }

    #[test]
    fn a_damaged_environment_of_u_boot_is_refused_with_its_own_words() {
        let mut flipped = ubootenv(b"a=1\0\0", &[0], 64);
        flipped[7] ^= 1;
        for (bytes, words) in [
            (Vec::new(), "too short"),
            (vec![0; 6], "too short"),
            (flipped, "its checksum does not hold"),
            (ubootenv(b"a=1\0b=2\0a=3\0\0", &[0], 64), "says a twice"),
            (ubootenv(b"a=1\0b\0\0", &[0], 64), "\"b\" gives no name a value"),
            (ubootenv(b"\0a=1\0\0", &[0], 64), "gives no name a value"),
            (ubootenv(b"a=1", &[0], 64), "it has no end"),
            (ubootenv(b"a=\xff\0\0", &[0], 64), "it is not text"),
        ] {
            let why = uboot(&bytes).expect_err(words);
            assert!(why.contains(words), "{why}");
        }
    }
}
