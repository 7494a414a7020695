//! Whether a card can be put into every slot: controllers, cabling, shared readers, udev rules, automounters and polling.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::finding::{Finding, Subject};
use crate::config::Settings;
use crate::panel::lines;
use crate::station::cabling::compare;
use crate::station::port::Port;
use crate::station::settings::SlotSettings;
use crate::watch::cover;
use crate::watch::polls::SEEN_WITHIN;
use crate::watch::sysfs::{MediaPolling, Sysfs};
use crate::watch::topology::Socket;

/// Programs that mount what is plugged in, by the names of their processes (`/proc/PID/comm`, of which the kernel keeps 15 bytes).
const AUTOMOUNTERS: [&str; 7] = ["udisksd", "udiskie", "devmon", "usbmount", "automount", "ldm", "gvfs-udisks2-vo"];

/// Ports whose controller this PC does not have now, and ports that hang on something else than they were taught on. Either may be plugged
/// in later, or back.
pub(super) fn ports(settings: &Settings, sysfs: &Sysfs, sockets: &[Socket]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for slot in &settings.slots {
        for port in slot.ports.iter().filter(|port| !sysfs.has_controller(port)) {
            findings.push(Finding::warning(
                Subject::Port,
                format!(
                    "slot {}: this PC has no controller {}, so no card is ever seen in {port}: `flashline slots` lists the ports",
                    slot.name,
                    port.controller()
                ),
            ));
        }
        for (port, chain) in &slot.policy.hung_on {
            let Some(socket) = sockets.iter().find(|socket| socket.port == *port) else { continue };
            if let Err(refusal) = compare(port, chain, &socket.chain) {
                findings.push(Finding::bad(Subject::Port, format!("slot {}: {refusal}", slot.name)));
            }
        }
    }
    if findings.is_empty() && !settings.slots.is_empty() {
        findings.push(Finding::good(Subject::Port, format!("every controller of {} is there", slots(&settings.slots))));
    }
    findings
}

/// Readers in which several slots are: their cards take turns.
pub(super) fn readers(settings: &Settings, sockets: &[Socket]) -> Vec<Finding> {
    let mut shared: BTreeMap<&str, (String, BTreeSet<&str>)> = BTreeMap::new();
    for socket in sockets {
        let Some(reader) = socket.reader() else { continue };
        let here = settings.slots.iter().filter(|slot| slot.ports.contains(&socket.port)).map(|slot| slot.name.as_str());
        shared.entry(&reader.place).or_insert_with(|| (reader.words(), BTreeSet::new())).1.extend(here);
    }
    let several = shared.into_iter().filter(|(_, (_, names))| names.len() > 1);
    several
        .map(|(place, (words, names))| {
            let names = names.into_iter().collect::<Vec<_>>().join(" ");
            Finding::warning(Subject::Reader, format!("slots {names} share one reader, {words} at {place}: it serves its cards in turn"))
                .cure("for full speed use one reader for each card")
        })
        .collect()
}

/// The slots from which the PC's other programs are not kept.
pub(super) fn exposed(settings: &Settings, sysfs: &Sysfs) -> Vec<String> {
    let ports = settings.slots.iter().flat_map(|slot| slot.ports.iter().cloned()).collect();
    let covered = cover::of_ports(sysfs, &ports);
    let exposed = settings.slots.iter().filter(|slot| slot.ports.iter().any(|port| covered.get(port) == Some(&false)));
    exposed.map(|slot| slot.name.clone()).collect()
}

/// The udev rules. Where a slot starts no card without its rule, the lack of one is worse.
pub(super) fn rules(settings: &Settings, exposed: &[String]) -> Finding {
    if exposed.is_empty() {
        return Finding::good(Subject::Rules, "no slot is without the udev rules that keep other programs away");
    }
    let shut = settings.slots.iter().any(|slot| slot.policy.covered_only && exposed.contains(&slot.name));
    let what = lines::exposed(exposed);
    if shut { Finding::bad(Subject::Rules, what) } else { Finding::warning(Subject::Rules, what) }
}

/// The programs that the udev rules keep away.
pub(super) fn automounter(exposed: &[String], automounters: &BTreeSet<String>) -> Finding {
    let running = automounters.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if running.is_empty() {
        Finding::good(Subject::Automounter, "no program runs that mounts what is plugged in")
    } else if exposed.is_empty() {
        Finding::good(Subject::Automounter, format!("{running} runs, and the udev rules keep it off the slots"))
    } else {
        Finding::warning(Subject::Automounter, format!("{running} runs and mounts the cards in {}", exposed.join(" ")))
            .cure("install the udev rules, or remove that program")
    }
}

/// The automounters among the processes of this PC.
pub(super) fn automounters(processes: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(processes).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| fs::read_to_string(entry.path().join("comm")).ok());
    names.map(|name| name.trim_end().to_owned()).filter(|name| AUTOMOUNTERS.contains(&name.as_str())).collect()
}

/// Readers in slots that the kernel asks for their media too seldom. A running station asks for it itself.
pub(super) fn polling(settings: &Settings, sysfs: &Sysfs, sockets: &[Socket]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut asked = 0;
    for (slot, name) in in_slots(settings, sockets) {
        match sysfs.media_polling(name) {
            MediaPolling::Unneeded => {}
            MediaPolling::Every(interval) if interval <= SEEN_WITHIN => asked += 1,
            MediaPolling::Every(interval) => findings.push(
                Finding::warning(
                    Subject::Polling,
                    format!("slot {slot}: the kernel asks {name} for a card only every {:.1} s", interval.as_secs_f64()),
                )
                .cure("install the udev rules, or start the station, which sets it"),
            ),
            MediaPolling::Never => findings.push(
                Finding::warning(Subject::Polling, format!("slot {slot}: the kernel never asks {name} for a card"))
                    .cure("install the udev rules, or start the station, which sets it"),
            ),
        }
    }
    if findings.is_empty() && asked > 0 {
        findings.push(Finding::good(Subject::Polling, "the kernel asks every reader in a slot for its card at least once a second"));
    }
    findings
}

/// The disks that are in slots now, with their slots.
pub(super) fn in_slots<'a>(settings: &'a Settings, sockets: &'a [Socket]) -> Vec<(&'a str, &'a str)> {
    let slot_of = |port: &Port| settings.slots.iter().find(|slot| slot.ports.contains(port)).map(|slot| slot.name.as_str());
    sockets.iter().filter_map(|socket| Some((slot_of(&socket.port)?, socket.kernel_name.as_deref()?))).collect()
}

fn slots(all: &[SlotSettings]) -> String {
    match all {
        [only] => format!("slot {}", only.name),
        all => format!("{} slots", all.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Mark;
    use super::*;
    use crate::config::{ImageCheck, prove};
    use crate::watch::testing::FakeSysfs;

    fn with_slots(ports: &[(&str, &str)]) -> Settings {
        let slots: String =
            ports.iter().map(|(name, port)| format!("[[slot]]\nname = \"{name}\"\nports = [\"{port}\"]\nmodel = \"acme/box\"\n")).collect();
        let text = format!("[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\n{slots}");
        prove(Path::new("/etc/flashline/config.toml"), &text, ImageCheck::Unseen).expect("it is good")
    }

    #[test]
    fn slots_that_share_a_reader_are_named_together() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.lun("sdc", "1", 3, 8);
        fake.lun("sdd", "2", 0, 9);
        let port = |place: &str| format!("pci-0000:00:1c.0/usb3-{place}");
        let here = [("A1", port("1/lun-0")), ("A2", port("1/lun-3")), ("A3", port("2/lun-0"))];
        let settings = with_slots(&here.each_ref().map(|(name, port)| (*name, port.as_str())));
        let found = readers(&settings, &fake.sysfs().sockets());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].what.starts_with("slots A1 A2 share one reader"), "{found:?}");
        assert_eq!(found[0].mark, Mark::Warning);
    }

    #[test]
    fn a_reader_that_is_asked_too_seldom_or_never_is_named_with_its_slot() {
        let fake = FakeSysfs::new();
        fake.lun("sdb", "1", 0, 7);
        fake.set("sdb", "removable", "1");
        fake.set("sdb", "events", "media_change eject_request");
        let settings = with_slots(&[("A1", "pci-0000:00:1c.0/usb3-1/lun-0")]);
        let asked = |interval: &str| {
            fake.set("sdb", "events_poll_msecs", interval);
            polling(&settings, &fake.sysfs(), &fake.sysfs().sockets())
        };
        assert_eq!(asked("500")[0].mark, Mark::Good);
        for (interval, words) in [("2000", "only every 2.0 s"), ("0", "never asks sdb"), ("-1", "never asks sdb")] {
            let found = asked(interval);
            assert!(
                found[0].mark == Mark::Warning && found[0].what.contains(words) && found[0].what.contains("A1"),
                "{interval}: {found:?}"
            );
        }
    }

    #[test]
    fn an_automounter_is_a_warning_only_where_no_rule_keeps_it_off() {
        let processes = tempfile::tempdir().expect("a directory");
        for (process, name) in [("17", "udisksd\n"), ("18", "bash\n"), ("uptime", "")] {
            fs::create_dir(processes.path().join(process)).expect("made");
            fs::write(processes.path().join(process).join("comm"), name).expect("written");
        }
        let running = automounters(processes.path());
        assert_eq!(running, BTreeSet::from(["udisksd".to_owned()]));
        let settings = with_slots(&[("A1", "pci-0000:00:1c.0/usb3-1/lun-0")]);
        let marks = |exposed: &[String]| [rules(&settings, exposed).mark, automounter(exposed, &running).mark];
        assert_eq!(marks(&[]), [Mark::Good, Mark::Good]);
        assert_eq!(marks(&["A1".to_owned()]), [Mark::Warning, Mark::Warning]);
    }
}
