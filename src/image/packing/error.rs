//! Explains the error of a decoder for a packed file.

use std::io;
use std::path::Path;

use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

use super::behind::{Beyond, Share};
use crate::image::{ImageError, foreign};

/// The meaning of a decoder's error for a packed file. An error with an errno comes from the system; any other comes from the decoder.
pub(super) fn explain(path: &Path, at: u64, source: io::Error) -> ImageError {
    let path = path.to_owned();
    if let Some(beyond) = source.get_ref().and_then(|inner| inner.downcast_ref::<Beyond>()) {
        return match beyond {
            Beyond::GoesOn { end, more } => ImageError::GoesOn { path, end: *end, more: *more },
            Beyond::Apart { end, zeroes } => ImageError::Apart { path, end: *end, zeroes: *zeroes },
            Beyond::Memory { needs, share } => {
                let needs = needs.map_or_else(|| format!("more than {}", share.may), |needs| needs.to_string());
                ImageError::Window { path, needs, may: share.may, free: share.free }
            }
            Beyond::Dictionary { id } => ImageError::Dictionary { path, id: *id },
        };
    }
    match (source.raw_os_error(), source.kind()) {
        (Some(_), _) => ImageError::Read { path, at, source },
        (None, io::ErrorKind::UnexpectedEof) if foreign::is_a_part(&path) => {
            foreign::part(&path, &format!("it ends at byte {at} of its raw contents"))
        }
        (None, io::ErrorKind::UnexpectedEof) => ImageError::Truncated { path, at },
        (None, _) if wants_memory(&source) => {
            let share = Share::now();
            ImageError::Window { path, needs: format!("more than {}", share.may), may: share.may, free: share.free }
        }
        (None, _) => ImageError::Damaged { path, at, source },
    }
}

/// Whether the decoder stopped at its own limit: such a file is undamaged, and copying it again does not help.
fn wants_memory(error: &io::Error) -> bool {
    let Some(inner) = error.get_ref() else { return false };
    let xz = inner.downcast_ref::<liblzma::stream::Error>();
    let zst = inner.downcast_ref::<zstd::Error>();
    xz.is_some_and(|error| *error == liblzma::stream::Error::MemLimit)
        || zst.is_some_and(|error| error.is(ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge))
}
