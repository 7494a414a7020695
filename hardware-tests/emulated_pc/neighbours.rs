//! The other programs of a PC, which start what they find on a disk: none of them touches a card in a slot. They run in a guest of their own
//! (`hardware-tests/setup --with neighbours`).

use std::collections::BTreeSet;

use flashline_lab::{MIB, Pc, UsbStick, secs};

use crate::factory::{Factory, Image, usb};
use crate::station::Station;
use crate::teach::Lesson;

/// A used card. The scripts have its disk in `$disk`, and the kernel's name of it in `$name`.
struct Kind {
    name: &'static str,
    /// A stick that multipath can tell apart: with the pages of SCSI that name it.
    uas: bool,
    makes: &'static str,
    /// Succeeds when a program of the PC has started what is on the card.
    taken: &'static str,
    /// Ends what was started.
    released: &'static str,
    /// What the station makes of it, and says of a card that it refuses.
    sign: &'static str,
}

const HELD_BY_DM: &str = "ls /sys/block/$name/holders | grep -q ^dm";

const KINDS: [Kind; 7] = [
    Kind {
        name: "half of a RAID 1",
        uas: false,
        makes: "mdadm --create /dev/md7 --name=used --quiet --run --metadata=1.2 --level=1 --raid-devices=2 $disk missing",
        taken: "ls /sys/block/$name/holders | grep -q ^md",
        released: "mdadm --quiet --stop /dev/$(ls /sys/block/$name/holders)",
        sign: "REFUSED .*bears the mark of a RAID",
    },
    Kind {
        name: "a volume group",
        uas: false,
        makes: "pvcreate -qy $disk && vgcreate -qy cards $disk && lvcreate -qy -L 8M -n one cards",
        taken: HELD_BY_DM,
        // lvm2 starts a group that it has seen once no second time, until the next boot.
        released: "vgchange -qan cards; rm -f /run/lvm/pvs_online/* /run/lvm/vgs_online/*",
        sign: "REFUSED .*bears the mark of LVM",
    },
    Kind {
        name: "a bcache",
        uas: false,
        makes: "make-bcache --bdev $disk && udevadm settle",
        taken: "[ -e /sys/block/$name/bcache ]",
        released: "if [ -e /sys/block/$name/bcache ]; then echo 1 >/sys/block/$name/bcache/stop; fi; while [ -e /sys/block/$name/bcache ]; do sleep 0.1; done",
        sign: "REFUSED .*bears the mark of bcache",
    },
    Kind {
        name: "a disk with two paths",
        uas: true,
        makes: "echo ',,L' | sfdisk --quiet --label gpt $disk && udevadm settle && mkfs.ext4 -q -L OTHER ${disk}1",
        taken: HELD_BY_DM,
        released: "multipath -F",
        sign: "PASS",
    },
    Kind {
        name: "an encrypted disk that crypttab waits for",
        uas: false,
        makes: "cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid 5f0b4b52-0dcb-4a0d-8e76-6f9e6a1c0b11 $disk /etc/used.key",
        taken: HELD_BY_DM,
        released: "systemctl stop systemd-cryptsetup@used.service",
        sign: "PASS",
    },
    Kind {
        name: "a btrfs",
        uas: false,
        makes: "mkfs.btrfs -q $disk",
        // udev has told the kernel of it. Since Linux 6.8 the kernel says nothing of one that is whole on its disk.
        taken: "udevadm info --query property $disk | grep -q ^ID_BTRFS_READY=",
        released: "btrfs device scan --forget",
        sign: "PASS",
    },
    Kind {
        name: "an ext4 that fstab waits for",
        uas: false,
        makes: "echo ',,L' | sfdisk --quiet --label gpt $disk && udevadm settle && mkfs.ext4 -q -L DATA ${disk}1",
        taken: "findmnt /mnt/data >/dev/null",
        released: "umount /mnt/data",
        sign: "PASS",
    },
];

/// What the PC's programs wait for; for an hour, because the slots get their cards later.
const WAITED_FOR: &str = "
modprobe -a btrfs bcache dm_multipath raid1
dd if=/dev/urandom of=/etc/used.key bs=32 count=1 status=none
echo 'used UUID=5f0b4b52-0dcb-4a0d-8e76-6f9e6a1c0b11 /etc/used.key nofail,x-systemd.device-timeout=1h' >/etc/crypttab
mkdir -p /mnt/data && echo 'LABEL=DATA /mnt/data ext4 nofail,x-systemd.device-timeout=1h 0 0' >>/etc/fstab
printf 'defaults {\\n allow_usb_devices yes\\n find_multipaths greedy\\n}\\n' >/etc/multipath.conf
mkdir -p /etc/systemd/system/smartmontools.service.d
printf '[Unit]\\nConditionVirtualization=\\n' >/etc/systemd/system/smartmontools.service.d/emulated.conf
echo 'smartd_opts=\"--quit=never --interval=10\"' >/etc/default/smartmontools
systemctl daemon-reload
systemctl restart multipathd.service
systemctl start udisks2.service smartmontools.service ModemManager.service lvm2-monitor.service
";

/// Starts the jobs that wait for a disk; they end when it is released.
const WAIT: &str = "systemctl start --no-block mnt-data.mount systemd-cryptsetup@used.service";

/// Runs a script of a kind on this stick.
fn on(stick: &UsbStick, script: &str) -> String {
    let disk = stick.node();
    format!("disk={disk} name={}; {script}", disk.trim_start_matches("/dev/"))
}

impl Kind {
    fn stick(&self, pc: &Pc, port: &str) -> flashline_lab::UsbBuilder {
        // Two of them are of one make, and share one serial.
        let stick = pc.usb(port).size(128 * MIB).serial("USED");
        if self.uas { stick.uas().identity("USED", "DISK") } else { stick }
    }
}

/// Everything that the kernel has of arrays, volumes, caches, paths, mounts, swaps, loops and file systems on several disks.
fn started(pc: &Pc) -> String {
    pc.sh("{
        dmsetup ls
        grep -h ^md /proc/mdstat
        ls -d /sys/block/md* /sys/block/bcache* /sys/block/sd*/bcache /sys/block/sd*/holders/* /sys/block/sd*/sd*/holders/*
        ls /sys/fs/bcache /sys/fs/btrfs /dev/mapper
        losetup --all --noheadings
        findmnt --raw --noheadings --output SOURCE,TARGET | grep -E '^/dev/(sd|dm|md|mapper|bcache)'
        swapon --show --noheadings
        dmesg | grep 'BTRFS: device'
    } 2>/dev/null || true")
}

/// Who opens disks, from now on: the kernel tells of every opening of a block device, whether by a program or by itself.
struct Openings<'a>(&'a Pc);

impl<'a> Openings<'a> {
    fn traced(pc: &'a Pc) -> Self {
        // Every way to a block device leads through this function (block/bdev.c, Linux 6.1 to 6.12); its argument is the number.
        pc.sh("cd /sys/kernel/tracing || exit 1
            mount -t tracefs none . 2>/dev/null
            echo 4096 >saved_cmdlines_size
            echo 'p:opened blkdev_get_no_open dev=%di:u32' >kprobe_events && echo 1 >events/kprobes/opened/enable");
        Self(pc)
    }

    /// The names of the threads that opened these disks or their partitions since the last call.
    fn of(&self, nodes: &[String]) -> BTreeSet<String> {
        // The kernel's own number: the major above 20 bits of the minor. A disk has 16 minors.
        let of_disk = |node: &String| {
            let number = self.0.sh(&format!("cat /sys/block/{}/dev", node.trim_start_matches("/dev/")));
            let (major, minor) = number.split_once(':').expect("MAJOR:MINOR");
            let first = (major.parse::<u32>().expect("a number") << 20) | minor.parse::<u32>().expect("a number");
            first..first + 16
        };
        let disks: Vec<_> = nodes.iter().map(of_disk).collect();
        let trace = self.0.sh("cd /sys/kernel/tracing && cat trace && echo >trace");
        let opened = trace.lines().filter_map(|line| {
            let (who, what) = line.split_once(" [")?;
            let number: u32 = what.rsplit_once("dev=")?.1.trim().parse().ok()?;
            let name = who.trim().rsplit_once('-')?.0;
            disks.iter().any(|disk| disk.contains(&number)).then(|| name.to_owned())
        });
        opened.collect()
    }
}

/// Who may open a card in a slot: threads of the station, and `blkid`, which it asks about a disk that multipath takes for a path; the
/// kernel, which reads its partitions; udev, which looks at it before its rules do, by its own `scsi_id`, too; and the question of
/// `60-multipath.rules`, which come before ours. `multipathd` is none of them.
fn may_open(name: &str) -> bool {
    let ours =
        ["flash", "close/"].iter().any(|begins| name.starts_with(begins)) || ["survey", "identify", "keeper", "blkid"].contains(&name);
    ours || name.starts_with("kworker/") || ["(udev-worker)", "systemd-udevd", "scsi_id", "multipath"].contains(&name)
}

#[test]
fn seven_kinds_of_used_cards_and_their_copies_are_started_by_no_other_program_and_end_as_their_marks_say() {
    let pc = Pc::builder().with("neighbours").start();
    let image = Image::new(4 * MIB, 7);
    pc.sh(WAITED_FOR);
    for unit in ["multipathd", "udisks2", "smartmontools", "ModemManager"] {
        assert_eq!(pc.sh(&format!("systemctl is-active {unit}")), "active", "{unit} runs, or this proves nothing");
    }

    // Elsewhere the PC's programs take each of them.
    let cards: Vec<(&Kind, UsbStick)> = KINDS
        .iter()
        .zip(3_u64..)
        .map(|(kind, port)| {
            let port = port.to_string();
            let made = pc.usb(&port).size(128 * MIB).plug();
            pc.sh(&on(&made, &format!("set -e; {}; udevadm settle", kind.makes)));
            pc.run(&on(&made, kind.released));
            made.pull();
            made.wait_gone();
            (kind, kind.stick(&pc, &port).medium(made.medium()).plug())
        })
        .collect();
    pc.sh(WAIT);
    for (kind, card) in &cards {
        let taken = format!("sh -c '{}'", on(card, kind.taken).replace('\'', "'\\''"));
        pc.wait_for(&taken, secs(40));
        println!("elsewhere: {} is taken", kind.name);
        pc.run(&on(card, kind.released));
    }
    for (_, card) in &cards {
        card.pull();
        card.wait_gone();
    }
    pc.sh(&format!("btrfs device scan --forget; {WAIT}"));

    // A2 is taught a minute before its first card.
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    crate::factory::install_units(&pc);
    let lesson = Lesson::begin(&pc, "--names A2");
    lesson.asks_for("A2");
    let taught_with = pc.usb("2").size(16 * MIB).filled(1).plug();
    lesson.says("^  A2 is ");
    taught_with.pull();
    let (status, said) = lesson.ends();
    assert_eq!(status, 0, "{said}");
    let station = Station::under_systemd(&pc, "");
    let openings = Openings::traced(&pc);
    let before = started(&pc);

    for (kind, card) in &cards {
        let used = card.medium().read(0, 128 << 20);
        let copy = kind.stick(&pc, "2").contents(card.path());
        let slots = ["A1", "A2"];
        let nth = slots.map(|slot| station.job.count_lines(&format!("^{slot}  {}", kind.sign)) + 1);
        card.plug_into("1");
        let copy = copy.plug();
        for (slot, nth) in slots.iter().zip(nth) {
            station.job.wait_for_nth_line(nth, &format!("^{slot}  {}", kind.sign), secs(120));
        }
        pc.sh("udevadm settle; sleep 2");
        let nodes = [card, &copy].map(UsbStick::node);
        assert_eq!(started(&pc), before, "{}: nothing is started", kind.name);
        for node in &nodes {
            let known = pc.sh(&format!("udevadm info --query property {node}"));
            assert!(!known.contains("ID_BTRFS_READY="), "{}: udev tells the kernel of no btrfs: {known}", kind.name);
        }
        let openers = openings.of(&nodes);
        assert!(openers.contains("(udev-worker)"), "openings are seen, or this proves nothing: {openers:?}");
        assert!(openers.iter().all(|name| may_open(name)), "{}: opened by {openers:?}", kind.name);
        for card in [card, &copy] {
            if kind.sign == "PASS" {
                assert!(card.reads_as(image.raw()), "{}", kind.name);
            } else {
                assert!(card.read(0, 128 << 20) == used, "{}: what is refused is untouched", kind.name);
            }
        }
        for card in [card, &copy] {
            card.pull();
            card.wait_gone();
        }
        pc.sh("udevadm settle");
        assert_eq!(started(&pc), before, "{}: nothing is left", kind.name);
        println!("in slots: {}: {}", kind.name, kind.sign);
    }

    // The other policy.
    pc.sh("sed -i 's/^done = .*/&\\nmarks = \"erase\"/' /etc/flashline/config.toml && systemctl reload flashline");
    station.job.wait_for_line("the new configuration holds", secs(60));
    for (kind, card) in cards.iter().filter(|(kind, _)| kind.sign != "PASS") {
        let nth = station.job.count_lines("^A1  PASS") + 1;
        card.plug();
        station.job.wait_for_nth_line(nth, "^A1  PASS", secs(120));
        assert!(card.reads_as(image.raw()), "{}", kind.name);
        assert_eq!(started(&pc), before, "{}: nothing is started", kind.name);
        card.pull();
        card.wait_gone();
        println!("in a slot, to be erased: {}: PASS", kind.name);
    }
    for unit in ["multipathd", "udisks2", "smartmontools", "ModemManager"] {
        assert_eq!(pc.sh(&format!("systemctl is-active {unit}")), "active", "{unit} ran all the time");
    }
    pc.sh("flashline log verify");
}
