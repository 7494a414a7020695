//! The port of a card, and the chain of devices on which it hangs.

use std::collections::BTreeMap;
use std::fmt;

/// The place of a card, in the station's own spelling: controller, then USB port chain and LUN, or MMC host.
///
/// Made by `watch` from sysfs, the same after every boot, and never a `/dev` name. Examples:
/// `pci-0000:00:14.0/usb3-2.4/lun-0`, `pci-0000:00:1a.0/mmc-0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub String);

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A parsed port: this is the only place that knows the spelling of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts<'p> {
    /// The controller, whose name stays the same after a restart: `pci-0000:00:14.0`.
    pub controller: &'p str,
    /// The USB device of its LUN or host; `None` for an SD host of the PC itself.
    pub usb: Option<UsbPlace<'p>>,
    /// The place of a card in that device.
    pub unit: Unit<'p>,
}

/// The place of a USB device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UsbPlace<'p> {
    /// With its controller: `pci-0000:00:14.0/usb3-2.4`.
    pub place: &'p str,
    /// The USB generation; USB 2 and USB 3 ports of a controller are counted separately: `3`.
    pub generation: &'p str,
    /// The chain of ports: `2.4`.
    pub chain: &'p str,
}

/// The place of a card in a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit<'p> {
    /// A LUN of a USB device, by its number.
    Lun(&'p str),
    /// An MMC host, by its number among those of its controller or USB device.
    Host(&'p str),
    /// A disk on another bus, with the name of the bus: not a place for cards.
    Other(&'p str),
}

/// The texts before the number of a LUN, and of an MMC host.
const LUN: &str = "lun-";
const HOST: &str = "mmc-";

impl<'p> Parts<'p> {
    /// For a text that is spelled like a port, whatever its numbers.
    #[must_use]
    pub(crate) fn of(text: &'p str) -> Option<Self> {
        let (controller, place) = text.split_once('/')?;
        let Some((device, unit)) = place.split_once('/') else {
            // A LUN without a USB device is not a port.
            let unit = Unit::of(place).unwrap_or(Unit::Other(place));
            return (!matches!(unit, Unit::Lun(_))).then_some(Self { controller, usb: None, unit });
        };
        let (generation, chain) = device.strip_prefix("usb")?.split_once('-')?;
        let usb = UsbPlace { place: &text[..controller.len() + 1 + device.len()], generation, chain };
        Some(Self { controller, usb: Some(usb), unit: Unit::of(unit)? })
    }
}

impl<'p> Unit<'p> {
    fn of(text: &'p str) -> Option<Self> {
        text.strip_prefix(LUN).map(Self::Lun).or_else(|| text.strip_prefix(HOST).map(Self::Host))
    }
}

impl Port {
    /// A LUN of the USB device at this place: `pci-0000:00:14.0/usb3-2.4`.
    #[must_use]
    pub(crate) fn of_lun(usb_place: &str, lun: &str) -> Self {
        Self(format!("{usb_place}/{LUN}{lun}"))
    }

    /// An MMC host of this controller, or of the USB device at this place.
    #[must_use]
    pub(crate) fn of_host(above: &str, number: usize) -> Self {
        Self(format!("{above}/{HOST}{number}"))
    }

    /// Its parts; `None` if it is not spelled like a port.
    #[must_use]
    pub(crate) fn parts(&self) -> Option<Parts<'_>> {
        Parts::of(&self.0)
    }

    /// The last device on which it hangs; the whole text if it is not spelled like a port.
    #[must_use]
    pub(crate) fn controller(&self) -> &str {
        self.0.split('/').next().unwrap_or_default()
    }

    /// The devices on which this port hangs, nearest first: its USB device, then the hubs above it. A controller is not included: if it is
    /// lost, the PC is lost.
    #[must_use]
    pub(crate) fn upstream(&self) -> Vec<String> {
        let Some(usb) = self.parts().and_then(|parts| parts.usb) else { return Vec::new() };
        let root = &usb.place[..usb.place.len() - usb.chain.len()];
        let dots = usb.chain.match_indices('.').map(|(place, _)| place);
        let mut upstream: Vec<String> = dots.chain([usb.chain.len()]).map(|end| format!("{root}{}", &usb.chain[..end])).collect();
        upstream.reverse();
        upstream
    }

    /// Is this port a LUN of `device`, or behind it?
    #[must_use]
    pub(crate) fn hangs_on(&self, device: &str) -> bool {
        self.0.strip_prefix(device).is_some_and(|rest| rest.starts_with(['.', '/']))
    }

    /// Is this an SD host of the PC itself?
    #[must_use]
    pub(crate) fn is_own_host(&self) -> bool {
        matches!(self.parts(), Some(Parts { usb: None, unit: Unit::Host(_), .. }))
    }
}

/// The separator between two devices of a chain.
const THEN: &str = " > ";

/// The devices a port hangs on, from the controller down: hubs and reader as `vendor:product`, with `:serial` where they have one; for a
/// host of the PC itself the name of its driver.
///
/// A taught chain may end above the card's own USB device: a stick is not part of its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain(pub Vec<String>);

impl Chain {
    /// As it is written in the configuration: `05e3:0610 > 05e3:0749:READER0001`.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        Self(text.split(THEN.trim()).map(|device| device.trim().to_owned()).filter(|device| !device.is_empty()).collect())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(THEN))
    }
}

/// The places on which a port hangs, from the controller down, as many as a whole chain has devices: those of its USB devices, or the port
/// itself for an SD host of the PC itself.
#[must_use]
pub(crate) fn places(port: &Port) -> Vec<String> {
    let mut places = port.upstream();
    places.reverse();
    if port.is_own_host() {
        places.push(port.0.clone());
    }
    places
}

/// Every device of the PC on which a port may hang, by its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cabling(pub BTreeMap<String, String>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_taken_apart_and_put_together_again() {
        let lun = Port::of_lun("pci-0000:00:14.0/usb3-2.4", "1");
        let usb = UsbPlace { place: "pci-0000:00:14.0/usb3-2.4", generation: "3", chain: "2.4" };
        assert_eq!(lun.to_string(), "pci-0000:00:14.0/usb3-2.4/lun-1");
        assert_eq!(lun.parts(), Some(Parts { controller: "pci-0000:00:14.0", usb: Some(usb), unit: Unit::Lun("1") }));
        let host = Port::of_host("pci-0000:00:1a.0", 0);
        assert_eq!(host.to_string(), "pci-0000:00:1a.0/mmc-0");
        assert_eq!(host.parts(), Some(Parts { controller: "pci-0000:00:1a.0", usb: None, unit: Unit::Host("0") }));
        let on_a_reader = Port::of_host("pci-0000:00:14.0/usb3-2.4", 0);
        assert_eq!(on_a_reader.parts().map(|parts| (parts.usb, parts.unit)), Some((Some(usb), Unit::Host("0"))));
        assert_eq!((host.is_own_host(), on_a_reader.is_own_host(), lun.is_own_host()), (true, false, false));
        let ata = Port("pci-0000:00:1f.2/ata".to_owned());
        assert_eq!(ata.parts().map(|parts| parts.unit), Some(Unit::Other("ata")));
        for text in ["", "p1", "pci-1/lun-0", "pci-1/usb3-1/part-0", "pci-1/usb3/lun-0", "pci-1/hub-1/lun-0"] {
            assert_eq!(Parts::of(text), None, "{text}");
        }
    }

    #[test]
    fn a_port_hangs_on_its_reader_and_on_every_hub_above() {
        let port = Port("pci-0000:00:1c.0/usb3-3.1.2/lun-0".to_owned());
        assert_eq!(port.upstream(), ["pci-0000:00:1c.0/usb3-3.1.2", "pci-0000:00:1c.0/usb3-3.1", "pci-0000:00:1c.0/usb3-3"]);
        assert!(port.upstream().iter().all(|device| port.hangs_on(device)));
        assert!(!port.hangs_on("pci-0000:00:1c.0/usb3-3.1.20"));
        assert!(!Port("pci-0000:00:1c.0/usb3-31/lun-0".to_owned()).hangs_on("pci-0000:00:1c.0/usb3-3"));
        assert_eq!(Port("pci-0000:00:10.0/mmc-0".to_owned()).upstream(), [""; 0]);
        assert_eq!(Port("pci-0000:00:1c.0/usb3-4/mmc-0".to_owned()).upstream(), ["pci-0000:00:1c.0/usb3-4"], "an SD host on a USB reader");
    }
}
