//! Files that are no disk images, or not whole, given to `flash`, to `check` and to a station.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, usb};

#[test]
fn what_is_no_disk_image_is_never_written_and_told_by_its_name_everywhere() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 7);
    let factory = Factory::new(&pc, &image.raw()).slot("A1", usb("1"));
    let config = factory.configured();
    let card = pc.usb("1").size(32 * MIB).filled(1).plug();
    let node = card.node();
    pc.sh("set -e
        cd /srv/images
        tar -czf card.tar.gz image.img
        printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:2d6c\\nsize 33554432\\n' > lfs.img
        head -c 3M image.img > cut.img
        truncate -s 4M zeroes.img
        { cat image.img; printf odd; } > odd.img");
    for (file, words) in [
        ("card.tar.gz", "unpacks to a tar archive, no disk image"),
        ("lfs.img", "is a Git LFS pointer"),
        ("cut.img", "is cut short: its partition table reaches to byte 4194304"),
        ("zeroes.img", "holds nothing but zeroes"),
        ("odd.img", "has a length of 4194307 bytes"),
    ] {
        let ended = config.run(&format!("flashline flash /srv/images/{file} {node} --yes --log /tmp/bench.db"));
        assert!(ended.status == 2 && ended.stderr.contains(words), "{file}: {}", ended.stderr);
        config.sh(&format!("sed 's,/images/image.img,/images/{file},' /etc/flashline/config.toml > /tmp/other.toml"));
        // A running station reports it for the slot, and goes on.
        for command in ["flashline check", "timeout 20 flashline run"] {
            let ended = config.run(&format!("{command} --config /tmp/other.toml < /dev/null"));
            let said = format!("{}{}", ended.stdout, ended.stderr);
            assert!(ended.status != 0 && said.contains(words), "{command} {file}: {said}");
        }
    }
    assert!(card.medium().untouched(), "nothing was written");
    // If a scratch directory has no room, the error names the directory and the missing bytes.
    let packed = config.run(&format!(
        "mount -t tmpfs -o size=1M none /var/tmp && gzip -c /srv/images/image.img > /srv/images/image.img.gz
        flashline flash /srv/images/image.img.gz {node} --yes"
    ));
    assert!(
        packed.stderr.contains("unpacking the image into /var/tmp needs") && packed.stderr.contains("name the raw one"),
        "{}",
        packed.stderr
    );
    config.sh("umount /var/tmp");
    // The option makes only the kind of file writable that may be intended, and the station warns of it.
    let meant = config.run(&format!("flashline flash /srv/images/zeroes.img {node} --yes --contents any"));
    assert!(
        meant.status == 0 && meant.stderr.contains("warning: the image /srv/images/zeroes.img: it holds nothing but zeroes"),
        "{}",
        meant.stderr
    );
    drop(card);
}

#[test]
fn a_station_arms_an_image_that_was_padded_and_not_one_that_unpacks_to_something_else() {
    let pc = Pc::start();
    let image = Image::new(4 * MIB, 8);
    let factory = Factory::new(&pc, &image.raw())
        .slot("A1", usb("1"))
        .and("\n[[model]]\nname = \"acme/archive\"\nimage = \"/srv/images/card.tar.gz\"\nrequire = \"none\"\n")
        .and("\n[[slot]]\nname = \"A2\"\nports = [\"pci-0000:00:1c.0/usb3-2/lun-0\", \"pci-0000:00:1c.0/usb2-2/lun-0\"]\nmodel = \"acme/archive\"\n");
    pc.sh("set -e
        cd /srv/images
        tar -czf card.tar.gz image.img
        { gzip -c image.img; head -c 512 /dev/zero; } > padded.img.gz");
    let config = factory.configured();
    config.sh("sed -i 's,/images/image.img,/images/padded.img.gz,' /etc/flashline/config.toml");
    let station = crate::station::Station::start(config);
    station.job.wait_for_line("acme/archive.*unpacks to a tar archive", secs(60));
    station.job.wait_for_line("the station runs", secs(60));
    let (good, other) = (pc.usb("1").size(16 * MIB).filled(1).plug(), pc.usb("2").size(16 * MIB).filled(2).plug());
    station.wait_for("A1", "PASS");
    station.wait_for("A2", "DISARMED");
    assert!(good.medium().reads_as(image.raw()));
    assert!(other.medium().untouched(), "nothing was written");
}
