//! Looks for what the PC, or the unit that the station runs under, does not let the station do. The kernel reports none of it by itself: a
//! lamp stays as it is, a table looks empty, a socket is not there.
//!
//! ```text
//!  every 10 s, and when the lamps change ─▶ look ─ something new? ─▶ look again after a second ─▶ Event::Restricted
//! ```
//! The first look is made before the station starts, which does not wait a second for it: what stops the station holds at once, and the
//! thread looks again after a second.
//!
//! A setting of a unit stays. What is gone a second later was a lamp that udev had not given to the station yet, or a disk that was leaving.
//! Nothing here opens a disk or waits for a device.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::{AccessFlags, access};

use super::given::Given;
use super::hints::watch_database;
use super::sysfs::{Sysfs, names_in};
use super::tables::Tables;
use crate::station::Event;
use crate::station::lamp::{OwnedLamp, fits};
use crate::station::restriction::Restriction;

/// Interval of the looks: short enough for an engineer who has just changed something.
const LOOK: Duration = Duration::from_secs(10);

/// What is new is looked at again after this time.
const SURE_AFTER: Duration = Duration::from_secs(1);

/// The files of an LED that every light needs (`crate::panel::lamps`). Those of a trigger come and go with it.
const LED_FILES: [&str; 2] = ["brightness", "trigger"];

/// The first line of `/proc/self/uid_map` where all users are known by their own numbers (user_namespaces(7)).
const ALL_USERS: [&str; 3] = ["0", "0", "4294967295"];

/// The station's control socket.
#[derive(Clone, Debug)]
pub(crate) struct ControlSocket {
    /// The path of its file.
    pub path: PathBuf,
    /// Why it could not be made, with the errno.
    pub failed: Option<(String, Option<i32>)>,
}

/// Where it is looked.
#[derive(Clone, Debug)]
struct Places {
    proc: PathBuf,
    leds: PathBuf,
    dev: PathBuf,
    udev: PathBuf,
    sysfs: Sysfs,
    mounts: fn() -> Result<(), String>,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            proc: "/proc".into(),
            leds: "/sys/class/leds".into(),
            dev: "/dev".into(),
            udev: super::hints::DATABASE.into(),
            sysfs: Sysfs::default(),
            mounts: || Tables::now().map(drop).map_err(|error| error.to_string()),
        }
    }
}

impl Places {
    /// Everything that is found now.
    fn look(&self, lamps: &[OwnedLamp], control: &ControlSocket) -> Vec<Restriction> {
        let stops = [self.mounts_hidden(), self.udev_hidden(), self.disks_hidden()];
        let others = [no_control(control), self.askers_unknown(), self.lamps_stuck(lamps), self.no_hints(), self.swaps_hidden()];
        let mut found: Vec<Restriction> = stops.into_iter().chain(others).flatten().collect();
        // What cannot be read cannot be watched either.
        if found.iter().any(|one| matches!(one, Restriction::UdevHidden { .. })) {
            found.retain(|one| !matches!(one, Restriction::NoHints { .. }));
        }
        found
    }

    fn mounts_hidden(&self) -> Option<Restriction> {
        (self.mounts)().err().map(|why| Restriction::MountsHidden { why })
    }

    /// A PC without udev has no records, and needs none.
    fn udev_hidden(&self) -> Option<Restriction> {
        match fs::read_dir(&self.udev) {
            Err(error) if !is_absent(&error) => Some(Restriction::UdevHidden { why: error.to_string() }),
            Ok(_) | Err(_) => None,
        }
    }

    fn no_hints(&self) -> Option<Restriction> {
        match watch_database(&self.udev) {
            Ok(_) | Err(Errno::ENOENT) => None,
            Err(errno) => Some(Restriction::NoHints { why: io::Error::from(errno).to_string() }),
        }
    }

    /// Disks whose nodes are all missing are hidden: the kernel itself makes them (devtmpfs). A single one may just be leaving.
    fn disks_hidden(&self) -> Option<Restriction> {
        let names = self.sysfs.disk_names().ok()?;
        let has_node =
            |name: &String| !matches!(fs::symlink_metadata(self.dev.join(name.replace('!', "/"))), Err(error) if is_absent(&error));
        (!names.is_empty() && !names.iter().any(has_node)).then_some(Restriction::DisksHidden)
    }

    fn askers_unknown(&self) -> Option<Restriction> {
        let map = fs::read_to_string(self.proc.join("self/uid_map")).ok()?;
        let knows_all = map.lines().next().is_none_or(|line| line.split_whitespace().eq(ALL_USERS));
        (!knows_all).then_some(Restriction::AskersUnknown)
    }

    /// Every kernel has an uptime, and not every one has swap space.
    fn swaps_hidden(&self) -> Option<Restriction> {
        let exists = |name: &str| self.proc.join(name).exists();
        (exists("self") && !exists("uptime")).then_some(Restriction::SwapsHidden)
    }

    /// Asks whether this process may write, and writes nothing. An LED that does not exist may be plugged in later.
    fn lamps_stuck(&self, lamps: &[OwnedLamp]) -> Option<Restriction> {
        let there = names_in(&self.leds).unwrap_or_default();
        let named = lamps.iter().flat_map(|lamp| lamp.lamp.leds()).map(|(_, name)| name);
        let leds = named.flat_map(|name| there.iter().filter(move |led| fits(name, led)));
        leds.flat_map(|led| LED_FILES.map(|file| (led, file))).find_map(|(led, file)| {
            let errno = access(&self.leds.join(led).join(file), AccessFlags::W_OK).err()?;
            let is_there = !matches!(errno, Errno::ENOENT | Errno::ENODEV);
            let (why, number) = (io::Error::from(errno).to_string(), errno as i32);
            is_there.then(|| Restriction::LampsStuck { led: led.clone(), why, errno: Some(number) })
        })
    }
}

fn no_control(control: &ControlSocket) -> Option<Restriction> {
    let path = control.path.display();
    if let Some((why, errno)) = &control.failed {
        return Some(Restriction::NoControl { why: format!("its control socket {path} cannot be made: {why}"), errno: *errno });
    }
    let is_there = match fs::symlink_metadata(&control.path) {
        Ok(there) => there.file_type().is_socket(),
        Err(error) => !is_absent(&error),
    };
    (!is_there).then(|| Restriction::NoControl { why: format!("its control socket {path} was removed"), errno: None })
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
}

/// What is found now and a moment later, unless `known` has it already.
fn sure(look: impl Fn() -> Vec<Restriction>, known: &[Restriction], wait: impl FnOnce()) -> Vec<Restriction> {
    let found = look();
    if found.iter().all(|one| known.contains(one)) {
        return found;
    }
    wait();
    let again = look();
    again.into_iter().filter(|one| found.iter().any(|before| before.code() == one.code())).collect()
}

/// Reports to the station what it is not allowed to do: at every change.
#[derive(Debug)]
pub(crate) struct RestrictionWatch {
    lamps: Arc<Given<Vec<OwnedLamp>>>,
}

impl RestrictionWatch {
    /// Looks at once, and returns what stops the station: no card is begun before that is known. Then starts the thread, which looks again
    /// and again. `tell` returns false when the receiver is gone, which ends the thread.
    ///
    /// # Errors
    /// If the thread cannot be made.
    pub(crate) fn spawn(
        lamps: Vec<OwnedLamp>,
        control: ControlSocket,
        tell: impl Fn(Event) -> bool + Send + 'static,
    ) -> io::Result<(Self, Vec<Restriction>)> {
        Self::over(Places::default(), lamps, control, tell)
    }

    fn over(
        places: Places,
        lamps: Vec<OwnedLamp>,
        control: ControlSocket,
        tell: impl Fn(Event) -> bool + Send + 'static,
    ) -> io::Result<(Self, Vec<Restriction>)> {
        let found = places.look(&lamps, &control).into_iter();
        let first: Vec<Restriction> = found.filter(Restriction::stops).collect();
        let (given, mut known) = (Arc::new(Given::new(lamps)), first.clone());
        let ours = Arc::clone(&given);
        thread::Builder::new().name("restrictions".to_owned()).spawn(move || {
            let (mut lamps, mut wait) = (ours.now(), SURE_AFTER);
            loop {
                lamps = ours.after(wait, lamps.generation);
                wait = LOOK;
                let now = sure(|| places.look(&lamps.value, &control), &known, || thread::sleep(SURE_AFTER));
                if now != known && !tell(Event::Restricted(now.clone())) {
                    return;
                }
                known = now;
            }
        })?;
        Ok((Self { lamps: given }, first))
    }

    /// Looks at these lamps from now on; at once if they are others. The same ones, as at the start, do not bring the next look forward.
    pub(crate) fn set_lamps(&self, lamps: Vec<OwnedLamp>) {
        self.lamps.set_if_new(lamps);
    }
}

#[cfg(test)]
mod cases {
    use std::cell::RefCell;
    use std::os::unix::net::UnixListener;
    use std::path::Path;
    use std::sync::mpsc;
    use std::time::Instant;

    use super::super::testing::FakeSysfs;
    use super::*;
    use crate::station::lamp::Lamp;

    /// A PC on which nothing is hidden.
    struct Pc {
        root: tempfile::TempDir,
        fake: FakeSysfs,
        places: Places,
        control: ControlSocket,
        _listener: UnixListener,
    }

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("made");
        fs::write(path, text).expect("written");
    }

    fn pc() -> Pc {
        let root = tempfile::tempdir().expect("a directory");
        let fake = FakeSysfs::new();
        fake.stick("sda", "1", 7);
        let at = |name: &str| root.path().join(name);
        write(&at("proc/uptime"), "1.00 1.00\n");
        write(&at("proc/self/uid_map"), "         0          0 4294967295\n");
        write(&at("dev/sda"), "");
        write(&at("udev/b8:0"), "");
        for led in ["a", "input3::capslock"] {
            LED_FILES.iter().for_each(|file| write(&at("leds").join(led).join(file), "0"));
        }
        let control = ControlSocket { path: at("control.sock"), failed: None };
        let listener = UnixListener::bind(&control.path).expect("bound");
        let places =
            Places { proc: at("proc"), leds: at("leds"), dev: at("dev"), udev: at("udev"), sysfs: fake.sysfs(), mounts: || Ok(()) };
        Pc { root, fake, places, control, _listener: listener }
    }

    impl Pc {
        fn at(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        fn found(&self) -> Vec<Restriction> {
            let lamp = |led: &str| OwnedLamp::of_slot("A1", Lamp::One(led.to_owned()));
            self.places.look(&[lamp("a"), lamp("input*::capslock"), lamp("unplugged")], &self.control)
        }

        fn codes(&self) -> Vec<&'static str> {
            self.found().iter().map(Restriction::code).collect()
        }
    }

    #[test]
    fn a_pc_that_hides_nothing_has_no_restriction_and_neither_has_one_without_udev_swap_disks_or_lamps() {
        let pc = pc();
        assert_eq!(pc.found(), []);
        fs::remove_dir_all(pc.at("udev")).expect("removed");
        fs::remove_dir_all(pc.at("leds")).expect("removed");
        assert_eq!(pc.found(), []);
        let empty = Places { sysfs: FakeSysfs::new().sysfs(), ..pc.places.clone() };
        fs::remove_file(pc.at("dev/sda")).expect("removed");
        assert_eq!(empty.look(&[], &pc.control), [], "no disk is no hidden disk");
    }

    #[test]
    fn what_a_unit_hides_is_found_one_by_one() {
        let mut pc = pc();
        fs::rename(pc.at("proc/uptime"), pc.at("uptime")).expect("renamed");
        assert_eq!(pc.codes(), ["swaps-hidden"]);
        fs::rename(pc.at("uptime"), pc.at("proc/uptime")).expect("renamed");
        write(&pc.at("proc/self/uid_map"), "0 0 1\n998 998 1\n");
        assert_eq!(pc.codes(), ["askers-unknown"]);
        write(&pc.at("proc/self/uid_map"), "0 0 4294967295\n");
        pc.fake.stick("sdb", "2", 8);
        assert_eq!(pc.codes(), [""; 0], "one disk without a node is leaving");
        fs::remove_file(pc.at("dev/sda")).expect("removed");
        assert_eq!(pc.codes(), ["disks-hidden"]);
        write(&pc.at("dev/sda"), "");
        fs::remove_file(&pc.control.path).expect("removed");
        assert_eq!(pc.codes(), ["no-control"]);
        pc.control.failed = Some(("Address family not supported by protocol".to_owned(), Some(97)));
        let [restriction]: [Restriction; 1] = pc.found().try_into().expect("one");
        assert!(restriction.sentence().contains("control.sock") && restriction.sentence().contains("AF_UNIX"), "{restriction:?}");
        pc.control = ControlSocket { path: "/dev/null/none".into(), failed: None };
        assert_eq!(pc.codes(), ["no-control"]);
        pc.places.mounts = || Err("Permission denied".to_owned());
        assert_eq!(pc.codes(), ["mounts-hidden", "no-control"]);
    }

    #[test]
    fn records_of_udev_that_are_there_and_not_to_be_read_are_found_and_those_that_are_no_directory_cannot_be_watched() {
        let mut pc = pc();
        // Longer than the kernel takes a name: an error, and not that it is absent.
        pc.places.udev = pc.at(&"u".repeat(300));
        assert_eq!(pc.codes(), ["udev-hidden"]);
        pc.places.udev = pc.at("proc/uptime");
        assert_eq!(pc.codes(), ["no-hints"]);
    }

    #[test]
    fn an_led_that_may_not_be_written_is_found_and_named_and_one_that_is_not_there_is_none() {
        let pc = pc();
        // Whoever may write everything is refused by a link that leads nowhere but to itself.
        let brightness = pc.at("leds/input3::capslock/brightness");
        fs::remove_file(&brightness).expect("removed");
        assert_eq!(pc.found(), [], "its file is gone, as of one that is being unplugged");
        std::os::unix::fs::symlink(&brightness, &brightness).expect("made");
        let [Restriction::LampsStuck { led, errno, .. }] = &pc.found()[..] else { panic!("{:?}", pc.found()) };
        assert_eq!((led.as_str(), *errno), ("input3::capslock", Some(Errno::ELOOP as i32)));
    }

    #[test]
    fn the_station_starts_without_a_wait_with_what_stops_it_and_hears_of_the_rest_when_it_is_sure() {
        let pc = pc();
        fs::remove_file(pc.at("proc/uptime")).expect("removed");
        fs::remove_file(pc.at("dev/sda")).expect("removed");
        let (tell, told) = mpsc::channel();
        let began = Instant::now();
        let watch = RestrictionWatch::over(pc.places.clone(), Vec::new(), pc.control.clone(), move |event| tell.send(event).is_ok());
        let (_watch, first) = watch.expect("a thread");
        assert!(began.elapsed() < SURE_AFTER, "{:?}", began.elapsed());
        assert_eq!(first, [Restriction::DisksHidden], "the other one may be gone in a moment, and stops no card");
        write(&pc.at("dev/sda"), "");
        match told.recv_timeout(LOOK) {
            Ok(Event::Restricted(now)) => assert_eq!(now, [Restriction::SwapsHidden]),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_gone_a_moment_later_is_not_told_and_what_is_known_is_not_waited_for() {
        let looks = |looks: &[&[Restriction]], known: &[Restriction]| {
            let left = RefCell::new(looks.iter().map(|look| look.to_vec()).collect::<Vec<_>>());
            let waited = RefCell::new(0);
            let told = sure(|| left.borrow_mut().remove(0), known, || *waited.borrow_mut() += 1);
            (told, waited.take(), left.borrow().len())
        };
        let (swaps, disks) = (Restriction::SwapsHidden, Restriction::DisksHidden);
        let both = [swaps.clone(), disks.clone()];
        assert_eq!(looks(&[&[]], &[]), (Vec::new(), 0, 0));
        assert_eq!(looks(&[&both, std::slice::from_ref(&swaps)], &[]), (vec![swaps.clone()], 1, 0));
        assert_eq!(looks(&[&[], &both], &both), (Vec::new(), 0, 1), "an end is told at once");
        assert_eq!(looks(&[&both], &both), (both.to_vec(), 0, 0));
        assert_eq!(looks(&[std::slice::from_ref(&swaps), &both], &[disks]), (vec![swaps], 1, 0));
    }
}
