//! Tests with seeds that snapd would read in another way than they look, or not at all.

use flashline::image::inspect::page::Check;

use crate::core20::{Core20, LABEL, Loader, revision};
use crate::fixtures::{Changed, no, only_no};
use crate::forge;

const OTHER: &str = "aW3s0meSnapIdForTheFixtureNo0001";

#[test]
fn an_id_in_seed_yaml_that_is_not_the_snaps_is_refused() {
    let image = Changed::of("uc18-pi");
    let at = image.find(b"- name: snapd\n");
    let text = String::from_utf8(image.bytes(at, 120)).expect("text");
    let id = text.split_once("snap-id: ").expect("it names the id").1.split_once('\n').expect("a line").0.to_owned();
    let place = at + u64::try_from(text.find(&id).expect("it stands there")).expect("small");
    let said = no(&image.put(place, OTHER.as_bytes()).judged(), Check::SnapsPresent);
    assert!(said.contains(&format!("seed.yaml gives it the id {OTHER}, and its snap-revision {id}")), "{said}");
}

#[test]
fn a_label_that_snapd_does_not_take_is_refused() {
    let image = |label: &str| Core20::with(Loader::Grub).moved(&format!("systems/{LABEL}/"), &format!("systems/{label}/"));
    for label in ["20261122-", "a--b", "a_b", "a b", "-a", "a.b"] {
        let said = no(&image(label).judged(), Check::Model);
        assert!(said.contains(&format!("its system is called {label:?}, and snapd takes only lower-case letters and digits")), "{said}");
    }
    let other = image("factory-1");
    let path = "EFI/ubuntu/grubenv";
    let text = other.text(path).replace("snapd_recovery_system=20261122\n", "snapd_recovery_system=factory-1\n");
    let other = other.put(path, &text.as_bytes()[..1024]);
    let page = other.judged();
    assert!(page.is_good(), "{page:#?}");
}

#[test]
fn every_snap_of_a_system_has_one_declaration_and_one_revision() {
    let path = format!("systems/{LABEL}/assertions/snaps");
    let image = Core20::with(Loader::Grub);
    let all = image.text(&path);
    let with = |more: &str| image.clone().put(&path, format!("{all}{more}"));
    let digest = "A".repeat(64);

    let said = only_no(&with(&forge::declaration(OTHER, "other", "canonical")).judged(), Check::SnapsPresent);
    assert!(said.contains(&format!("the system has a snap-declaration of other ({OTHER}) and no snap-revision")), "{said}");
    let said = no(&with(&revision(&digest, OTHER, 4096)).judged(), Check::SnapsPresent);
    assert!(said.contains(&format!("the system has a snap-revision of the snap {OTHER} and no snap-declaration")), "{said}");
    let said = only_no(&with(&revision(&digest, "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT", 4096)).judged(), Check::SnapsPresent);
    assert!(said.contains("the system has 2 snap-revisions of the snap amcUKQILKXHHTlmSa7NMdnXSx02dNeeT"), "{said}");

    // An assertion that the station knows from another source is not part of the seed.
    let start = all.find("type: snap-revision").expect("there is one");
    let declaration = &all[..start];
    let page = image.clone().put(&path, &all[start..]).known(declaration).judged();
    let said = no(&page, Check::SnapsPresent);
    assert!(said.contains("and no snap-declaration: snapd does not take such a seed"), "{said}");
    let said = no(&page, Check::FirstBoot);
    assert!(said.starts_with("the device could not verify this at its first boot: snap-declaration "), "{said}");
}
