#!/bin/bash
# A unit in a cell's number format, `0.0 "mm"`, makes xlsx2csv print the format without the number, and pylightxl return a date.
#
# Expected: a reader returns the stored number, 12; a converter may add the unit. Text in quotes is not part of a date.
# Seen: xlsx2csv takes any format with one of the letters y, m, d, h or s for a date and fills it in, quotes and all: 12 with `0 "days"`
#   comes out as `0 "11ays"`, with `"S/N "0` as `"s/n "0`. The number is no longer in the CSV, and the exit status is 0. -12 is left alone.
#   pylightxl returns a date or a time of day for some of these and for `[Red]0`, whose "d" is of a colour; `0.0 "mm"` it reads right.
#   A duration of 30 hours as `[h]:mm:ss` is 06:00 in both. openpyxl and calamine return 12 and 30 hours.
# Versions: xlsx2csv 0.7.8 (Debian 12) and PyPI 0.8.6, pylightxl 1.61, openpyxl 3.1.5, python-calamine 0.9.1 (crate calamine), XlsxWriter
#   3.3.1, which writes the file.
# Written in: ECMA-376, part 1, 18.8.31 numFmts (text in quotes and colours in brackets); xlsx2csv.py (a format that
#   matches .*[hsmdyY] is a date).
# Hurts: a maker whose report shows "12 days" or "350 mm/s" to people, and whose MES takes the same sheet through a converter to CSV.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb xlsx2csv=1:0.7.8-1
pip_install xlsx2csv==0.8.6 pylightxl==1.61 openpyxl==3.1.5 python-calamine==0.9.1 XlsxWriter==3.3.1

cat >made.py <<'PYTHON'
import csv, openpyxl, pylightxl, python_calamine, subprocess, sys, xlsxwriter
rows = [(12, "General"), (12, '0.0 "mm"'), (12, '0 "days"'), (-12, '0 "days"'), (12, '"S/N "0'), (12, "[Red]0"), (1.25, "[h]:mm:ss")]
book = xlsxwriter.Workbook("units.xlsx")
sheet = book.add_worksheet()
for row, (number, form) in enumerate(rows):
    sheet.write_number(row, 0, number, book.add_format({"num_format": form}))
book.close()

def converted(command):
    subprocess.run([*command, "units.xlsx", "units.csv"], check=True)
    with open("units.csv", newline="") as file:
        return [row[0] for row in csv.reader(file)]

readers = {
    "openpyxl": [row[0] for row in openpyxl.load_workbook("units.xlsx").active.values],
    "calamine": [row[0] for row in python_calamine.CalamineWorkbook.from_path("units.xlsx").get_sheet_by_index(0).to_python()],
    "pylightxl": [row[0] for row in pylightxl.readxl("units.xlsx").ws("Sheet1").rows],
    "xlsx2csv": converted([sys.executable, "-m", "xlsx2csv"]),
    "xlsx2csv 0.7.8": converted(["/usr/bin/python3", sys.argv[1]]),
}
for name, cells in readers.items():
    for (number, form), cell in zip(rows, cells):
        print(f"{name}, {number} as {form}: {cell:g}" if isinstance(cell, float) else f"{name}, {number} as {form}: {cell}")
PYTHON
"$work/venv/bin/python" made.py "$(command -v xlsx2csv)" >said 2>errors || fail "Python: $(tail -1 errors)"
said() { awk -v what="$1: " 'index($0, what) == 1 { print substr($0, length(what) + 1) }' said; }
# shown READER NUMBER FORMAT=CELL...
shown() {
	local pair
	for pair in "${@:3}"; do seen "$1, $2 as ${pair%%=*}" "${pair#*=}" "$(said "$1, $2 as ${pair%%=*}")"; done
}
for reader in openpyxl calamine; do
	shown $reader 12 '0.0 "mm"=12' '0 "days"=12' '"S/N "0=12' '[Red]0=12'
	shown $reader 1.25 '[h]:mm:ss=1 day, 6:00:00'
done
for reader in xlsx2csv 'xlsx2csv 0.7.8'; do
	shown "$reader" 12 'General=12' '0.0 "mm"=0.0 "01"' '0 "days"=0 "11ays"' '"S/N "0="s/n "0' '[Red]0=12'
	shown "$reader" -12 '0 "days"=-12'
	shown "$reader" 1.25 '[h]:mm:ss=06:00'
done
shown pylightxl 12 'General=12' '0.0 "mm"=12' '0 "days"=1900/01/11 00:00:00' '"S/N "0=00:00:00' '[Red]0=1900/01/11'
shown pylightxl 1.25 '[h]:mm:ss=06:00:00'
