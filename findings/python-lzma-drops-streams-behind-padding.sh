#!/bin/bash
# Python's `lzma` ends at the padding between two xz streams, without an error, and calls a padded file truncated.
#
# Expected: what `xz -d` reads, Python reads; if it cannot, it raises an error.
# Seen: xz files may follow each other, with zeros between them in multiples of four bytes. Of `first.xz, 12 zeros, second.xz`,
#   lzma.open() and lzma.decompress() return the first part and then the end of the file. With zeros behind the last stream both raise
#   "ended before the end-of-stream marker", with all bytes already decoded. xz, 7-Zip, bsdtar and the crate lzma-rust2 read both files
#   whole.
# Versions: CPython 3.11.2, xz-utils 5.4.1, 7zip 26.02, libarchive-tools 3.6.2 (Debian 12); crate lzma-rust2 0.25.0.
# Written in: the .xz file format, 2.2 "Stream Padding" (a decoder that supports concatenated streams must support it); CPython,
#   Lib/_compression.py (DecompressReader: an error of the format in a later stream is "trailing junk") and the documentation of lzma,
#   which names multiple streams but no padding.
# Hurts: a maker whose image consists of parts that are padded to the sector: a Python tool flashes the first part and succeeds.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb python3.11-minimal=3.11.2-6+deb12u9 libpython3.11-minimal=3.11.2-6+deb12u9 libpython3.11-stdlib=3.11.2-6+deb12u9 xz-utils=5.4.1-1+deb12u2 \
	7zip=22.01+really26.02+dfsg-0+deb12u1 libarchive-tools=3.6.2-1+deb12u5
crates lzma-rust2@=0.25.0

seq 1000 >first
seq 1001 2000 >second
cat first second >image
xz -k first second
{ cat first.xz && head -c 12 /dev/zero && cat second.xz; } >between.xz
{ cat first.xz second.xz && head -c 8 /dev/zero; } >behind.xz
interpreter=$work/root/usr/bin/python3.11
[ -x "$interpreter" ] || interpreter=/usr/bin/python3.11
in_python=$("$interpreter" - <<'PYTHON'
import lzma
import sys

def result(read):
    try:
        return len(read())
    except (EOFError, lzma.LZMAError) as error:
        return error

print(sys.version.split()[0], lzma.__file__.startswith(sys.prefix))
for path in ("between.xz", "behind.xz"):
    print(result(lambda: lzma.open(path).read()))
    print(result(lambda: lzma.decompress(open(path, "rb").read())))
PYTHON
)
in_rust=$(rust "$work/between.xz" "$work/behind.xz" <<'RUST'
use std::io::Read;
fn main() {
    for path in std::env::args().skip(1) {
        let mut bytes = Vec::new();
        println!("{:?}", lzma_rust2::XzReader::new(std::fs::File::open(path).unwrap(), true).read_to_end(&mut bytes));
    }
}
RUST
)
echo "first: $(stat -c %s first) bytes; second: $(stat -c %s second) bytes"
seen 'Python' '3.11.2 True' "$(sed -n 1p <<<"$in_python")"
seen 'between, lzma.open()' 3893 "$(sed -n 2p <<<"$in_python")"
seen 'between, lzma.decompress()' 3893 "$(sed -n 3p <<<"$in_python")"
seen 'behind, lzma.open()' 'Compressed file ended before the end-of-stream marker was reached' "$(sed -n 4p <<<"$in_python")"
seen 'behind, lzma.decompress()' 'Compressed data ended before the end-of-stream marker was reached' "$(sed -n 5p <<<"$in_python")"
for name in between behind; do
	seen "$name, xz -dc" same "$(xz -dc "$name.xz" | cmp - image && echo same)"
	seen "$name, 7zz x" same "$(7zz x -so "$name.xz" 2>/dev/null | cmp - image && echo same)"
	seen "$name, bsdcat" same "$(bsdcat "$name.xz" | cmp - image && echo same)"
done
seen 'lzma-rust2' 'Ok(8893) Ok(8893)' "$(tr '\n' ' ' <<<"$in_rust" | sed 's/ $//')"
