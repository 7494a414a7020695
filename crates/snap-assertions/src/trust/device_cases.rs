//! Tests of the assertions that a device has, compared with those of a station.

use super::tests::{NOW, at, chain, model_of};
use super::*;
use crate::testing::{BRAND, ROOT, STORE, read};

/// A device whose seed contains these assertions.
fn device(station: &Trust, seed: &[String]) -> Trust {
    let mut device = station.built_in(false);
    for text in seed {
        device.add_known(text.as_bytes()).expect("assertions");
    }
    device
}

#[test]
fn a_device_has_its_roots_and_its_seed_and_nothing_that_a_station_knows_beside() {
    let station = chain(|_| None);
    let model = read(&BRAND.sign(&model_of("brand", NOW)));
    assert!(station.at(at(NOW)).prove(&model).is_ok());
    let links = [ROOT.vouch_for("root", "root", &STORE, ""), STORE.account("root", "brand"), STORE.vouch_for("root", "brand", &BRAND, "")];
    let whole = device(&station, &links);
    let assertions: Vec<Assertion> = links.iter().map(|text| read(text)).chain([model.clone()]).collect();
    assert_eq!(whole.at(at(NOW)).lacking(&assertions), []);
    assert!(whole.at(at(NOW)).prove(&model).is_ok());
    for (left_out, what) in
        [(0, format!("account-key {}", STORE.id)), (1, "account brand".to_owned()), (2, format!("account-key {}", BRAND.id))]
    {
        let mut rest = links.to_vec();
        let text = rest.remove(left_out);
        let device = device(&station, &rest);
        let assertions = rest.iter().map(|text| read(text)).chain([model.clone()]).collect::<Vec<_>>();
        let lacking = device.at(at(NOW)).lacking(&assertions);
        assert_eq!(lacking.iter().map(|missing| missing.what.clone()).collect::<Vec<_>>(), [what], "without {text}");
        assert!(device.at(at(NOW)).prove(&model).is_err());
    }
}

#[test]
fn a_device_goes_by_the_revision_in_its_seed_whatever_came_out_later() {
    let renewed = STORE.vouch_for("root", "brand", &BRAND, "\nrevision: 1");
    let ended = STORE.vouch_for("root", "brand", &BRAND, "\nuntil: 2026-06-01T00:00:00Z");
    let station = chain(|name| (name == "brand key").then(|| Some(renewed.clone())));
    let model = read(&BRAND.sign(&model_of("brand", NOW)));
    let device = device(&station, &[ROOT.vouch_for("root", "root", &STORE, ""), STORE.account("root", "brand"), ended]);
    assert!(station.at(at(NOW)).prove(&model).is_ok(), "the station knows that the key goes on");
    let problems = device.at(at(NOW)).prove(&model).expect_err("the device does not").join("\n");
    assert!(problems.contains("until 2026-06-01T00:00:00Z"), "{problems}");
}

#[test]
fn the_generic_account_is_at_hand_before_ubuntu_core_20_only() {
    let declaration = read(&STORE.sign(&format!(
        "type: snap-declaration\nauthority-id: root\nseries: 16\nsnap-id: aW3s0meSnapIdForTheFixtureNo0001\nsnap-name: one\npublisher-id: generic\ntimestamp: {NOW}"
    )));
    let mut station = chain(|_| None);
    station.add_known(STORE.account("root", "generic").as_bytes()).expect("an account");
    for (has_generic, lacks) in [(true, 0), (false, 1)] {
        let mut device = station.built_in(has_generic);
        device.add_known(ROOT.vouch_for("root", "root", &STORE, "").as_bytes()).expect("a key");
        assert_eq!(device.at(at(NOW)).lacking([&declaration]).len(), lacks);
        assert_eq!(device.at(at(NOW)).prove(&declaration).is_ok(), has_generic);
    }
}
