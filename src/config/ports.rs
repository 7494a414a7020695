//! The form of a port: `CONTROLLER/usb3-1.2/lun-0`, `CONTROLLER/mmc-0`, or `CONTROLLER/usb3-1.2/mmc-0` for an SD host on a USB reader. A
//! text
//! of another form can never be a port, so its slot could never see a card.

use crate::station::port::{Parts, Port, Unit};

/// Buses of disks that are not cards. A slot on such a bus is allowed here; its cards are refused one by one with the name of the bus.
const DISKS: [&str; 6] = ["ata", "ide", "nvme", "scsi", "virtio", "xen"];

/// Kinds of controllers whose names stay the same after a restart.
const CONTROLLERS: [&str; 3] = ["pci-", "platform-", "amba-"];

/// Why this is not a port, and the cure as far as the text alone tells; `None` if it is a port.
pub(super) fn wrong(text: &str) -> Option<String> {
    if is_port(text) {
        return None;
    }
    let quoted = |ports: &[String]| ports.iter().map(|port| format!("{port:?}")).collect::<Vec<_>>().join(", ");
    let lists = "`flashline slots` lists the ports of this PC";
    Some(match id_path(text).filter(|ports| ports.iter().all(|port| is_port(port))) {
        Some(ports) if ports.len() == 1 => format!("{text:?} is udev's ID_PATH: write the station's own form, {}; {lists}", quoted(&ports)),
        Some(ports) => {
            format!(
                "{text:?} is udev's ID_PATH: write the station's own form, {}, or only the one of them that `flashline slots` shows",
                quoted(&ports)
            )
        }
        None if text.starts_with("/dev/") || is_disk_name(text) => {
            format!("{text:?} is a name that the kernel gives anew with every plug, and not a place: {lists}")
        }
        None if is_usb_name(text) => {
            format!("{text:?} is the kernel's name of a USB device, whose bus number changes from boot to boot: {lists}")
        }
        None => match repaired(text) {
            Some(port) => format!("{text:?} is not written as a port: write {port:?}; {lists}"),
            None => format!("{text:?} is no port: a port is CONTROLLER/usb3-1.2/lun-0 or CONTROLLER/mmc-0, as {lists}"),
        },
    })
}

fn is_port(text: &str) -> bool {
    let Some(parts) = Parts::of(text) else { return false };
    let named = CONTROLLERS.iter().find_map(|kind| parts.controller.strip_prefix(kind));
    if !named.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic())) {
        return false;
    }
    match (parts.usb, parts.unit) {
        (None, Unit::Host(number)) => is_number(number),
        (None, Unit::Other(bus)) => DISKS.contains(&bus),
        (Some(usb), Unit::Lun(number) | Unit::Host(number)) => is_chain(usb.generation, usb.chain) && is_number(number),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0'))
}

/// Is this a bus and its chain of hub ports, such as `usb3-1.2`?
fn is_usb_chain(text: &str) -> bool {
    let parts = text.strip_prefix("usb").and_then(|rest| rest.split_once('-'));
    parts.is_some_and(|(generation, chain)| is_chain(generation, chain))
}

fn is_chain(generation: &str, chain: &str) -> bool {
    matches!(generation, "1" | "2" | "3" | "4") && chain.split('.').all(|port| is_number(port) && port != "0")
}

/// `sdb`, `mmcblk0`, `nvme0n1`, and their partitions.
fn is_disk_name(text: &str) -> bool {
    let tail = |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '-', ':']));
    (tail("sd") && text.bytes().all(|byte| byte.is_ascii_alphanumeric())) || tail("mmcblk") || tail("nvme")
}

/// Is this a USB device or interface as sysfs names it, such as `1-1.2` or `1-1.2:1.0`?
fn is_usb_name(text: &str) -> bool {
    let (device, interface) = text.split_once(':').unwrap_or((text, "1.0"));
    let numbers = |text: &str| !text.is_empty() && text.split('.').all(is_number);
    device.split_once('-').is_some_and(|(bus, chain)| is_number(bus) && numbers(chain)) && numbers(interface)
}

/// The ports that an ID_PATH can mean: it contains the generation of USB only if udev was configured so (`usbv3-`).
fn id_path(text: &str) -> Option<Vec<String>> {
    let (controller, rest) = ["-usb-0:", "-usbv2-0:", "-usbv3-0:"].iter().find_map(|mark| text.split_once(mark))?;
    let generations: &[&str] = match &text.as_bytes()[controller.len()..] {
        [b'-', b'u', b's', b'b', b'v', b'2', ..] => &["2"],
        [b'-', b'u', b's', b'b', b'v', b'3', ..] => &["3"],
        _ => &["3", "2"],
    };
    // The nearest controller: udev names those above it, too.
    let controller = controller.rfind("pci-").or_else(|| controller.rfind("platform-")).map(|at| &controller[at..])?;
    let (chain, rest) = rest.split_once(':')?;
    let lun = rest.split_once("-scsi-0:0:0:").map_or("0", |(_, lun)| lun.split('-').next().unwrap_or("0"));
    Some(generations.iter().map(|generation| Port::of_lun(&format!("{controller}/usb{generation}-{chain}"), lun).0).collect())
}

/// A port with a typing error: capitals, spaces, a missing dash or LUN.
fn repaired(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase().replace(['\\', ' '], "");
    let lower = lower.strip_prefix("/sys/devices/").unwrap_or(&lower).trim_end_matches('/').to_owned();
    let mut parts: Vec<String> = lower.split('/').map(str::to_owned).collect();
    if let Some(first) = parts.first_mut()
        && !CONTROLLERS.iter().any(|kind| first.starts_with(kind))
        && first.matches(':').count() == 2
    {
        first.insert_str(0, "pci-");
    }
    if parts.len() == 2 && is_usb_chain(&parts[1]) {
        parts.push("lun-0".to_owned());
    }
    for part in parts.iter_mut().skip(1) {
        for kind in ["lun", "mmc"] {
            let number = part.strip_prefix(kind).map(|rest| rest.trim_start_matches(['-', '_', ':', '=']).to_owned());
            if let Some(number) = number.filter(|number| is_number(number)) {
                *part = format!("{kind}-{number}");
            }
        }
    }
    let port = parts.join("/");
    is_port(&port).then_some(port)
}

#[cfg(test)]
mod cases {
    use super::*;

    #[test]
    fn every_form_that_a_port_has_is_one() {
        for port in [
            "pci-0000:00:14.0/usb2-1.2/lun-0",
            "pci-0000:00:14.0/usb3-10.4.1/lun-15",
            "pci-0000:00:1a.0/mmc-0",
            "pci-10000:e1:00.0/usb3-1/lun-0",
            "platform-fd500000.pcie/usb3-1/lun-3",
            "platform-dummy_hcd.0/usb3-1/lun-1",
            "platform-fe340000.mmc/mmc-0",
            "amba-fe2c0000.sdhci/mmc-1",
            "pci-0000:00:1c.0/usb3-4/mmc-0",
            "pci-0000:00:05.0/virtio",
        ] {
            assert_eq!(wrong(port), None, "{port}");
        }
    }

    #[test]
    fn whatever_else_is_written_is_told_what_it_is_and_what_to_write() {
        let both = "write the station's own form, \"pci-0000:00:14.0/usb3-1.2/lun-0\", \"pci-0000:00:14.0/usb2-1.2/lun-0\"";
        for (text, says) in [
            ("pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:0", both),
            ("pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:0-part1", both),
            ("pci-0000:00:14.0-usb-0:1.2:1.0", both),
            ("pci-0000:00:14.0-usbv3-0:4:1.0-scsi-0:0:0:2", "form, \"pci-0000:00:14.0/usb3-4/lun-2\"; `flashline slots`"),
            ("platform-fd500000.pcie-pci-0000:01:00.0-usbv2-0:1:1.0-scsi-0:0:0:0", "\"pci-0000:01:00.0/usb2-1/lun-0\""),
            ("/dev/sdb", "a name that the kernel gives anew with every plug"),
            ("/dev/disk/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-scsi-0:0:0:0", both),
            ("sdb1", "a name that the kernel gives anew with every plug"),
            ("mmcblk0", "a name that the kernel gives anew with every plug"),
            ("1-1.2", "the kernel's name of a USB device"),
            ("2-3.1:1.0", "the kernel's name of a USB device"),
            ("pci-0000:00:14.0/usb2-1.2", "write \"pci-0000:00:14.0/usb2-1.2/lun-0\""),
            ("PCI-0000:00:14.0/USB2-1.2/LUN-0", "write \"pci-0000:00:14.0/usb2-1.2/lun-0\""),
            ("pci-0000:00:14.0/usb2-1.2/lun0", "write \"pci-0000:00:14.0/usb2-1.2/lun-0\""),
            ("0000:00:1a.0/mmc0", "write \"pci-0000:00:1a.0/mmc-0\""),
            ("pci-0000:00:14.0/usb-1.2/lun-0", "is no port: a port is CONTROLLER/usb3-1.2/lun-0"),
            ("pci-0000:00:14.0/usb2-1..2/lun-0", "is no port"),
            ("pci-0000:00:14.0/usb2-0/lun-0", "is no port"),
            ("pci-0000:00:14.0/usb5-1/lun-0", "is no port"),
            ("pci-0000:00:14.0/usb2-1/lun-00", "is no port"),
            ("pci-/usb2-1/lun-0", "is no port"),
            ("usb2-1.2/lun-0", "is no port"),
            ("left socket", "is no port"),
        ] {
            let why = wrong(text).unwrap_or_else(|| panic!("{text} is no port"));
            assert!(why.contains(says) && why.contains("`flashline slots`"), "{text}\n says {why}\n not {says}");
        }
    }
}
