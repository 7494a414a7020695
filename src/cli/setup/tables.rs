//! Puts what a station is set up with into its configuration: the model, and the disks of the PC.

use std::path::{Path, PathBuf};

use toml_edit::{Array, ArrayOfTables, Item, Table, value};

use crate::cli::config_file::{ConfigFile, name};
use crate::cli::slots::own_disks;
use crate::cli::slots::teach::NO_MODEL;
use crate::station::card::Card;

/// A model, and what its image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewModel {
    /// The name in the configuration, as `BRAND/MODEL`.
    pub(super) name: String,
    pub(super) image: PathBuf,
    /// The signed model; `None` for an image that is not of Ubuntu Core.
    pub(super) assertion: Option<PathBuf>,
    /// Assertions that complete the chain of its keys.
    pub(super) with: Vec<PathBuf>,
}

impl ConfigFile {
    /// The models that have an image by name: not the one that a lesson left to be filled in.
    pub(super) fn finished_models(&self) -> Vec<String> {
        let is_finished = |table: &&Table| {
            let image = table.get("image").and_then(Item::as_str).map(|image| self.beside(Path::new(image)));
            image.is_some_and(|image| image.exists())
        };
        self.tables("model").filter(is_finished).map(name).collect()
    }

    /// Sets a model: the table of that name, or the one that a lesson left to be filled in, or a new one.
    pub(super) fn set_model(&mut self, model: &NewModel) {
        let models = self.document.entry("model").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
        let Some(models) = models.as_array_of_tables_mut() else { return };
        let place = |called: &str| models.iter().position(|table| name(table) == called);
        let (own, to_fill_in) = (place(&model.name), place(NO_MODEL));
        let place = own.or(to_fill_in).unwrap_or(models.len());
        if place == models.len() {
            models.push(Table::new());
        }
        let Some(table) = models.get_mut(place) else { return };
        if own.is_none() {
            // The comment above one that a lesson left open asks for what is filled in now.
            table.decor_mut().set_prefix("\n");
        }
        let text = |path: &Path| value(path.display().to_string());
        table.insert("name", value(&model.name));
        table.insert("image", text(&model.image));
        match &model.assertion {
            Some(assertion) => {
                table.insert("assertion", text(assertion));
                table.remove("require");
            }
            None => {
                table.insert("require", value("none"));
                table.remove("assertion");
            }
        }
        if !model.with.is_empty() {
            self.trust(&model.with);
        }
        let slots = self.document.get_mut("slot").and_then(Item::as_array_of_tables_mut);
        for slot in slots.into_iter().flat_map(ArrayOfTables::iter_mut) {
            if slot.get("model").and_then(Item::as_str).is_none_or(|model| model == NO_MODEL) {
                slot.insert("model", value(&model.name));
            }
        }
    }

    /// Adds files to `with` of `[trust]`.
    fn trust(&mut self, files: &[PathBuf]) {
        let trust = self.document.entry("trust").or_insert(Item::Table(Table::new()));
        let Some(trust) = trust.as_table_like_mut() else { return };
        let with = trust.entry("with").or_insert(value(Array::new()));
        let Some(with) = with.as_array_mut() else { return };
        for file in files.iter().map(|file| file.display().to_string()) {
            if !with.iter().any(|there| there.as_str() == Some(&file)) {
                with.push(file);
            }
        }
    }

    /// Adds a table for each of these disks that has none; answers how many were added.
    pub(super) fn add_own_disks(&mut self, disks: &[(String, Card)]) -> usize {
        let is_known = |card: &Card, table: &Table| {
            let is = |key: &str, of: Option<&str>| table.get(key).and_then(Item::as_str) == of;
            match &card.wwn {
                Some(wwn) => is("wwn", Some(wwn)),
                None => {
                    is("serial", Some(card.serial.as_deref().unwrap_or_default()))
                        && is("product", Some(card.product.as_deref().unwrap_or_default()))
                }
            }
        };
        let tables: Vec<&Table> = self.tables("own_disk").collect();
        let new: Vec<Table> = disks
            .iter()
            .filter(|(_, card)| !tables.iter().any(|table| is_known(card, table)))
            .map(|(name, card)| own_disks::table(name, card))
            .collect();
        let count = new.len();
        if count > 0 {
            let tables = self.document.entry("own_disk").or_insert(Item::ArrayOfTables(ArrayOfTables::new()));
            let Some(tables) = tables.as_array_of_tables_mut() else { return 0 };
            new.into_iter().for_each(|table| tables.push(table));
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn edited(before: &str, edit: impl FnOnce(&mut ConfigFile)) -> String {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("config.toml");
        fs::write(&path, before).expect("written");
        let mut file = ConfigFile::read(&path).expect("it can be read");
        edit(&mut file);
        file.document.to_string()
    }

    fn model(assertion: Option<&str>, with: &[&str]) -> NewModel {
        NewModel {
            name: "acme/my-pi3".to_owned(),
            image: "/srv/my-pi3.img.xz".into(),
            assertion: assertion.map(PathBuf::from),
            with: with.iter().map(PathBuf::from).collect(),
        }
    }

    #[test]
    fn a_model_is_written_into_an_empty_file_with_what_completes_its_keys() {
        let text = edited("", |file| file.set_model(&model(Some("/srv/my-pi3.model"), &["/srv/acme.assertions"])));
        let tables: toml::Table = text.parse().expect("it is TOML");
        assert_eq!(tables["model"][0]["name"].as_str(), Some("acme/my-pi3"));
        assert_eq!(tables["model"][0]["assertion"].as_str(), Some("/srv/my-pi3.model"));
        assert_eq!(tables["trust"]["with"][0].as_str(), Some("/srv/acme.assertions"));
    }

    #[test]
    fn a_model_that_a_lesson_left_open_is_filled_in_and_its_slots_get_it() {
        let before = format!(
            "# our station\n[[model]]\nname = \"{NO_MODEL}\"\nimage = \"to-be-filled-in.img.xz\"\n\n[[slot]]\nname = \"A1\"\nports = [\"p\"]\nmodel = \"{NO_MODEL}\"\n\n\
             [[slot]]\nname = \"A2\"\nports = [\"q\"]\nmodel = \"acme/other\"\n"
        );
        let text = edited(&before, |file| file.set_model(&model(None, &[])));
        let tables: toml::Table = text.parse().expect("it is TOML");
        assert_eq!(tables["model"].as_array().map(Vec::len), Some(1), "{text}");
        assert_eq!(tables["model"][0]["require"].as_str(), Some("none"));
        assert_eq!(tables["slot"][0]["model"].as_str(), Some("acme/my-pi3"));
        assert_eq!(tables["slot"][1]["model"].as_str(), Some("acme/other"), "another slot's is its own");
        let again = edited(&text, |file| file.set_model(&model(None, &[])));
        assert_eq!(again, text, "a second time changes nothing");
    }

    #[test]
    fn a_model_that_changes_from_unsigned_to_signed_loses_require_and_keeps_its_other_keys() {
        let before = "[[model]]\nname = \"acme/my-pi3\" # the blue box\nimage = \"old.img\"\nrequire = \"none\"\nzeroes = \"write\"\n";
        let text = edited(before, |file| file.set_model(&model(Some("/srv/m"), &[])));
        assert!(!text.contains("require") && text.contains("zeroes = \"write\"") && text.contains("assertion = \"/srv/m\""), "{text}");
    }
}
