//! The models of a station: their images, and what those are held to.

use std::path::{Path, PathBuf};

use toml::Spanned;

use super::source::{ConfigError, Source, named_file};
use super::tables::{ContentsWord, ModelTable, RequireWord, TrustTable, ZeroesWord};
use super::{Images, ModelSettings, Require, TrustSettings};
use crate::model::allowed::Allowed;
use crate::station::record::{Contents, Zeroes};

/// The trust itself is proven where it is used, so that a file that is wrong there keeps those models from being armed that need it.
pub(super) fn prove_trust(source: &Source<'_>, base: &Path, table: &TrustTable, images: Images) -> Result<TrustSettings, ConfigError> {
    let files = |key: &str, files: &[Spanned<PathBuf>]| {
        files.iter().map(|file| named_file(source, base, key, file, images)).collect::<Result<Vec<_>, _>>()
    };
    Ok(TrustSettings { roots: files("roots", &table.roots)?, with: files("with", &table.with)? })
}

pub(super) fn prove_models(
    source: &Source<'_>,
    base: &Path,
    tables: &[Spanned<ModelTable>],
    images: Images,
) -> Result<Vec<ModelSettings>, ConfigError> {
    if tables.is_empty() {
        return Err(source.wrong(0..0, "there is no model: add a [[model]] table with `name` and `image`"));
    }
    let mut models: Vec<ModelSettings> = Vec::new();
    for table in tables.iter().map(Spanned::get_ref) {
        let name = source.name("name", &table.name)?;
        if models.iter().any(|model| model.name == name) {
            return Err(source.wrong(table.name.span(), format!("`name`: the model {name:?} is there twice: remove or rename one")));
        }
        let image = named_file(source, base, "image", &table.image, images)?;
        let assertion = table.assertion.as_ref().map(|file| named_file(source, base, "assertion", file, images)).transpose()?;
        let require = match table.require {
            None | Some(RequireWord::Proven) => Require::Proven,
            Some(RequireWord::Matching) => Require::Matching,
            Some(RequireWord::None) => Require::None,
        };
        if let (Require::None, Some(file)) = (require, &table.assertion) {
            let problem = "`assertion` is never looked at where `require` is \"none\": remove one of them";
            return Err(source.wrong(file.span(), problem));
        }
        let allowed = allowed(source, &table.allow)?;
        let contents = match table.contents {
            ContentsWord::Disk => Contents::Disk,
            ContentsWord::Any => Contents::Any,
        };
        let zeroes = match table.zeroes {
            ZeroesWord::Prove => Zeroes::Prove,
            ZeroesWord::Write => Zeroes::Write,
            ZeroesWord::Skip => Zeroes::Skip,
        };
        models.push(ModelSettings { name, image, contents, zeroes, assertion, require, allowed });
    }
    Ok(models)
}

fn allowed(source: &Source<'_>, words: &[Spanned<String>]) -> Result<Allowed, ConfigError> {
    let mut allowed = Allowed::default();
    for word in words {
        allowed.add(word.get_ref()).map_err(|why| source.wrong(word.span(), format!("`allow`: {why}")))?;
    }
    Ok(allowed)
}
