//! A minimal writer and reader for comparison: copies the image's data to the device, then reads the whole span.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use flashline::device::aligned::AlignedBuf;
use flashline::image::stage;
use nix::libc;

use crate::Result;

/// Bytes of one write: 4 MiB, as the station writes.
const CALL: usize = 4 << 20;

/// Writes and reads; prints only the seconds it took.
pub(crate) fn run(image: &Path, device: &Path) -> Result<()> {
    let staged = stage::SourceImage::open(image)?.in_place(&mut |_, _| ())?;
    let source = File::open(image)?;
    let card = OpenOptions::new().read(true).write(true).custom_flags(libc::O_DIRECT | libc::O_EXCL).open(device)?;
    let mut buffer = AlignedBuf::zeroed(CALL).expect("there is memory");
    let span = staged.span().0;
    let began = std::time::Instant::now();
    for range in staged.extents().data_in(&(0..span)) {
        for at in range.clone().step_by(CALL) {
            let length = usize::try_from((range.end - at).min(CALL as u64))?;
            source.read_exact_at(&mut buffer[..length], at)?;
            card.write_all_at(&buffer[..length], at)?;
        }
    }
    card.sync_data()?;
    for at in (0..span).step_by(CALL) {
        let length = usize::try_from((span - at).min(CALL as u64))?;
        card.read_exact_at(&mut buffer[..length], at)?;
    }
    println!("{}", began.elapsed().as_secs_f64());
    Ok(())
}
