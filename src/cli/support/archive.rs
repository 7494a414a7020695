//! Writes the files of the archive: POSIX tar (`ustar`, IEEE Std 1003.1, "pax", ustar interchange format), packed with gzip, which every
//! system opens.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::NamedTempFile;

use crate::file::directory_of;

/// The unit of a tar archive.
const BLOCK: usize = 512;

/// Why the archive was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArchiveError {
    #[error("{path} exists already: name a new file by --out")]
    Exists { path: PathBuf },
    #[error("writing the archive {path}: name another file by --out, or make room")]
    Write { path: PathBuf, source: io::Error },
}

/// A file of the archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) contents: Vec<u8>,
}

/// Writes these files below one directory into a new archive, whole or not at all. Only its owner may read it.
///
/// # Errors
/// If there is a file already, or it cannot be written.
pub(super) fn write(path: &Path, directory: &str, seconds: u64, members: &[Member]) -> Result<(), ArchiveError> {
    let failed = |source| ArchiveError::Write { path: path.to_owned(), source };
    if path.symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists { path: path.to_owned() });
    }
    let mut file = NamedTempFile::new_in(directory_of(path)).map_err(failed)?;
    let mut packed = GzEncoder::new(&mut file, Compression::default());
    for member in members {
        add(&mut packed, &format!("{directory}/{}", member.name), seconds, &member.contents).map_err(failed)?;
    }
    packed.write_all(&[0; 2 * BLOCK]).and_then(|()| packed.finish().map(drop)).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    file.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
        io::ErrorKind::AlreadyExists => ArchiveError::Exists { path: path.to_owned() },
        _ => failed(error.error),
    })
}

fn add(out: &mut impl Write, name: &str, seconds: u64, contents: &[u8]) -> io::Result<()> {
    out.write_all(&header(name, seconds, contents.len())?)?;
    out.write_all(contents)?;
    out.write_all(&vec![0; contents.len().next_multiple_of(BLOCK) - contents.len()])
}

/// A regular file of no user: names and numbers of users are not part of what is sent.
fn header(name: &str, seconds: u64, length: usize) -> io::Result<[u8; BLOCK]> {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, most: usize, text: &str| match header.get_mut(at..at + text.len()) {
        Some(field) if text.len() <= most => {
            field.copy_from_slice(text.as_bytes());
            Ok(())
        }
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "a name or a number is too long for a tar archive")),
    };
    put(0, 100, name)?;
    put(100, 8, "0000644\0")?;
    put(108, 8, "0000000\0")?;
    put(116, 8, "0000000\0")?;
    put(124, 12, &format!("{length:011o}\0"))?;
    put(136, 12, &format!("{seconds:011o}\0"))?;
    // The sum of all bytes, in which its own field counts as spaces.
    put(148, 8, "        ")?;
    put(156, 1, "0")?;
    put(257, 8, "ustar\x0000")?;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Ok(header)
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Read;

    use super::*;

    /// The files of an archive by their names, read by the same standard.
    pub(in crate::cli::support) fn unpacked(path: &Path) -> Vec<Member> {
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(std::fs::File::open(path).expect("an archive")).read_to_end(&mut bytes).expect("gzip");
        let text = |bytes: &[u8]| String::from_utf8(bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()).expect("text");
        let mut members = Vec::new();
        let mut rest = &bytes[..];
        while rest[0] != 0 {
            let (header, behind) = rest.split_at(BLOCK);
            let length = usize::from_str_radix(&text(&header[124..136]), 8).expect("a length");
            members.push(Member { name: text(&header[..100]), contents: behind[..length].to_vec() });
            rest = &behind[length.next_multiple_of(BLOCK)..];
        }
        assert!(rest.len() == 2 * BLOCK && rest.iter().all(|byte| *byte == 0), "two empty blocks end it");
        members
    }

    #[test]
    fn an_archive_is_unpacked_as_it_was_packed_also_by_tar_and_only_its_owner_may_read_it() {
        let here = tempfile::tempdir().expect("a directory");
        let path = here.path().join("support.tar.gz");
        let members = [("a.txt", vec![b'x'; 512]), ("empty", Vec::new()), ("b.json", b"{}\n".to_vec())]
            .map(|(name, contents)| Member { name: name.to_owned(), contents });
        write(&path, "flashline-support", 1_700_000_000, &members).expect("it is written");
        let expected: Vec<Member> =
            members.iter().map(|member| Member { name: format!("flashline-support/{}", member.name), ..member.clone() }).collect();
        assert_eq!(unpacked(&path), expected);
        assert_eq!(std::fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        // tar checks the sums of the headers.
        let listed = std::process::Command::new("tar").arg("-tzf").arg(&path).output().expect("tar runs");
        assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
        assert_eq!(String::from_utf8_lossy(&listed.stdout), "flashline-support/a.txt\nflashline-support/empty\nflashline-support/b.json\n");
    }

    #[test]
    fn a_file_that_is_there_is_not_replaced_and_one_that_cannot_be_written_leaves_nothing() {
        let here = tempfile::tempdir().expect("a directory");
        let path = here.path().join("there");
        std::fs::write(&path, "kept").expect("written");
        let error = write(&path, "d", 0, &[]).expect_err("it exists");
        assert!(error.to_string().contains("exists already"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("it is there"), "kept");
        let long = Member { name: "x".repeat(120), contents: Vec::new() };
        assert!(matches!(write(&here.path().join("new"), "d", 0, &[long]), Err(ArchiveError::Write { .. })));
        assert_eq!(std::fs::read_dir(here.path()).expect("listed").count(), 1, "no half archive is left");
        assert!(matches!(write(Path::new("/nonexistent/new"), "d", 0, &[]), Err(ArchiveError::Write { .. })));
    }
}
