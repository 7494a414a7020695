//! An entry of `snaps`: one snap in a model of Ubuntu Core 20 or newer. Rules that concern several entries are in the model.

use std::collections::BTreeMap;

use super::{Grade, ModelSnap, SnapKind, well_known_id};
use crate::headers::{Reading, SNAP_ID, SNAP_NAME, is_channel_with_track, is_placeholder, is_snap_id, is_snap_name};
use crate::text::{Value, cited};

const HEADER: &str = "snaps";
/// The modes in which an essential snap is present.
const ESSENTIAL_MODES: [&str; 2] = ["run", "ephemeral"];
/// The modes of a snap that names none.
const DEFAULT_MODES: [&str; 1] = ["run"];

struct Entry<'r, 'h, 'e> {
    reading: &'r mut Reading<'h>,
    name: &'e str,
    map: &'e BTreeMap<String, Value>,
}

impl<'e> Entry<'_, '_, 'e> {
    fn wrong(&mut self, key: &str, words: &str) {
        self.reading.problem(HEADER, format!("has {} with `{key}` {words}", self.name));
    }

    /// A text. An empty one counts as absent: both mean the default.
    fn text(&mut self, key: &str) -> Option<&'e str> {
        match self.map.get(key)? {
            Value::Text(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
            Value::List(_) | Value::Map(_) => {
                self.wrong(key, "that is a list or map: it must be a text");
                None
            }
        }
    }

    fn id(&mut self, grade: Grade) -> Option<&'e str> {
        let id = self.text("id");
        match (id, well_known_id(self.name)) {
            (Some(id), _) if is_placeholder(id) => {}
            (Some(id), _) if !is_snap_id(id) => self.wrong("id", &format!("{:?}, which is not {SNAP_ID}", cited(id))),
            (Some(id), Some(known)) if id != known => {
                self.wrong("id", &format!("{}, and the id of {} is {known} in every model", cited(id), self.name));
            }
            (None, _) => match self.map.get("id") {
                None if grade != Grade::Dangerous => {
                    let sentence =
                        format!("missing, which `grade: {}` demands: `snap info {}` prints it as snap-id", grade.word(), self.name);
                    self.wrong("id", &sentence);
                }
                Some(Value::Text(_)) => {
                    let sentence = format!("that is empty: `snap info {}` prints it as snap-id", self.name);
                    self.wrong("id", &sentence);
                }
                _ => {}
            },
            _ => {}
        }
        id
    }

    fn kind(&mut self) -> SnapKind {
        let kind = match self.text("type").map(|word| (word, SnapKind::parse(word))) {
            None => SnapKind::App,
            Some((_, Some(kind))) => kind,
            Some((word, None)) => {
                self.wrong("type", &format!("{:?}: it is one of app, base, gadget, kernel, core, snapd", cited(word)));
                SnapKind::App
            }
        };
        let fixed = match kind {
            SnapKind::Snapd => Some("snapd"),
            SnapKind::Core => Some("core"),
            SnapKind::App | SnapKind::Base | SnapKind::Gadget | SnapKind::Kernel => None,
        };
        if fixed.is_some_and(|fixed| fixed != self.name) || (self.name == "snapd" && kind != SnapKind::Snapd) {
            self.wrong("type", &format!("{}, which does not fit the name", kind.word()));
        }
        kind
    }

    fn channel(&mut self) -> Option<&'e str> {
        let channel = self.text("default-channel")?;
        if !is_channel_with_track(channel) && !is_placeholder(channel) {
            let sentence = format!("{:?}: it must begin with a track, as `22/stable` or `latest/stable`", cited(channel));
            self.wrong("default-channel", &sentence);
        }
        Some(channel)
    }

    /// Must an image hold it?
    fn required(&mut self, essential: bool) -> bool {
        let presence = self.text("presence");
        match presence {
            Some(_) if essential => self.wrong("presence", ESSENTIAL),
            Some(word) if !is_presence(word) && !is_placeholder(word) => {
                self.wrong("presence", "that is neither `required` nor `optional`");
            }
            _ => {}
        }
        essential || presence != Some("optional")
    }

    /// The modes in which it is present.
    fn modes(&mut self, essential: bool) -> Vec<&'e str> {
        let default = if essential { ESSENTIAL_MODES.to_vec() } else { DEFAULT_MODES.to_vec() };
        let Some(value) = self.map.get("modes") else { return default };
        match value.as_texts() {
            // Only a form that is not yet signed can have an empty list.
            Some(modes) if modes.is_empty() => default,
            Some(modes) if !essential && modes.iter().all(|mode| is_mode(mode)) => modes,
            _ => {
                self.wrong("modes", if essential { ESSENTIAL } else { "that is not a list of modes, as run, ephemeral, install, recover" });
                default
            }
        }
    }

    fn is_not_classic(&mut self) {
        match self.map.get("classic").map(Value::as_text) {
            None | Some(Some("false")) => {}
            Some(Some("true")) => self.wrong("classic", "true, which is for classic systems only: remove it"),
            Some(_) => self.wrong("classic", "that is neither `true` nor `false`"),
        }
    }

    fn components(&mut self, modes: &[&str]) {
        match self.map.get("components") {
            None => {}
            Some(Value::Map(components)) => {
                for (name, value) in components {
                    if let Err(words) = component(name, value, modes) {
                        self.wrong("components", &format!("in which {} {words}", cited(name)));
                    }
                }
            }
            Some(_) => self.wrong("components", "that is not a map of component names to `required` or `optional`"),
        }
    }
}

const ESSENTIAL: &str = "although it is essential and always there: remove it";

/// Judges an entry; returns no snap if the entry has no name.
pub(super) fn read(reading: &mut Reading<'_>, entry: &Value, grade: Grade, base: Option<&str>) -> Option<ModelSnap> {
    let Value::Map(map) = entry else {
        reading.problem(HEADER, "must be a list of maps, one for each snap");
        return None;
    };
    let name = map.get("name").and_then(Value::as_text).unwrap_or_default();
    if !is_snap_name(name) {
        if !is_placeholder(name) {
            reading.problem(HEADER, format!("has an entry whose `name` is {:?}: it must be {SNAP_NAME}", cited(name)));
        }
        return None;
    }
    let mut entry = Entry { reading, name, map };
    let id = entry.id(grade).or_else(|| well_known_id(name).filter(|_| grade != Grade::Dangerous));
    let kind = entry.kind();
    let channel = entry.channel();
    let essential = base == Some(name) || matches!(kind, SnapKind::Snapd | SnapKind::Gadget | SnapKind::Kernel);
    let required = entry.required(essential);
    let modes = entry.modes(essential);
    entry.is_not_classic();
    entry.components(&modes);
    Some(ModelSnap {
        name: name.to_owned(),
        id: id.map(str::to_owned),
        kind,
        channel: channel.map(str::to_owned),
        required,
        essential,
        required_components: required_components(map),
    })
}

fn required_components(map: &BTreeMap<String, Value>) -> Vec<String> {
    let Some(Value::Map(components)) = map.get("components") else { return Vec::new() };
    let is_required = |value: &Value| match value {
        Value::Map(fields) => fields.get("presence").and_then(Value::as_text) == Some("required"),
        other => other.as_text() == Some("required"),
    };
    components.iter().filter(|(_, value)| is_required(value)).map(|(name, _)| name.clone()).collect()
}

/// A component of a snap that is present in these modes.
fn component(name: &str, value: &Value, modes: &[&str]) -> Result<(), String> {
    if !is_snap_name(name) {
        return Err(format!("is no name of a component: it must be as {SNAP_NAME}"));
    }
    let fields = match value {
        Value::Text(word) if is_presence(word) => return Ok(()),
        Value::Text(_) | Value::List(_) => return Err("is neither `required` nor `optional`, nor a map that says so".to_owned()),
        Value::Map(fields) => fields,
    };
    if let Some(key) = fields.keys().find(|key| !matches!(key.as_str(), "presence" | "modes")) {
        return Err(format!("has `{}`, and a component has `presence` and `modes` only", cited(key)));
    }
    if !fields.get("presence").and_then(Value::as_text).is_some_and(is_presence) {
        return Err("has no `presence` that is `required` or `optional`".to_owned());
    }
    let Some(value) = fields.get("modes") else { return Ok(()) };
    let own = value.as_texts().filter(|own| own.iter().all(|mode| is_mode(mode)));
    let own = own.ok_or("has `modes` that are not a list of modes, as run, ephemeral, install, recover")?;
    // A component without modes has all modes of the snap.
    match own.iter().find(|mode| !modes.contains(mode)) {
        Some(mode) => Err(format!(
            "is for the mode {}, in which the snap itself is not there (it is in {}): remove it here, or add it to the snap's `modes`",
            cited(mode),
            cited(&modes.join(", "))
        )),
        None => Ok(()),
    }
}

fn is_presence(word: &str) -> bool {
    matches!(word, "required" | "optional")
}

/// Matches `^[a-z][-a-z]+$`, the mode of a snap.
fn is_mode(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') && !text.starts_with('-')
}
