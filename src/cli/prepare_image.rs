//! Opens and unpacks an image for one command, without the store of a station.

use std::path::Path;

use crate::image::stage::SourceImage;
use crate::image::{ImageError, Staged};
use crate::panel::bars::ReadingBar;

/// The directory to which a packed image is unpacked during the call. It is larger than `/tmp`, which may be in memory.
const SCRATCH: &str = "/var/tmp";

/// A raw image is used in its place; a packed one is unpacked into a file without a name, which disappears however this call ends.
pub(super) fn prepare(image: &Path) -> Result<Staged, ImageError> {
    let mut source = SourceImage::open(image)?;
    source.refuse_at_sight()?;
    let bar = ReadingBar::new(&format!("{} {}", if source.is_raw() { "hashing" } else { "unpacking" }, image.display()));
    let mut progress = |done, of| bar.set(done, of);
    if source.is_raw() { source.in_place(&mut progress) } else { source.for_now(Path::new(SCRATCH), &mut progress) }
}
