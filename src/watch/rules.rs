//! Makes udev rules that keep the PC's other programs off the cards in the station's ports.
//!
//! A rule matches a port by the path of its disk in the device tree, because udev gives no `ID_PATH` for MMC (udev 252).

use super::polls::MEDIA_POLL;
use crate::station::port::{Port, Unit};

/// After `60-block.rules`, which has udev watch every disk, and before `69-lvm.rules`, which may start what it finds.
pub(crate) const FILE: &str = crate::station::RULES_FILE;

/// The rule for one port. Nothing for a port that no card is ever in.
///
/// A second one for readers has the kernel ask them for their media as often as an operator expects ([`MEDIA_POLL`]).
///
/// - `nowatch`: udev must not read the partition table again whenever a writer closes the disk (udev(7)).
/// - `UDISKS_IGNORE`: no desktop mounts it (udisks(8)).
/// - `SYSTEMD_READY=0`: systemd starts nothing for it (systemd.device(5)).
/// - `DM_UDEV_DISABLE_OTHER_RULES_FLAG`: LVM's rules, which set `SYSTEMD_READY` back for a physical volume and activate it, pass
///   it by (`69-lvm.rules`).
#[must_use]
pub(crate) fn rule(port: &Port) -> Option<String> {
    let path = path_pattern(port)?;
    let ours = format!("ACTION!=\"remove\", SUBSYSTEM==\"block\", DEVPATH==\"{path}\"");
    let poll = MEDIA_POLL.as_millis();
    // Written once: each write has the reader asked at once.
    let polled = format!(
        "{ours}, ENV{{DEVTYPE}}==\"disk\", ATTR{{removable}}==\"1\", ATTR{{events}}==\"*media_change*\", ATTR{{events_poll_msecs}}!=\"{poll}\", \
         ATTR{{events_poll_msecs}}=\"{poll}\""
    );
    Some(format!(
        "{ours}, OPTIONS+=\"nowatch\", ENV{{UDISKS_IGNORE}}=\"1\", ENV{{SYSTEMD_READY}}=\"0\", ENV{{DM_UDEV_DISABLE_OTHER_RULES_FLAG}}=\"1\"\n{polled}"
    ))
}

/// `DEVPATH` of the disks in this port, and of their partitions, as a pattern in which `*` also takes slashes.
fn path_pattern(port: &Port) -> Option<String> {
    let parts = port.parts()?;
    let (_bus, address) = parts.controller.split_once('-')?;
    match (parts.usb, parts.unit) {
        (None, Unit::Host(_)) => Some(format!("*/{address}/mmc_host/*/block/*")),
        // USB 2 and USB 3 are two buses, whose numbers change from boot to boot.
        (Some(usb), Unit::Lun(lun)) => Some(format!("*/{address}/usb*/*-{}:*/host*/target*/*:{lun}/block/*", usb.chain)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_the_chain_of_ports_and_the_lun() {
        let rule = rule(&Port("pci-0000:00:14.0/usb3-2.4/lun-1".to_owned())).expect("cards are put in there");
        assert!(rule.contains(r#"DEVPATH=="*/0000:00:14.0/usb*/*-2.4:*/host*/target*/*:1/block/*""#), "{rule}");
        assert!(rule.contains(r#"ENV{SYSTEMD_READY}="0", ENV{DM_UDEV_DISABLE_OTHER_RULES_FLAG}="1""#), "{rule}");
        let (_, polled) = rule.split_once('\n').expect("a second rule for readers");
        assert!(polled.contains(r#"ENV{DEVTYPE}=="disk", ATTR{removable}=="1""#), "a partition has no such attribute: {polled}");
        assert!(polled.ends_with(r#"ATTR{events_poll_msecs}!="500", ATTR{events_poll_msecs}="500""#), "{polled}");
        assert!(rule.contains(r#"OPTIONS+="nowatch""#) && rule.contains(r#"ENV{UDISKS_IGNORE}="1""#), "{rule}");
    }

    #[test]
    fn an_mmc_host_is_matched_by_its_controller_and_a_disk_of_the_pc_not_at_all() {
        let rule_of = |port: &str| rule(&Port(port.to_owned()));
        assert!(rule_of("pci-0000:00:1a.0/mmc-0").expect("cards are put in there").contains("*/0000:00:1a.0/mmc_host/*/block/*"));
        assert_eq!(rule_of("pci-0000:00:05.0/virtio"), None);
    }
}
