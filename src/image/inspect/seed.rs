//! The seed, from which the first boot of an image makes a system. It is found by label, never by number.
//!
//! Ubuntu Core 16 and 18 keep it in `writable`, with a `seed.yaml` that nothing signs; Ubuntu Core 20 and later in `ubuntu-seed`, under
//! `systems/LABEL`. Nothing is trusted here: files are read, and [`super::verdict`] judges them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::read_error::ReadError;
use super::readers::files::{Files, System};
use super::readers::listing::Node;
use super::readers::yaml;
use crate::station::units::{KIB, MIB};

/// The path of the seed in `writable`.
const IN_WRITABLE: &str = "system-data/var/lib/snapd/seed";
/// Limit of one file of assertions: the headers, body and signature of the largest assertion, or several in a bundle.
const LARGEST_ASSERTIONS: u64 = 4 * MIB;
/// Limit of all files of assertions together. A seed of fifty snaps has 200 KiB.
const ALL_ASSERTIONS: u64 = 8 * MIB;
/// Limit of snaps. A seed of a large appliance has sixty.
const MOST_SNAPS: usize = 500;

/// The layout of the seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Generation {
    /// Ubuntu Core 16 and 18: `seed.yaml` in `writable`.
    Core16,
    /// Ubuntu Core 20 and later: `systems/LABEL` in `ubuntu-seed`.
    Core20,
}

/// A file of assertions.
pub(super) struct AssertionFile {
    /// Its path from the root of its file system.
    pub(super) path: String,
    pub(super) bytes: Vec<u8>,
    /// `systems/LABEL/model`: the one place of the model since Ubuntu Core 20.
    pub(super) is_the_models: bool,
}

/// A file that may be a snap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SnapFile {
    pub(super) path: String,
    /// The name of the file without its directory.
    pub(super) file: String,
    /// The name of the snap in `seed.yaml`.
    pub(super) called: Option<String>,
    /// The id that `seed.yaml` gives it.
    pub(super) id: Option<String>,
    /// The channel for later refreshes in `seed.yaml`; nothing signs it.
    pub(super) channel: Option<String>,
}

impl SnapFile {
    /// A file that nothing names.
    fn found(directory: &str, file: &str) -> Self {
        Self { path: format!("{directory}/{file}"), file: file.to_owned(), called: None, id: None, channel: None }
    }
}

pub(super) struct Seed {
    pub(super) generation: Generation,
    /// The label of the system, since Ubuntu Core 20.
    pub(super) label: Option<String>,
    /// Its directory in its file system.
    pub(super) root: String,
    pub(super) assertions: Vec<AssertionFile>,
    pub(super) snaps: Vec<SnapFile>,
    /// Snaps that are named but missing.
    pub(super) missing: Vec<String>,
    /// Parts that contradict each other, or need something that nothing signs.
    pub(super) odd: Vec<String>,
}

/// Whether a file system could hold the seed.
pub(super) fn is_in(files: &Files) -> bool {
    let core16 = files.label == "writable" && files.system == System::Ext4 && files.node(IN_WRITABLE) == Some(&Node::Directory);
    let core20 = files.label.eq_ignore_ascii_case("ubuntu-seed") && files.node("systems") == Some(&Node::Directory);
    core16 || core20
}

pub(super) fn read(files: &Files) -> Result<Seed, ReadError> {
    if files.label == "writable" { core16(files) } else { core20(files) }
}

fn core16(files: &Files) -> Result<Seed, ReadError> {
    let root = IN_WRITABLE.to_owned();
    let assertions = assertions(files, &format!("{root}/assertions"), ALL_ASSERTIONS)?;
    let text = files.read(&format!("{root}/seed.yaml"), yaml::LONGEST)?;
    let listed: SeedYaml = yaml::parse("seed.yaml", &text)?;
    let mut seed =
        Seed { generation: Generation::Core16, label: None, root, assertions, snaps: Vec::new(), missing: Vec::new(), odd: Vec::new() };
    seed.take_listed(files, listed)?;
    Ok(seed)
}

/// Risks of a channel, the safest first.
pub(super) const RISKS: [&str; 4] = ["stable", "candidate", "beta", "edge"];

/// `[TRACK/][RISK][/BRANCH]`, as snapd reads it (snapd: snap/channel/channel.go, `ParseVerbatim`).
fn is_channel(channel: &str) -> bool {
    let is_risk = |part: &str| RISKS.contains(&part);
    match channel.split('/').collect::<Vec<_>>().as_slice() {
        [one] => !one.is_empty(),
        [risk, branch] if is_risk(risk) => !branch.is_empty(),
        [track, risk] => !track.is_empty() && is_risk(risk),
        [track, risk, branch] => !track.is_empty() && is_risk(risk) && !branch.is_empty(),
        _ => false,
    }
}

/// Can the file be read?
pub(super) fn is_yaml(text: &[u8]) -> bool {
    yaml::parse::<SeedYaml>("seed.yaml", text).is_ok_and(|listed| listed.snaps.len() <= MOST_SNAPS)
}

#[derive(Debug, Default, Deserialize)]
struct SeedYaml {
    #[serde(default)]
    snaps: Vec<ListedSnap>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ListedSnap {
    #[serde(default)]
    name: String,
    #[serde(default)]
    file: String,
    #[serde(default)]
    snap_id: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    devmode: bool,
    #[serde(default)]
    classic: bool,
    #[serde(default)]
    unasserted: bool,
}

impl Seed {
    fn take_listed(&mut self, files: &Files, listed: SeedYaml) -> Result<(), ReadError> {
        let directory = format!("{}/snaps", self.root);
        if listed.snaps.len() > MOST_SNAPS {
            return Err(ReadError::Broken(format!("seed.yaml names more than {MOST_SNAPS} snaps")));
        }
        let mut known = BTreeSet::new();
        let mut named = BTreeSet::new();
        for snap in listed.snaps {
            let ListedSnap { name, file, snap_id, channel, devmode, classic, unasserted } = snap;
            if file.is_empty() || file.contains('/') || file == "." || file == ".." {
                self.odd.push(format!("seed.yaml names {file:?} as the file of {name:?}, which is no file in its snaps"));
                continue;
            }
            if !known.insert(name.clone()) {
                self.odd.push(format!("seed.yaml names the snap {name:?} twice"));
            }
            for (flag, is_set) in [("devmode", devmode), ("classic", classic), ("unasserted", unasserted)] {
                if is_set {
                    self.odd.push(format!("seed.yaml asks for {name:?} to be installed as {flag}, which nothing signs"));
                }
            }
            if !channel.is_empty() && !is_channel(&channel) {
                self.odd.push(format!("seed.yaml gives {name:?} the channel {channel:?}, which is none: snapd does not take such a seed"));
            }
            let path = format!("{directory}/{file}");
            match files.node(&path) {
                Some(Node::File { .. }) if named.insert(file.clone()) => {
                    let channel = Some(channel).filter(|channel| !channel.is_empty());
                    let id = Some(snap_id).filter(|id| !id.is_empty());
                    self.snaps.push(SnapFile { path, file, called: Some(name), id, channel });
                }
                Some(Node::File { .. }) => self.odd.push(format!("seed.yaml names the file {file:?} twice")),
                _ => self.missing.push(format!("the snap {name:?} is missing: seed.yaml names {file:?}, and there is no such file")),
            }
        }
        for (file, node) in files.inside(&directory) {
            match node {
                Node::File { .. } if named.contains(file) => {}
                Node::File { .. } => {
                    self.snaps.push(SnapFile::found(&directory, file));
                    self.odd.push(format!("{file:?} lies among the seed's snaps, and seed.yaml does not name it"));
                }
                _ => self.odd.push(format!("{file:?} lies among the seed's snaps and is no file")),
            }
        }
        Ok(())
    }
}

fn core20(files: &Files) -> Result<Seed, ReadError> {
    let systems: Vec<_> = files.inside("systems").collect();
    let [(label, Node::Directory)] = systems.as_slice() else {
        let names: Vec<&str> = systems.iter().map(|(name, _)| *name).collect();
        return Err(ReadError::Broken(format!("it must hold exactly one system, and holds {}: {}", names.len(), names.join(", "))));
    };
    if !is_label(label) {
        return Err(ReadError::Broken(format!(
            "its system is called {label:?}, and snapd takes only lower-case letters and digits, with single dashes between them"
        )));
    }
    let root = format!("systems/{label}");
    let model = files.read(&format!("{root}/model"), LARGEST_ASSERTIONS).map_err(|error| error.about("the system has no model"))?;
    let left = ALL_ASSERTIONS - u64::try_from(model.len()).unwrap_or(0);
    let mut all = vec![AssertionFile { path: format!("{root}/model"), bytes: model, is_the_models: true }];
    all.extend(assertions(files, &format!("{root}/assertions"), left)?);
    let mut seed = Seed {
        generation: Generation::Core20,
        label: Some((*label).to_owned()),
        root: root.clone(),
        assertions: all,
        snaps: Vec::new(),
        missing: Vec::new(),
        odd: Vec::new(),
    };
    for directory in ["snaps".to_owned(), format!("{root}/snaps")] {
        for (file, node) in files.inside(&directory) {
            if !matches!(node, Node::File { .. }) {
                seed.odd.push(format!("{file:?} lies among the seed's snaps and is no file"));
            } else if directory == "snaps" && file.ends_with(".snap") {
                seed.snaps.push(SnapFile::found(&directory, file));
            } else {
                // Snaps of a model of grade dangerous, and parts of snaps: nothing in the model determines them.
                seed.odd.push(format!("{directory}/{file} is not in the model"));
            }
        }
    }
    if seed.snaps.len() > MOST_SNAPS {
        return Err(ReadError::Broken(format!("it holds more than {MOST_SNAPS} snaps")));
    }
    Ok(seed)
}

/// The labels of systems that snapd accepts.
fn is_label(label: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    label.split('-').all(is_part)
}

fn assertions(files: &Files, directory: &str, mut left: u64) -> Result<Vec<AssertionFile>, ReadError> {
    let mut found = Vec::new();
    for (name, node) in files.inside(directory) {
        let path = format!("{directory}/{name}");
        let Node::File { length } = node else {
            return Err(ReadError::Broken(format!("{path} is no file of assertions")));
        };
        left = left.checked_sub(*length).ok_or_else(|| {
            ReadError::Broken(format!("its assertions are more than {} KiB together, which no seed has", ALL_ASSERTIONS / KIB))
        })?;
        let bytes = files.read(&path, LARGEST_ASSERTIONS)?;
        found.push(AssertionFile { path, bytes, is_the_models: false });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{is_channel, is_label};

    #[test]
    fn a_label_is_what_snapd_takes_for_one() {
        for label in ["20261122", "a", "1", "factory-1-b"] {
            assert!(is_label(label), "{label}");
        }
        for label in ["", "-", "a-", "-a", "a--b", "A", "20261122 ", "a.b", "a_b", "\u{e4}"] {
            assert!(!is_label(label), "{label}");
        }
    }

    #[test]
    fn a_channel_is_what_snapd_takes_for_one() {
        for channel in ["stable", "18", "18-pi", "latest/stable", "edge/fix", "18/edge/fix", "a b"] {
            assert!(is_channel(channel), "{channel}");
        }
        for channel in ["/", "18/", "/edge", "18/hot", "edge/", "18/edge/", "18/edge/a/b", "18/hot/fix"] {
            assert!(!is_channel(channel), "{channel}");
        }
    }
}
