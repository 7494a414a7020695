//! A station without descriptors or memory: it reports its own fault, and does not count a card that it cannot see as gone.

use flashline_lab::{MIB, Pc, secs};

use crate::factory::{Factory, Image, sd, usb};
use crate::station::{A_PIECE_A_SECOND, Run, Station, is_tombstone};

/// Sets a limit of the station's own process, not of the processes that keep its log.
fn limit(pc: &Pc, limit: &str) {
    pc.sh(&format!(
        "for process in $(pidof flashline); do tr '\\0' ' ' </proc/$process/cmdline | grep -qx 'flashline run ' && prlimit --pid $process {limit}; done; true"
    ));
}

#[test]
fn a_station_without_descriptors_takes_no_card_for_gone_begins_none_that_is_held_and_calls_none_bad() {
    let pc = Pc::start();
    let image = Image::new(6 * MIB, 7);
    let held = [pc.sd(0).size(16 * MIB).filled(1).insert()];
    let stick = pc.usb("3").serial("HELD").size(16 * MIB).filled(3).plug();
    let _seen = (held[0].node(), stick.node());
    let station = Factory::new(&pc, &image.raw()).slot("A1", usb("1")).slot("A2", usb("2")).slot("A3", usb("3")).slot("S1", sd(0)).run();
    for slot in ["A3", "S1"] {
        station.wait_for(slot, "HELD");
    }
    let busy = pc.usb("1").size(16 * MIB).filled(1).plug();
    busy.faults(|faults| faults.bytes_per_second = Some(A_PIECE_A_SECOND));
    station.wait_for("A1", "WRITING");
    busy.wait_written(2 * MIB, secs(60));
    limit(&pc, "--nofile=3:16384");
    let new = pc.usb("2").size(16 * MIB).filled(2).plug();
    let _seen = new.node();
    std::thread::sleep(secs(4));
    limit(&pc, "--nofile=16384:16384");
    station.wait_for("A1", "PASS");
    assert_eq!(busy.first_difference(image.raw()), None);
    station.wait_for("A2", "PASS");
    assert_eq!(new.first_difference(image.raw()), None);
    std::thread::sleep(secs(2));
    assert!(held[0].untouched() && stick.untouched(), "{:?} {:?}", held[0].first_touched(), stick.first_touched());
    let mut rows: Vec<String> = station.rows().iter().map(|row| format!("{} {}", row["slot"], row["outcome"])).collect();
    rows.sort_unstable();
    assert_eq!(rows, [r#""A1" "passed""#, r#""A2" "passed""#], "nobody pulled anything, and nothing that was held is begun");

    pc.sh("flashline log verify");
}

#[test]
fn long_twelve_cards_in_a_station_that_may_have_half_the_memory_they_need_have_one_row_each_and_none_is_called_bad() {
    let pc = Pc::start();
    let image = Image::new(16 * MIB, 7);
    let slot = |port: u64| format!("A{port}");
    (1..=12).fold(Factory::new(&pc, &image.raw()), |factory, port: u64| factory.slot(&slot(port), usb(&port.to_string()))).configured();
    let station = Station::under_systemd(&pc, "[Service]\nMemoryMax=64M\nMemorySwapMax=0\n");
    station.job.wait_for_line("the station runs", secs(60));
    let sticks: Vec<_> = (1..=12).map(|port: u64| pc.usb(&port.to_string()).size(32 * MIB).filled(port).plug()).collect();
    // However often it is killed and started again, every card is begun or held in the end.
    let settled = |station: &Station<'_>| {
        let status = pc.run("timeout 8 flashline status");
        let busy = ["WAIT", "WRITING", "READING BACK", "FINISHING", "RECORDING"].iter().any(|word| status.stdout.contains(word));
        (status.stdout.contains("A12") && !busy && !station.rows().is_empty()).then_some(())
    };
    std::thread::sleep(secs(15));
    pc.wait_until("the cards to come to an end", secs(240), || settled(&station));
    println!("killed {} times", pc.sh("systemctl show --value -p NRestarts flashline"));
    for row in station.rows() {
        assert!(["passed", "interrupted", "station-fault"].iter().any(|outcome| row["outcome"] == *outcome), "{row}");
    }
    let attempts: std::collections::BTreeSet<u64> = station.rows().iter().map(|row| row["attempt"].as_u64().expect("a number")).collect();
    assert_eq!(attempts.len(), station.rows().len(), "one row for each attempt");
    for (port, stick) in (1..).zip(&sticks) {
        let passed = station.rows_of(&slot(port)).last().is_some_and(|row| row["outcome"] == "passed");
        let whole = stick.reads_as(image.raw());
        assert!(whole || (!passed && (stick.untouched() || is_tombstone(&stick.head(64)))), "{port}: {passed}");
    }
    pc.sh("flashline log verify");
    pc.sh("systemctl set-property --runtime flashline MemoryMax=infinity");
    let passes = station.job.count_lines("^A1  PASS");
    sticks[0].pull();
    sticks[0].plug();
    station.job.wait_for_nth_line(passes + 1, "^A1  PASS", secs(120));
    assert_eq!(sticks[0].first_difference(image.raw()), None);
}
