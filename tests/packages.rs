//! Tests of what the packages of the workspace link and need, as `cargo` reports it.

use std::collections::BTreeSet;
use std::process::Command;

/// The names of all packages that are linked into a package, itself included.
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
fn what_uses_the_network_links_nothing_of_the_station() {
    let linked = linked_into("flashline-fetch");
    assert!(linked.contains("ureq") && linked.contains("rustls"), "the tree was read: {linked:?}");
    for name in ["flashline", "snap-assertions", "rusqlite", "udev"] {
        assert!(!linked.contains(name), "{name}");
    }
}

#[test]
fn the_package_of_assertions_stands_alone() {
    let linked = linked_into("snap-assertions");
    assert!(linked.contains("snap-assertions") && linked.contains("rsa"), "the tree was read: {linked:?}");
    assert!(!linked.iter().any(|name| name.starts_with("flashline")), "{linked:?}");
}

/// A version of Rust as `1.89` or `1.89.0`, without its last number.
fn rust(version: &str) -> (u32, u32) {
    let mut numbers = version.split('.').map(|number| number.parse().expect("a version of Rust"));
    (numbers.next().expect("its first number"), numbers.next().unwrap_or(0))
}

#[test]
fn no_package_needs_a_newer_rust_than_the_station_promises() {
    let cargo = Command::new(env!("CARGO"))
        .args(["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(cargo.status.success(), "{}", String::from_utf8_lossy(&cargo.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&cargo.stdout).expect("JSON");
    let promised = env!("CARGO_PKG_RUST_VERSION");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 200, "the packages were read: {}", packages.len());
    let text = |package: &serde_json::Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let needs = |package: &&serde_json::Value| package["rust_version"].as_str().is_some_and(|needed| rust(needed) > rust(promised));
    let newer: Vec<String> =
        packages.iter().filter(needs).map(|package| ["name", "version", "rust_version"].map(|key| text(package, key)).join(" ")).collect();
    assert!(newer.is_empty(), "`rust-version` is {promised}; raise it, or keep these packages at an older version: {newer:?}");
}
