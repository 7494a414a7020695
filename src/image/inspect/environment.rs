//! The boot environments: files in which a boot loader keeps what it starts next. They were made for this image, so that no snap holds
//! their original.

use std::collections::BTreeMap;

use super::Trouble;
use super::boot::{Compared, Expected, LARGEST_TEXT, Original, Originals};
use super::files::Files;
use super::seed::Generation;
use super::squashfs::Inode;

/// The header of a U-Boot environment: a CRC-32 and a flag.
const UBOOT_HEADER: usize = 5;

impl Compared {
    /// Files that were made for this image: they name its snaps and, beyond that, must be what the gadget has.
    pub(super) fn environments(&mut self, originals: &mut Originals<'_, '_>, boot: &Files, expected: &mut Expected) -> Result<(), Trouble> {
        let is_core20 = originals.seed.generation == Generation::Core20;
        let mut of_gadget = |path: &str| -> Result<Option<Vec<u8>>, Trouble> {
            let Ok(snap) = &mut originals.gadget else { return Ok(None) };
            match snap.find(path)? {
                Some(Inode::File(file)) => snap.read(&file, LARGEST_TEXT).map(Some),
                _ => Ok(None),
            }
        };
        let here = |path: &str| -> Result<Option<Vec<u8>>, Trouble> {
            if boot.node(path).is_none() { Ok(None) } else { boot.read(path, LARGEST_TEXT).map(Some) }
        };
        if let Some(config) = here("efi/ubuntu/grub.cfg")? {
            match of_gadget("grub.conf")? {
                _ if is_core20 => {
                    expected.insert("efi/ubuntu/grub.cfg".to_owned(), Original::Other)?;
                    self.uncovered.push("grub.cfg of ubuntu-seed, which snapd carries inside its program".to_owned());
                }
                Some(original) => {
                    expected.insert("efi/ubuntu/grub.cfg".to_owned(), Original::Other)?;
                    if config == original {
                        self.equal += 1;
                    } else {
                        self.different.push("efi/ubuntu/grub.cfg differs from the gadget's grub.conf".to_owned());
                    }
                }
                None => {}
            }
        }
        let wanted: &[(&str, &str)] = &[("snap_kernel", originals.kernel_file), ("snap_core", originals.base_file)];
        if let Some(environment) = here("uboot.env")?.filter(|_| !is_core20) {
            expected.insert("uboot.env".to_owned(), Original::Other)?;
            let variables = uboot(&environment);
            self.names("uboot.env", &variables, wanted);
            self.strays("uboot.env", variables.iter().filter(|(name, _)| name.starts_with("snap_")), &["snap_kernel", "snap_core"]);
            match of_gadget("uboot.conf")? {
                Some(original) if others(&variables) == others(&uboot(&original)) => self.equal += 1,
                Some(_) => self.different.push("uboot.env differs from the gadget's uboot.conf in more than the names of snaps".to_owned()),
                None => self.uncovered.push("uboot.env, for which the gadget has no original".to_owned()),
            }
        }
        if let Some(environment) = here("efi/ubuntu/grubenv")? {
            expected.insert("efi/ubuntu/grubenv".to_owned(), Original::Other)?;
            let variables = grub(&environment);
            match &originals.seed.label {
                Some(label) => {
                    let wanted = [("snapd_recovery_system", label.as_str()), ("snapd_recovery_mode", "install")];
                    self.names("efi/ubuntu/grubenv", &variables, &wanted);
                    self.strays("efi/ubuntu/grubenv", &variables, &["snapd_recovery_system", "snapd_recovery_mode"]);
                }
                None => {
                    self.names("efi/ubuntu/grubenv", &variables, wanted);
                    self.strays("efi/ubuntu/grubenv", &variables, &["snap_kernel", "snap_core"]);
                }
            }
        }
        let of_system = format!("{}/grubenv", originals.seed.root);
        if let Some(environment) = here(&of_system)?.filter(|_| is_core20) {
            expected.insert(of_system.clone(), Original::Other)?;
            let variables = grub(&environment);
            self.names(&of_system, &variables, &[("snapd_recovery_kernel", &format!("/snaps/{}", originals.kernel_file))]);
            for (name, file) in [("snapd_extra_cmdline_args", "cmdline.extra"), ("snapd_full_cmdline_args", "cmdline.full")] {
                let value = variables.get(name).map_or("", String::as_str);
                let original = of_gadget(file)?.map(|text| words(&String::from_utf8_lossy(&text))).unwrap_or_default();
                if words(value) != original {
                    self.different.push(format!("{of_system} gives the kernel {value:?}, which the gadget's {file} does not"));
                }
            }
        }
        for path in ["boot.sel", "uboot/ubuntu/boot.sel", "piboot/ubuntu/piboot.conf"] {
            if is_core20 && boot.node(path).is_some() && !expected.has(path) {
                expected.insert(path.to_owned(), Original::Other)?;
                self.uncovered.push(format!("the boot loader's environment in {path}"));
            }
        }
        Ok(())
    }

    fn names(&mut self, path: &str, variables: &BTreeMap<String, String>, wanted: &[(&str, &str)]) {
        for (name, value) in wanted {
            match variables.get(*name) {
                Some(found) if found == value => {}
                Some(found) => self.different.push(format!("{path} names {found:?} as {name}, and the seed's is {value:?}")),
                None => self.different.push(format!("{path} does not say {name}")),
            }
        }
    }

    /// Every other variable is empty in a fresh image, but for the name in the menu: a trial of another kernel or base, or words for
    /// the kernel's command line, come from nobody who signed anything.
    fn strays<'v>(&mut self, path: &str, variables: impl IntoIterator<Item = (&'v String, &'v String)>, known: &[&str]) {
        for (name, value) in variables {
            if !value.is_empty() && name != "snap_menuentry" && !known.contains(&name.as_str()) {
                self.different.push(format!("{path} sets {name} to {value:?}, which no fresh image does"));
            }
        }
    }
}

/// `NAME=VALUE`, ended by a zero each, the last by two.
fn uboot(environment: &[u8]) -> BTreeMap<String, String> {
    let lines = environment.get(UBOOT_HEADER..).unwrap_or_default().split(|byte| *byte == 0);
    pairs(lines.take_while(|line| !line.is_empty()))
}

/// Lines of `NAME=VALUE`, filled up with `#`.
fn grub(environment: &[u8]) -> BTreeMap<String, String> {
    pairs(environment.split(|byte| *byte == b'\n').filter(|line| !line.starts_with(b"#")))
}

fn pairs<'a>(lines: impl Iterator<Item = &'a [u8]>) -> BTreeMap<String, String> {
    let texts = lines.map(String::from_utf8_lossy);
    texts.filter_map(|line| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// What is not about snaps.
fn others(variables: &BTreeMap<String, String>) -> Vec<(&String, &String)> {
    variables.iter().filter(|(name, _)| !name.starts_with("snap_")).collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
