//! The contents of a model assertion and its rules, for Ubuntu Core 16 and 18, and for 20 and newer.
//!
//! Stricter than snapd where the image tools are stricter: a model for which no image can be made is an error here, too.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::headers::{Findings, Reading, SNAP_NAME, is_account_id, is_model_name, is_placeholder, is_snap_name, is_track, no_number};
use super::text::{Headers, Value, cited};

/// Headers that a model may have. Other headers are allowed, but are most often a spelling mistake.
const KNOWN: [&str; 30] = [
    "architecture",
    "authority-id",
    "base",
    "body-length",
    "brand-id",
    "classic",
    "display-name",
    "distribution",
    "format",
    "gadget",
    "grade",
    "kernel",
    "model",
    "preseed-authority",
    "required-snaps",
    "revision",
    "serial-authority",
    "series",
    "sign-key-sha3-384",
    "snaps",
    "storage-safety",
    "store",
    "system-user-authority",
    "timestamp",
    "type",
    "validation-sets",
    // Reserved: named below.
    "allowed-modes",
    "class",
    "core",
    "os",
];
/// Headers that decode, but no image can be made from a model that has one of them.
const RESERVED: [&str; 4] = ["allowed-modes", "class", "core", "os"];
const ARCHITECTURES: [&str; 9] = ["amd64", "arm64", "armel", "armhf", "i386", "powerpc", "ppc64el", "riscv64", "s390x"];
/// Snaps whose ids are the same in every model.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("core", "99T7MUlRhtI3U0QFgl5mXXESAiSwt776"),
    ("snapd", "PMrrV4ml8uWuEUDBT8dSGnKUYbevVhc4"),
    ("core18", "CSO04Jhav2yK0uz97cr0ipQRyqg0qQL6"),
    ("core20", "DLqre5XGLbDqg9jPtiAhRRjDuPVa5X1q"),
    ("core22", "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT"),
    ("core24", "dwTAh7MZZ01zyriOZErqd1JynQLiOGvM"),
];

/// The id of a snap whose id is the same in every model.
#[must_use]
pub fn well_known_id(name: &str) -> Option<&'static str> {
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

/// The role of a snap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapKind {
    /// An application or service.
    App,
    /// A root file system that apps, or the device, run on.
    Base,
    /// The gadget: the files and settings of the board.
    Gadget,
    /// The kernel of the device.
    Kernel,
    /// The root file system of Ubuntu Core 16, with snapd inside.
    Core,
    /// The snap that holds snapd.
    Snapd,
}

impl SnapKind {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "app" => Self::App,
            "base" => Self::Base,
            "gadget" => Self::Gadget,
            "kernel" => Self::Kernel,
            "core" => Self::Core,
            "snapd" => Self::Snapd,
            _ => return None,
        })
    }

    /// As in the header `type`, and in the snap's own description.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Base => "base",
            Self::Gadget => "gadget",
            Self::Kernel => "kernel",
            Self::Core => "core",
            Self::Snapd => "snapd",
        }
    }
}

/// How strictly a device made from the model requires signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Anything may be added.
    Dangerous,
    /// Only snaps with a signed declaration and revision are accepted.
    Signed,
    /// As signed; the disk is also encrypted, and the boot is measured.
    Secured,
}

impl Grade {
    /// As in the header.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dangerous => "dangerous",
            Self::Signed => "signed",
            Self::Secured => "secured",
        }
    }
}

/// A snap that the model names or implies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSnap {
    /// The name of the snap in the store.
    pub name: String,
    /// Its id, if the model gives it or it is the same in every model.
    pub id: Option<String>,
    /// Its role. Models of Ubuntu Core 16 and 18 do not distinguish apps from bases: both are [`SnapKind::App`] there.
    pub kind: SnapKind,
    /// The track or channel that it follows, if the model names one.
    pub channel: Option<String>,
    /// Must an image hold it?
    pub required: bool,
    /// Is it one of the snaps that the device needs to boot?
    pub essential: bool,
    /// Components that must be present with it.
    pub required_components: Vec<String>,
}

/// The contents of a model assertion. A text that the assertion lacks is empty, and the lack is among its problems.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The account id of the maker of the device.
    pub brand: String,
    /// The value of the header `model`.
    pub name: String,
    /// The series of snapd: always `16`.
    pub series: String,
    /// The architecture, by Debian's name.
    pub architecture: String,
    /// The name for people.
    pub display_name: Option<String>,
    /// The base that the device boots; `None` for Ubuntu Core 16.
    pub base: Option<String>,
    /// Present from Ubuntu Core 20 on.
    pub grade: Option<Grade>,
    /// The brand store; `None` for the public store.
    pub store: Option<String>,
    /// The accounts that may also sign serials of this model.
    pub serial_authority: Vec<String>,
    /// When it was made.
    pub timestamp: Option<Timestamp>,
    /// Every snap the model names or implies, the essential ones first: snapd or core, kernel, base, gadget.
    pub snaps: Vec<ModelSnap>,
    /// The names in `required-snaps`, as they stand there; from Ubuntu Core 20 on the required ones of `snaps` that are not
    /// essential.
    pub required_snaps: Vec<String>,
}

impl Model {
    /// `BRAND/MODEL`, as in the flash log.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.brand, self.name)
    }

    /// The snaps that the device needs to boot.
    pub fn essential(&self) -> impl Iterator<Item = &ModelSnap> {
        self.snaps.iter().filter(|snap| snap.essential)
    }

    /// The snap of this name, if the model speaks of it.
    #[must_use]
    pub fn snap(&self, name: &str) -> Option<&ModelSnap> {
        self.snaps.iter().find(|snap| snap.name == name)
    }

    /// Is it a model of Ubuntu Core 20 or newer, with the header `snaps` and a seed on its own partition?
    #[must_use]
    pub fn has_snaps_header(&self) -> bool {
        self.grade.is_some()
    }

    /// The gadget snap of the model; `None` if it names none.
    #[must_use]
    pub fn gadget(&self) -> Option<&ModelSnap> {
        self.essential().find(|snap| snap.kind == SnapKind::Gadget)
    }

    /// The kernel snap of the model; `None` if it names none.
    #[must_use]
    pub fn kernel(&self) -> Option<&ModelSnap> {
        self.essential().find(|snap| snap.kind == SnapKind::Kernel)
    }

    /// Reads a model's headers: its contents as far as they can be read, and every rule that it breaks.
    #[must_use]
    pub fn read(headers: &Headers) -> (Self, Findings) {
        let mut reading = Reading::new(headers);
        let model = read(&mut reading);
        reading.placeholders();
        (model, reading.findings)
    }
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

fn read(reading: &mut Reading<'_>) -> Model {
    let authority = reading.account("authority-id");
    let brand = reading.account("brand-id");
    if let (Some(authority), Some(brand)) = (authority, brand)
        && authority != brand
    {
        let sentence = format!("is {authority}, and a model is signed by its brand: it must be the `brand-id` {brand}");
        reading.problem("authority-id", sentence);
    }
    let series = reading.required_as("series", |text| text == "16", "16, which is the series of every Ubuntu Core");
    let name = reading.required_as("model", is_model_name, "lower-case letters and digits, words joined by single dashes");
    let architecture = reading.required_as(
        "architecture",
        |text| ARCHITECTURES.contains(&text),
        "Debian's name of an architecture, as amd64, arm64, armhf or riscv64",
    );
    let timestamp = reading.time("timestamp");
    let display_name = reading.text("display-name");
    if reading.flag("classic") {
        reading.problem("classic", "is true: the station writes all-snap devices (Ubuntu Core), and this is a model of a classic system");
    }
    if reading.has("distribution") {
        reading.problem("distribution", "is for classic systems only");
    }
    for header in RESERVED {
        if reading.has(header) {
            reading.problem(header, "is reserved: no image can be made from a model that has it; remove it");
        }
    }
    let store = reading.text("store").filter(|store| !store.is_empty());
    if let Some(store) = store {
        let sentence = format!("is {:?}: snaps come from a brand store, not from the public one", cited(store));
        reading.findings.warning("store", sentence);
    }
    let serial_authority = reading.texts("serial-authority", is_account_id, "an account id");
    let _checked = reading.texts("preseed-authority", is_account_id, "an account id");
    if reading.value("system-user-authority").and_then(Value::as_text) != Some("*") {
        let _checked = reading.texts("system-user-authority", is_account_id, "an account id");
    }
    validation_sets(reading, brand);
    // The default service signs serials as `generic` for every brand but Canonical.
    if !serial_authority.contains(&"generic") && brand != Some("canonical") {
        reading.findings.warning(
            "serial-authority",
            "does not list `generic`: with an unmodified gadget of Canonical the device could never get its serial; add it, unless the \
             gadget names a serial service of your own",
        );
    }
    let mut model = Model {
        brand: owned(brand),
        name: owned(name),
        series: owned(series),
        architecture: owned(architecture),
        display_name: display_name.map(str::to_owned),
        store: store.map(str::to_owned),
        serial_authority: serial_authority.into_iter().map(str::to_owned).collect(),
        timestamp,
        ..Model::default()
    };
    if reading.has("snaps") {
        with_snaps(reading, &mut model);
    } else {
        without_snaps(reading, &mut model);
    }
    unknown_headers(reading);
    model
}

/// An unknown header is signed like any other, and has no effect.
fn unknown_headers(reading: &mut Reading<'_>) {
    let unknown: Vec<String> = reading.names().filter(|name| !KNOWN.contains(name)).map(cited).collect();
    for name in unknown {
        reading.findings.warning(&name, "is no header of a model that is known here: nothing will heed it; is it spelled right?");
    }
}

fn validation_sets(reading: &mut Reading<'_>, brand: Option<&str>) {
    const HEADER: &str = "validation-sets";
    let Some(value) = reading.value(HEADER) else { return };
    let Value::List(sets) = value else {
        return reading.problem(HEADER, "must be a list of maps");
    };
    let mut seen = BTreeSet::new();
    for set in sets {
        let Value::Map(set) = set else {
            reading.problem(HEADER, "must be a list of maps");
            continue;
        };
        let mut text = |key: &str| match set.get(key)? {
            Value::Text(text) => Some(text.as_str()),
            Value::List(_) | Value::Map(_) => {
                reading.problem(HEADER, format!("has a set whose `{key}` is a list or map: it must be a text"));
                None
            }
        };
        let (name, account, sequence, mode) = (text("name").unwrap_or_default(), text("account-id"), text("sequence"), text("mode"));
        if !is_model_name(name) {
            reading.problem(HEADER, format!("has a set whose `name` is {:?}: lower-case letters, digits and single dashes", cited(name)));
        }
        let account = account.filter(|account| !account.is_empty());
        if account.is_some_and(|account| !is_account_id(account)) {
            reading.problem(HEADER, format!("has the set {:?} whose `account-id` is no account id", cited(name)));
        }
        let wrong = match sequence {
            Some("0") => Some("is 0: sequences are counted from 1; leave it out to follow the latest".to_owned()),
            Some(sequence) => no_number(sequence),
            None => None,
        };
        if let Some(wrong) = wrong {
            reading.problem(HEADER, format!("has the set {:?} whose `sequence` {wrong}", cited(name)));
        }
        if !matches!(mode, Some("enforce" | "prefer-enforce")) {
            reading.problem(HEADER, format!("has the set {:?} whose `mode` is not `enforce` or `prefer-enforce`", cited(name)));
        }
        // A set without an account belongs to the brand.
        let account = account.or(brand).unwrap_or_default();
        if !seen.insert((account, name)) {
            reading.problem(HEADER, format!("has the set {:?} of {:?} twice: remove one of them", cited(name), cited(account)));
        }
    }
}

fn essential(name: &str, kind: SnapKind, channel: Option<&str>) -> ModelSnap {
    ModelSnap {
        name: name.to_owned(),
        id: well_known_id(name).map(str::to_owned),
        kind,
        channel: channel.map(str::to_owned),
        required: true,
        essential: true,
        required_components: Vec::new(),
    }
}

/// Ubuntu Core 16 and 18: `gadget`, `kernel`, `required-snaps`, and the snaps that they imply.
fn without_snaps(reading: &mut Reading<'_>, model: &mut Model) {
    for header in ["grade", "storage-safety"] {
        if reading.has(header) {
            reading.problem(header, "is for models with `snaps` (Ubuntu Core 20 and newer): add `snaps`, or remove it");
        }
    }
    let base = reading.default_as("base", is_snap_name, SNAP_NAME);
    base_is_a_base(reading, base);
    model.base = base.map(str::to_owned);
    let kernel = snap_with_track(reading, "kernel");
    let gadget = snap_with_track(reading, "gadget");
    match base {
        // `core` contains snapd and has no header.
        None => model.snaps.push(essential("core", SnapKind::Core, None)),
        Some(_) => model.snaps.push(essential("snapd", SnapKind::Snapd, None)),
    }
    model.snaps.extend(kernel.map(|(name, track)| essential(name, SnapKind::Kernel, track)));
    if let Some(base) = base {
        if !matches!(base, "core" | "core18") {
            let sentence = format!("is {base}: from Ubuntu Core 20 on a model lists its `snaps`, and image tools know no other way");
            reading.findings.warning("base", sentence);
        }
        model.snaps.push(essential(base, SnapKind::Base, None));
    }
    model.snaps.extend(gadget.map(|(name, track)| essential(name, SnapKind::Gadget, track)));
    let required = reading.texts("required-snaps", is_snap_name, SNAP_NAME);
    model.required_snaps = required.iter().map(|name| (*name).to_owned()).collect();
    for name in required {
        if model.snap(name).is_none() {
            let id = well_known_id(name).map(str::to_owned);
            let snap = ModelSnap {
                name: name.to_owned(),
                id,
                kind: SnapKind::App,
                channel: None,
                required: true,
                essential: false,
                required_components: Vec::new(),
            };
            model.snaps.push(snap);
        }
    }
}

/// Reads a header that holds `name` or `name=track`.
fn snap_with_track<'a>(reading: &mut Reading<'a>, header: &str) -> Option<(&'a str, Option<&'a str>)> {
    let text = reading.required(header)?;
    let (name, track) = match text.split_once('=') {
        Some((name, track)) => (name, Some(track)),
        None => (text, None),
    };
    if is_placeholder(text) {
        return None;
    }
    if !is_snap_name(name) {
        reading.problem(header, format!("must be {SNAP_NAME}, or such a name, `=` and a track, not {:?}", cited(text)));
        return None;
    }
    if let Some(track) = track
        && !is_track(track)
    {
        let sentence = format!(
            "has {:?} behind `=`, which must be a track alone, as `18-pi`: letters, digits, dots and dashes, no risk (stable, edge), no \
             `/`; without a track leave out `=`, too",
            cited(track)
        );
        reading.problem(header, sentence);
        return None;
    }
    Some((name, track))
}

fn base_is_a_base(reading: &mut Reading<'_>, base: Option<&str>) {
    if base == Some("snapd") {
        reading.problem("base", "is snapd, which is no base: name the base the device boots, as core18 or core22");
    }
}

/// Ubuntu Core 20 and newer: everything is in `snaps`.
fn with_snaps(reading: &mut Reading<'_>, model: &mut Model) {
    for header in ["gadget", "kernel", "required-snaps"] {
        if reading.has(header) {
            reading.problem(header, "cannot stand beside `snaps`: list it there, and remove this header");
        }
    }
    let grade = match reading.default_as("grade", |text| matches!(text, "dangerous" | "signed" | "secured"), "dangerous, signed or secured")
    {
        Some("dangerous") => {
            reading.findings.warning("grade", "is dangerous: a device made from this model takes unsigned snaps; it is for development");
            Grade::Dangerous
        }
        Some("secured") => Grade::Secured,
        _ => Grade::Signed,
    };
    model.grade = Some(grade);
    let words = "encrypted, prefer-encrypted or prefer-unencrypted";
    let safety =
        reading.default_as("storage-safety", |text| matches!(text, "encrypted" | "prefer-encrypted" | "prefer-unencrypted"), words);
    if let (Grade::Secured, Some(safety)) = (grade, safety)
        && safety != "encrypted"
    {
        reading.problem("storage-safety", format!("is {safety}, and with `grade: secured` only encrypted is possible: remove it"));
    }
    let base = reading.required_as("base", is_snap_name, SNAP_NAME);
    base_is_a_base(reading, base);
    model.base = base.map(str::to_owned);
    let mut snaps = match reading.value("snaps") {
        Some(Value::List(list)) => list.iter().filter_map(|snap| entry::read(reading, snap, grade, base)).collect(),
        _ => {
            reading.problem("snaps", "must be a list of maps, one for each snap");
            Vec::new()
        }
    };
    prove_unique(reading, &snaps);
    for kind in [SnapKind::Gadget, SnapKind::Kernel, SnapKind::Snapd] {
        let names: Vec<&str> = snaps.iter().filter(|snap: &&ModelSnap| snap.kind == kind).map(|snap| snap.name.as_str()).collect();
        match (kind, names.as_slice()) {
            (_, [_]) | (SnapKind::Snapd, []) => {}
            (_, []) => reading.problem("snaps", format!("lists no {0}: one entry must have `type: {0}`", kind.word())),
            (_, several) => reading.problem("snaps", format!("lists more than one {}: {}", kind.word(), several.join(", "))),
        }
    }
    if !snaps.iter().any(|snap| snap.kind == SnapKind::Snapd) {
        snaps.push(essential("snapd", SnapKind::Snapd, None));
    }
    if let Some(base) = base {
        match snaps.iter().find(|snap| snap.name == base) {
            Some(snap) if snap.kind == SnapKind::Base => {}
            Some(snap) => {
                let sentence = format!("lists the base {base} with `type: {}`: it must have `type: base`", snap.kind.word());
                reading.problem("snaps", sentence);
            }
            None if well_known_id(base).is_some() || grade == Grade::Dangerous => snaps.push(essential(base, SnapKind::Base, None)),
            None => reading.problem("snaps", format!("does not list the base {base}, whose id nobody knows otherwise: add it there")),
        }
    }
    let place = |snap: &ModelSnap| match snap.kind {
        SnapKind::Snapd => 0,
        SnapKind::Kernel => 1,
        SnapKind::Base | SnapKind::Core if snap.essential => 2,
        SnapKind::Gadget => 3,
        SnapKind::Base | SnapKind::Core | SnapKind::App => 4,
    };
    snaps.sort_by_key(place);
    model.required_snaps = snaps.iter().filter(|snap| snap.required && !snap.essential).map(|snap| snap.name.clone()).collect();
    model.snaps = snaps;
}

fn prove_unique(reading: &mut Reading<'_>, snaps: &[ModelSnap]) {
    let mut names = BTreeSet::new();
    let mut ids: BTreeMap<&str, &str> = BTreeMap::new();
    for snap in snaps {
        if !names.insert(&snap.name) {
            reading.problem("snaps", format!("lists the snap {} twice", snap.name));
        } else if let Some(id) = &snap.id
            && let Some(other) = ids.insert(id, &snap.name)
        {
            reading.problem("snaps", format!("gives the id {:?} to {other} and to {}", cited(id), snap.name));
        }
    }
}
