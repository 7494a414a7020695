//! Puts `[[slot]]` tables into a configuration, as a lesson taught them.

use toml_edit::{Array, ArrayOfTables, Item, Table, value};

use super::lesson::Taught;
use crate::cli::config_file::{ConfigFile, FileError, name};
use crate::station::lamp::{Lamp, OwnedLamp};
use crate::station::port::Port;

/// The image of a model that nobody named yet: no such file is there, so that `flashline check` asks for it.
const NO_IMAGE: &str = "to-be-filled-in.img.xz";
/// The model of such a configuration.
pub(in crate::cli) const NO_MODEL: &str = "brand/model";

impl ConfigFile {
    /// The slots it has, with their ports.
    pub(in crate::cli) fn slots(&self) -> Vec<(String, Vec<Port>)> {
        let ports = |table: &Table| {
            let ports = table.get("ports").and_then(Item::as_array).into_iter().flatten();
            ports.filter_map(|port| Some(Port(port.as_str()?.to_owned()))).collect()
        };
        self.tables("slot").map(|table| (name(table), ports(table))).collect()
    }

    /// The lamps of its slots, as far as they are lamps: `flashline check` says what is wrong with others.
    pub(super) fn lamps(&self) -> Vec<OwnedLamp> {
        let lamp = |table: &Table| {
            let keys = table.get("lamp")?.as_table_like()?;
            let lamp = Lamp::of_keys(|key| Some(keys.get(key)?.as_str()?.to_owned())).ok()?;
            Some(OwnedLamp::of_slot(&name(table), lamp))
        };
        self.tables("slot").filter_map(lamp).collect()
    }

    /// The model of new slots: the one asked for, or the only one there is. None where there is no model yet.
    pub(super) fn model(&self, asked: Option<&str>, any_new: bool) -> Result<Option<String>, FileError> {
        let known: Vec<String> = self.tables("model").map(name).collect();
        match (asked, known.as_slice()) {
            (asked, []) => Ok(asked.map(str::to_owned)),
            (Some(asked), known) if known.iter().any(|model| model == asked) => Ok(Some(asked.to_owned())),
            (Some(asked), known) => {
                Err(FileError::NoSuchModel { model: asked.to_owned(), path: self.path().to_owned(), known: known.join(", ") })
            }
            (None, [only]) => Ok(Some(only.clone())),
            (None, known) if any_new => Err(FileError::WhichModel { known: known.join(", ") }),
            (None, _) => Ok(None),
        }
    }

    /// Puts the taught slots in. A slot that is there keeps all but its place. What else this means is told in words.
    pub(super) fn teach(&mut self, taught: &[Taught], model: Option<&str>) -> Vec<String> {
        let mut said = Vec::new();
        if self.tables("model").next().is_none() {
            // In a file of comments alone these are its head, and stay there.
            let head = self.document.is_empty().then(|| self.document.trailing().as_str().unwrap_or_default().to_owned());
            if head.is_some() {
                self.document.set_trailing("");
            }
            let model = new_model(model, &head.unwrap_or_default());
            self.document.insert("model", Item::ArrayOfTables([model].into_iter().collect()));
            said.push("the [[model]] table is to be filled in: its image, and its assertion or require = \"none\"".to_owned());
        }
        let model = model.unwrap_or(NO_MODEL);
        let slots = self.document.entry("slot").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let Some(slots) = slots.as_array_of_tables_mut() else { return said };
        let is_taught = |table: &Table| taught.iter().any(|slot| slot.name == name(table));
        // A port is one slot: who had it before has it no more.
        for table in slots.iter_mut().filter(|table| !is_taught(table)) {
            let owner = name(table);
            said.extend(give_up(table, taught).into_iter().map(|port| format!("{port} is not {owner}'s any more")));
        }
        slots.retain(|table| {
            let stays = is_taught(table) || table.get("ports").and_then(Item::as_array).is_none_or(|ports| !ports.is_empty());
            if !stays {
                said.push(format!("{} has no port left and is no slot any more; the copy has its table", name(table)));
            }
            stays
        });
        for slot in taught {
            if let Some(table) = slots.iter_mut().find(|table| name(table) == slot.name) {
                place(table, slot);
            } else {
                let mut table = Table::new();
                table.insert("name", value(&slot.name));
                place(&mut table, slot);
                table.insert("model", value(model));
                table.decor_mut().set_prefix("\n");
                slots.push(table);
            }
        }
        said
    }
}

/// Takes the ports that were taught for other slots out of a table, with what they hung on; answers them.
fn give_up(table: &mut Table, taught: &[Taught]) -> Vec<String> {
    let is_taken = |port: &str| taught.iter().any(|slot| slot.ports.iter().any(|(own, _)| own.0 == port));
    let Some(ports) = table.get("ports").and_then(Item::as_array) else { return Vec::new() };
    let ports: Vec<String> = ports.iter().filter_map(|port| Some(port.as_str()?.to_owned())).collect();
    let taken: Vec<usize> = (0..ports.len()).filter(|index| is_taken(&ports[*index])).collect();
    for key in ["ports", "hangs_on"] {
        let Some(array) = table.get_mut(key).and_then(Item::as_array_mut) else { continue };
        // From the end: what is removed moves those behind it.
        for index in taken.iter().rev().filter(|index| **index < ports.len()) {
            if *index < array.len() {
                array.remove(*index);
            }
        }
    }
    taken.into_iter().map(|index| ports[index].clone()).collect()
}

/// Sets where a slot is.
fn place(table: &mut Table, slot: &Taught) {
    set(table, "ports", slot.ports.iter().map(|(port, _)| port.0.as_str()).collect());
    if slot.ports.iter().all(|(_, chain)| chain.0.is_empty()) {
        table.remove("hangs_on");
    } else {
        set(table, "hangs_on", slot.ports.iter().map(|(_, chain)| chain.to_string()).collect());
    }
}

/// Sets a key to these texts; what stands around it, a comment behind it for one, stays.
fn set(table: &mut Table, key: &str, texts: Array) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(there) => {
            let decor = there.decor().clone();
            *there = toml_edit::Value::Array(texts);
            *there.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(texts));
        }
    }
}

fn new_model(model: Option<&str>, head: &str) -> Table {
    let mut table = Table::new();
    table.insert("name", value(model.unwrap_or(NO_MODEL)));
    table.insert("image", value(NO_IMAGE));
    table.decor_mut().set_prefix(format!(
        "{head}\n# To be filled in: what the cards of the slots below become. `image` is a file, raw or packed; with `assertion` for an image of\n\
         # Ubuntu Core, and with require = \"none\" for any other. `name` is BRAND/MODEL, here and in every slot.\n\
         # `flashline check` says what is missing.\n"
    ));
    table
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    use super::*;
    use crate::config::{self, ImageCheck};
    use crate::station::port::Chain;

    fn slot(name: &str, ports: &[(&str, &str)]) -> Taught {
        Taught { name: name.to_owned(), ports: ports.iter().map(|(port, chain)| (Port((*port).to_owned()), Chain::parse(chain))).collect() }
    }

    fn usb(chain: &str) -> String {
        format!("pci-0000:00:14.0/usb3-{chain}/lun-0")
    }

    /// A configuration in a directory of its own, taught and written; the text it has then.
    fn taught(text: Option<&str>, slots: &[Taught], model: Option<&str>) -> (tempfile::TempDir, String, Vec<String>, Option<PathBuf>) {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("config.toml");
        if let Some(text) = text {
            fs::write(&path, text).expect("it can be written");
        }
        let mut file = ConfigFile::read(&path).expect("it can be read");
        let model = file.model(model, true).expect("it is clear");
        let said = file.teach(slots, model.as_deref());
        let copy = file.write().expect("it can be written");
        let text = fs::read_to_string(&path).expect("it is there");
        (directory, text, said, copy)
    }

    const CONFIG: &str = "# Hall 3, line 2\n[station]\nname = \"line 2\" # on the door\n\n[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\nrequire = \"none\"\n\n\
        # the left reader\n[[slot]]\nname = \"A1\"\nmodel = \"acme/box\"\nports = [\"pci-0000:00:14.0/usb3-9/lun-0\"] # sticker 17\ncards = \"blank\"\n\n\
        # disks of the PC\n[[own_disk]]\nwwn = \"naa.5\"\n";

    #[test]
    fn a_slot_taught_again_keeps_all_its_keys_and_the_file_all_its_comments() {
        let config = CONFIG;
        let slots =
            [slot("A1", &[(&usb("1"), "05e3:0749")]), slot("A2", &[(&usb("2"), ""), ("pci-0000:00:14.0/usb2-2/lun-0", "05e3:0610")])];
        let (directory, text, said, copy) = taught(Some(config), &slots, None);
        let a1 = format!("ports = [\"{}\"] # sticker 17\ncards = \"blank\"\nhangs_on = [\"05e3:0749\"]\n", usb("1"));
        let a2 = format!(
            "\n[[slot]]\nname = \"A2\"\nports = [\"{}\", \"pci-0000:00:14.0/usb2-2/lun-0\"]\nhangs_on = [\"\", \"05e3:0610\"]\nmodel = \"acme/box\"\n",
            usb("2")
        );
        let expected = config.replace(&format!("ports = [\"{}\"] # sticker 17\ncards = \"blank\"\n", usb("9")), &format!("{a1}{a2}"));
        assert_eq!(text, expected, "nothing else changes");
        assert_eq!(said, [""; 0]);
        let copy = copy.expect("there was one before");
        assert_eq!(copy.parent(), Some(directory.path()), "the copy is beside it");
        assert_eq!(fs::read_to_string(copy).expect("it is there"), config);
    }

    #[test]
    fn a_table_of_a_slots_own_stays_with_its_slot() {
        let config = format!("{CONFIG}\n").replace("cards = \"blank\"\n", "[slot.lamp]\ngreen = \"thingm0\"\n");
        let (directory, text, ..) = taught(Some(&config), &[slot("A1", &[(&usb("1"), "a:1")]), slot("A2", &[(&usb("2"), "")])], None);
        let lamps = ConfigFile::read(&directory.path().join("config.toml")).expect("it can be read").lamps();
        let lit: Vec<_> = lamps.iter().map(|lamp| (lamp.owner.to_string(), lamp.lamp.leds())).collect();
        assert_eq!(lit, [("slot A1".to_owned(), vec![("green", "thingm0")])], "and is lit when the slot is taught");
        let tables: toml::Table = text.parse().expect("it is TOML");
        let lamp = |index: usize| tables["slot"][index].get("lamp").is_some();
        assert!(lamp(0) && !lamp(1), "{text}");
        assert_eq!(tables["slot"][0]["hangs_on"].as_array().map(Vec::len), Some(1), "{text}");
        assert_eq!(tables["slot"][1]["name"].as_str(), Some("A2"), "{text}");
    }

    #[test]
    fn an_empty_or_missing_configuration_becomes_one_that_lacks_nothing_but_its_image() {
        for (before, model) in [(None, None), (Some("# ours\n"), Some("acme/box"))] {
            let (directory, text, said, copy) = taught(before, &[slot("A1", &[(&usb("1"), "")])], model);
            assert!(said.iter().any(|words| words.contains("to be filled in")), "{said:?}");
            assert!(text.contains(&format!("name = {:?}", model.unwrap_or("brand/model"))), "{text}");
            assert_eq!((copy.is_some(), text.starts_with("# ours")), (before.is_some(), before.is_some()));
            let path = directory.path().join("config.toml");
            let error = config::read(&path, ImageCheck::Proved).expect_err("the image is missing").to_string();
            assert!(error.contains("`image`") && error.contains("to-be-filled-in.img.xz: No such file"), "{error}");
            fs::write(directory.path().join("to-be-filled-in.img.xz"), [1]).expect("it can be written");
            config::read(&path, ImageCheck::Proved).expect("nothing else is");
        }
    }

    #[test]
    fn a_port_taught_for_another_slot_is_taken_from_the_one_that_had_it_and_this_is_said() {
        let twice = format!(
            "[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\n[[slot]]\nname = \"A1\"\nports = [\"{}\", \"{}\"]\nhangs_on = [\"a:1\", \"b:2\"]\nmodel = \"acme/box\"\n\
             [[slot]]\nname = \"A2\"\nports = [\"{}\"]\nmodel = \"acme/box\"\n",
            usb("1"),
            usb("2"),
            usb("3")
        );
        let (_directory, text, said, _) = taught(Some(&twice), &[slot("B1", &[(&usb("1"), "")]), slot("B2", &[(&usb("3"), "")])], None);
        let said = said.join("\n");
        assert!(said.contains(&format!("{} is not A1's any more", usb("1"))) && said.contains("A2 has no port left"), "{said}");
        assert!(text.contains(&format!("ports = [ \"{}\"]\nhangs_on = [ \"b:2\"]", usb("2"))) && !text.contains("\"A2\""), "{text}");
    }

    #[test]
    fn owner_and_mode_stay_and_a_link_stays_a_link() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (real, link) = (directory.path().join("real.toml"), directory.path().join("config.toml"));
        fs::write(&real, "[[model]]\nname = \"acme/box\"\nimage = \"box.img\"\n").expect("it can be written");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).expect("they can be set");
        std::os::unix::fs::symlink(&real, &link).expect("it can be made");
        let mut file = ConfigFile::read(&link).expect("it can be read");
        file.teach(&[slot("A1", &[(&usb("1"), "")])], Some("acme/box"));
        let copy = file.write().expect("it can be written").expect("there was one before");
        for path in [&real, &copy] {
            assert_eq!(fs::metadata(path).expect("it is there").permissions().mode() & 0o7777, 0o640, "{}", path.display());
        }
        assert!(link.is_symlink());
    }

    #[test]
    fn what_cannot_be_added_to_and_what_is_not_clear_is_said_before_a_card_is_asked_for() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("config.toml");
        let read = |text: &str| {
            fs::write(&path, text).expect("it can be written");
            ConfigFile::read(&path)
        };
        let error = read("slot = [{ name = \"A1\" }]").expect_err("it is a line");
        assert!(error.to_string().contains("[[slot]]"), "{error}");
        let error = read("a = ").expect_err("it is no TOML");
        assert!(error.to_string().contains("cannot be read as TOML"), "{error}");
        let two = "[[model]]\nname = \"a/b\"\nimage = \"x\"\n[[model]]\nname = \"a/c\"\nimage = \"x\"\n";
        let file = read(two).expect("it is good");
        assert!(file.model(None, true).expect_err("which?").to_string().contains("--model"));
        assert_eq!(file.model(None, false).expect("nobody needs it"), None);
        assert!(file.model(Some("a/d"), true).expect_err("there is none").to_string().contains("a/b, a/c"));
        let mut file = read(two).expect("it is good");
        fs::write(&path, "# somebody").expect("it can be written");
        file.teach(&[slot("A1", &[(&usb("1"), "")])], Some("a/b"));
        assert!(matches!(file.write(), Err(FileError::Changed { .. })), "another's change is never overwritten");
    }
}
