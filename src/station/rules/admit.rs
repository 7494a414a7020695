//! Admission: decides whether a card may be erased. The rules are checked in a fixed order; the first that refuses is shown to the
//! operator.

use super::cabling::compare;
use crate::station::types::armed::Armed;
use crate::station::types::card::{Bus, Use};
use crate::station::types::outcome::Refusal;
use crate::station::types::settings::Policy;
use crate::station::types::sizes::is_sold_as;
use crate::station::types::survey::Survey;
use crate::station::types::units::Bytes;

/// Checks that nothing uses the disk.
///
/// # Errors
/// The most informative use.
pub(crate) fn unused(uses: &[Use]) -> Result<(), Refusal> {
    // A use by others is reported before a use by the station: "mounted at /" says more than "the station's own root".
    let ours = |by: &&Use| matches!(by, Use::Station(_));
    let by = uses.iter().find(|by| !ours(by)).or_else(|| uses.iter().find(ours));
    by.map_or(Ok(()), |by| Err(Refusal::InUse(by.clone())))
}

/// Checks that it has no mark of an array, volume or pool that this PC may start at any moment, unless marks may be erased.
///
/// # Errors
/// If it has such a mark.
pub(crate) fn unmarked(marks: &[String], policy: &Policy) -> Result<(), Refusal> {
    if policy.erase_marks || marks.is_empty() { Ok(()) } else { Err(Refusal::Marked { of: marks.join(", ") }) }
}

/// Checks that `survey`'s card may be erased and `image` may be written to it.
///
/// # Errors
/// The first rule that refuses.
pub(crate) fn admit(survey: &Survey, image: Option<&Armed>, policy: &Policy) -> Result<(), Refusal> {
    let Some(image) = image else { return Err(Refusal::NoArmedImage) };
    admit_for(survey, image.span, image.block, policy)
}

/// Checks that `survey`'s card may be erased by something of this length, which was made for this logical block, if for any.
///
/// # Errors
/// The first rule that refuses.
pub(crate) fn admit_for(survey: &Survey, needs: Bytes, made_for: Option<u32>, policy: &Policy) -> Result<(), Refusal> {
    let card = &survey.card;
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
    if card.capacity < needs {
        return Err(Refusal::TooSmall { capacity: card.capacity, needs });
    }
    if let Some((at_least, at_most)) = policy.capacity
        && !is_sold_as(card.capacity, at_least, at_most)
    {
        return Err(Refusal::CapacityOutside { capacity: card.capacity, at_least, at_most });
    }
    if let Some(block) = made_for
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
    use crate::station::status::instruction::Instruction;
    use crate::station::testing::{image, survey};
    use crate::station::types::port::{Chain, Port};
    use crate::station::types::settings::OwnDisk;

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
        assert!(
            refusal.to_string().contains("`mdadm --stop /dev/md77`") && Instruction::of_refusal(&refusal) == Instruction::CallEngineer,
            "{refusal}"
        );
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
        with_wwn.card.wwn = Some("naa.5002538e40a1b2c3".into());
        for text in ["naa.5002538e40a1b2c3", "0x5002538E40A1B2C3", "5002538e40a1b2c3"] {
            assert_eq!(admit(&with_wwn, Some(&image()), &own(OwnDisk::wwn(text).expect("a name"))), Err(Refusal::OwnDisk), "{text}");
        }
    }
}
