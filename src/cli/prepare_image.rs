//! Opens and unpacks an image for one command, without the store of a station.

use std::path::Path;

use crate::image::packing::{Opened, refuse_at_sight};
use crate::image::stage::{for_now, in_place};
use crate::image::{ImageError, Staged};
use crate::panel::bars::ReadingBar;

/// Where a packed image is unpacked to, for the time of the call. Larger than `/tmp`, which may be memory.
const SCRATCH: &str = "/var/tmp";

/// A raw image is used where it lies; a packed one is unpacked into a file that has no name, so that nothing stays behind whatever
/// ends this call.
pub(super) fn prepare(image: &Path) -> Result<Staged, ImageError> {
    refuse_at_sight(image)?;
    let packing = Opened::open(image)?.packing;
    let name = if packing.is_raw() { "hashing" } else { "unpacking" };
    let bar = ReadingBar::new(&format!("{name} {}", image.display()));
    let mut progress = |done, of| bar.set(done, of);
    if packing.is_raw() { in_place(image, &mut progress) } else { for_now(image, Path::new(SCRATCH), &mut progress) }
}
