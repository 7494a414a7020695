//! Seeds for the comparison with snapd's own loader: good ones in which one thing is changed, made as a tree for snapd and as an image for
//! the station. `hardware-tests/snapd-compare` runs this with snapd; alone it checks nothing about snapd.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::LazyLock;

use flashline::image::inspect::page::Page;
use flashline::image::inspect::{Wanted, inspect_medium};
use snap_assertions::signature::Sha3Hasher;

use crate::core20::{Core20, LABEL, Loader, Snaps};
use crate::fixtures::{Changed, data, wanted};
use crate::forge::{self, ACCOUNT, Key};
use crate::snapmaker::{Items, file, snap};

static STORE: LazyLock<Key> = LazyLock::new(Key::random);
static BRAND: LazyLock<Key> = LazyLock::new(Key::random);
static STRANGER: LazyLock<Key> = LazyLock::new(Key::random);

const BRAND_ID: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";
const OTHER_ID: &str = "Th1rdPartyAccountIdForFixture001";
/// The partition `writable` of the image for the Raspberry Pi with Ubuntu Core 18.
pub(crate) const WRITABLE: u64 = 51_380_224;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signer {
    Root,
    Store,
    Brand,
    Stranger,
}

impl Signer {
    fn key(self) -> &'static Key {
        match self {
            Self::Root => &forge::ROOT,
            Self::Store => &STORE,
            Self::Brand => &BRAND,
            Self::Stranger => &STRANGER,
        }
    }
}

/// An assertion of a seed before it is signed.
#[derive(Clone)]
struct Element {
    name: String,
    /// Its file among the assertions; empty for the model's own place.
    file: String,
    headers: String,
    body: String,
    signer: Signer,
    /// The text of the element, signed or damaged.
    text: String,
}

impl Element {
    fn new(name: &str, file: &str, signer: Signer, headers: String, body: String) -> Self {
        Self { name: name.to_owned(), file: file.to_owned(), headers, body, signer, text: String::new() }.signed()
    }

    fn signed(mut self) -> Self {
        self.text = self.signer.key().signed(&self.headers, &self.body);
        self
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = self.clone();
        change(&mut other);
        other.signed()
    }

    fn in_text(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self { text: change(&self.text), ..self.clone() }
    }

    fn revision(&self, revision: u32) -> Self {
        self.with(|element| element.headers = element.headers.replacen("\nrevision: 5", &format!("\nrevision: {revision}"), 1))
    }

    fn kind(&self) -> &str {
        self.headers.split(['\n', ' ']).nth(1).expect("it has a type")
    }
}

#[derive(Clone)]
struct Seed {
    is_core20: bool,
    elements: Vec<Element>,
    snaps: BTreeMap<String, Vec<u8>>,
    /// Of Ubuntu Core 16 and 18.
    yaml: String,
    label: String,
    /// Whole files among the assertions.
    files: BTreeMap<String, Vec<u8>>,
}

fn key_of(signer: Signer, authority: &str, account: &str, key: &Key, more: &str) -> (String, String, Signer) {
    let headers = format!(
        "type: account-key\nauthority-id: {authority}\nrevision: 5\npublic-key-sha3-384: {}\naccount-id: {account}\nname: default\nsince: 2026-01-01T00:00:00Z{more}",
        key.id()
    );
    (headers, key.public(), signer)
}

fn account(id: &str) -> String {
    format!(
        "type: account\nauthority-id: {ACCOUNT}\nrevision: 5\naccount-id: {id}\ndisplay-name: {id}\nvalidation: unproven\ntimestamp: 2026-11-01T00:00:00Z"
    )
}

fn digest(bytes: &[u8]) -> String {
    let mut hasher = Sha3Hasher::default();
    hasher.update(bytes);
    hasher.finish().to_string()
}

fn declaration(id: &str, name: &str, publisher: &str) -> String {
    format!(
        "type: snap-declaration\nauthority-id: {ACCOUNT}\nrevision: 5\nseries: 16\nsnap-id: {id}\npublisher-id: {publisher}\nsnap-name: {name}\ntimestamp: 2026-11-01T00:00:00Z"
    )
}

fn revision(id: &str, bytes: &[u8], number: &str, developer: &str) -> String {
    format!(
        "type: snap-revision\nauthority-id: {ACCOUNT}\nrevision: 5\nsnap-sha3-384: {}\ndeveloper-id: {developer}\nsnap-id: {id}\nsnap-revision: {number}\nsnap-size: {}\ntimestamp: 2026-11-01T00:00:00Z",
        digest(bytes),
        bytes.len()
    )
}

/// The assertions in front of a model: the keys and accounts.
fn chain() -> Vec<Element> {
    let (store, store_key, by) = key_of(Signer::Root, ACCOUNT, ACCOUNT, &STORE, "");
    let (brand, brand_key, _) = key_of(Signer::Store, ACCOUNT, BRAND_ID, &BRAND, "");
    vec![
        Element::new("store-key", "model-etc", by, store, store_key),
        Element::new("brand-account", "model-etc", Signer::Store, account(BRAND_ID), String::new()),
        Element::new("brand-key", "model-etc", Signer::Store, brand, brand_key),
        Element::new("publisher-account", "model-etc", Signer::Store, account(OTHER_ID), String::new()),
    ]
}

/// Ubuntu Core 22 with an app of another publisher.
fn core20() -> Seed {
    let image = Snaps::of(Loader::Grub).image(Loader::Grub);
    let mut app: Items = [("meta/snap.yaml".to_owned(), file("name: app\nversion: '1'\nbase: core22\n"))].into();
    app.insert("bin/app".to_owned(), file("app"));
    let mut elements = chain();
    let mut snaps = BTreeMap::new();
    let mut listed = String::new();
    let ids = [
        ("pi", "YbGa9O3dAXl88YLI6Y1bGG74pwBxZyKg", "gadget", "canonical"),
        ("pi-kernel", "jeIuP6tfFrvAdic8DMWqHmoaoukAPNbJ", "kernel", "canonical"),
        ("core22", "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT", "base", "canonical"),
        ("snapd", "PMrrV4ml8uWuEUDBT8dSGnKUYbevVhc4", "snapd", "canonical"),
        ("app", "aW3s0meSnapIdForTheFixtureNo0001", "app", OTHER_ID),
    ];
    for (name, id, kind, publisher) in ids {
        let bytes = if name == "app" { snap(&app) } else { image.boot[&format!("snaps/{name}_7.snap")].clone() };
        elements.push(Element::new(
            &format!("declaration-{kind}"),
            "snaps",
            Signer::Store,
            declaration(id, name, publisher),
            String::new(),
        ));
        elements.push(Element::new(
            &format!("revision-{kind}"),
            "snaps",
            Signer::Store,
            revision(id, &bytes, "7", publisher),
            String::new(),
        ));
        snaps.insert(format!("{name}_7.snap"), bytes);
        let _infallible = write!(listed, "\n  -\n    name: {name}\n    id: {id}\n    type: {kind}\n    default-channel: latest/stable");
    }
    let model = format!(
        "type: model\nauthority-id: {BRAND_ID}\nrevision: 5\nseries: 16\nbrand-id: {BRAND_ID}\nmodel: my-pi22\narchitecture: arm64\nbase: core22\ngrade: signed\nsnaps:{listed}\ntimestamp: 2026-11-20T08:00:00Z"
    );
    elements.push(Element::new("model", "", Signer::Brand, model, String::new()));
    Seed { is_core20: true, elements, snaps, yaml: String::new(), label: LABEL.to_owned(), files: BTreeMap::new() }
}

/// The tree of `writable` in the fixture with Ubuntu Core 18, from which every other one is made.
pub(crate) struct Tree {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) length: u64,
}

const IN_TREE: &str = "system-data/var/lib/snapd/seed";

pub(crate) fn run(command: &mut Command) {
    let output = command.output().expect("e2fsprogs is installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let image = Changed::of("uc18-pi");
    let length = image.length_now() - WRITABLE;
    let directory = tempfile::tempdir().expect("a directory");
    let part = directory.path().join("part");
    fs::write(&part, image.bytes(WRITABLE, usize::try_from(length).expect("small"))).expect("room");
    fs::create_dir(directory.path().join("tree")).expect("a directory");
    run(Command::new("debugfs").arg("-R").arg(format!("rdump / {}", directory.path().join("tree").display())).arg(&part));
    let lost = directory.path().join("tree/lost+found");
    if lost.exists() {
        fs::remove_dir_all(lost).expect("it can be removed");
    }
    Tree { directory, length }
});

/// Ubuntu Core 18, its snaps as in the fixture, its assertions signed anew.
fn core18() -> Seed {
    let seed = TREE.directory.path().join("tree").join(IN_TREE);
    let yaml = fs::read_to_string(seed.join("seed.yaml")).expect("it is there");
    let index = fs::read_to_string(data("chain/INDEX")).expect("it is there");
    let mut elements = chain();
    let mut snaps = BTreeMap::new();
    for entry in fs::read_dir(seed.join("snaps")).expect("it is there") {
        let entry = entry.expect("a file");
        let bytes = fs::read(entry.path()).expect("it can be read");
        let digest = digest(&bytes);
        let line = index.lines().find(|line| line.contains(&digest)).expect("every snap stands in the index");
        let [name, number, id, publisher, ..] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let file = |kind: &str| format!("{name}.{kind}");
        elements.push(Element::new(
            &format!("declaration-{name}"),
            &file("declaration"),
            Signer::Store,
            declaration(id, name, publisher),
            String::new(),
        ));
        elements.push(Element::new(
            &format!("revision-{name}"),
            &file("revision"),
            Signer::Store,
            revision(id, &bytes, number, publisher),
            String::new(),
        ));
        snaps.insert(entry.file_name().into_string().expect("text"), bytes);
    }
    let text = fs::read_to_string(data("brand/my-pi18.model")).expect("it is there");
    let headers = text.split_once("\nsign-key-sha3-384").expect("it is signed").0;
    let headers = headers.lines().filter(|line| !line.starts_with("revision:")).collect::<Vec<_>>().join("\n");
    let headers = headers.replacen("\nseries:", "\nrevision: 5\nseries:", 1);
    elements.push(Element::new("model", "model", Signer::Brand, headers, String::new()));
    Seed { is_core20: false, elements, snaps, yaml, label: String::new(), files: BTreeMap::new() }
}

impl Seed {
    fn place(&self, name: &str) -> usize {
        self.elements.iter().position(|element| element.name == name).unwrap_or_else(|| panic!("{name} is in it"))
    }

    fn replaced(&self, at: usize, with: &[Element]) -> Self {
        let mut seed = self.clone();
        seed.elements.splice(at..=at, with.iter().cloned());
        seed
    }

    fn changed(&self, name: &str, change: impl FnOnce(&mut Element)) -> Self {
        let at = self.place(name);
        self.replaced(at, &[self.elements[at].with(change)])
    }

    fn and(&self, more: Element) -> Self {
        let mut seed = self.clone();
        seed.elements.push(more);
        seed
    }

    /// Its assertions by file.
    fn assertions(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        for element in &self.elements {
            let file = files.entry(element.file.clone()).or_default();
            if !file.is_empty() {
                file.push(b'\n');
            }
            file.extend(element.text.as_bytes());
        }
        files.extend(self.files.clone());
        files
    }

    /// Every file of the seed, by its path below the seed's directory.
    fn tree(&self) -> BTreeMap<String, Vec<u8>> {
        let root = if self.is_core20 { format!("systems/{}/", self.label) } else { String::new() };
        let mut files = BTreeMap::new();
        for (name, contents) in self.assertions() {
            let path = if name.is_empty() { format!("{root}model") } else { format!("{root}assertions/{name}") };
            files.insert(path, contents);
        }
        files.extend(self.snaps.iter().map(|(name, contents)| (format!("snaps/{name}"), contents.clone())));
        if !self.is_core20 {
            files.insert("seed.yaml".to_owned(), self.yaml.clone().into_bytes());
        }
        files
    }

    fn judged(&self) -> Page {
        let mut wanted: Wanted = wanted();
        wanted.trust.add_roots(forge::root().as_bytes()).expect("a root");
        // The station knows the whole chain, but must not complete a seed with it.
        let good = if self.is_core20 { &*GOOD20 } else { &*GOOD18 };
        let known: Vec<String> = good.elements.iter().map(|element| element.text.clone()).collect();
        wanted.trust.add_known(known.join("\n").as_bytes()).expect("assertions");
        if self.is_core20 { self.judged20(&wanted) } else { self.judged18(&wanted) }
    }

    fn judged20(&self, wanted: &Wanted) -> Page {
        let mut image: Core20 = Core20::with(Loader::Grub);
        image.boot.retain(|path, _| !path.starts_with("snaps/") && !path.contains("/assertions/") && !path.ends_with("/model"));
        let mut image = image.moved(&format!("systems/{LABEL}/"), &format!("systems/{}/", self.label));
        image.boot.extend(self.tree());
        let words = [("snapd_recovery_mode", "install"), ("snapd_recovery_system", self.label.as_str())];
        image.boot.insert(Loader::Grub.environment().to_owned(), Loader::Grub.says(&words));
        inspect_medium(Rc::new(image.image()), wanted).expect("memory can be read")
    }

    fn judged18(&self, wanted: &Wanted) -> Page {
        let work = tempfile::tempdir().expect("a directory");
        let tree = work.path().join("tree");
        run(Command::new("cp").arg("-a").arg(TREE.directory.path().join("tree")).arg(&tree));
        let seed = tree.join(IN_TREE);
        fs::remove_dir_all(&seed).expect("it was copied");
        write_tree(&seed, &self.tree());
        let file = work.path().join("part");
        File::create(&file).and_then(|file| file.set_len(TREE.length)).expect("a file");
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-L", "writable", "-d"]).arg(&tree).arg(&file));
        let mut bytes = Changed::of("uc18-pi").bytes(0, usize::try_from(WRITABLE).expect("small"));
        bytes.resize(bytes.len() + usize::try_from(TREE.length).expect("small"), 0);
        File::open(&file).and_then(|file| file.read_exact_at(&mut bytes[usize::try_from(WRITABLE).expect("small")..], 0)).expect("whole");
        inspect_medium(Rc::new(bytes), wanted).expect("memory can be read")
    }
}

fn write_tree(root: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, contents) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a directory")).expect("room");
        fs::write(path, contents).expect("room");
    }
    // Snapd reports missing directories, whatever they would contain.
    for directory in ["snaps", "assertions"] {
        if !root.join("systems").exists() {
            fs::create_dir_all(root.join(directory)).expect("room");
        }
    }
}

static GOOD20: LazyLock<Seed> = LazyLock::new(core20);
static GOOD18: LazyLock<Seed> = LazyLock::new(core18);

/// Changes to one assertion: the same for all of them.
fn of_one(seed: &Seed, at: usize, add: &mut dyn FnMut(&str, Seed)) {
    let element = seed.elements[at].clone();
    let elsewhere = |element: &Element, file: &str| Element { file: file.to_owned(), ..element.clone() };
    let headers = |from: &str, to: &str| element.with(|element| element.headers = element.headers.replacen(from, to, 1));
    let by = |signer: Signer| element.with(|element| element.signer = signer);
    let is_model = element.kind() == "model";
    add("missing", seed.replaced(at, &[]));
    add("doubled", seed.replaced(at, &[element.clone(), element.clone()]));
    let both = |first: &Element, second: &Element| seed.replaced(at, &[first.clone(), second.clone()]);
    add("older-behind", both(&element, &element.revision(4)));
    add("older-in-front", both(&element.revision(4), &element));
    add("newer-forged-behind", both(&element, &element.revision(6).with(|element| element.signer = Signer::Stranger)));
    add("newer-forged-in-front", both(&element.revision(6).with(|element| element.signer = Signer::Stranger), &element));
    add("same-revision-says-other", both(&element, &headers("\nrevision: 5", "\nrevision: 5\nx-note: 1")));
    if !is_model {
        for file in ["a-first", "z-last"] {
            add(&format!("doubled-in-{file}"), seed.and(elsewhere(&element, file)));
            add(&format!("moved-to-{file}"), seed.replaced(at, &[elsewhere(&element, file)]));
            add(&format!("older-in-{file}"), seed.and(elsewhere(&element.revision(4), file)));
            add(&format!("newer-in-{file}"), seed.and(elsewhere(&element.revision(6), file)));
        }
    }
    add("signature-of-a-stranger", seed.replaced(at, &[by(Signer::Stranger)]));
    add("signature-of-the-brand", seed.replaced(at, &[by(Signer::Brand)]));
    add("signature-of-the-root", seed.replaced(at, &[by(Signer::Root)]));
    let authority = element.headers.lines().nth(1).expect("it has one").to_owned();
    add("authority-brand", seed.replaced(at, &[headers(&authority, &format!("authority-id: {BRAND_ID}"))]));
    add(
        "authority-and-key-brand",
        seed.replaced(at, &[headers(&authority, &format!("authority-id: {BRAND_ID}")).with(|element| element.signer = Signer::Brand)]),
    );
    add("authority-canonical", seed.replaced(at, &[headers(&authority, "authority-id: canonical")]));
    add("changed-after-signing", seed.replaced(at, &[element.in_text(|text| text.replacen("revision: 5", "revision: 7", 1))]));
    add("signature-cut", seed.replaced(at, &[element.in_text(|text| text[..text.len() - 9].to_owned() + "\n")]));
    add(
        "signature-missing",
        seed.replaced(at, &[element.in_text(|text| text.rsplit_once("\n\n").expect("it has one").0.to_owned() + "\n")]),
    );
    add("lines-of-windows", seed.replaced(at, &[element.in_text(|text| text.replace('\n', "\r\n"))]));
    add("format-99", seed.replaced(at, &[headers("\nrevision: 5", "\nformat: 99\nrevision: 5")]));
    add("format-0", seed.replaced(at, &[headers("\nrevision: 5", "\nformat: 0\nrevision: 5")]));
    add("revision-twice", seed.replaced(at, &[headers("\nrevision: 5", "\nrevision: 5\nrevision: 5")]));
    add("revision-05", seed.replaced(at, &[headers("\nrevision: 5", "\nrevision: 05")]));
    add("revision-negative", seed.replaced(at, &[headers("\nrevision: 5", "\nrevision: -1")]));
    add("unknown-header", seed.replaced(at, &[headers("\nrevision: 5", "\nrevision: 5\nx-note: 1")]));
    add("unknown-type", seed.replaced(at, &[headers(element.kind(), "future-thing")]));
    if element.headers.contains("series: 16") {
        add("series-17", seed.replaced(at, &[headers("series: 16", "series: 17")]));
    }
    if element.body.is_empty() {
        add("with-a-body", seed.replaced(at, &[element.with(|element| element.body = "body".to_owned())]));
    }
    if let Some(time) = element.headers.split("timestamp: ").nth(1).map(|rest| rest.split('\n').next().expect("a line")) {
        for (name, other) in [
            ("before-its-key", "2025-11-01T00:00:00Z"),
            ("to-come", "2036-11-01T00:00:00Z"),
            ("of-one-digit", "2026-11-01T8:00:00Z"),
            ("with-a-comma", "2026-11-01T08:00:00,5Z"),
            ("with-60-minutes", "2026-11-01T08:00:00+23:60"),
            ("with-25-hours", "2026-11-01T08:00:00+25:00"),
            ("without-zone", "2026-11-01T08:00:00"),
            ("of-words", "yesterday"),
        ] {
            add(&format!("time-{name}"), seed.replaced(at, &[headers(time, other)]));
        }
    }
}

/// Changes to keys.
fn of_keys(seed: &Seed, add: &mut dyn FnMut(&str, Seed)) {
    for key in ["store-key", "brand-key"] {
        for (name, from, to) in [
            ("expired", "since: 2026-01-01T00:00:00Z", "since: 2026-01-01T00:00:00Z\nuntil: 2026-11-23T00:00:00Z"),
            ("expired-before-it-signed", "since: 2026-01-01T00:00:00Z", "since: 2026-01-01T00:00:00Z\nuntil: 2026-02-01T00:00:00Z"),
            ("valid-until-far", "since: 2026-01-01T00:00:00Z", "since: 2026-01-01T00:00:00Z\nuntil: 2066-01-01T00:00:00Z"),
            ("not-valid-yet", "since: 2026-01-01T00:00:00Z", "since: 2066-01-01T00:00:00Z"),
            ("valid-since-it-signed", "since: 2026-01-01T00:00:00Z", "since: 2026-11-10T00:00:00Z"),
            ("until-in-front-of-since", "since: 2026-01-01T00:00:00Z", "since: 2026-01-01T00:00:00Z\nuntil: 2025-01-01T00:00:00Z"),
            ("until-is-since", "since: 2026-01-01T00:00:00Z", "since: 2026-01-01T00:00:00Z\nuntil: 2026-01-01T00:00:00Z"),
            ("without-name", "name: default\n", ""),
            ("of-a-bad-name", "name: default", "name: My Key"),
            ("of-another-account", "account-id: ", "account-id: x"),
            ("of-canonical", "account-id: ", "account-id: canonical\nx-was: "),
            ("that-may-sign-models", "since:", "format: 1\nconstraints:\n  -\n    headers:\n      type: model\nsince:"),
            ("that-may-sign-nothing", "since:", "format: 1\nconstraints:\n  -\n    headers:\n      type: nothing\nsince:"),
        ] {
            add(&format!("key-{name}:{key}"), seed.changed(key, |element| element.headers = element.headers.replacen(from, to, 1)));
        }
        add(&format!("key-of-other-body:{key}"), seed.changed(key, |element| element.body = STRANGER.public()));
        add(&format!("key-without-body:{key}"), seed.changed(key, |element| element.body = String::new()));
    }
}

/// Changes to snaps and to their assertions.
fn of_snaps(seed: &Seed, add: &mut dyn FnMut(&str, Seed)) {
    let names: Vec<String> = seed.snaps.keys().cloned().collect();
    for name in &names {
        let with = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut seed = seed.clone();
            change(seed.snaps.get_mut(name).expect("it is there"));
            seed
        };
        let mut without = seed.clone();
        let bytes = without.snaps.remove(name).expect("it is there");
        add(&format!("snap-missing:{name}"), without.clone());
        add(&format!("snap-byte:{name}"), with(&|bytes| *bytes.last_mut().expect("not empty") ^= 1));
        add(&format!("snap-longer:{name}"), with(&|bytes| bytes.extend([0; 4096])));
        add(&format!("snap-shorter:{name}"), with(&|bytes| bytes.truncate(bytes.len() - 4096)));
        add(&format!("snap-empty:{name}"), with(&|bytes| bytes.clear()));
        without.snaps.insert(name.replace('_', "_1"), bytes);
        add(&format!("snap-renamed:{name}"), without);
    }
    for (one, other) in names.iter().zip(names.iter().skip(1)) {
        let mut swapped = seed.clone();
        let (first, second) = (seed.snaps[one].clone(), seed.snaps[other].clone());
        swapped.snaps.insert(one.clone(), second);
        swapped.snaps.insert(other.clone(), first);
        add(&format!("snaps-swapped:{one}"), swapped);
    }
    let mut extra = seed.clone();
    extra.snaps.insert("extra_1.snap".to_owned(), seed.snaps[&names[0]].clone());
    add("snap-extra", extra);
    for element in &seed.elements {
        let change = |from: &str, to: &str| seed.changed(&element.name, |element| element.headers = element.headers.replacen(from, to, 1));
        let named = |what: &str| format!("{what}:{}", element.name);
        match element.kind() {
            "snap-revision" => {
                add(&named("revision-wrong-size"), change("snap-size: ", "snap-size: 1"));
                add(&named("revision-size-zero"), change("snap-size: ", "snap-size: 0\nx-was: "));
                add(&named("revision-number-zero"), change("snap-revision: ", "snap-revision: 0\nx-was: "));
                add(&named("revision-wrong-number"), change("snap-revision: ", "snap-revision: 1"));
                add(&named("revision-wrong-digest"), change("snap-sha3-384: ", &format!("snap-sha3-384: {}\nx-was: ", "A".repeat(64))));
                add(&named("revision-of-other-snap"), change("snap-id: ", "snap-id: aW3s0meSnapIdForTheFixtureNo0009\nx-was: "));
                add(&named("revision-of-nobody"), change("developer-id: ", "developer-id: nobody\nx-was: "));
                add(&named("revision-of-a-provenance"), change("\nsnap-id: ", "\nprovenance: other-way\nsnap-id: "));
                add(&named("revision-of-usual-provenance"), change("\nsnap-id: ", "\nprovenance: global-upload\nsnap-id: "));
            }
            "snap-declaration" => {
                add(&named("declaration-revoked"), change("snap-name: ", "snap-name: \nx-was: "));
                add(&named("declaration-of-other-name"), change("snap-name: ", "snap-name: x"));
                add(&named("declaration-of-other-id"), change("snap-id: ", "snap-id: aW3s0meSnapIdForTheFixtureNo0009\nx-was: "));
                add(&named("declaration-of-nobody"), change("publisher-id: ", "publisher-id: nobody\nx-was: "));
                add(&named("declaration-of-the-brand"), change("publisher-id: ", &format!("publisher-id: {BRAND_ID}\nx-was: ")));
                add(&named("declaration-bad-plugs"), change("\ntimestamp", "\nplugs:\n  a: b\ntimestamp"));
                add(
                    &named("declaration-good-plugs"),
                    change("\ntimestamp", "\nplugs:\n  home:\n    allow-auto-connection: true\ntimestamp"),
                );
                add(
                    &named("declaration-bad-attributes"),
                    change("\ntimestamp", "\nplugs:\n  home:\n    allow-connection:\n      plug-attributes:\n        a: (\ntimestamp"),
                );
                add(&named("declaration-format-6"), change("\nrevision: 5", "\nformat: 6\nrevision: 5"));
            }
            _ => {}
        }
    }
}

/// Changes to the model.
fn of_model(seed: &Seed, add: &mut dyn FnMut(&str, Seed)) {
    let change = |from: &str, to: &str| seed.changed("model", |element| element.headers = element.headers.replacen(from, to, 1));
    add("model-of-other-brand", change(&format!("brand-id: {BRAND_ID}"), &format!("brand-id: {OTHER_ID}")));
    add("model-all-of-other-brand", seed.changed("model", |element| element.headers = element.headers.replace(BRAND_ID, OTHER_ID)));
    add("model-upper-case", change("\nmodel: m", "\nmodel: M"));
    add("model-classic", change("\narchitecture", "\nclassic: true\narchitecture"));
    add("model-other-architecture", change("architecture: ", "architecture: riscv64\nx-was: "));
    add("model-store", change("\ntimestamp", "\nstore: my-store\ntimestamp"));
    add("model-system-user-authority", change("\ntimestamp", "\nsystem-user-authority: *\ntimestamp"));
    add("model-bad-serial-authority", change("\ntimestamp", "\nserial-authority: generic\ntimestamp"));
    add("model-other-base", change("base: core", "base: core1"));
    add("model-without-base", change("base: ", "x-base: "));
    add("model-without-kernel", change("kernel: ", "x-kernel: "));
    let mut file = seed.elements[seed.place("model")].clone();
    file.file = "second-model".to_owned();
    add("model-also-among-assertions", seed.and(file.clone()));
    file = file.with(|element| element.headers = element.headers.replacen("\nmodel: m", "\nmodel: n", 1));
    add("model-second-of-other-name", seed.and(file));
    if seed.is_core20 {
        for (name, from, to) in [
            ("grade-dangerous", "grade: signed", "grade: dangerous"),
            ("grade-secured", "grade: signed", "grade: secured"),
            ("grade-unknown", "grade: signed", "grade: good"),
            ("snap-without-id", "    id: aW3s0meSnapIdForTheFixtureNo0001\n", ""),
            ("snap-of-other-id", "    id: aW3s0meSnapIdForTheFixtureNo0001\n", "    id: aW3s0meSnapIdForTheFixtureNo0009\n"),
            ("snap-optional", "    type: app\n", "    type: app\n    presence: optional\n"),
            ("snap-of-other-name", "name: app\n", "name: apple\n"),
            (
                "snap-more",
                "\n  -\n    name: app",
                "\n  -\n    name: more\n    id: aW3s0meSnapIdForTheFixtureNo0007\n    type: app\n    default-channel: latest/stable\n  -\n    name: app",
            ),
            (
                "snap-more-optional",
                "\n  -\n    name: app",
                "\n  -\n    name: more\n    id: aW3s0meSnapIdForTheFixtureNo0007\n    type: app\n    presence: optional\n    default-channel: latest/stable\n  -\n    name: app",
            ),
            ("kernel-as-app", "type: kernel", "type: app"),
            ("channel-without-track", "    default-channel: latest/stable\ntimestamp", "    default-channel: stable\ntimestamp"),
            ("modes", "    type: app\n", "    type: app\n    modes:\n      - run\n      - ephemeral\n"),
            ("components", "    type: app\n", "    type: app\n    components:\n      part:\n        presence: required\n"),
            ("storage-safety", "grade: signed", "grade: signed\nstorage-safety: none"),
        ] {
            add(&format!("model-{name}"), change(from, to));
        }
        let model = seed.elements[seed.place("model")].clone();
        let key = Element { file: String::new(), ..seed.elements[seed.place("brand-key")].clone() };
        add("model-file-with-more", seed.replaced(seed.place("model"), &[model, key]));
    }
}

/// Additional contents of a seed.
fn of_others(seed: &Seed, add: &mut dyn FnMut(&str, Seed)) {
    let other = |name: &str, headers: &str, signer: Signer| Element::new(name, "more", signer, headers.to_owned(), String::new());
    let by_root = |kind: &str, rest: &str| format!("type: {kind}\nauthority-id: {ACCOUNT}\nrevision: 5\n{rest}");
    let time = "timestamp: 2026-11-01T00:00:00Z";
    let pair = (
        declaration("aW3s0meSnapIdForTheFixtureNo0005", "unused", OTHER_ID),
        revision("aW3s0meSnapIdForTheFixtureNo0005", b"unused", "3", OTHER_ID),
    );
    let (declared, published) = (other("declared", &pair.0, Signer::Store), other("published", &pair.1, Signer::Store));
    add("declaration-alone", seed.and(declared.clone()));
    add("revision-alone", seed.and(published.clone()));
    add("declaration-and-revision-of-no-snap", seed.and(declared.clone()).and(published.clone()));
    let twin = declared.with(|element| element.headers = element.headers.replace("unused", if seed.is_core20 { "app" } else { "core18" }));
    add("declaration-of-a-twin", seed.and(twin).and(published.clone()));
    let second = published.with(|element| {
        element.headers = element.headers.replace("snap-revision: 3", "snap-revision: 4").replace(&digest(b"unused"), &digest(b"other"));
    });
    add("revision-second", seed.and(declared.clone()).and(published.clone()).and(second.clone()));
    let unpublished =
        declared.with(|element| element.headers = element.headers.replace("No0005", "No0006").replace("unused", "unpublished"));
    add("revision-second-for-another", seed.and(declared).and(published).and(second).and(unpublished));
    let set = format!(
        "series: 16\naccount-id: {ACCOUNT}\nname: base-set\nsequence: 1\nsnaps:\n  -\n    name: app\n    id: aW3s0meSnapIdForTheFixtureNo0001\n{time}"
    );
    for (name, from, to) in [
        ("good", "x", "x"),
        ("of-another-account", ACCOUNT, "canonical"),
        ("sequence-0", "sequence: 1", "sequence: 0"),
        ("without-name", "name: base-set\n", ""),
        ("of-a-bad-name", "base-set", "Base"),
        ("presence", "    id:", "    presence: perhaps\n    id:"),
        ("invalid-revision", "    id:", "    presence: invalid\n    revision: 3\n    id:"),
        ("snaps-as-text", "snaps:\n  -\n    name: app\n    id: aW3s0meSnapIdForTheFixtureNo0001", "snaps: app"),
        ("without-time", time, "x: y"),
        ("bad-id", "No0001", "No001"),
    ] {
        add(
            &format!("validation-set-{name}"),
            seed.and(other("set", &by_root("validation-set", &set.replacen(from, to, 1)), Signer::Root)),
        );
    }
    for (kind, rest) in [
        ("store", format!("store: my-store\noperator-id: {BRAND_ID}\n{time}")),
        ("store", "store: my-store".to_owned()),
        ("serial", format!("brand-id: {ACCOUNT}\nmodel: m\nserial: 1\n{time}")),
        ("snap-resource-revision", format!("snap-id: aW3s0meSnapIdForTheFixtureNo0001\nresource-name: part\n{time}")),
        ("snap-build", "snap-id: a".to_owned()),
        ("base-declaration", format!("series: 16\n{time}")),
        ("repair", format!("brand-id: {ACCOUNT}\nrepair-id: 1\n{time}")),
        ("preseed", format!("series: 16\nbrand-id: {BRAND_ID}\nmodel: m\nsystem-label: 1\n{time}")),
        ("confdb-schema", format!("account-id: {ACCOUNT}\nname: n\n{time}")),
        ("registry", format!("account-id: {ACCOUNT}\nname: n\n{time}")),
        ("account-key-request", format!("account-id: {ACCOUNT}\n{time}")),
        ("future-thing", time.to_owned()),
    ] {
        add(&format!("other-{kind}"), seed.and(other("other", &by_root(kind, &rest), Signer::Root)));
    }
    let user = format!(
        "type: system-user\nauthority-id: {BRAND_ID}\nrevision: 5\nbrand-id: {BRAND_ID}\nemail: a@example.com\nname: A\nusername: a\nseries:\n  - 16\nmodels:\n  - m\nsince: 2026-11-01T00:00:00Z\nuntil: 2027-01-01T00:00:00Z\npassword: $6$salt$hash"
    );
    add("other-system-user", seed.and(other("user", &user, Signer::Brand)));
    add("account-canonical-of-the-seed", seed.and(other("canonical", &account("canonical"), Signer::Store)));
    add("account-canonical-forged", seed.and(other("canonical", &account("canonical"), Signer::Stranger)));
    add("account-of-the-root", seed.and(other("root", &account(ACCOUNT), Signer::Store)));
    add("account-generic", seed.and(other("generic", &account("generic"), Signer::Store)));
    let (headers, body, _) = key_of(Signer::Store, ACCOUNT, OTHER_ID, &STRANGER, "");
    let key = Element::new("key", "more", Signer::Store, headers, body);
    add("key-of-another-account", seed.and(key.clone()));
    let by_other = seed.changed("model", |element| element.signer = Signer::Stranger);
    add("model-signed-by-another-account", by_other.and(key.clone()));
    let of_brand = key.with(|element| element.headers = element.headers.replace(OTHER_ID, BRAND_ID));
    add("model-signed-by-a-second-key", by_other.and(of_brand.clone()));
    add("key-of-the-brand-vouched-by-itself", by_other.and(of_brand.with(|element| element.signer = Signer::Stranger)));
    let (headers, body, _) = key_of(Signer::Root, ACCOUNT, ACCOUNT, &forge::ROOT, "");
    add("key-of-the-root-again", seed.and(Element::new("root", "more", Signer::Root, headers.clone(), body.clone())));
    add("key-of-the-root-forged", seed.and(Element::new("root", "more", Signer::Stranger, headers, body)));
    for (name, contents) in [
        ("empty", &b""[..]),
        ("one-line", b"\n"),
        ("no-assertion", b"hello"),
        ("zeroes", &[0; 512]),
        ("cut", b"type: account\nauthority-id: x"),
    ] {
        for file in ["a-file", ".hidden", "z.assert"] {
            let mut with = seed.clone();
            with.files.insert(file.to_owned(), contents.to_vec());
            add(&format!("file-{name}:{file}"), with);
        }
    }
    let of_file = if seed.is_core20 { "snaps" } else { "model-etc" };
    for (name, front, end) in [
        ("line-in-front", "\n", ""),
        ("lines-behind", "", "\n\n"),
        ("junk-behind", "", "\njunk"),
        ("bom", "\u{feff}", ""),
        ("zero-behind", "", "\0"),
    ] {
        let mut with = seed.clone();
        let contents = with.assertions()[of_file].clone();
        with.files.insert(of_file.to_owned(), [front.as_bytes(), &contents, end.as_bytes()].concat());
        add(&format!("bundle-{name}"), with);
    }
}

/// Cases that only one of the two layouts has.
fn of_layout(seed: &Seed, add: &mut dyn FnMut(&str, Seed)) {
    if seed.is_core20 {
        for label in ["factory-1", "a--b", "a_b", "-a", "a-", "a.b"] {
            add(&format!("label:{label}"), Seed { label: label.to_owned(), ..seed.clone() });
        }
        return;
    }
    let text = &seed.yaml;
    let mut yamls: Vec<(String, String)> = Vec::new();
    let channels = ["stable", "edge/fix", "18/hot", "18/edge/fix/more", "/", "18-pi/stable", "18/", "/stable"];
    for channel in channels {
        yamls.push((
            format!("channel:{}", channel.replace('/', "+")),
            text.replacen("channel: ", &format!("channel: {channel}\n  contact: "), 1),
        ));
    }
    for (name, from, to) in [
        ("unknown-key", "- name:", "- other: 1\n  name:"),
        ("no-name", "- name: snapd", "- other: snapd"),
        ("bad-name", "- name: snapd", "- name: Snapd"),
        ("other-name", "- name: snapd", "- name: snape"),
        ("no-file", "  file: snapd", "  fyle: snapd"),
        ("file-with-path", "  file: snapd", "  file: ../snaps/snapd"),
        ("devmode", "- name: snapd", "- devmode: true\n  name: snapd"),
        ("classic", "- name: snapd", "- classic: true\n  name: snapd"),
        ("unasserted", "- name: snapd", "- unasserted: true\n  name: snapd"),
        ("private", "- name: snapd", "- private: true\n  name: snapd"),
        ("null-element", "- name: snapd", "- \n- name: snapd"),
        ("key-twice", "- name: snapd", "- name: snapd\n  name: snapd"),
        ("tab", "- name: snapd", "- name:\tsnapd"),
        ("snaps-as-text", "snaps:", "snaps: x\nother:"),
        ("no-snaps", "snaps:", "snips:"),
        ("other-id", "snap-id: ", "snap-id: x"),
        ("document-twice", "snaps:", "---\nsnaps:"),
    ] {
        yamls.push((name.to_owned(), text.replacen(from, to, 1)));
    }
    yamls.push(("empty".to_owned(), String::new()));
    yamls.push(("element-twice".to_owned(), text.to_owned() + text.trim_start_matches("snaps:\n")));
    yamls.push(("document-behind".to_owned(), format!("{text}---\nsnaps: []\n")));
    for (name, yaml) in yamls {
        add(&format!("yaml-{name}"), Seed { yaml, ..seed.clone() });
    }
}

#[test]
#[ignore = "makes a thousand seeds for hardware-tests/snapd-compare, which says where"]
fn seeds_for_the_comparison_with_snapd_are_made_and_judged() {
    let Some(to) = std::env::var_os("FLASHLINE_SEEDS").map(PathBuf::from) else { panic!("FLASHLINE_SEEDS names a directory") };
    let account = forge::ROOT.signed(&account(ACCOUNT), "");
    let fixtures = fs::read_to_string(data("chain/test-root.trusted")).expect("it is there");
    fs::create_dir_all(to.join("seeds")).expect("a directory");
    fs::write(to.join("roots"), format!("{}\n{}\n{account}", fixtures.trim_end().to_owned() + "\n", forge::root())).expect("room");
    let mut verdicts = File::create(to.join("verdicts.tsv")).expect("room");
    for (layout, seed) in [("uc22", &*GOOD20), ("uc18", &*GOOD18)] {
        let mut number = 0;
        let mut add = |name: &str, seed: Seed| {
            number += 1;
            let name = format!("{layout}-{number:04}-{}", name.replace(['/', ':'], "."));
            write_tree(&to.join("seeds").join(&name), &seed.tree());
            let page = seed.judged();
            let word = if page.is_good() { "armed" } else { "refused" };
            let why = page.refusal().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            writeln!(verdicts, "{name}\t{word}\t{why}").expect("room");
        };
        add("good", seed.clone());
        for at in 0..seed.elements.len() {
            let name = seed.elements[at].name.clone();
            of_one(seed, at, &mut |what, seed| add(&format!("{what}:{name}"), seed));
        }
        of_keys(seed, &mut add);
        of_snaps(seed, &mut add);
        of_model(seed, &mut add);
        of_others(seed, &mut add);
        of_layout(seed, &mut add);
        assert!(number > 250, "{number} seeds of {layout}");
    }
    assert!(GOOD20.judged().is_good(), "{:#?}", GOOD20.judged().verdicts);
    assert!(GOOD18.judged().is_good(), "{:#?}", GOOD18.judged().verdicts);
}
