//! `flashline model rollback`: the image that was armed before is armed again, by its digest, and the configuration says so.

use flashline_lab::{MIB, Output, Pc, secs};
use serde_json::Value;

use crate::factory::{Factory, Image, usb};
use crate::station::{Run, Station, armed, digest};

const CONFIG: &str = "/etc/flashline/config.toml";
/// A new image has taken the place of the one before.
const REPLACED: &str = "/srv/images/image.img";

fn rollback(pc: &Pc) -> Output {
    pc.run("flashline model rollback acme/box")
}

/// It is refused with these words, and the configuration is as it was.
fn refused(pc: &Pc, says: &[&str]) {
    let before = pc.sh(&format!("cat {CONFIG}; ls /etc/flashline"));
    let answer = rollback(pc);
    assert!(answer.status == 1 && says.iter().all(|part| answer.stderr.contains(part)), "{says:?}: {answer}");
    assert_eq!(pc.sh(&format!("cat {CONFIG}; ls /etc/flashline")), before, "nothing has changed");
}

/// The slots take cards: the model is disarmed no more.
fn makes(station: &Station<'_>, port: u64, image: &Image) {
    let slot = format!("A{port}");
    let before = station.rows_of(&slot).len();
    // Another card each time: one that is back within two seconds came back by itself.
    let card = station.pc.usb(&port.to_string()).serial(&format!("STICK-{port}{before:02}")).size(16 * MIB).filled(port).plug();
    let is_closed = |rows: &[Value]| rows.len() > before && rows.last().is_some_and(|row| row["outcome"] != "running");
    station.pc.wait_until("a card's row to have its end", secs(120), || is_closed(&station.rows_of(&slot)).then_some(()));
    let rows = station.rows_of(&slot);
    let row = rows.last().expect("it has a row");
    assert_eq!((row["outcome"].as_str(), &row["readback_blake3"]), (Some("passed"), &Value::from(digest(image))), "{row}");
    assert!(card.reads_as(image.raw()));
    card.pull();
    card.wait_gone();
}

#[test]
fn the_image_of_before_is_armed_from_its_staged_copy_though_its_file_was_replaced_and_stays_so_over_a_restart() {
    let pc = Pc::start();
    let (old, new) = (Image::new(6 * MIB, 1), Image::new(6 * MIB, 2));
    let station = Factory::new(&pc, &old.raw()).slot("A1", usb("1")).slot("A2", usb("2")).run();
    refused(&pc, &["names no other image that was armed for acme/box"]);
    pc.put_file(new.raw(), REPLACED, 0o644);
    pc.sh("flashline reload");
    assert_eq!(armed(&pc), Value::from(digest(&new)));

    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(2 * MIB));
    station.wait_for("A1", "WRITING");
    pc.sh(&format!("echo '# a remark' >>{CONFIG}"));
    refused(&pc, &["was changed, and the change is not in effect"]);
    pc.sh("flashline reload");
    let done = rollback(&pc);
    assert!(done.success() && done.stdout.contains("acme/box has the image again"), "{done}");
    assert_eq!(armed(&pc), Value::from(digest(&old)));
    let text = pc.sh(&format!("cat {CONFIG}"));
    assert!(text.contains("# a remark") && text.contains(&format!("digest = \"{}\"", digest(&old))), "{text}");
    station.wait_for("A1", "PASS");
    assert!(busy.reads_as(new.raw()), "the busy card is finished with what it began with");
    makes(&station, 2, &old);

    station.stop();
    let station = Station::start(&pc);
    station.job.wait_for_line("the station runs", secs(60));
    assert_eq!(armed(&pc), Value::from(digest(&old)), "a restart arms what the configuration says");
    makes(&station, 2, &old);
    let done = rollback(&pc);
    assert!(done.success(), "forward again: {done}");
    makes(&station, 2, &new);
    pc.sh("flashline log verify");
}

#[test]
fn an_image_that_is_gone_or_was_replaced_is_refused_by_digest_path_and_time_and_the_model_goes_on_as_it_was() {
    let pc = Pc::start();
    let (old, new) = (Image::new(4 * MIB, 1), Image::new(4 * MIB, 2));
    let station = Factory::new(&pc, &old.raw()).slot("A1", usb("1")).run();
    pc.put_file(new.raw(), "/srv/images/new.img", 0o644);
    pc.sh(&format!("sed -i s,{REPLACED},/srv/images/new.img, {CONFIG}; flashline reload"));
    // No copy of it is kept, as in a full store.
    let named = digest(&old);
    pc.sh(&format!("rm -f /var/lib/flashline/images/{named}.img /var/lib/flashline/images/{named}.json; rm {REPLACED}"));
    refused(&pc, &[&named, REPLACED, "is not here any more", "Copy it to that place"]);
    makes(&station, 1, &new);
    // Its path has another image.
    pc.put_file(Image::new(4 * MIB, 3).raw(), REPLACED, 0o644);
    refused(&pc, &[&named, "cannot be armed, and nothing has changed", "its model takes only"]);
    makes(&station, 1, &new);
    // Its path has it again.
    pc.put_file(old.raw(), REPLACED, 0o644);
    let done = rollback(&pc);
    assert!(done.success(), "{done}");
    makes(&station, 1, &old);
}
