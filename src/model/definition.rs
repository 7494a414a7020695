//! What a model assertion says of a device, and the rules for it: of Ubuntu Core 16 and 18, and of 20 and newer.
//!
//! Stricter than snapd where the tools that make images are: what no image can be made for is wrong here, too.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::headers::{Findings, Reading, SNAP_ID, SNAP_NAME, is_account_id, is_model_name, is_placeholder, is_snap_id, is_snap_name};
use super::text::{Headers, Value, cited, number};

/// Headers a model may have. Others are allowed, and most often a slip of the pen.
const KNOWN: [&str; 31] = [
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
    "body",
];
/// They decode, and no image can be made from a model that has one.
const RESERVED: [&str; 4] = ["allowed-modes", "class", "core", "os"];
const ARCHITECTURES: [&str; 9] = ["amd64", "arm64", "armel", "armhf", "i386", "powerpc", "ppc64el", "riscv64", "s390x"];
const RISKS: [&str; 4] = ["stable", "candidate", "beta", "edge"];
/// Snaps whose ids are the same in every model.
const WELL_KNOWN: [(&str, &str); 6] = [
    ("core", "99T7MUlRhtI3U0QFgl5mXXESAiSwt776"),
    ("snapd", "PMrrV4ml8uWuEUDBT8dSGnKUYbevVhc4"),
    ("core18", "CSO04Jhav2yK0uz97cr0ipQRyqg0qQL6"),
    ("core20", "DLqre5XGLbDqg9jPtiAhRRjDuPVa5X1q"),
    ("core22", "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT"),
    ("core24", "dwTAh7MZZ01zyriOZErqd1JynQLiOGvM"),
];

/// The id of a snap that has the same in every model.
#[must_use]
pub fn well_known_id(name: &str) -> Option<&'static str> {
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map(|(_, id)| *id)
}

/// What a snap is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SnapKind {
    /// An application or service.
    App,
    /// A root file system that apps, or the device, run on.
    Base,
    /// What is particular to the board.
    Gadget,
    /// The kernel.
    Kernel,
    /// The root file system of Ubuntu Core 16, with snapd inside.
    Core,
    /// snapd.
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

    /// As in the header `type`, and in a snap's own description.
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

/// How much a device made from the model insists on what is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// Anything may be added.
    Dangerous,
    /// Signed snaps only.
    Signed,
    /// Signed, encrypted, measured.
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

/// A snap the model speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelSnap {
    /// Its name.
    pub name: String,
    /// Its id, where the model, or everybody, knows it.
    pub id: Option<String>,
    /// What it is there for; apps and bases are not told apart in models of Ubuntu Core 16 and 18, where this is [`SnapKind::App`].
    pub kind: SnapKind,
    /// The track or channel it is followed on, where the model says.
    pub channel: Option<String>,
    /// Must an image hold it?
    pub required: bool,
    /// Is it one of those without which nothing boots?
    pub essential: bool,
}

/// What a model assertion says. Texts are empty where the assertion lacks them, which is among its problems then.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The account id of whoever makes the device.
    pub brand: String,
    /// The model's name.
    pub name: String,
    /// `16`, always.
    pub series: String,
    /// Debian's name of it.
    pub architecture: String,
    /// The name for people.
    pub display_name: Option<String>,
    /// The base the device boots; none is Ubuntu Core 16.
    pub base: Option<String>,
    /// Present from Ubuntu Core 20 on.
    pub grade: Option<Grade>,
    /// A brand store; none is the public one.
    pub store: Option<String>,
    /// Who else may sign serials of this model.
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

    /// The snaps without which nothing boots.
    pub fn essential(&self) -> impl Iterator<Item = &ModelSnap> {
        self.snaps.iter().filter(|snap| snap.essential)
    }

    /// The snap of this name, if the model speaks of it.
    #[must_use]
    pub fn snap(&self, name: &str) -> Option<&ModelSnap> {
        self.snaps.iter().find(|snap| snap.name == name)
    }

    /// Is it a model of Ubuntu Core 20 or newer, with its `snaps` and its seed on a partition of its own?
    #[must_use]
    pub fn has_snaps_header(&self) -> bool {
        self.grade.is_some()
    }

    /// The gadget.
    #[must_use]
    pub fn gadget(&self) -> Option<&ModelSnap> {
        self.essential().find(|snap| snap.kind == SnapKind::Gadget)
    }

    /// The kernel.
    #[must_use]
    pub fn kernel(&self) -> Option<&ModelSnap> {
        self.essential().find(|snap| snap.kind == SnapKind::Kernel)
    }

    /// Reads a model's headers: what it says as far as it can be read, and every rule it breaks.
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
    validation_sets(reading);
    // The default service signs serials as `generic`, for everybody but Canonical itself.
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

/// A header nobody knows is signed like any other, and does nothing.
fn unknown_headers(reading: &mut Reading<'_>) {
    let unknown: Vec<String> = reading.names().filter(|name| !KNOWN.contains(name)).map(cited).collect();
    for name in unknown {
        reading.findings.warning(&name, "is no header of a model that is known here: nothing will heed it; is it spelled right?");
    }
}

fn validation_sets(reading: &mut Reading<'_>) {
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
        let text = |key: &str| set.get(key).map(|value| value.as_text().unwrap_or_default());
        let name = text("name").unwrap_or_default();
        if !is_model_name(name) {
            reading.problem(HEADER, format!("has a set whose `name` is {:?}: lower-case letters, digits and single dashes", cited(name)));
        }
        if text("account-id").is_some_and(|account| !is_account_id(account)) {
            reading.problem(HEADER, format!("has the set {:?} whose `account-id` is no account id", cited(name)));
        }
        if text("sequence").is_some_and(|sequence| number(sequence).is_none_or(|sequence| sequence == 0)) {
            reading.problem(HEADER, format!("has the set {:?} whose `sequence` is no number above 0", cited(name)));
        }
        if !matches!(text("mode"), Some("enforce" | "prefer-enforce")) {
            reading.problem(HEADER, format!("has the set {:?} whose `mode` is not `enforce` or `prefer-enforce`", cited(name)));
        }
        if !seen.insert((text("account-id"), name)) {
            reading.problem(HEADER, format!("has the set {:?} twice", cited(name)));
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
    }
}

/// Ubuntu Core 16 and 18: `gadget`, `kernel`, `required-snaps`, and what they imply.
fn without_snaps(reading: &mut Reading<'_>, model: &mut Model) {
    for header in ["grade", "storage-safety"] {
        if reading.has(header) {
            reading.problem(header, "is for models with `snaps` (Ubuntu Core 20 and newer): add `snaps`, or remove it");
        }
    }
    let base = reading.text_as("base", is_snap_name, SNAP_NAME);
    model.base = base.map(str::to_owned);
    let kernel = snap_with_track(reading, "kernel");
    let gadget = snap_with_track(reading, "gadget");
    match base {
        // `core` has snapd in it, and no header.
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
            let snap = ModelSnap { name: name.to_owned(), id, kind: SnapKind::App, channel: None, required: true, essential: false };
            model.snaps.push(snap);
        }
    }
}

/// `name` or `name=track`.
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
    let is_track =
        |track: &str| !track.is_empty() && !RISKS.contains(&track) && !track.contains(['/', '=']) && !track.contains(char::is_whitespace);
    if let Some(track) = track
        && !is_track(track)
    {
        let sentence =
            format!("has {:?} behind `=`, which must be a track alone, as `18-pi`: no risk (stable, edge), no `/`", cited(track));
        reading.problem(header, sentence);
        return None;
    }
    Some((name, track))
}

/// Ubuntu Core 20 and newer: everything is in `snaps`.
fn with_snaps(reading: &mut Reading<'_>, model: &mut Model) {
    for header in ["gadget", "kernel", "required-snaps"] {
        if reading.has(header) {
            reading.problem(header, "cannot stand beside `snaps`: list it there, and remove this header");
        }
    }
    let grade = match reading.text_as("grade", |text| matches!(text, "dangerous" | "signed" | "secured"), "dangerous, signed or secured") {
        Some("dangerous") => {
            reading.findings.warning("grade", "is dangerous: a device made from this model takes unsigned snaps; it is for development");
            Grade::Dangerous
        }
        Some("secured") => Grade::Secured,
        _ => Grade::Signed,
    };
    model.grade = Some(grade);
    let words = "encrypted, prefer-encrypted or prefer-unencrypted";
    let safety = reading.text_as("storage-safety", |text| matches!(text, "encrypted" | "prefer-encrypted" | "prefer-unencrypted"), words);
    if let (Grade::Secured, Some(safety)) = (grade, safety)
        && safety != "encrypted"
    {
        reading.problem("storage-safety", format!("is {safety}, and with `grade: secured` only encrypted is possible: remove it"));
    }
    let base = reading.required_as("base", is_snap_name, SNAP_NAME);
    model.base = base.map(str::to_owned);
    let mut snaps = match reading.value("snaps") {
        Some(Value::List(list)) => list.iter().filter_map(|snap| snap_entry(reading, snap, grade, base)).collect(),
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
            Some(snap) if matches!(snap.kind, SnapKind::Base | SnapKind::Core) => {}
            Some(snap) => {
                let sentence = format!("lists the base {base} with `type: {}`: it must have `type: base`", snap.kind.word());
                reading.problem("snaps", sentence);
            }
            None if well_known_id(base).is_some() => snaps.push(essential(base, SnapKind::Base, None)),
            None => reading.problem("snaps", format!("does not list the base {base}, whose id nobody knows otherwise")),
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
            reading.problem("snaps", format!("gives the id {id} to {other} and to {}", snap.name));
        }
    }
}

fn snap_entry(reading: &mut Reading<'_>, entry: &Value, grade: Grade, base: Option<&str>) -> Option<ModelSnap> {
    const HEADER: &str = "snaps";
    let Value::Map(entry) = entry else {
        reading.problem(HEADER, "must be a list of maps, one for each snap");
        return None;
    };
    let name = entry.get("name").and_then(Value::as_text).unwrap_or_default();
    if !is_snap_name(name) {
        if !is_placeholder(name) {
            reading.problem(HEADER, format!("has an entry whose `name` is {:?}: it must be {SNAP_NAME}", cited(name)));
        }
        return None;
    }
    let mut wrong = |key: &str, words: &str| reading.problem(HEADER, format!("has {name} with `{key}` {words}"));
    let mut text = |key: &str| match entry.get(key) {
        None => None,
        Some(Value::Text(text)) if !text.is_empty() => Some(text.as_str()),
        Some(_) => {
            wrong(key, "that is empty, or not a text");
            None
        }
    };
    let (id, kind, channel, presence) = (text("id"), text("type"), text("default-channel"), text("presence"));
    let kind = match kind.map(|word| (word, SnapKind::parse(word))) {
        None => SnapKind::App,
        Some((_, Some(kind))) => kind,
        Some((word, None)) => {
            wrong("type", &format!("{:?}: it is one of app, base, gadget, kernel, core, snapd", cited(word)));
            SnapKind::App
        }
    };
    match (id, well_known_id(name)) {
        (Some(id), _) if !is_snap_id(id) && !is_placeholder(id) => wrong("id", &format!("{:?}, which is not {SNAP_ID}", cited(id))),
        (Some(id), Some(known)) if id != known => wrong("id", &format!("{}, and everybody's {name} has {known}", cited(id))),
        (None, _) if !entry.contains_key("id") && grade != Grade::Dangerous => {
            wrong("id", &format!("missing, which `grade: {}` demands: `snap info {name}` prints it as snap-id", grade.word()));
        }
        _ => {}
    }
    let fixed = match kind {
        SnapKind::Snapd => Some("snapd"),
        SnapKind::Core => Some("core"),
        SnapKind::App | SnapKind::Base | SnapKind::Gadget | SnapKind::Kernel => None,
    };
    if fixed.is_some_and(|fixed| fixed != name) || (name == "snapd" && kind != SnapKind::Snapd) {
        wrong("type", &format!("{}, which does not fit the name", kind.word()));
    }
    if let Some(channel) = channel
        && !is_channel_with_track(channel)
    {
        wrong("default-channel", &format!("{:?}: it must begin with a track, as `22/stable` or `latest/stable`", cited(channel)));
    }
    let is_base = base == Some(name);
    let essential = is_base || matches!(kind, SnapKind::Snapd | SnapKind::Gadget | SnapKind::Kernel);
    for key in ["presence", "modes"] {
        if essential && entry.contains_key(key) {
            wrong(key, "although it is essential and always there: remove it");
        }
    }
    if presence.is_some_and(|presence| !matches!(presence, "required" | "optional") && !is_placeholder(presence)) {
        wrong("presence", "that is neither `required` nor `optional`");
    }
    if entry.get("modes").is_some_and(|modes| modes.as_texts().is_none_or(|modes| !modes.iter().all(|mode| is_mode(mode)))) {
        wrong("modes", "that is not a list of modes, as run, ephemeral, install, recover");
    }
    if entry.contains_key("classic") {
        wrong("classic", "which is for classic systems only");
    }
    if let Some(components) = entry.get("components")
        && !are_components(components)
    {
        wrong("components", "that is not a map of component names to `required` or `optional`");
    }
    let id = id.or_else(|| well_known_id(name).filter(|_| grade != Grade::Dangerous));
    Some(ModelSnap {
        name: name.to_owned(),
        id: id.map(str::to_owned),
        kind,
        channel: channel.map(str::to_owned),
        required: essential || presence != Some("optional"),
        essential,
    })
}

/// `^[a-z][-a-z]+$`
fn is_mode(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !text.starts_with('-')
}

/// `track`, `track/risk` or `track/risk/branch`.
fn is_channel_with_track(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    let plain = parts.iter().all(|part| !part.is_empty() && !part.contains(char::is_whitespace));
    plain && parts.len() <= 3 && !RISKS.contains(&parts[0]) && parts.get(1).is_none_or(|risk| RISKS.contains(risk))
}

fn are_components(value: &Value) -> bool {
    let is_presence = |value: &Value| matches!(value.as_text(), Some("required" | "optional"));
    let Value::Map(components) = value else { return false };
    components.iter().all(|(name, value)| {
        is_snap_name(name)
            && match value {
                Value::Map(entry) => {
                    entry.get("presence").is_some_and(is_presence) && entry.get("modes").is_none_or(|modes| modes.as_texts().is_some())
                }
                other => is_presence(other),
            }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::text::Stream;

    const CORE16: &str = "type: model\nauthority-id: my-brand\nseries: 16\nbrand-id: my-brand\nmodel: my-pi3\narchitecture: armhf\n\
                          gadget: pi3\nkernel: pi2-kernel\nrequired-snaps:\n  - one\nserial-authority:\n  - generic\n\
                          timestamp: 2026-11-20T08:00:00Z";
    const CORE22: &str = "type: model\nauthority-id: my-brand\nseries: 16\nbrand-id: my-brand\nmodel: my-pc\narchitecture: amd64\n\
                          base: core22\nsnaps:\n  -\n    id: UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH\n    name: pc\n    type: gadget\n  -\n    \
                          id: pYVQrBcKmBa0mZ4CCN7ExT6jH8rY1hza\n    name: pc-kernel\n    type: kernel\n  -\n    \
                          id: aW3s0meSnapIdForTheFixtureNo0001\n    name: one\nserial-authority:\n  - generic\n\
                          timestamp: 2026-11-20T08:00:00Z";

    fn read(headers: &str) -> (Model, Findings) {
        let text =
            Stream::new(format!("{headers}\n\nAcLB").as_bytes()).next().expect("one").unwrap_or_else(|error| panic!("{error}: {headers}"));
        Model::read(&text.headers)
    }

    /// What is found when `from` stands as `to`.
    fn found(good: &str, from: &str, to: &str) -> Findings {
        assert!(good.contains(from), "{from:?} is there to be changed");
        read(&good.replacen(from, to, 1)).1
    }

    #[test]
    fn good_models_break_no_rule_and_say_what_they_need() {
        let (model, findings) = read(CORE16);
        assert_eq!(findings, Findings::default());
        let names = |model: &Model| model.snaps.iter().map(|snap| snap.name.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(names(&model), "core pi2-kernel pi3 one", "core is assumed and has no header");
        assert_eq!((model.gadget().map(|snap| snap.name.as_str()), model.base.as_deref()), (Some("pi3"), None));
        let (model, _) = read(&CORE16.replace("gadget: pi3", "base: core18\ngadget: pi=18-pi"));
        assert_eq!(names(&model), "snapd pi2-kernel core18 pi one");
        assert_eq!(model.gadget().and_then(|snap| snap.channel.as_deref()), Some("18-pi"));
        let (model, findings) = read(CORE22);
        assert_eq!(findings, Findings::default());
        assert_eq!(names(&model), "snapd pc-kernel core22 pc one", "snapd and a base that everybody knows are implied");
        assert!(model.essential().all(|snap| snap.id.is_some()));
        assert_eq!(model.required_snaps, ["one"]);
    }

    #[test]
    fn every_rule_of_core_16_and_18_is_named_with_its_header() {
        for (from, to, words) in [
            ("authority-id: my-brand", "authority-id: other", "`authority-id` is other"),
            ("brand-id: my-brand\n", "", "`brand-id` is missing"),
            ("series: 16", "series: 18", "`series` must be 16"),
            ("model: my-pi3", "model: My-Pi3", "`model` must be"),
            ("model: my-pi3", "model: ", "`model` is empty"),
            ("model: my-pi3", "model: a/b", "`model` must be"),
            ("architecture: armhf\n", "", "`architecture` is missing"),
            ("architecture: armhf", "architecture: armv7", "`architecture` must be"),
            ("timestamp: 2026-11-20T08:00:00Z", "timestamp: today", "`timestamp` must be"),
            ("timestamp: 2026-11-20T08:00:00Z", "timestamp: <timestamp>", "`timestamp` still has the placeholder \"<timestamp>\""),
            ("- one", "- <your snap>", "`required-snaps` still has the placeholder"),
            ("- one", "- One", "`required-snaps` has \"One\" in it"),
            ("  - one", "  one: two", "`required-snaps` must be a list"),
            ("gadget: pi3\n", "", "`gadget` is missing"),
            ("kernel: pi2-kernel\n", "", "`kernel` is missing"),
            ("gadget: pi3", "gadget: pi=stable", "`gadget` has \"stable\""),
            ("gadget: pi3", "gadget: pi=18/stable", "`gadget` has \"18/stable\""),
            ("gadget: pi3", "gadget: pi=18=19", "`gadget` has \"18=19\""),
            ("gadget: pi3", "gadget: pi=", "`gadget` has \"\""),
            ("gadget: pi3", "gadget: p", "`gadget` must be"),
            ("gadget: pi3", "gadget: pi3\nclassic: true", "`classic` is true"),
            ("gadget: pi3", "gadget: pi3\nclassic: yes", "`classic` must be"),
            ("gadget: pi3", "gadget: pi3\ndistribution: ubuntu", "`distribution` is for classic"),
            ("gadget: pi3", "gadget: pi3\ncore: core", "`core` is reserved"),
            ("gadget: pi3", "gadget: pi3\nos: core", "`os` is reserved"),
            ("gadget: pi3", "gadget: pi3\nclass: general", "`class` is reserved"),
            ("gadget: pi3", "gadget: pi3\nallowed-modes: run", "`allowed-modes` is reserved"),
            ("gadget: pi3", "gadget: pi3\ngrade: signed", "`grade` is for models with `snaps`"),
            ("gadget: pi3", "gadget: pi3\nstorage-safety: encrypted", "`storage-safety` is for models with `snaps`"),
            ("gadget: pi3", "gadget: pi3\nbase: Core18", "`base` must be"),
            ("- generic", "- A", "`serial-authority` has \"A\""),
            ("gadget: pi3", "gadget: pi3\nsystem-user-authority: me", "`system-user-authority` must be a list"),
            ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    name: a", "whose `mode`"),
            ("gadget: pi3", "gadget: pi3\nvalidation-sets:\n  -\n    mode: enforce\n    name: a\n    sequence: 0", "whose `sequence`"),
        ] {
            let problems = found(CORE16, from, to).problems;
            assert!(problems.iter().any(|problem| problem.contains(words)), "{to:?}: {problems:?}");
            assert_eq!(problems.len(), 1, "one mistake is one problem: {problems:?}");
        }
    }

    #[test]
    fn every_rule_of_core_20_and_newer_is_named() {
        for (from, to, words) in [
            ("base: core22\n", "", "`base` is missing"),
            ("base: core22", "base: mybase", "does not list the base mybase"),
            ("base: core22", "base: core22\ngadget: pc", "`gadget` cannot stand beside `snaps`"),
            ("base: core22", "base: core22\nkernel: pc-kernel", "`kernel` cannot stand beside `snaps`"),
            ("base: core22", "base: core22\nrequired-snaps:\n  - one", "`required-snaps` cannot stand beside `snaps`"),
            ("base: core22", "base: core22\ngrade: best", "`grade` must be"),
            ("base: core22", "base: core22\ngrade: secured\nstorage-safety: prefer-encrypted", "`storage-safety` is prefer-encrypted"),
            ("base: core22", "base: core22\nstorage-safety: none", "`storage-safety` must be"),
            ("    id: aW3s0meSnapIdForTheFixtureNo0001\n", "", "has one with `id` missing"),
            ("aW3s0meSnapIdForTheFixtureNo0001", "short", "has one with `id` \"short\""),
            (
                "aW3s0meSnapIdForTheFixtureNo0001",
                "UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH",
                "gives the id UqFziVZDHLSyO3TqSWgNBoAdHbLI4dAH to pc and to one",
            ),
            ("type: kernel", "type: app", "lists no kernel"),
            ("type: gadget", "type: kernel", "lists no gadget"),
            ("type: kernel", "type: gadget", "lists no kernel"),
            ("type: kernel", "type: boot", "has pc-kernel with `type` \"boot\""),
            ("name: one", "name: One", "has an entry whose `name` is \"One\""),
            ("name: one", "name: pc", "lists the snap pc twice"),
            ("name: one", "name: core22\n    type: base", "and everybody's core22 has"),
            ("name: one", "name: core22", "lists the base core22 with `type: app`"),
            ("name: one", "name: one\n    type: snapd", "which does not fit the name"),
            ("name: one", "name: one\n    default-channel: stable", "it must begin with a track"),
            ("name: one", "name: one\n    default-channel: 22/hot", "it must begin with a track"),
            ("name: one", "name: one\n    presence: maybe", "that is neither"),
            ("name: one", "name: one\n    modes: run", "that is not a list of modes"),
            ("name: one", "name: one\n    classic: true", "is for classic systems only"),
            ("name: one", "name: one\n    components:\n      aa: always", "that is not a map of component names"),
            ("name: pc-kernel", "name: pc-kernel\n    presence: required", "although it is essential"),
            ("name: pc\n", "name: pc\n    modes:\n      - run\n", "although it is essential"),
        ] {
            let problems = found(CORE22, from, to).problems;
            assert!(problems.iter().any(|problem| problem.contains(words)), "{to:?}: {problems:?}");
        }
        assert!(
            found(CORE22, "snaps:\n  -\n", "snaps: none\nother:\n  -\n")
                .problems
                .iter()
                .any(|found| found.contains("must be a list of maps"))
        );
        let dangerous =
            CORE22.replace("base: core22", "base: core22\ngrade: dangerous").replace("    id: aW3s0meSnapIdForTheFixtureNo0001\n", "");
        let (_, findings) = read(&dangerous);
        assert_eq!(findings.problems, Vec::<String>::new(), "snaps of a dangerous model need no id");
        assert!(findings.warnings[0].contains("`grade` is dangerous"));
    }

    #[test]
    fn what_is_odd_is_a_warning_and_no_more() {
        for (good, from, to, words) in [
            (CORE16, "serial-authority:\n  - generic\n", "", "`serial-authority` does not list `generic`"),
            (CORE16, "gadget: pi3", "gadget: pi3\nstore: myStore", "`store` is \"myStore\""),
            (CORE16, "gadget: pi3", "gadget: pi3\nrequird-snaps: x", "`requird-snaps` is no header of a model"),
            (CORE16, "gadget: pi3", "gadget: pi3\nbase: core22", "`base` is core22"),
        ] {
            let findings = found(good, from, to);
            assert_eq!(findings.problems, Vec::<String>::new());
            assert!(findings.warnings.len() == 1 && findings.warnings[0].contains(words), "{to:?}: {:?}", findings.warnings);
        }
    }
}
