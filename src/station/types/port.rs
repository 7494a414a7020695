//! Where a card sits, and what that place hangs on.

use std::collections::BTreeMap;
use std::fmt;

/// The place a card sits in, in our own words: controller, then USB port chain and LUN, or MMC host.
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

impl Port {
    /// What this port hangs on, nearest first: the USB device it is a LUN or a host of, then the hubs above it. A controller is not
    /// named: what is lost with it is lost with the PC.
    #[must_use]
    pub fn upstream(&self) -> Vec<String> {
        let Some((device, _unit)) = self.0.rsplit_once("/lun-").or_else(|| self.0.rsplit_once("/mmc-")) else { return Vec::new() };
        let Some((root, chain)) = device.rsplit_once('-').filter(|(root, _)| root.contains("/usb")) else { return Vec::new() };
        let dots = chain.match_indices('.').map(|(place, _)| place);
        let mut upstream: Vec<String> = dots.chain([chain.len()]).map(|end| format!("{root}-{}", &chain[..end])).collect();
        upstream.reverse();
        upstream
    }

    /// Is this port a LUN of `device`, or behind it?
    #[must_use]
    pub fn hangs_on(&self, device: &str) -> bool {
        self.0.strip_prefix(device).is_some_and(|rest| rest.starts_with(['.', '/']))
    }
}

/// Between two devices of a chain, as text.
const THEN: &str = " > ";

/// The devices a port hangs on, from the controller down: hubs and reader as `vendor:product`, with `:serial` where they have one; for
/// a host of the PC's own the name of its driver.
///
/// A taught chain may end above the card's own USB device: a stick is no part of the place it is put into.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Chain(pub Vec<String>);

impl Chain {
    /// As it stands in the configuration: `05e3:0610 > 05e3:0749:READER0001`.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.split(THEN.trim()).map(|device| device.trim().to_owned()).filter(|device| !device.is_empty()).collect())
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(THEN))
    }
}

/// The places a port hangs on, from the controller down, as many as a whole chain has devices: those of its USB devices, or the port
/// itself where an SD host of the PC's own is.
#[must_use]
pub fn places(port: &Port) -> Vec<String> {
    let mut places = port.upstream();
    places.reverse();
    if places.is_empty() && port.0.contains("/mmc-") {
        places.push(port.0.clone());
    }
    places
}

/// Every device of the PC that a port may hang on: what is there, by its place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Cabling(pub BTreeMap<String, String>);

#[cfg(test)]
mod tests {
    use super::*;

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
