#!/bin/bash
# A file from `pzstd` begins with a skippable frame; three decoders take that for the end, for a size, or for an error.
#
# Expected: every library that decodes zstd frames reads what the zstd package's own parallel compressor writes.
# Seen: pzstd puts a skippable frame of 12 bytes before each data frame. Python's zstandard: read_to_iter() ends without a byte and
#   without an error, decompress() raises an error about 4 bytes; stream_reader() and copy_stream() read all. ruzstd's StreamingDecoder
#   refuses. The crate zstd and the command line read all. An image with the same bytes from `zstd -T2` (one frame) is read by all.
# Versions: zstd 1.5.4 (Debian 12) with pzstd; PyPI zstandard 0.25.0; crates ruzstd 0.9.1, zstd 0.14.0.
# Written in: RFC 8878, 3.1 (frames and skippable frames follow each other in any order, and a decoder goes on); zstd, contrib/pzstd
#   (SkippableFrame.h: the compressed size of the next frame); python-zstandard's documentation of read_across_frames; ruzstd's
#   documentation of StreamingDecoder (one frame).
# Hurts: a maker who compresses images in parallel and flashes by a script: the write of an empty image succeeds.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zstd=1.5.4+dfsg2-5
pip_install zstandard==0.25.0
crates ruzstd@=0.9.1 zstd@=0.14.0

head -c 5M /dev/urandom >image
pzstd -q -p 2 image -o pzstd.zst
zstd -q -T2 image -o zstd.zst
in_python=$("$work/venv/bin/python" - <<'PYTHON'
import io
import zstandard

def result(read):
    try:
        return str(read())
    except zstandard.ZstdError as error:
        return f"error: {error}"

for path in ("pzstd.zst", "zstd.zst"):
    data = open(path, "rb").read()
    decoder = zstandard.ZstdDecompressor()
    print(result(lambda: sum(map(len, decoder.read_to_iter(io.BytesIO(data))))))
    print(result(lambda: len(decoder.decompress(data))))
    print(result(lambda: len(decoder.stream_reader(io.BytesIO(data)).read())))
    print(result(lambda: decoder.copy_stream(io.BytesIO(data), io.BytesIO())[1]))
PYTHON
)
in_rust=$(rust "$work/pzstd.zst" "$work/zstd.zst" <<'RUST'
use std::io::Read;
fn main() {
    for path in std::env::args().skip(1) {
        let file = std::fs::read(path).unwrap();
        let mut bytes = Vec::new();
        match ruzstd::decoding::StreamingDecoder::new(&file[..]) {
            Ok(mut decoder) => println!("{}", decoder.read_to_end(&mut bytes).unwrap()),
            Err(error) => println!("error: {error}"),
        }
        println!("{}", zstd::decode_all(&file[..]).unwrap().len());
    }
}
RUST
)
line() { sed -n "$1p" <<<"$2"; }
seen 'pzstd: magic number of the first frame' '50 2a 4d 18' "$(head -c 4 pzstd.zst | od -An -tx1 | sed 's/^ //')"
seen 'pzstd: zstd -dc' same "$(zstd -q -dc pzstd.zst | cmp - image && echo same)"
seen 'pzstd: zstandard read_to_iter()' 0 "$(line 1 "$in_python")"
seen 'pzstd: zstandard decompress()' 'error: decompression error: decompressed 0 bytes; expected 4' "$(line 2 "$in_python")"
seen 'pzstd: zstandard stream_reader()' 5242880 "$(line 3 "$in_python")"
seen 'pzstd: zstandard copy_stream()' 5242880 "$(line 4 "$in_python")"
seen 'pzstd: ruzstd' 'error: SkipFrame { magic_number: 407710288, length: 4 }' "$(line 1 "$in_rust")"
seen 'pzstd: crate zstd' 5242880 "$(line 2 "$in_rust")"
for number in 5 6 7 8; do seen 'zstd -T2: zstandard' 5242880 "$(line $number "$in_python")"; done
for number in 3 4; do seen 'zstd -T2: ruzstd, zstd' 5242880 "$(line $number "$in_rust")"; done
