//! Tests of the emulated PC itself: every verb once.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use flashline_lab::{Beyond, Errno, MIB, Pc, Request, Signal, secs};

/// An image file of the host in which no two blocks are alike.
fn image(bytes: u64) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    for at in (0..bytes).step_by(4096) {
        let block: Vec<u8> = (0..4096 / 8).flat_map(|word| (at * 31 + word * 8 + 1).to_le_bytes()).collect();
        file.as_file().write_all_at(&block, at).expect("room for an image");
    }
    file
}

fn flash(pc: &Pc, node: &str) -> flashline_lab::Output {
    pc.run(&format!("dd if=/tmp/image of={node} bs=1M oflag=direct conv=fsync 2>&1"))
}

#[test]
fn the_pc_runs_scripts_and_carries_files() {
    let begun = Instant::now();
    let pc = Pc::start();
    eprintln!("started in {:?}", begun.elapsed());
    let begun = Instant::now();
    assert_eq!(pc.sh("echo hello"), "hello");
    eprintln!("a command took {:?}", begun.elapsed());

    let ended = pc.run("echo out; echo err >&2; exit 7");
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (7, "out\n", "err\n"));

    let job = pc.spawn("trap 'echo caught; exit 3' TERM; echo one; echo two; while :; do sleep 0.1; done");
    assert_eq!(job.wait_for_line("^t.o$", secs(10)), "two");
    job.kill(Signal::SIGTERM);
    assert_eq!(job.wait(secs(10)).status, 3);
    let job = pc.spawn("sleep 100");
    job.kill(Signal::SIGKILL);
    assert_eq!(job.wait(secs(10)).status, 128 + 9);

    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let begun = Instant::now();
    pc.put(&bytes, "/srv/new/folder/file", 0o640);
    eprintln!("12 MB in after {:?}", begun.elapsed());
    assert_eq!(pc.sh("stat -c %a:%s /srv/new/folder/file"), "640:12000000");
    assert!(pc.get("/srv/new/folder/file") == bytes, "a file comes out as it went in");

    // A program of the host runs in the guest.
    let this = std::env::current_exe().expect("this very test");
    let begun = Instant::now();
    pc.install(&this);
    eprintln!("installed after {:?}", begun.elapsed());
    let name = this.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(pc.sh(&format!("{name} --list")).contains("the_pc_runs_scripts_and_carries_files: test"));

    // The clock is right and the system has started completely.
    let guest: u64 = pc.sh("date +%s").parse().expect("a number");
    let host = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(guest.abs_diff(host) <= 2, "the guest's clock says {guest}, ours {host}");
    assert_eq!(pc.sh("systemctl is-system-running"), "running");
    assert_eq!(pc.sh("ls /sys/class/mmc_host | wc -w"), "2");
}

#[test]
fn no_two_pcs_draw_the_same_random_numbers() {
    let draw = |pc: &Pc| pc.sh("head -c 16 /dev/urandom | od -An -tx1");
    let (one, other) = (Pc::start(), Pc::start());
    assert_ne!(draw(&one), draw(&other));
}

#[test]
fn a_stick_is_written_pulled_and_spoiled() {
    let pc = Pc::start();
    let image = image(16 * MIB);
    pc.put_file(image.path(), "/tmp/image", 0o644);
    let begun = Instant::now();
    let stick = pc.usb("1").serial("CARD-1").size(64 * MIB).filled(1).plug();
    let other = pc.usb("2").size(32 * MIB).filled(2).plug();
    let node = stick.node();
    eprintln!("the stick was there after {:?}", begun.elapsed());
    assert!(stick.untouched() && other.untouched());
    assert_eq!(pc.sh(&format!("udevadm info -q property {node} | grep ^ID_SERIAL_SHORT=")), "ID_SERIAL_SHORT=CARD-1");

    assert!(flash(&pc, &node).success());
    assert_eq!(stick.first_difference(image.path()), None);
    assert_eq!(stick.first_touched_from(16 * MIB), None, "nothing is written beyond the image");
    assert!(!stick.untouched());
    assert!(other.untouched(), "the other stick is as it was");
    assert_eq!(stick.counts().bytes_since_flush, 0, "dd flushed at the end");
    assert!(stick.requests().contains(&Request::Flush));

    // Pulled in the middle of a write: the writer gets an error.
    stick.faults(|faults| faults.bytes_per_second = Some(8_000_000));
    let before = stick.counts().bytes_written;
    let job = pc.spawn(&format!("dd if=/tmp/image of={node} bs=1M oflag=direct"));
    stick.wait_written(before + 2 * MIB, secs(20));
    let pulled = Instant::now();
    stick.pull();
    let ended = job.wait(secs(20));
    eprintln!("the writer knew after {:?}: {}", pulled.elapsed(), ended.stderr.lines().next().unwrap_or_default());
    assert!(!ended.success());
    stick.wait_gone();

    // Plugged again, with defects.
    stick.faults(|faults| {
        faults.bytes_per_second = None;
        faults.write_errors.push(5 * MIB..5 * MIB + 512);
    });
    stick.plug();
    let node = stick.node();
    let ended = flash(&pc, &node);
    assert!(ended.stdout.contains("Input/output error"), "{ended}");
    stick.faults(|faults| {
        faults.write_errors.clear();
        faults.flips_on_write = vec![(3 * MIB + 17, 0x10)];
    });
    assert!(flash(&pc, &node).success(), "a flipped bit is not an error");
    assert_eq!(stick.first_difference(image.path()), Some(3 * MIB + 17));
    stick.faults(|faults| {
        faults.flips_on_write.clear();
        faults.flips_on_read = vec![(9 * MIB, 1)];
    });
    assert!(flash(&pc, &node).success());
    assert!(stick.reads_as(image.path()), "the medium is right");
    let differs = pc.run(&format!("dd if={node} bs=1M count=16 iflag=direct | cmp - /tmp/image"));
    assert!(differs.stdout.contains(&format!("byte {}", 9 * MIB + 1)), "{differs}");
    stick.faults(|faults| faults.all_writes = Some(Errno::NO_SPACE));
    assert!(flash(&pc, &node).stdout.contains("No space left"), "ENOSPC keeps its name");
}

#[test]
fn an_sd_card_comes_and_goes() {
    let pc = Pc::start();
    let image = image(4 * MIB);
    pc.put_file(image.path(), "/tmp/image", 0o644);
    let begun = Instant::now();
    let card = pc.sd(1).size(32 * MIB).insert();
    let node = card.node();
    eprintln!("the card was there after {:?}", begun.elapsed());
    assert!(flash(&pc, &node).success());
    assert!(card.reads_as(image.path()));
    card.eject();
    card.wait_gone();
    card.insert();
    assert_eq!(card.node(), node);

    let counted = pc.sd(0).size(16 * MIB).faulty().filled(3).insert();
    counted.faults(|faults| faults.flips_on_write = vec![(MIB, 2)]);
    assert!(flash(&pc, &counted.node()).success());
    assert_eq!(counted.first_difference(image.path()), Some(MIB));
    assert!(counted.counts().bytes_written >= 4 * MIB);
}

#[test]
fn sticks_of_other_shapes() {
    let pc = Pc::start();
    let blocks = pc.usb("4").logical_block(4096).identity("SanDisk", "Extreme 55AE").plug();
    let locked = pc.usb("5").read_only().filled(4).plug();
    let fast = pc.usb("6").uas().plug();
    let hub = pc.hub("3");
    let behind = pc.usb("3.2").size(16 * MIB).plug();
    let liar = pc.usb("3.1").size(512 * MIB).really(8 * MIB, Beyond::Wraps).plug();

    let block = |medium: &str, what: &str| pc.sh(&format!("cat /sys/block/{}/{what}", medium.trim_start_matches("/dev/")));
    assert_eq!(block(&blocks.node(), "queue/logical_block_size"), "4096");
    assert_eq!(block(&blocks.node(), "device/model"), "Extreme 55AE");
    assert_eq!(block(&locked.node(), "ro"), "1");
    assert_eq!(block(&behind.node(), "size"), (16 * MIB / 512).to_string());
    assert_eq!(block(&liar.node(), "size"), (512 * MIB / 512).to_string());
    pc.sh(&format!("echo far | dd of={} bs=512 seek={} conv=notrunc,fsync,sync 2>&1", liar.node(), 100 * MIB / 512));
    assert_eq!(liar.read(4 * MIB, 3), b"far", "100 MiB modulo 8 MiB is 4 MiB");

    // A UAS stick pulled under load.
    let job = pc.spawn(&format!("dd if=/dev/zero of={} bs=1M oflag=direct", fast.node()));
    fast.wait_written(MIB, secs(20));
    fast.pull();
    assert!(!job.wait(secs(20)).success());

    hub.pull();
    behind.wait_gone();
    behind.pull();
    behind.plug_into("9");
    assert_eq!(block(&behind.node(), "size"), (16 * MIB / 512).to_string());
}

#[test]
fn what_was_not_flushed_dies_with_the_power() {
    let pc = Pc::builder().sd_slots(0).start();
    let image = image(8 * MIB);
    pc.put_file(image.path(), "/tmp/image", 0o644);
    let state = pc.disk("state").size(64 * MIB).plug();
    let stick = pc.usb("1").plug();
    stick.faults(|faults| faults.volatile_cache = true);
    let node = stick.node();
    pc.sh(&format!("dd if=/tmp/image of={node} bs=1M oflag=direct 2>&1"));
    assert!(stick.power_cut(50, 1) > MIB);
    stick.pull();
    assert!(!stick.reads_as(image.path()));

    // The power of the PC fails: data that was synced is there for the next PC.
    let medium = std::sync::Arc::clone(state.medium());
    pc.sh(&format!("mkfs.ext4 -q {0} && mount {0} /mnt && echo kept >/mnt/file && sync", state.node()));
    pc.power_cut();
    let pc = Pc::builder().sd_slots(0).start();
    let state = pc.disk("state").medium(&medium).plug();
    assert_eq!(pc.sh(&format!("mount {} /mnt && cat /mnt/file", state.node())), "kept");
}

#[test]
fn a_reader_polls_its_slots() {
    let pc = Pc::builder().sd_slots(0).start();
    let reader = pc.reader("READER0001").slots(2).plug();
    let node = reader.node(1);
    let size = format!("cat /sys/block/{}/size", node.trim_start_matches("/dev/"));
    assert_eq!(pc.sh(&size), "0", "a slot without a card is a disk without a medium");
    let card = reader.card(1).size(16 * MIB).filled(5).insert();
    pc.wait_for(&format!("[ $({size}) = {} ]", 16 * MIB / 512), secs(10));
    let writer = pc.run(&format!("dd if=/dev/zero of={node} bs=1M count=2 oflag=direct conv=fsync 2>&1"));
    assert!(writer.success(), "{writer}");
    card.settle();
    assert_eq!(card.head(4), [0; 4]);
    assert_eq!(card.first_touched_from(2 * MIB), None);
    card.eject();
    pc.wait_for(&format!("[ $({size}) = 0 ]"), secs(10));
    reader.pull();
    pc.wait_for(&format!("[ ! -e {} ]", reader.by_path(1)), secs(10));
    reader.plug();
}

#[test]
fn the_operators_screen_can_be_seen() {
    let pc = Pc::builder().sd_slots(0).start();
    pc.sh("setfont Uni2-Terminus32x16 -C /dev/tty1; printf '\\033[2J\\033[H PASS ' >/dev/tty1");
    let picture = std::env::temp_dir().join(format!("flashline-lab.{}.screen.png", std::process::id()));
    pc.screenshot(&picture);
    let png = fs::read(&picture).expect("a picture");
    assert_eq!(png.get(..8), Some(&b"\x89PNG\r\n\x1a\n"[..]));
    fs::remove_file(picture).expect("the picture can go");
    assert!(pc.sh("head -c 200 /dev/vcs1").contains("PASS"));
}

#[test]
fn a_card_that_bounces_is_found_where_it_is_now() {
    let pc = Pc::start();
    let stick = pc.usb("1").plug();
    let card = pc.sd(0).insert();
    let sequence = |node: &str| pc.sh(&format!("cat /sys/block/{}/diskseq", node.trim_start_matches("/dev/")));
    let (old_stick, old_card) = (sequence(&stick.node()), sequence(&card.node()));
    stick.pull();
    card.eject();
    stick.plug();
    card.insert();
    assert_ne!(sequence(&card.node()), old_card, "the card before is not this one");
    assert_ne!(sequence(&stick.node()), old_stick, "the disk before is not this one");
}

#[test]
fn a_card_may_hang_for_long_in_a_reader() {
    let pc = Pc::builder().sd_slots(0).start();
    let reader = pc.reader("READER0002").slots(2).plug();
    let card = reader.card(0).insert();
    let node = reader.node(0);
    let name = node.trim_start_matches("/dev/").to_owned();
    pc.wait_for(&format!("[ $(cat /sys/block/{name}/size) != 0 ]"), secs(10));
    pc.sh(&format!("echo 3 >/sys/block/{name}/device/timeout"));
    card.faults(|faults| faults.hang = true);
    let job = pc.spawn(&format!("dd if=/dev/zero of={node} bs=1M count=32 oflag=direct conv=fsync"));
    let begun = Instant::now();
    assert!(!job.wait(secs(60)).success(), "the kernel gives the reader up");
    eprintln!("the writer was told after {:?}", begun.elapsed());
    assert_eq!(pc.sh("echo alive"), "alive");
    card.faults(|faults| faults.hang = false);
    assert!(!reader.node(1).is_empty(), "and finds it again");
}

#[test]
fn a_lamp_shows_what_the_leds_say() {
    let pc = Pc::builder().sd_slots(0).start();
    let lamp = pc.lamp();
    assert_eq!(lamp.shows(0), (0, 0, 0));
    pc.sh(&format!("echo 255 >{}/brightness", lamp.led("green", 0)));
    lamp.wait_shows(0, (0, 255, 0), secs(10));
    assert_eq!(lamp.shows(1), (0, 0, 0), "the other light is another");
    let red = lamp.led("red", 1);
    pc.sh(&format!("echo timer >{red}/trigger; echo 50 >{red}/delay_on; echo 50 >{red}/delay_off"));
    pc.wait_until("blinking", secs(20), || (lamp.history().iter().filter(|light| light.light == 1).count() >= 6).then_some(()));
    let led = lamp.led("green", 0);
    lamp.pull();
    pc.wait_for(&format!("[ ! -e {led} ]"), secs(10));
}

#[test]
fn a_pc_boots_with_cards_in_it() {
    let mut inside = None;
    let pc = Pc::builder().boot(|pc| inside = Some((pc.usb("7").plug(), pc.sd(0).insert())));
    let (stick, card) = inside.expect("both were put in");
    let begun = Instant::now();
    assert!(!stick.node().is_empty() && !card.node().is_empty());
    eprintln!("both were there {:?} after the agent", begun.elapsed());
    assert_eq!(
        pc.wait_until("start-up", secs(60), || {
            let state = pc.run("systemctl is-system-running").stdout;
            (state.trim_end() == "running").then_some(1)
        }),
        1
    );
}

#[test]
fn a_silent_card_can_be_pulled() {
    let pc = Pc::builder().sd_slots(0).start();
    let stick = pc.usb("1").plug();
    let node = stick.node();
    stick.faults(|faults| faults.hang = true);
    let job = pc.spawn(&format!("dd if=/dev/zero of={node} bs=1M count=1 oflag=direct"));
    std::thread::sleep(Duration::from_millis(500));
    assert!(job.is_running(), "nobody answers the writer");
    assert_eq!(pc.sh("echo alive"), "alive", "and the PC goes on");
    stick.pull();
    assert!(!job.wait(secs(20)).success());
}
