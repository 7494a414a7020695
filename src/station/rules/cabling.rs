//! Compares the devices on which a slot's port hangs with the taught ones.
//!
//! A port names a place; a chain names the devices on the way to it. A hub in another socket, or another reader, gives ports with the same
//! names in other places. Only the chain shows this.

use std::collections::BTreeSet;

use crate::station::types::outcome::Refusal;
use crate::station::types::port::{Cabling, Chain, Port, places};

impl Cabling {
    /// The chain of a present card is newer than the known one.
    pub(super) fn learn(&mut self, port: &Port, chain: &Chain) {
        self.0.extend(places(port).into_iter().zip(chain.0.iter().cloned()));
    }

    /// Does the port hang on other devices than the taught ones? Unplugged devices do not count as changed, because no card can be put into
    /// them. If the taught device hangs in another place for which no equal one was taught, the result names it.
    pub(super) fn recabled(&self, port: &Port, taught: &Chain, all_taught: &BTreeSet<(String, String)>) -> Option<Refusal> {
        let places = places(port);
        let (index, was) = taught
            .0
            .iter()
            .enumerate()
            .find(|(index, was)| !places.get(*index).and_then(|at| self.0.get(at)).is_some_and(|is| is_as(was, is)))?;
        let at = places.get(index)?;
        let is = self.0.get(at).cloned();
        let moved = |(place, id): &(&String, &String)| *id == was && !all_taught.contains(&((*place).clone(), (*id).clone()));
        let now_on = self.0.iter().find(moved).map(|(place, _)| place.clone());
        (is.is_some() || now_on.is_some()).then(|| refusal(&places, index, was, is, now_on))
    }
}

/// The places and devices of a taught chain.
pub(super) fn pairs(port: &Port, taught: &Chain) -> impl Iterator<Item = (String, String)> {
    places(port).into_iter().zip(taught.0.clone())
}

/// Checks that a card hangs on the devices that were taught for its port. An unknown device counts as a different one.
///
/// # Errors
/// [`Refusal::Recabled`], with the first device that differs.
pub(crate) fn compare(port: &Port, taught: &Chain, is: &Chain) -> Result<(), Refusal> {
    let Some((index, was)) = taught.0.iter().enumerate().find(|(index, was)| !is.0.get(*index).is_some_and(|is| is_as(was, is))) else {
        return Ok(());
    };
    let is = is.0.get(index).cloned().unwrap_or_else(|| "unknown".to_owned());
    Err(refusal(&places(port), index, was, Some(is), None))
}

/// Is this device the taught one? The number of a controller's hosts was not always taught.
fn is_as(was: &str, is: &str) -> bool {
    is.strip_prefix(was).is_some_and(|rest| rest.is_empty() || rest.starts_with(" ("))
}

fn refusal(places: &[String], index: usize, was: &str, is: Option<String>, now_on: Option<String>) -> Refusal {
    let at = places.get(index).map_or("this port", String::as_str);
    let kind = match (Port(at.to_owned()).is_own_host(), index + 1 == places.len()) {
        (true, _) => "SD host",
        (false, true) => "reader",
        (false, false) => "hub",
    };
    Refusal::Recabled { at: format!("{kind} {}", short(at)), was: was.to_owned(), is, now_on: now_on.map(|place| short(&place).to_owned()) }
}

/// Without the controller, which the configuration names beside it: `usb3-1.2`.
fn short(place: &str) -> &str {
    place.split_once('/').map_or(place, |(_controller, rest)| if rest.starts_with("usb") { rest } else { place })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port() -> Port {
        Port("pci-0000:00:14.0/usb3-1.2/lun-0".to_owned())
    }

    fn taught() -> Chain {
        Chain::parse("05e3:0610 > 05e3:0749:READER0001")
    }

    /// The PC's devices: the places of this chain of ports with these devices.
    fn cabling(devices: &[(&str, &str)]) -> Cabling {
        Cabling(devices.iter().map(|(place, id)| (format!("pci-0000:00:14.0/{place}"), (*id).to_owned())).collect())
    }

    fn found(devices: &[(&str, &str)]) -> Option<String> {
        let all = pairs(&port(), &taught()).collect();
        cabling(devices).recabled(&port(), &taught(), &all).map(|refusal| refusal.to_string())
    }

    #[test]
    fn a_chain_is_the_same_after_it_was_written_down() {
        assert_eq!(Chain::parse(&taught().to_string()), taught());
        assert_eq!(Chain::parse(""), Chain::default());
    }

    #[test]
    fn an_exchanged_reader_is_named_with_what_it_was_and_what_it_is() {
        let said = found(&[("usb3-1", "05e3:0610"), ("usb3-1.2", "0bda:0306")]).expect("it is another one");
        assert!(said.starts_with("reader usb3-1.2 was 05e3:0749:READER0001, is 0bda:0306 now"), "{said}");
        let said = found(&[("usb3-1", "2109:2817"), ("usb3-1.2", "05e3:0749:READER0001")]).expect("the hub is another one");
        assert!(said.starts_with("hub usb3-1 was 05e3:0610, is 2109:2817 now"), "{said}");
    }

    #[test]
    fn what_is_unplugged_has_not_changed() {
        assert_eq!(found(&[]), None);
        assert_eq!(found(&[("usb3-1", "05e3:0610")]), None);
        assert_eq!(found(&[("usb3-1", "05e3:0610"), ("usb3-1.2", "05e3:0749:READER0001")]), None);
    }

    #[test]
    fn a_hub_that_hangs_elsewhere_is_said_to_unless_one_like_it_was_taught_there() {
        let said = found(&[("usb3-4", "05e3:0610")]).expect("it was moved");
        assert!(said.starts_with("hub usb3-1 was 05e3:0610, which is on usb3-4 now"), "{said}");
        let mut all: BTreeSet<_> = pairs(&port(), &taught()).collect();
        all.insert(("pci-0000:00:14.0/usb3-4".to_owned(), "05e3:0610".to_owned()));
        assert_eq!(cabling(&[("usb3-4", "05e3:0610")]).recabled(&port(), &taught(), &all), None, "that one is another slot's hub");
    }

    #[test]
    fn a_stick_is_no_part_of_its_place_and_an_unknown_chain_is_another_one() {
        let hub_only = Chain::parse("05e3:0610");
        assert_eq!(compare(&port(), &hub_only, &Chain::parse("05e3:0610 > 0781:5581:4C53")), Ok(()));
        assert_eq!(compare(&port(), &Chain::default(), &Chain::default()), Ok(()));
        let said = compare(&port(), &hub_only, &Chain::default()).expect_err("nothing is known of it").to_string();
        assert!(said.contains("is unknown now"), "{said}");
    }

    #[test]
    fn an_sd_host_is_its_own_place_and_one_on_a_usb_reader_the_readers() {
        assert_eq!(places(&Port("pci-0000:00:1a.0/mmc-0".to_owned())), ["pci-0000:00:1a.0/mmc-0"]);
        assert_eq!(places(&Port("pci-0000:00:14.0/usb2-4/mmc-0".to_owned())), ["pci-0000:00:14.0/usb2-4"]);
        assert_eq!(places(&port()), ["pci-0000:00:14.0/usb3-1", "pci-0000:00:14.0/usb3-1.2"]);
        assert_eq!(places(&Port("pci-0000:00:05.0/virtio".to_owned())), [""; 0]);
    }
}
