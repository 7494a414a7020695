#!/bin/bash
# zxing-cpp reads the Code 39 of "WO-12/A" as "WO-12!": it takes plain Code 39 for the full ASCII form whenever that is possible.
#
# Expected: Code 39 has "/", "+", "$" and "%" as characters of its own; a reader returns them, unless it was set to the full ASCII form.
# Seen: the two forms cannot be told apart by the bars. zxing-cpp looks at the text: if each of these four stands before a letter that makes
#   a pair with it, all pairs become one character, and the format is "Code 39 Extended". So "WO-12/A" is "WO-12!", "A+B7" is "Ab7" and
#   "SN%W1" is "SN`1", but "WO-12/3" and "FX/A10+" are right: it changes from label to label of one roll. Asking for Code39 makes no
#   difference; asking for Code39Std does. zbar returns all as printed.
# Versions: PyPI zxing-cpp 3.1.1, pyzbar 0.1.9, pillow 12.0.0; zint 2.11.1, libzbar0 0.23.92 (Debian 12).
# Written in: ISO/IEC 16388 (full ASCII is an option that both sides agree upon); zxing-cpp, core/src/oned/ODCode39Reader.cpp.
#   Its Python documentation lists the formats, and not what Code39 does.
# Hurts: a maker whose work orders or lots are printed as Code 39 with a slash and a letter, and read by a camera at one place and by a
#   hand scanner at another: two names of one lot, and for some lots only.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb zint=2.11.1-1 libzint2.11=2.11.1-1 libzbar0=0.23.92-7+deb12u1 libv4l-0=1.22.1-5+b2 libv4lconvert0=1.22.1-5+b2 \
	libjpeg62-turbo=1:2.1.5-2
pip_install zxing-cpp==3.1.1 pyzbar==0.1.9 pillow==12.0.0

zbar=$(find "$work/root/usr/lib" /usr/lib -name 'libzbar.so.0' 2>/dev/null | head -1)
"$work/venv/bin/python" - "$zbar" <<'PYTHON' >said 2>errors || fail "Python: $(tail -1 errors)"
import ctypes.util, subprocess, sys
ctypes.util.find_library = lambda name: sys.argv[1]
import zxingcpp
from PIL import Image, ImageOps
from pyzbar import pyzbar

for text in ("WO-12/A", "A+B7", "SN%W1", "LINE/C SLOT/A", "WO-12/3", "FX/A10+"):
    subprocess.run(["zint", "--barcode=8", "--scale=2", "--notext", "-o", "code.png", "-d", text], check=True)
    image = ImageOps.expand(Image.open("code.png").convert("L"), 40, 255)
    for name, formats in (("zxing-cpp", None), ("Code39", zxingcpp.BarcodeFormat.Code39), ("Code39Std", zxingcpp.BarcodeFormat.Code39Std)):
        found = zxingcpp.read_barcodes(image, **({} if formats is None else {"formats": formats}))[0]
        print(f"{text}, {name}: {found.text} ({found.format})")
    print(f"{text}, zbar: {pyzbar.decode(image)[0].data.decode()}")
PYTHON
said() { awk -v what="$1: " 'index($0, what) == 1 { print substr($0, length(what) + 1) }' said; }
# read_as TEXT BY-ZXING
read_as() {
	seen "$1, zxing-cpp" "$2" "$(said "$1, zxing-cpp")"
	seen "$1, Code39" "$2" "$(said "$1, Code39")"
	seen "$1, Code39Std" "$1 (Code 39)" "$(said "$1, Code39Std")"
	seen "$1, zbar" "$1" "$(said "$1, zbar")"
}
read_as WO-12/A 'WO-12! (Code 39 Extended)'
read_as A+B7 'Ab7 (Code 39 Extended)'
read_as SN%W1 'SN`1 (Code 39 Extended)'
read_as 'LINE/C SLOT/A' 'LINE# SLOT! (Code 39 Extended)'
read_as WO-12/3 'WO-12/3 (Code 39)'
read_as FX/A10+ 'FX/A10+ (Code 39)'
