//! Finds the image that was armed before for a model, in the events of arming.

use rusqlite::OptionalExtension;

use super::error::LogError;
use super::reader::LogReader;
use crate::station::outcome::Digest;

/// An image that was armed for a model, and is not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EarlierImage {
    /// BLAKE3 of its raw bytes.
    pub digest: Digest,
    /// Its source file, as it was configured.
    pub source: String,
    /// When it was last armed: UTC, microseconds since 1970.
    pub at: i64,
}

/// The newest arming of a model, as slots name it, with another image than this. Older programs left out that name, and the model was named
/// as the device.
const NEWEST: &str = "SELECT at, json_extract(body, '$.image.blake3'), coalesce(json_extract(body, '$.image.source'), '')
    FROM event
    WHERE kind = 'model-armed' AND attempt IS NULL
      AND coalesce(json_extract(body, '$.model'), json_extract(body, '$.image.model')) = ?1
      AND json_extract(body, '$.image.blake3') IS NOT ?2
    ORDER BY seq DESC LIMIT 1";

impl LogReader {
    /// The image that was last armed for `model`, by the name that slots use, and is another one than `now`. `None` if the log has none.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub(crate) fn armed_before(&self, model: &str, now: Option<Digest>) -> Result<Option<EarlierImage>, LogError> {
        let now = now.map(|digest| digest.to_string());
        let row: Option<(i64, Option<String>, String)> =
            self.within(|log| log.query_row(NEWEST, (model, now), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional())?;
        Ok(row.and_then(|(at, digest, source)| Some(EarlierImage { digest: Digest::parse(&digest?)?, source, at })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Ledger;
    use crate::station::armed::Armed;
    use crate::station::first_off::FirstOffRule;
    use crate::station::record::Entry;
    use crate::station::testing::{armed_by, image};

    #[test]
    fn the_image_armed_before_is_the_last_other_one_of_that_model_over_restarts_that_armed_the_same_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("flash-log.db");
        let mut ledger = Ledger::open_on(&path, "bench", "0123456789abcdef0123456789abcdef").expect("a log");
        let before = |model: &str, now: Option<u8>| {
            let reader = LogReader::open(&path).expect("it can be read");
            let found = reader.armed_before(model, now.map(|fill| Digest([fill; 32]))).expect("it can be read");
            found.map(|image| (image.digest.0[0], image.source))
        };
        assert_eq!(before("acme/box", None), None, "nothing was ever armed");
        for (model, fill) in [("acme/box", 1), ("acme/box", 2), ("acme/bag", 3), ("acme/box", 2), ("acme/box", 2)] {
            let source = format!("/srv/images/{fill}.img");
            let armed = Armed { model: model.to_owned(), digest: Digest([fill; 32]), source, ..image() };
            ledger.append(&Entry::ModelArmed { armed, by: armed_by(), first_off: FirstOffRule::Off }).expect("appended");
        }
        let image = |fill: u8| Some((fill, format!("/srv/images/{fill}.img")));
        assert_eq!(before("acme/box", Some(2)), image(1));
        assert_eq!(before("acme/box", Some(1)), image(2), "back, and back again");
        assert_eq!(before("acme/box", None), image(2), "what is armed was refused at the start: the last one that was not");
        assert_eq!(before("acme/bag", Some(3)), None, "the images of another model are not its own");
    }
}
