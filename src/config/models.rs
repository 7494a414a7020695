//! The models of a station: their images, and the required contents of these.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::source::{ConfigError, Mistakes, Source, named_file};
use super::tables::{ContentsWord, ModelTable, RequireWord, TrustTable, ZeroesWord};
use super::{ImageCheck, ModelSettings, Require, TrustSettings};
use crate::station::allowed::Allowed;
use crate::station::armed::{Contents, Zeroes};
use crate::station::outcome::Digest;

/// The files are verified where they are used, so a bad file disarms only the models that need it.
pub(super) fn prove_trust(
    source: &Source<'_>,
    base: &Path,
    table: &TrustTable,
    images: ImageCheck,
    mistakes: &mut Mistakes,
) -> TrustSettings {
    let mut files = |key: &str, files: &[Spanned<PathBuf>]| {
        files.iter().filter_map(|file| mistakes.note(named_file(source, base, key, file, images))).collect::<Vec<_>>()
    };
    TrustSettings { roots: files("roots", &table.roots), with: files("with", &table.with) }
}

pub(super) fn prove_models(
    source: &Source<'_>,
    base: &Path,
    tables: &[Spanned<ModelTable>],
    images: ImageCheck,
    mistakes: &mut Mistakes,
) -> Vec<ModelSettings> {
    if tables.is_empty() {
        mistakes.note::<()>(Err(source.wrong(0..0, "there is no model: add a [[model]] table with `name` and `image`")));
    }
    let mut names = BTreeSet::new();
    tables.iter().filter_map(|table| prove_model(source, base, table.get_ref(), images, &mut names, mistakes)).collect()
}

fn prove_model(
    source: &Source<'_>,
    base: &Path,
    table: &ModelTable,
    images: ImageCheck,
    names: &mut BTreeSet<String>,
    mistakes: &mut Mistakes,
) -> Option<ModelSettings> {
    let name = mistakes.note(source.name("name", &table.name));
    if let Some(name) = name.as_ref().filter(|name| !names.insert((*name).clone())) {
        let problem = format!("`name`: the model {name:?} is there twice: remove or rename one");
        mistakes.note::<()>(Err(source.wrong(table.name.span(), problem)));
    }
    let digest = table.digest.as_ref().map_or(Some(None), |text| mistakes.note(digest(source, text)).map(Some));
    // An image with a digest may lie in the store alone.
    let images_here = if table.digest.is_some() { ImageCheck::Unseen } else { images };
    let image = mistakes.note(named_file(source, base, "image", &table.image, images_here));
    let assertion = table.assertion.as_ref();
    let assertion = assertion.map_or(Some(None), |file| mistakes.note(named_file(source, base, "assertion", file, images)).map(Some));
    let require = match table.require {
        None | Some(RequireWord::Proven) => Require::Proven,
        Some(RequireWord::Matching) => Require::Matching,
        Some(RequireWord::None) => Require::None,
    };
    if let (Require::None, Some(file)) = (require, &table.assertion) {
        let problem = "`assertion` is never looked at where `require` is \"none\": remove one of them";
        mistakes.note::<()>(Err(source.wrong(file.span(), problem)));
    }
    let allowed = mistakes.note(allowed(source, &table.allow));
    let contents = match table.contents {
        ContentsWord::Disk => Contents::Disk,
        ContentsWord::Any => Contents::Any,
    };
    let zeroes = match table.zeroes {
        ZeroesWord::Prove => Zeroes::Prove,
        ZeroesWord::Write => Zeroes::Write,
        ZeroesWord::Skip => Zeroes::Skip,
    };
    Some(ModelSettings { name: name?, image: image?, digest: digest?, contents, zeroes, assertion: assertion?, require, allowed: allowed? })
}

fn digest(source: &Source<'_>, text: &Spanned<String>) -> Result<Digest, ConfigError> {
    Digest::parse(text.get_ref()).ok_or_else(|| {
        let problem = format!(
            "`digest` is the BLAKE3 of the raw image, 64 hexadecimal digits as `flashline status` and `b3sum` print them, and not {:?}",
            text.get_ref()
        );
        source.wrong(text.span(), problem)
    })
}

fn allowed(source: &Source<'_>, words: &[Spanned<String>]) -> Result<Allowed, ConfigError> {
    let mut allowed = Allowed::default();
    for word in words {
        allowed.add(word.get_ref()).map_err(|why| source.wrong(word.span(), format!("`allow`: {why}")))?;
    }
    Ok(allowed)
}
