//! A file on this PC, or on a share that is mounted.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{CHUNK, Halt, Opening, Outlet, Resume};
use crate::error::Broken;

pub(super) fn send(path: &Path, resume: Option<&Resume>, outlet: &mut Outlet) -> Result<(), Halt> {
    // Before it is opened: the opening of a pipe waits for its other end.
    let metadata = fs::metadata(path).map_err(Broken::Read)?;
    if !metadata.is_file() {
        return Err(Broken::NotAFile.into());
    }
    let mut file = File::open(path).map_err(Broken::Read)?;
    let before = version(&file.metadata().map_err(Broken::Read)?);
    let length = metadata.len();
    let from = resume.filter(|resume| resume.validator == before && resume.from <= length).map_or(0, |resume| resume.from);
    file.seek(SeekFrom::Start(from)).map_err(Broken::Read)?;
    outlet.open(Opening { from, length: Some(length), validator: Some(before.clone()) })?;
    loop {
        let mut data = vec![0; CHUNK];
        match file.read(&mut data) {
            Ok(0) => break,
            Ok(count) => {
                data.truncate(count);
                outlet.data(data)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Broken::Read(error).into()),
        }
    }
    let after = fs::metadata(path).map(|metadata| version(&metadata)).map_err(Broken::Read)?;
    if after == before { Ok(()) } else { Err(Broken::Changed.into()) }
}

/// Not with the inode's number, which some shares give anew at each mount.
fn version(metadata: &Metadata) -> String {
    format!("{} bytes of {}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec())
}
