//! Admission: may this card be erased? Pure rules, asked in one order; the first no is what the operator reads.

use super::cabling::{Chain, compare};
use super::card::{Bus, Port, Survey, Use};
use super::outcome::Refusal;
use super::record::Armed;
use super::sizes::is_sold_as;
use super::units::Bytes;

/// What a slot takes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Take a card that carries partitions already. Factory-new cards come formatted, so the default is yes.
    pub reuse: bool,
    /// The least and the most size a card may be sold as, both included.
    pub capacity: Option<(Bytes, Bytes)>,
    /// Take a card that bears the mark of a RAID, LVM or ZFS which does not run on this PC.
    pub erase_marks: bool,
    /// Take a loop device: for devices named on a command line, never for a slot.
    pub loop_devices: bool,
    /// The PC's own disks, listed once at installation.
    pub own_disks: Vec<OwnDisk>,
    /// What the slot's ports hung on when it was taught. A port that is not listed may hang on anything.
    pub hung_on: Vec<(Port, Chain)>,
    /// Take no card that the PC's other programs are not kept from.
    pub covered_only: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            reuse: true,
            capacity: None,
            erase_marks: false,
            loop_devices: false,
            own_disks: Vec::new(),
            hung_on: Vec::new(),
            covered_only: false,
        }
    }
}

/// A disk that belongs to the PC. Matches by its world wide name, or by everything else together: one of them alone is
/// shared by too many disks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum OwnDisk {
    /// By world wide name, its digits alone; made by [`OwnDisk::wwn`].
    Wwn(String),
    /// By vendor, product, serial and size together.
    Description {
        /// Maker.
        vendor: Option<String>,
        /// Product.
        product: Option<String>,
        /// Serial.
        serial: Option<String>,
        /// Size.
        capacity: Bytes,
    },
}

impl OwnDisk {
    /// By world wide name, as sysfs (`naa.5002…`), udev (`0x5002…`) or a label (`5002…`) gives it.
    #[must_use]
    pub fn wwn(text: &str) -> Self {
        Self::Wwn(bare_wwn(text))
    }

    fn is(&self, survey: &Survey) -> bool {
        let card = &survey.card;
        match self {
            Self::Wwn(wwn) => card.wwn.as_deref().is_some_and(|own| bare_wwn(own) == *wwn),
            Self::Description { vendor, product, serial, capacity } => {
                *vendor == card.vendor && *product == card.product && *serial == card.serial && *capacity == card.capacity
            }
        }
    }
}

/// The digits alone.
fn bare_wwn(text: &str) -> String {
    let text = text.trim().to_ascii_lowercase();
    ["naa.", "eui.", "0x"].iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(&text).to_owned()
}

/// Does nobody use it?
///
/// # Errors
/// The use that says most.
pub fn unused(uses: &[Use]) -> Result<(), Refusal> {
    // A use by others is told before a use by ourselves: "mounted at /" says more than "the station's own root".
    let ours = |by: &&Use| matches!(by, Use::Station(_));
    let by = uses.iter().find(|by| !ours(by)).or_else(|| uses.iter().find(ours));
    by.map_or(Ok(()), |by| Err(Refusal::InUse(by.clone())))
}

/// Does it bear no mark of what this PC may start at any moment, or may that be erased?
///
/// # Errors
/// What it bears the mark of.
pub fn unmarked(marks: &[String], policy: &Policy) -> Result<(), Refusal> {
    if policy.erase_marks || marks.is_empty() { Ok(()) } else { Err(Refusal::Marked { of: marks.join(", ") }) }
}

/// May `survey`'s card be erased and `image` be written to it?
///
/// # Errors
/// The first rule that says no.
pub fn admit(survey: &Survey, image: Option<&Armed>, policy: &Policy) -> Result<(), Refusal> {
    let card = &survey.card;
    let Some(image) = image else { return Err(Refusal::NoArmedImage) };
    if let Some((port, taught)) = policy.hung_on.iter().find(|(port, _)| *port == card.port) {
        compare(port, taught, &card.hangs_on)?;
    }
    if !card.whole_disk {
        return Err(Refusal::NotWholeDisk);
    }
    match &card.bus {
        Bus::Usb => {}
        Bus::Mmc(kind) if kind == "SD" => {}
        Bus::Mmc(kind) => return Err(Refusal::NotSd { kind: kind.clone() }),
        Bus::Loop if policy.loop_devices => {}
        other @ (Bus::Loop | Bus::Other(_)) => return Err(Refusal::NotACard { bus: other.to_string() }),
    }
    unused(&survey.uses)?;
    if policy.own_disks.iter().any(|own| own.is(survey)) {
        return Err(Refusal::OwnDisk);
    }
    unmarked(&survey.marks, policy)?;
    if card.write_protected {
        return Err(Refusal::WriteProtected);
    }
    if card.capacity < image.span {
        return Err(Refusal::TooSmall { capacity: card.capacity, needs: image.span });
    }
    if let Some((at_least, at_most)) = policy.capacity
        && !is_sold_as(card.capacity, at_least, at_most)
    {
        return Err(Refusal::CapacityOutside { capacity: card.capacity, at_least, at_most });
    }
    if let Some(block) = image.block
        && block != card.logical_block
    {
        return Err(Refusal::SectorSize { card: card.logical_block, image: block });
    }
    if policy.covered_only && survey.covered == Some(false) {
        return Err(Refusal::Uncovered);
    }
    if card.partitioned && !policy.reuse {
        return Err(Refusal::Partitioned);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::station::said::Todo;
    use crate::station::testing::{image, survey};

    fn refused(change: impl FnOnce(&mut Survey)) -> Refusal {
        let mut survey = survey("p1", 1);
        change(&mut survey);
        admit(&survey, Some(&image()), &Policy::default()).expect_err("one rule must say no")
    }

    #[test]
    fn a_plain_stick_and_a_plain_sd_card_are_admitted() {
        let mut card = survey("p1", 1);
        assert_eq!(admit(&card, Some(&image()), &Policy::default()), Ok(()));
        card.card.bus = Bus::Mmc("SD".to_owned());
        assert_eq!(admit(&card, Some(&image()), &Policy::default()), Ok(()));
    }

    #[test]
    fn every_rule_has_its_own_refusal() {
        assert_eq!(admit(&survey("p1", 1), None, &Policy::default()), Err(Refusal::NoArmedImage));
        assert_eq!(refused(|s| s.card.whole_disk = false), Refusal::NotWholeDisk);
        assert_eq!(refused(|s| s.card.bus = Bus::Other("virtio".into())), Refusal::NotACard { bus: "virtio".into() });
        assert_eq!(refused(|s| s.card.bus = Bus::Loop), Refusal::NotACard { bus: "loop".into() });
        assert_eq!(refused(|s| s.card.bus = Bus::Mmc("MMC".into())), Refusal::NotSd { kind: "MMC".into() });
        for by in [
            Use::Mounted("/mnt".into()),
            Use::Swap("/dev/sda".into()),
            Use::Holder { name: "dm-0".into(), cure: None },
            Use::Holder { name: "md77".into(), cure: Some("mdadm --stop /dev/md77".into()) },
            Use::Station("state".into()),
        ] {
            assert_eq!(refused(|s| s.uses.push(by.clone())), Refusal::InUse(by.clone()));
        }
        assert_eq!(refused(|s| s.marks = vec!["a RAID".into(), "LVM".into()]), Refusal::Marked { of: "a RAID, LVM".into() });
        assert_eq!(refused(|s| s.card.write_protected = true), Refusal::WriteProtected);
        let needs = image().span;
        let capacity = Bytes(needs.0 - 1);
        assert_eq!(refused(|s| s.card.capacity = capacity), Refusal::TooSmall { capacity, needs });
        assert_eq!(refused(|s| s.card.logical_block = 4096), Refusal::SectorSize { card: 4096, image: 512 });
    }

    #[test]
    fn a_card_behind_another_hub_or_in_another_reader_than_taught_is_refused_and_no_other_port_is_asked() {
        let taught = |port: &str, chain: &str| Policy { hung_on: vec![(Port(port.to_owned()), Chain::parse(chain))], ..Policy::default() };
        let card = survey("p1", 1);
        let refusal = admit(&card, Some(&image()), &taught("p1", "05e3:0749")).expect_err("it hangs on something else");
        assert_eq!(refusal.code(), "recabled");
        assert_eq!(admit(&card, Some(&image()), &taught("p1", "0781:5581:S-1")), Ok(()));
        assert_eq!(admit(&card, Some(&image()), &taught("p2", "05e3:0749")), Ok(()));
    }

    #[test]
    fn a_mark_is_erased_where_the_policy_says_so_and_a_use_never_is() {
        let mut card = survey("p1", 1);
        card.marks = vec!["zfs".into()];
        let policy = Policy { erase_marks: true, ..Policy::default() };
        let said = admit(&card, Some(&image()), &Policy::default()).expect_err("it may be wanted").to_string();
        assert!(!said.contains("in use") && said.contains("wipefs"), "told for what it is, with its cure: {said}");
        assert_eq!(admit(&card, Some(&image()), &policy), Ok(()));
        card.uses = vec![Use::Holder { name: "md77".into(), cure: Some("mdadm --stop /dev/md77".into()) }];
        let refusal = admit(&card, Some(&image()), &policy).expect_err("it runs");
        assert!(refusal.to_string().contains("`mdadm --stop /dev/md77`") && refusal.cure() == Todo::CallEngineer, "{refusal}");
    }

    #[test]
    fn policies_of_a_slot_refuse_too() {
        let mut card = survey("p1", 1);
        card.card.partitioned = true;
        let blank = Policy { reuse: false, ..Policy::default() };
        assert_eq!(admit(&card, Some(&image()), &blank), Err(Refusal::Partitioned));
        assert_eq!(admit(&card, Some(&image()), &Policy::default()), Ok(()));
        let (at_least, at_most) = (Bytes(1), Bytes(2));
        let window = Policy { capacity: Some((at_least, at_most)), ..Policy::default() };
        let capacity = card.card.capacity;
        assert_eq!(admit(&card, Some(&image()), &window), Err(Refusal::CapacityOutside { capacity, at_least, at_most }));
    }

    mod cases {
        use super::*;

        #[test]
        fn a_card_that_the_pcs_other_programs_are_not_kept_from_is_refused_where_that_is_required() {
            let mut card = survey("p1", 1);
            let required = Policy { covered_only: true, ..Policy::default() };
            for (covered, answer) in [(Some(true), Ok(())), (None, Ok(())), (Some(false), Err(Refusal::Uncovered))] {
                card.covered = covered;
                assert_eq!(admit(&card, Some(&image()), &required), answer, "{covered:?}");
                assert_eq!(admit(&card, Some(&image()), &Policy::default()), Ok(()));
            }
        }
    }

    #[test]
    fn the_pcs_own_disk_is_known_by_wwn_or_by_everything_else_together_never_by_serial_alone() {
        let card = survey("p1", 1);
        let own = |disk| Policy { own_disks: vec![disk], ..Policy::default() };
        let whole = OwnDisk::Description {
            vendor: card.card.vendor.clone(),
            product: card.card.product.clone(),
            serial: card.card.serial.clone(),
            capacity: card.card.capacity,
        };
        assert_eq!(admit(&card, Some(&image()), &own(whole)), Err(Refusal::OwnDisk));
        let other_size = OwnDisk::Description {
            vendor: card.card.vendor.clone(),
            product: card.card.product.clone(),
            serial: card.card.serial.clone(),
            capacity: Bytes(1),
        };
        assert_eq!(admit(&card, Some(&image()), &own(other_size)), Ok(()));
        let mut with_wwn = card;
        with_wwn.card.wwn = Some("naa.5002a".into());
        for text in ["naa.5002a", "0x5002A", "5002a"] {
            assert_eq!(admit(&with_wwn, Some(&image()), &own(OwnDisk::wwn(text))), Err(Refusal::OwnDisk), "{text}");
        }
    }
}
