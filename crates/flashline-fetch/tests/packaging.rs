//! Tests of what is packed: the files are there, the unit keeps its promises, and nothing in it arms, enables or starts anything.

use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_file_that_is_packed_is_there() {
    let text = read("Cargo.toml");
    let sources = text.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split_once("\", \""));
    let mut packed = 0;
    for (source, _) in sources.filter(|(source, _)| !source.contains("target/") && !source.contains('*')) {
        packed += 1;
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(source).is_file(), "Cargo.toml packs {source}, which is not there");
    }
    assert!(packed > 10, "the files are found: {packed}");
}

#[test]
fn the_unit_may_write_to_its_directory_alone_and_is_a_user_without_the_rights_of_the_station() {
    let unit = read("systemd/flashline-fetch.service");
    let value = |key: &str| unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('=')).collect::<Vec<_>>();
    assert_eq!((value("User"), value("Group")), (vec!["flashline-fetch"], vec!["flashline-fetch"]));
    assert_eq!(value("SupplementaryGroups"), Vec::<&str>::new(), "a member of the group flashline could read the flash log");
    assert_eq!((value("ProtectSystem"), value("ReadWritePaths")), (vec!["strict"], vec!["/var/lib/flashline-fetch"]));
    assert_eq!((value("CapabilityBoundingSet"), value("NoNewPrivileges")), (vec![""], vec!["yes"]));
    assert_eq!((value("DevicePolicy"), value("PrivateDevices")), (vec!["closed"], vec!["yes"]), "no disk can be opened");
    assert_eq!(value("ExecStart"), ["/usr/bin/flashline-fetch run"]);
    let directory = read("systemd/flashline-fetch.tmpfiles");
    assert!(directory.lines().any(|line| line == "d /var/lib/flashline-fetch 2750 flashline-fetch flashline -"), "{directory}");
}

#[test]
fn an_installation_enables_and_starts_nothing_and_a_removal_stops_what_ran() {
    let postinst = read("packaging/postinst");
    let commands = postinst.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim_start().starts_with("echo "));
    for line in commands.filter(|line| line.contains("systemctl") || line.contains("deb-systemd")) {
        assert!(line.contains("daemon-reload"), "{line}");
    }
    assert!(read("packaging/prerm").contains("deb-systemd-invoke stop flashline-fetch.timer flashline-fetch.service"));
    assert!(read("packaging/postrm").contains("rm -rf --one-file-system /var/lib/flashline-fetch"));
}
