//! Makes the udev rules of a station: they keep the PC's other programs off the cards in its slots, and give those disks, the LEDs of its
//! lamps and its bell to the user that the station runs as. The kernel refuses that user any other disk of the PC.
//!
//! A rule matches a port by the path of its disk in the device tree, because udev gives no `ID_PATH` for MMC (udev 252).
//!
//! # What the PC's other programs go by
//!
//! A property keeps a program off only if the program's own rules ask for it. This is what they ask for, in the packages of Debian 12 and 13;
//! where one version stands, both have the same condition.
//!
//! | program | its rules | asks for | so it is told |
//! | --- | --- | --- | --- |
//! | udev 252, 257 | `60-block.rules` | – | `nowatch`: it must not read the partition table again whenever a writer closes the disk |
//! | udev 252, 257 | links in `/dev/disk` | `link_priority` | a card with the UUID of a disk of the PC never takes that disk's link |
//! | systemd 252, 257 | `99-systemd.rules` | `SYSTEMD_READY` | no mount of `fstab`, no swap, no `crypttab` entry is started (systemd.device(5)) |
//! | mdadm 4.2-5, 4.4-11 | `64-md-raid-assembly.rules` | `SYSTEMD_READY` | no array is assembled |
//! | btrfs of udev 252, 257 | `64-btrfs.rules` | `SYSTEMD_READY` | the kernel does not scan it |
//! | lvm2 2.03.16, 2.03.31 | `69-lvm.rules` | `DM_UDEV_DISABLE_OTHER_RULES_FLAG` | no volume is activated |
//! | bcache-tools 1.0.8-4, 1.0.8-5 | `69-bcache.rules` | `DM_UDEV_DISABLE_OTHER_RULES_FLAG` | no cache is registered |
//! | udisks2 2.9.4, 2.10.1 | `80-udisks2.rules` | `DM_UDEV_DISABLE_OTHER_RULES_FLAG` | RAID members are not examined |
//! | udisks2 2.9.4, 2.10.1 | the daemon | `UDISKS_IGNORE` | no desktop shows or mounts it (udisks(8)) |
//! | udisks2 2.9.4, 2.10.1 | `80-udisks2.rules` | `ID_PART_TABLE_TYPE` of a partition | it cannot take `UDISKS_IGNORE` back, which it does for installer images |
//! | multipath-tools 0.9.4, 0.11.1 | the daemon, and `60-multipath.rules` | `ID_WWN*`, `SCSI_IDENT_*` | it is no path, even with `allow_usb_devices`: a disk without these is none, and sg3-utils-udev, which comes with it, sets the latter |
//! | kpartx 0.9.4, 0.11.1 | `68-del-part-nodes.rules` | `DM_MULTIPATH_DEVICE_PATH` | its partitions stay in the kernel |
//! | dmraid 1.0.0.rc16 | `97-dmraid.rules` | `ID_FS_USAGE` | no array is activated |
//! | automounters by `systemd-mount` | rules of the PC's engineer | `ID_FS_USAGE` | nothing is mounted |
//!
//! cryptsetup and modemmanager have no rules for disks. smartd (smartmontools) has none either: it reads the disks that it found when it
//! started, or that its own `smartd.conf` names.

use std::path::Path;

use super::polls::MEDIA_POLL;
use crate::station::lamp::OwnedLamp;
use crate::station::port::{Port, Unit};
use crate::station::settings::SlotSettings;
use crate::station::{RULES_FILE, USER};

/// After `60-block.rules`, which has udev watch every disk, and before `64-md-raid-assembly.rules`, the first that starts what it finds.
pub(crate) const FILE: &str = RULES_FILE;

/// How every file begins that these rules were written to.
pub(crate) const MADE: &str = "# Made by `flashline slots rules`";

/// What the station writes in the directory of an LED. Those of a trigger come with it, and belong to root until the rule has run again:
/// the kernel tells udev of every new trigger (`led_trigger_set` in `drivers/leds/led-triggers.c`).
pub(super) const LED_ATTRIBUTES: [&str; 6] = ["brightness", "trigger", "multi_intensity", "pattern", "delay_on", "delay_off"];

/// The whole file for these slots, lamps and this bell.
#[must_use]
pub(crate) fn file(config: &Path, slots: &[SlotSettings], lamps: &[OwnedLamp], bell: Option<&Path>) -> String {
    let mut text = format!(
        "{MADE} for {}. To write it anew: flashline slots rules --write\n# The service does so at every start and reload, so that a change by \
         hand does not last.\n",
        harmless(&config.display().to_string())
    );
    for slot in slots {
        let mut rules: Vec<String> = slot.ports.iter().filter_map(rule).collect();
        rules.dedup();
        text.push_str(&format!("# slot {}\n", harmless(&slot.name)));
        rules.iter().for_each(|rule| text.push_str(&format!("{rule}\n")));
    }
    let mut leds: Vec<&str> = lamps.iter().flat_map(|lamp| lamp.lamp.leds()).map(|(_, led)| led).collect();
    leds.sort_unstable();
    leds.dedup();
    if !leds.is_empty() {
        text.push_str("# lamps\n");
        leds.iter().for_each(|led| text.push_str(&format!("{}\n", of_led(led))));
    }
    if let Some(rule) = bell.and_then(of_bell) {
        text.push_str(&format!("# bell\n{rule}\n"));
    }
    text
}

/// In a comment of one line.
fn harmless(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '?' } else { letter }).collect()
}

/// The rules for one port. Nothing for a port that no card is ever in.
///
/// The first keeps others off the disk and its partitions. The second takes the names away by which multipath knows a disk, and the third
/// hides a partition from the one rule that would show it again. The fourth gives the disk to the station. The last, for readers, has the
/// kernel ask them for their media as often as an operator expects ([`MEDIA_POLL`]), so that the station need not.
#[must_use]
pub(crate) fn rule(port: &Port) -> Option<String> {
    let disk = PortMatch::of(port)?;
    let ours = format!("ACTION!=\"remove\", SUBSYSTEM==\"block\", DEVPATH==\"{}\"", disk.path);
    let poll = MEDIA_POLL.as_millis();
    let kept = "OPTIONS+=\"nowatch\", OPTIONS+=\"link_priority=-100\", ENV{UDISKS_IGNORE}=\"1\", ENV{SYSTEMD_READY}=\"0\", \
                ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}=\"1\", ENV{DM_MULTIPATH_DEVICE_PATH}=\"0\", ENV{ID_FS_USAGE}=\"\", ENV{ID_WWN}=\"\", \
                ENV{ID_WWN_WITH_EXTENSION}=\"\", ENV{ID_WWN_VENDOR_EXTENSION}=\"\"";
    let nameless = scsi_names().map(|name| format!("ENV{{{name}}}=\"\"")).collect::<Vec<_>>().join(", ");
    let partition = "ENV{DEVTYPE}==\"partition\", ENV{ID_PART_TABLE_TYPE}=\"\"";
    let given = format!("ENV{{DEVTYPE}}==\"disk\", {}, OWNER=\"{USER}\"", disk.device);
    // Written once: each write has the reader asked at once.
    let polled = format!(
        "ENV{{DEVTYPE}}==\"disk\", ATTR{{removable}}==\"1\", ATTR{{events}}==\"*media_change*\", ATTR{{events_poll_msecs}}!=\"{poll}\", \
         ATTR{{events_poll_msecs}}=\"{poll}\""
    );
    Some([kept, &nameless, partition, &given, &polled].map(|rule| format!("{ours}, {rule}")).join("\n"))
}

/// The kinds of identifiers of SCSI devices that `sg_inq --export` writes down (sg3-utils 1.46 and 1.48).
const SCSI_NAMES: [&str; 17] = [
    "ATA",
    "EUI64",
    "LOGICAL_UNIT_GROUP",
    "MD5",
    "NAA_EXT",
    "NAA_LOCAL",
    "NAA_REG",
    "NAA_REGEXT",
    "NAME",
    "RELATIVE",
    "SOP_ROUTING_ID",
    "T10",
    "TARGET_PORT_GROUP",
    "UAS_DEVICE_ADDRESS",
    "UAS_INTERFACE_NUMBER",
    "UUID",
    "VENDOR",
];

/// The properties that sg3-utils-udev gives a disk, by each of which multipath takes it for a path.
fn scsi_names() -> impl Iterator<Item = String> {
    let named = ["LUN", "PORT", "TARGET"];
    let of_each = named.into_iter().flat_map(|of| SCSI_NAMES.into_iter().map(move |kind| format!("SCSI_IDENT_{of}_{kind}")));
    std::iter::once("SCSI_IDENT_SERIAL".to_owned()).chain(of_each)
}

/// How the disks in a port are known to udev.
struct PortMatch {
    /// `DEVPATH` of the disks in this port, and of their partitions, as a pattern in which `*` also takes slashes.
    path: String,
    /// What else must hold of a device above a disk that is given to the station.
    device: String,
}

impl PortMatch {
    fn of(port: &Port) -> Option<Self> {
        let parts = port.parts()?;
        let (_bus, address) = parts.controller.split_once('-')?;
        // An eMMC of the PC may be on the same controller, and is no card.
        let is_sd = "SUBSYSTEMS==\"mmc\", ATTRS{type}==\"SD\"".to_owned();
        // USB 2 and USB 3 are two buses, whose numbers change from boot to boot.
        let usb = |usb: &crate::station::port::UsbPlace<'_>| format!("*/{address}/usb*/*-{}:*", usb.chain);
        Some(match (parts.usb, parts.unit) {
            (None, Unit::Host(_)) => Self { path: format!("*/{address}/mmc_host/*/block/*"), device: is_sd },
            (Some(place), Unit::Host(_)) => Self { path: format!("{}/mmc_host/*/block/*", usb(&place)), device: is_sd },
            // The same number of the other generation may be another socket. A root hub has the path 0.
            (Some(place), Unit::Lun(lun)) => Self {
                path: format!("{}/host*/target*/*:{lun}/block/*", usb(&place)),
                device: format!("SUBSYSTEMS==\"usb\", ATTRS{{devpath}}==\"0\", ATTRS{{version}}==\"*{}.*\"", place.generation),
            },
            _ => return None,
        })
    }
}

/// Gives the station the attributes of this LED that it writes, each time that udev hears of it.
fn of_led(led: &str) -> String {
    let files = LED_ATTRIBUTES.map(|attribute| format!("$sys$devpath/{attribute}")).join(" ");
    format!("ACTION!=\"remove\", SUBSYSTEM==\"leds\", KERNEL==\"{}\", RUN+=\"/usr/bin/chown --silent {USER} {files}\"", pattern(led))
}

/// Gives the station the device that sounds. Nothing for a device that is not below `/dev`.
fn of_bell(bell: &Path) -> Option<String> {
    let name = bell.strip_prefix("/dev").ok()?.to_str()?;
    let device = match name.strip_prefix("input/") {
        Some(name) if !name.contains('/') => format!("KERNEL==\"{}\"", pattern(name)),
        _ => format!("SYMLINK==\"{}\"", pattern(name)),
    };
    Some(format!("ACTION!=\"remove\", SUBSYSTEM==\"input\", {device}, OWNER=\"{USER}\""))
}

/// A name in which `*` stands for any letters, as udev writes it. What would mean something else to udev stands for any one letter.
fn pattern(name: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "*:._-/+@".contains(letter);
    name.chars().map(|letter| if plain(letter) { letter } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::lamp::{Lamp, LampOwner};

    fn lines(port: &str) -> Vec<String> {
        rule(&Port(port.to_owned())).expect("cards are put in there").lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_rule_names_the_chain_of_ports_and_the_lun() {
        let lines = lines("pci-0000:00:14.0/usb3-2.4/lun-1");
        assert_eq!(lines.len(), 5);
        for line in &lines {
            assert!(line.contains(r#"DEVPATH=="*/0000:00:14.0/usb*/*-2.4:*/host*/target*/*:1/block/*""#), "{line}");
        }
        let kept = &lines[0];
        for told in [
            r#"ENV{SYSTEMD_READY}="0""#,
            r#"ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}="1""#,
            r#"OPTIONS+="nowatch""#,
            r#"ENV{UDISKS_IGNORE}="1""#,
        ] {
            assert!(kept.contains(told), "{kept}");
        }
        assert!(!kept.contains("DEVTYPE"), "partitions are kept, too: {kept}");
        let nameless = &lines[1];
        for name in ["SCSI_IDENT_SERIAL", "SCSI_IDENT_LUN_VENDOR", "SCSI_IDENT_LUN_NAA_REG", "SCSI_IDENT_TARGET_UAS_DEVICE_ADDRESS"] {
            assert!(nameless.contains(&format!(r#", ENV{{{name}}}="""#)), "{name}: {nameless}");
        }
        // udev takes no longer line (UDEV_LINE_SIZE of systemd 252 and 257).
        assert!(lines.iter().all(|line| line.len() < 16384), "{nameless}");
        let polled = &lines[4];
        assert!(polled.contains(r#"ENV{DEVTYPE}=="disk", ATTR{removable}=="1""#), "a partition has no such attribute: {polled}");
        assert!(polled.ends_with(r#"ATTR{events_poll_msecs}!="500", ATTR{events_poll_msecs}="500""#), "{polled}");
    }

    #[test]
    fn the_disk_in_a_slot_is_the_stations_own_and_the_same_number_of_the_other_usb_generation_is_not() {
        let given = |port: &str| lines(port)[3].clone();
        let usb = given("pci-0000:00:14.0/usb3-2.4/lun-1");
        assert!(usb.ends_with(r#"ATTRS{devpath}=="0", ATTRS{version}=="*3.*", OWNER="flashline""#), "{usb}");
        assert!(given("pci-0000:00:14.0/usb2-2.4/lun-1").contains(r#"ATTRS{version}=="*2.*""#));
        assert!(usb.contains(r#"ENV{DEVTYPE}=="disk""#), "no partition is opened: {usb}");
        let sd = given("pci-0000:00:1a.0/mmc-0");
        assert!(sd.ends_with(r#"ATTRS{type}=="SD", OWNER="flashline""#), "an eMMC is the PC's: {sd}");
    }

    #[test]
    fn an_mmc_host_is_matched_by_its_controller_or_usb_reader_and_a_disk_of_the_pc_not_at_all() {
        let first = |port: &str| lines(port)[0].clone();
        assert!(first("pci-0000:00:1a.0/mmc-0").contains("*/0000:00:1a.0/mmc_host/*/block/*"));
        assert!(first("pci-0000:00:14.0/usb3-4/mmc-0").contains("*/0000:00:14.0/usb*/*-4:*/mmc_host/*/block/*"));
        assert_eq!(rule(&Port("pci-0000:00:05.0/virtio".to_owned())), None);
    }

    #[test]
    fn each_lamp_is_in_the_file_once_and_a_name_cannot_say_anything_else_to_udev() {
        let lamp = |led: &str| OwnedLamp { owner: LampOwner::Station, lamp: Lamp::One(led.to_owned()) };
        let lamps = [lamp("thingm*:red:led0"), lamp("thingm*:red:led0"), lamp("a\", RUN+=\"/bin/sh|[x]")];
        let bell = Path::new("/dev/input/by-path/platform-pcspkr-event-spkr");
        let text = file(Path::new("/etc/flashline/\nconfig.toml"), &[], &lamps, Some(bell));
        assert!(
            text.starts_with(MADE) && text.lines().all(|line| line.starts_with('#') || line.starts_with("ACTION!=\"remove\"")),
            "{text}"
        );
        assert_eq!(text.matches(r#"KERNEL=="thingm*:red:led0""#).count(), 1, "{text}");
        assert!(text.contains(r#"KERNEL=="a???RUN+??/bin/sh??x?""#), "{text}");
        assert!(text.contains(r#"/usr/bin/chown --silent flashline $sys$devpath/brightness $sys$devpath/trigger "#), "{text}");
        assert!(text.contains(r#"SYMLINK=="input/by-path/platform-pcspkr-event-spkr", OWNER="flashline""#), "{text}");
        assert_eq!(of_bell(Path::new("/dev/input/event3")).expect("a rule").matches(r#"KERNEL=="event3""#).count(), 1);
    }
}
