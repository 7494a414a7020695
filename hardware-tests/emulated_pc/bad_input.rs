//! Bad input: a clear error, the exit code, and nothing written.

use flashline_lab::{MIB, Pc};

use crate::factory::{Factory, Image, usb};
use crate::station::digest;

#[test]
fn a_damaged_image_is_named_and_no_card_is_touched() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let packed = std::fs::read(image.xz()).expect("it is there");
    Factory::new(&pc, &image.xz()).slot("A1", usb("1")).configured();
    let stick = pc.usb("1").size(32 * MIB).filled(1).plug();
    let node = stick.node();
    pc.put(&packed[..packed.len() / 2], "/srv/images/short.img.xz", 0o644);
    let mut flipped = packed.clone();
    flipped[packed.len() / 3] ^= 1;
    pc.put(&flipped, "/srv/images/damaged.img.xz", 0o644);
    for (file, words) in [("short", "is cut short"), ("damaged", "is damaged"), ("none", "check the path")] {
        let ended = pc.run(&format!("flashline flash /srv/images/{file}.img.xz {node} --yes"));
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{file}: {}", ended.stderr);
        pc.sh(&format!("sed 's,image.img.xz,{file}.img.xz,' /etc/flashline/config.toml > /tmp/{file}.toml"));
        let ended = pc.run(&format!("flashline run --config /tmp/{file}.toml < /dev/null"));
        assert_eq!(ended.status, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(words), "{file}: {}", ended.stderr);
    }
    assert!(stick.medium().untouched());
    assert_eq!(pc.sh("ls -A /var/lib/flashline/images 2>/dev/null | wc -l"), "0", "nothing half-made stays");
}

#[test]
fn a_bench_refuses_what_a_station_refuses_and_says_so_in_its_exit_code() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A9", usb("9")).configured();
    let small = pc.usb("1").size(8 * MIB).filled(1).plug();
    let good = pc.usb("2").size(32 * MIB).filled(2).plug();
    let (small_node, good_node) = (small.node(), good.node());
    let ended = pc.run(&format!("flashline flash /srv/images/image.img {small_node} {good_node} --yes --json --log /tmp/bench.db"));
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let lines: Vec<serde_json::Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).expect("an object a line")).collect();
    assert_eq!((lines[0]["outcome"].as_str(), lines[0]["reason_code"].as_str()), (Some("refused"), Some("too-small")));
    assert_eq!((lines[1]["outcome"].as_str(), lines[1]["digest"].as_str()), (Some("passed"), Some(digest(&image).as_str())));
    assert!(small.medium().untouched() && good.medium().reads_as(image.raw()));
    let ended = pc.run(&format!("flashline flash /srv/images/image.img {good_node} < /dev/null"));
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("--yes"), "{}", ended.stderr);
    let ended = pc.run(&format!("flashline flash /srv/images/image.img {good_node} --yes"));
    assert!(ended.status == 0 && ended.stdout.contains("VERIFIED") && !ended.stdout.contains("PASS"), "{}", ended.stdout);
}

#[test]
fn a_broken_configuration_names_its_line_and_the_station_does_not_run() {
    let pc = Pc::start();
    let image = Image::new(MIB, 7);
    Factory::new(&pc, &image.raw()).slot("A1", usb("1")).configured();
    let last_line = pc.sh("echo 'speed = 3' >> /etc/flashline/config.toml; wc -l < /etc/flashline/config.toml");
    let named = format!("config.toml, line {}: unknown key `speed`", last_line.trim());
    for command in ["run", "check"] {
        let ended = pc.run(&format!("flashline {command}"));
        assert_eq!(ended.status, 2);
        assert!(ended.stderr.contains(&named), "{}", ended.stderr);
    }
    let ended = pc.run("flashline run --config /nowhere.toml");
    assert!(ended.status == 2 && ended.stderr.contains("/nowhere.toml"), "{}", ended.stderr);
}
