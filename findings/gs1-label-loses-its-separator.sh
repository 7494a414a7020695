#!/bin/bash
# Three readers return three texts for one GS1-128 label, and one of them, the crate rxing, makes batch and serial number one field.
#
# Expected: the text has the group separator (GS, 0x1d) where the label has FNC1 behind a field of variable length, whatever the symbol.
# Seen: of batch ABC123 and serial SN42, zbar returns "10ABC123<GS>21SN42", as by the standard. zxing-cpp's text has parentheses and no GS
#   ("(10)ABC123(21)SN42"), for which a parser of element strings has no use; its bytes are as zbar's. rxing returns "10ABC12321SN42": the
#   batch is now ABC12321SN42 and there is no serial. The same content in a Data Matrix or a QR Code has its GS in rxing, too. Only the hint
#   AssumeGs1 brings it for Code 128, and then the text begins with "]C1".
# Versions: zint 2.11.1, libzbar0 0.23.92 (Debian 12); PyPI zxing-cpp 3.1.1, pyzbar 0.1.9, pillow 12.0.0; crate rxing 0.9.3.
# Written in: GS1 General Specifications, 7.8 (processing of data from a GS1 symbology); rxing, src/oned/code_128_reader.rs (CODE_FNC_1);
#   zxing-cpp, TextMode (HRI).
# Hurts: a maker who moves labels from Data Matrix to GS1-128, or a station from one reader to another: the serial numbers in the log change
#   their form or join the batch, and no reader reports an error.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zint=2.11.1-1 libzint2.11=2.11.1-1 libzbar0=0.23.92-7+deb12u1 libv4l-0=1.22.1-5+b2 libv4lconvert0=1.22.1-5+b2 \
	libjpeg62-turbo=1:2.1.5-2
pip_install zxing-cpp==3.1.1 pyzbar==0.1.9 pillow==12.0.0
crates rxing@=0.9.3 --no-default-features --features decoders,encoding_rs,full_barcode_format_support

content='[01]09521234543213[10]ABC123[21]SN42'
zint --barcode=16 --gs1 --scale=3 -o code128.png -d "$content"
zint --barcode=71 --gs1 --scale=8 -o data-matrix.png -d "$content"
zint --barcode=58 --gs1 --scale=8 -o qr.png -d "$content"
zbar=$(find "$work/root/usr/lib" /usr/lib -name 'libzbar.so.0' 2>/dev/null | head -1)
"$work/venv/bin/python" - "$zbar" <<'PYTHON' >python.said 2>errors || fail "Python: $(tail -1 errors)"
import ctypes.util, sys
ctypes.util.find_library = lambda name: sys.argv[1]
import zxingcpp
from PIL import Image, ImageOps
from pyzbar import pyzbar

def shown(data):
    return data.replace("\x1d", "<GS>")

for name in ("code128", "data-matrix", "qr"):
    image = ImageOps.expand(Image.open(name + ".png").convert("L"), 40, 255)
    with open(name + ".raw", "wb") as file:
        file.write(image.width.to_bytes(4, "big") + image.height.to_bytes(4, "big") + image.tobytes())
    found = zxingcpp.read_barcodes(image)[0]
    print(f"{name}, zxing-cpp: {shown(found.text)}")
    print(f"{name}, zxing-cpp, bytes: {shown(bytes(found.bytes).decode())}")
    if name != "data-matrix":  # which zbar does not read
        print(f"{name}, zbar: {shown(pyzbar.decode(image)[0].data.decode())}")
PYTHON
rust "$work/code128.raw" "$work/data-matrix.raw" "$work/qr.raw" <<'RUST' >rust.said
use rxing::{DecodeHints, helpers};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for path in std::env::args().skip(1) {
        let raw = std::fs::read(&path)?;
        let length = |at: usize| raw[at..at + 4].iter().fold(0, |length, byte| length << 8 | u32::from(*byte));
        let name = path.rsplit('/').next().unwrap_or_default().trim_end_matches(".raw");
        let plain = helpers::detect_in_luma(raw[8..].to_vec(), length(0), length(4), None)?;
        println!("{name}, rxing: {}", plain.getText().replace('\u{1d}', "<GS>"));
        let mut hints = DecodeHints { AssumeGs1: Some(true), ..Default::default() };
        let hinted = helpers::detect_in_luma_with_hints(raw[8..].to_vec(), length(0), length(4), None, &mut hints)?;
        println!("{name}, rxing, AssumeGs1: {}", hinted.getText().replace('\u{1d}', "<GS>"));
    }
    Ok(())
}
RUST
said() { sed -n "s/^$1: //p" python.said rust.said; }
for name in code128 qr; do seen "$name, zbar" '010952123454321310ABC123<GS>21SN42' "$(said "$name, zbar")"; done
for name in code128 data-matrix qr; do
	seen "$name, zxing-cpp" '(01)09521234543213(10)ABC123(21)SN42' "$(said "$name, zxing-cpp")"
	seen "$name, zxing-cpp, bytes" '010952123454321310ABC123<GS>21SN42' "$(said "$name, zxing-cpp, bytes")"
done
seen 'code128, rxing' '010952123454321310ABC12321SN42' "$(said 'code128, rxing')"
for name in data-matrix qr; do seen "$name, rxing" '010952123454321310ABC123<GS>21SN42' "$(said "$name, rxing")"; done
seen 'code128, rxing, AssumeGs1' ']C1010952123454321310ABC123<GS>21SN42' "$(said 'code128, rxing, AssumeGs1')"
