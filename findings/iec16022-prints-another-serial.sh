#!/bin/bash
# iec16022 makes Data Matrix codes with another text than the one it was given, for about each tenth serial of a usual form.
#
# Expected: the code holds the text; an encoder that cannot do that says so.
# Seen: some texts whose last characters leave one of the dense encodings (F7AB-86DC-BA35, three groups of four hexadecimal digits) come
#   back with a character more, or with the last ones changed. zxing-cpp and libdmtx, which have nothing in common, read the same wrong
#   text, with the error correction in order: the code is wrong, not the reading. zint's codes of all these texts are right, and so are
#   iec16022's with an encoding template of plain ASCII (-e AAAA...). Nothing is reported, and a label that is only looked at cannot be told
#   from a good one.
# Versions: iec16022 0.2.4, zint 2.11.1, libdmtx 0.7.7 (Debian 12); PyPI zxing-cpp 3.1.1, pylibdmtx 0.1.10, pillow 12.0.0.
# Written in: ISO/IEC 16022, 5.2.5 and on (how C40, Text and X12 end); iec16022, iec16022ecc200.c (encmake, ecc200encode). Not in its
#   manual.
# Hurts: a maker whose labels are made on the station by the smallest tool there is: one label in ten carries a serial that no database has,
#   and a test with a handful of serials that count up does not show it.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb iec16022=0.2.4-3 libiec16022-0=0.2.4-3 libpopt0=1.19+dfsg-1 zint=2.11.1-1 libzint2.11=2.11.1-1 libdmtx0b=0.7.7-1
pip_install zxing-cpp==3.1.1 pylibdmtx==0.1.10 pillow==12.0.0

dmtx=$(find "$work/root/usr/lib" /usr/lib -name 'libdmtx.so.0' 2>/dev/null | head -1)
"$work/venv/bin/python" -W ignore - "$dmtx" <<'PYTHON' >said 2>errors || fail "Python: $(tail -1 errors)"
import ctypes.util, random, subprocess, sys
ctypes.util.find_library = lambda name: sys.argv[1]
import zxingcpp
from PIL import Image, ImageOps
from pylibdmtx import pylibdmtx

def enlarged(rows):
    image = Image.new("L", (len(rows[0]), len(rows)), 255)
    image.putdata([0 if module == "*" else 255 for row in rows for module in row])
    return ImageOps.expand(image.resize((image.width * 6, image.height * 6), Image.NEAREST), 60, 255)

def by_iec16022(text, *options):
    said = subprocess.run(["iec16022", "-c", text, "-f", "Text", *options], capture_output=True, text=True, check=True).stdout
    rows = said.rstrip("\n").split("\n")
    width = max(map(len, rows))
    return enlarged([row.ljust(width) for row in rows])

def by_zint(text):
    subprocess.run(["zint", "--barcode=71", "--scale=4", "-o", "code.png", "-d", text], check=True)
    return ImageOps.expand(Image.open("code.png").convert("L"), 60, 255)

def zxing(image):
    return b"".join(bytes(code.bytes) for code in zxingcpp.read_barcodes(image)).decode()

def libdmtx(image):
    return b"".join(code.data for code in pylibdmtx.decode(image, max_count=1, timeout=5000)).decode()

for text in ("F7AB-86DC-BA35", "aA-1AA-aAA1AA-A-1-"):
    print(f"{text}:", zxing(by_iec16022(text)), libdmtx(by_iec16022(text)))
    print(f"{text}, zint:", zxing(by_zint(text)))
    print(f"{text}, ASCII:", zxing(by_iec16022(text, "-e", "A" * len(text))))
# The same serials each time; Python promises that for random(), and not for the functions made of it.
source = random.Random(16022)
serials = ["-".join(f"{int(source.random() * 65536):04X}" for _ in range(3)) for _ in range(200)]
print("wrong, iec16022:", sum(zxing(by_iec16022(serial)) != serial for serial in serials))
print("wrong, ASCII:", sum(zxing(by_iec16022(serial, "-e", "A" * 14)) != serial for serial in serials))
print("wrong, zint:", sum(zxing(by_zint(serial)) != serial for serial in serials))
print("counting:", sum(zxing(by_iec16022(f"FX-2026-{number:06}")) != f"FX-2026-{number:06}" for number in range(1, 201)))
PYTHON
said() { sed -n "s|^$1: ||p" said; }
seen 'F7AB-86DC-BA35, zxing-cpp and libdmtx' 'F7AB-86DC-BA{35 F7AB-86DC-BA{35' "$(said F7AB-86DC-BA35)"
seen 'aA-1AA-aAA1AA-A-1-, zxing-cpp and libdmtx' 'aA-1AA-aAA1AA-A-151 aA-1AA-aAA1AA-A-151' "$(said aA-1AA-aAA1AA-A-1-)"
for text in F7AB-86DC-BA35 aA-1AA-aAA1AA-A-1-; do
	seen "$text, by zint" "$text" "$(said "$text, zint")"
	seen "$text, in ASCII" "$text" "$(said "$text, ASCII")"
done
seen 'wrong of 200 serials as XXXX-XXXX-XXXX' 19 "$(said 'wrong, iec16022')"
seen 'of them by zint' 0 "$(said 'wrong, zint')"
seen 'of them in ASCII' 0 "$(said 'wrong, ASCII')"
seen 'wrong of FX-2026-000001 to 000200' 0 "$(said counting)"
