#!/bin/bash
# ruzstd reads a damaged image to its end without an error, though the frame has a checksum that says so.
#
# Expected: a decoder that implements Read ends with an error where the checksum of the frame does not match, as gzip, xz, lz4 and zstd do.
# Seen: one bit of an image is changed in its compressed file, where the data did not compress. `zstd --test` and PyPI's zstandard find it;
#   ruzstd's StreamingDecoder returns all bytes, one of them wrong, and Ok. It has read the checksum and computed its own: both can be asked
#   for and differ, and it is up to the caller to compare them.
# Versions: crate ruzstd 0.9.1; zstd 1.5.4 (Debian 12); PyPI zstandard 0.25.0.
# Written in: RFC 8878, 3.1.1 (Content_Checksum); ruzstd, src/decoding/frame_decoder.rs (get_calculated_checksum). Its readme lists
#   checksums as done, and the documents of StreamingDecoder do not speak of them.
# Hurts: a maker who moves from the C library to the one in pure Rust: images that a disk or a download damaged, and that were refused
#   before, are written to cards.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zstd=1.5.4+dfsg2-5
crates ruzstd@=0.9.1
pip_install zstandard==0.25.0

# Numbers that do not compress, the same on each run.
python3 -c '
state, image = 1, bytearray()
while len(image) < 300000:
    state = state * 6364136223846793005 + 1442695040888963407 & (1 << 64) - 1
    image += (state >> 32).to_bytes(4, "little")
open("image", "wb").write(image)'
zstd -q image -o good.zst
python3 -c 'data = bytearray(open("good.zst", "rb").read()); data[100000] ^= 1; open("bad.zst", "wb").write(data)'
seen 'the frame has a checksum' XXH64 "$(zstd --list --verbose good.zst 2>/dev/null | sed -n 's/^Check: \([A-Z0-9]*\).*/\1/p')"
seen 'zstd --test, good' 0 "$(zstd -q --test good.zst 2>/dev/null && echo 0 || echo $?)"
seen 'zstd --test, bad' 1 "$(zstd -q --test bad.zst 2>/dev/null && echo 0 || echo $?)"
seen 'zstandard, bad' ZstdError "$("$work/venv/bin/python" -c '
import zstandard
try:
    with open("bad.zst", "rb") as file:
        print(len(zstandard.ZstdDecompressor().stream_reader(file).read()))
except zstandard.ZstdError as error:
    print(type(error).__name__)')"
rust good.zst bad.zst <<'RUST' >said
use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(std::fs::File::open(&path)?)?;
        let mut image = Vec::new();
        let result = decoder.read_to_end(&mut image);
        std::fs::write(format!("{path}.image"), &image)?;
        let same = decoder.decoder.get_checksum_from_data() == decoder.decoder.get_calculated_checksum();
        println!("{path}: {result:?}, checksums {}", if same { "equal" } else { "differ" });
    }
    Ok(())
}
RUST
said() { sed -n "s/^$1: //p" said; }
seen 'ruzstd, good' 'Ok(300000), checksums equal' "$(said good.zst)"
seen 'ruzstd, bad' 'Ok(300000), checksums differ' "$(said bad.zst)"
seen 'bytes that differ from the image' 1 "$(cmp -l image bad.zst.image | wc -l)"
