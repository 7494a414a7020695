//! A PC that is switched off and on for a month, with cards left in its slots.

use std::time::{Duration, Instant};

use flashline_lab::{MIB, Medium, Pc, secs};

use crate::factory::{Factory, Image, install_units, sd, usb};
use crate::station::Station;

const REBOOTS: u64 = 30;

/// In each slot a card that was there before the PC was switched on, and its port: at the PC, behind a hub, by UAS, one that answers late, and
/// one in an SD host.
const SLOTS: [&str; 5] = ["A1", "A2", "A3", "A4", "S1"];

/// How this reboot begins: an order to the PC that has come up, or the reset button, at some moment of its start.
#[derive(Clone, Copy, Debug)]
enum Begins {
    InOrder,
    ByReset,
    ByResetBefore(Duration),
}

fn begins(reboot: u64) -> Begins {
    match reboot % 3 {
        0 => Begins::InOrder,
        1 => Begins::ByReset,
        _ => Begins::ByResetBefore(Duration::from_millis(reboot * 7919 % 9000)),
    }
}

#[test]
fn thirty_reboots_with_cards_left_in_slots_flash_none_of_them() {
    let image = Image::new(4 * MIB, 7);
    let mut inside = None;
    let begun = Instant::now();
    let pc = Pc::builder().kept().boot(|pc| {
        let hub = pc.hub("3");
        let direct = pc.usb("1").size(16 * MIB).filled(1).plug();
        let behind_hub = pc.usb("3.2").size(16 * MIB).filled(2).plug();
        let uas = pc.usb("5").size(16 * MIB).filled(3).uas().plug();
        let late = pc.usb("7").size(16 * MIB).filled(4).plug();
        late.faults(|faults| faults.delay = Duration::from_millis(150));
        let in_host = pc.sd(0).size(16 * MIB).filled(5).insert();
        inside = Some((hub, [direct, behind_hub, uas, late], in_host));
    });
    let (_hub, sticks, in_host) = inside.expect("they are plugged in");
    // Whatever is taken for asked for is written, also what holds the image already.
    let factory = [("A1", "1"), ("A2", "3.2"), ("A3", "5"), ("A4", "7")]
        .iter()
        .fold(Factory::new(&pc, &image.raw()), |factory, (slot, port)| factory.slot(slot, usb(port)));
    factory.slot("S1", sd(0)).configured();
    install_units(&pc);
    pc.sh("systemctl enable flashline.service && sync");
    let media: Vec<&Medium> = sticks.iter().map(|stick| &**stick).chain([&*in_host]).collect();
    let untouched = |when: &str| {
        for (slot, medium) in SLOTS.iter().zip(&media) {
            assert!(medium.untouched(), "{when}: the card in {slot} was touched at {:?}", medium.first_touched());
            assert_eq!(medium.counts().bytes_written, 0, "{when}: {slot}");
        }
    };
    let all_held = format!("[ $(flashline status 2>/dev/null | grep -cE '^ *[AS][0-9] +HELD') = {} ]", SLOTS.len());
    let mut seen_held = 0;
    for reboot in 1..=REBOOTS {
        let began = Instant::now();
        let how = begins(reboot);
        match how {
            Begins::InOrder => pc.reboot(),
            Begins::ByReset | Begins::ByResetBefore(_) => pc.reset(),
        }
        if let Begins::ByResetBefore(moment) = begins(reboot + 1) {
            std::thread::sleep(moment);
            untouched(&format!("reboot {reboot}, {how:?}, cut short"));
            continue;
        }
        pc.wait_for("systemctl is-active flashline", secs(120));
        pc.wait_for(&all_held, secs(120));
        // Three times as long as a card must sit still.
        std::thread::sleep(secs(2));
        pc.wait_for(&all_held, secs(20));
        seen_held += 1;
        untouched(&format!("reboot {reboot}, {how:?}"));
        println!("reboot {reboot}, {how:?}: {} HELD after {:.1} s", SLOTS.len(), began.elapsed().as_secs_f64());
    }
    println!("{REBOOTS} reboots, {seen_held} of them with a station that came up, in {:.0} s", begun.elapsed().as_secs_f64());
    assert!(seen_held >= 15, "most PCs came up: {seen_held}");

    // It would have flashed them, had anybody asked.
    let station = Station::journal(&pc);
    sticks[0].pull();
    sticks[0].wait_gone();
    sticks[0].plug();
    station.wait_for("A1", "PASS");
    assert!(sticks[0].reads_as(image.raw()));
    let rows = station.rows();
    assert_eq!(rows.iter().map(|row| row["outcome"].clone()).collect::<Vec<_>>(), ["passed"], "{rows:?}");
    assert!(sticks[1..].iter().all(|stick| stick.untouched()) && in_host.untouched());
    pc.sh("flashline log verify");
}
