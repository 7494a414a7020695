//! The arm64 packages on an emulated arm64 board. `hardware-tests/arm64` builds both and runs this.

use std::path::PathBuf;

use flashline_lab::{MIB, Pc};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::Station;

/// Where `hardware-tests/arm64` put the packages.
fn packages() -> Vec<PathBuf> {
    let directory = std::env::var_os("FLASHLINE_ARM64_PACKAGES").expect("this is run by hardware-tests/arm64, which builds the packages");
    let version = concat!(env!("CARGO_PKG_VERSION"), "-1");
    ["flashline", "flashline-station"].map(|name| PathBuf::from(&directory).join(format!("{name}_{version}_arm64.deb"))).into()
}

#[test]
fn the_arm64_packages_flash_a_stick_and_an_sd_card_on_an_arm64_board() {
    let pc = Pc::start();
    assert_eq!(pc.sh("uname -m"), "aarch64");
    for package in packages() {
        let name = package.file_name().expect("a name").to_string_lossy().into_owned();
        pc.put_file(&package, &format!("/tmp/debs/{name}"), 0o644);
    }
    // The emulated PC has no lists of installed files, of which dpkg complains.
    pc.sh("dpkg -i /tmp/debs/*.deb >&2");
    let image = Image::new(6 * MIB, 7);
    Factory::with_installed_program(&pc, &image.raw()).slot("A1", usb("1")).slot("S1", sd(0)).configured();
    pc.sh("systemctl start flashline.service");
    let station = Station::journal(&pc);
    let elsewhere = pc.usb("5").size(16 * MIB).filled(5).plug();

    let stick = pc.usb("1").size(16 * MIB).filled(1).plug();
    let card = pc.sd(0).size(16 * MIB).filled(2).insert();
    for slot in ["A1", "S1"] {
        station.wait_for(slot, "PASS");
    }
    assert!(stick.reads_as(image.raw()) && card.reads_as(image.raw()));
    assert!(elsewhere.untouched(), "a stick in no slot keeps every byte");
    let outcomes: Vec<String> = station.rows().iter().map(|row| row["outcome"].as_str().unwrap_or_default().to_owned()).collect();
    assert_eq!(outcomes, ["passed", "passed"]);
    assert_eq!(pc.sh("systemctl show --value --property User flashline.service"), "flashline");
    println!(
        "{}",
        pc.sh("dpkg --print-architecture; flashline --version; systemd-analyze security flashline.service --no-pager | tail -n 1")
    );
}
