//! Tests of what the packages of the workspace link, as `cargo` reports it.

use std::collections::BTreeSet;
use std::process::Command;

/// The names of everything that is linked into a package, itself included.
fn linked_into(package: &str) -> BTreeSet<String> {
    let cargo = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package", package, "--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let tree = String::from_utf8(cargo.stdout).expect("text");
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn what_erases_disks_links_no_network_client_and_no_database_client() {
    let linked = linked_into("flashline");
    assert!(linked.contains("rusqlite") && linked.len() > 100, "the tree was read: {linked:?}");
    let foreign =
        ["rustls", "native-tls", "openssl", "hyper", "http", "h2", "reqwest", "ureq", "curl", "postgres", "sqlx", "rumqttc", "lettre"];
    for name in foreign {
        let found: Vec<_> = linked.iter().filter(|linked| linked.split(['-', '_']).next() == Some(name) || *linked == name).collect();
        assert!(found.is_empty(), "{name}: {found:?}");
    }
}

#[test]
fn the_package_of_assertions_stands_alone() {
    let linked = linked_into("snap-assertions");
    assert!(linked.contains("snap-assertions") && linked.contains("rsa"), "the tree was read: {linked:?}");
    assert!(!linked.iter().any(|name| name.starts_with("flashline")), "{linked:?}");
}
