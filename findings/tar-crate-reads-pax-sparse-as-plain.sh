#!/bin/bash
# The Rust crate `tar` returns the wrong bytes, without an error, for a sparse file that GNU tar archived in the PAX format.
#
# Expected: GNU tar's sparse files are supported (the crate knows the entry type `GNUSparse`), or a form that is not is refused.
# Seen: with `--format=gnu` the entry has the image's length and bytes. With `--format=posix` the crate returns the map followed by the
#   data blocks, as a regular file with the name GNUSparseFile.PID/image. Python's tarfile and bsdtar read both.
# Versions: crate tar 0.4.46; GNU tar 1.34, libarchive-tools 3.6.2 (Debian 12).
# Written in: the GNU tar manual, "PAX Format, Version 1.0": the map lies before the data, the real name and size are PAX records
#   (GNU.sparse.name, GNU.sparse.realsize); tar-rs, src/archive.rs (parse_sparse_header asks for the GNU entry type) and src/pax.rs, where
#   the GNU.sparse records have names that no code uses.
# Hurts: a maker whose image comes in a tar: instructions for reproducible archives ask for --format=posix, and -S suits an image with
#   gaps.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb tar=1.34+dfsg-1.2+deb12u1 libarchive-tools=3.6.2-1+deb12u5
crates tar@=0.4.46

truncate -s 8M image
printf 'data in the middle' | dd of=image bs=1M seek=4 conv=notrunc status=none
tar -S --format=gnu -cf gnu.tar image
tar -S --format=posix -cf posix.tar image
in_rust=$(rust "$work/gnu.tar" "$work/posix.tar" <<'RUST'
use std::io::Read;
fn main() {
    for path in std::env::args().skip(1) {
        let mut archive = tar::Archive::new(std::fs::File::open(path).unwrap());
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let (name, kind) = (entry.path().unwrap().display().to_string(), entry.header().entry_type());
            let mut bytes = Vec::new();
            let read = entry.read_to_end(&mut bytes).map_err(|error| error.to_string());
            let inner = name.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
            println!("{inner} {kind:?} {read:?}");
        }
    }
}
RUST
)
in_python=$(python3 - <<'PYTHON'
import tarfile
for path in ("gnu.tar", "posix.tar"):
    with tarfile.open(path) as archive:
        for member in archive:
            print(member.name, member.size, archive.extractfile(member).read() == open("image", "rb").read())
PYTHON
)
mkdir extracted
bsdtar -C extracted -xf posix.tar
seen 'bsdtar, --format=posix' same "$(cmp extracted/image image && echo same)"
seen 'Python, --format=gnu' 'image 8388608 True' "$(sed -n 1p <<<"$in_python")"
seen 'Python, --format=posix' 'image 8388608 True' "$(sed -n 2p <<<"$in_python")"
seen 'crate, --format=gnu' 'image GNUSparse Ok(8388608)' "$(sed -n 1p <<<"$in_rust")"
seen 'crate, --format=posix' './GNUSparseFile./image Regular Ok(4608)' "$(sed -n 2p <<<"$in_rust")"
