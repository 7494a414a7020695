#!/bin/bash
# `mmc cid read` prints an SD card's manufacturing month one too late, and swaps month and year of an eMMC.
#
# Expected: the register that the kernel shows in sysfs is decoded as the SD and JEDEC specifications say, and as the kernel's own `date`
#   attribute.
# Seen: for SD, the month is right in the register (6 is June) and `jul` on the screen: the table of names begins at 0. For eMMC, the four
#   bits of the month are read as the year and the other way round: September 2013 becomes January 2006.
# Versions: mmc-utils 0+git20220624 (Debian 12). Later sources have both right.
# Written in: SD Physical Layer Simplified Specification, 5.2 CID register (MDT: year since 2000 in 8 bits, then month 1 to 12 in 4);
#   JESD84-B51, 7.2.7 (MDT: month in bits 15:12, year in 11:8); Linux, drivers/mmc/core/{sd,mmc}.c; mmc-utils, lsmmc.c.
# Hurts: a maker who keeps the cards' dates of manufacture per batch, or bars a bad batch by its month.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb mmc-utils=0+git20220624.d7b343fd-1

# date_of TYPE CID: the last three digits before the checksum's two are the MDT field.
date_of() {
	mkdir -p card
	echo "$1" >card/type
	echo "$2" >card/cid
	mmc cid read card | sed -n 's/^manufacturing date: //p'
}
seen 'SD card, MDT 0x186: June 2024' '2024 jul' "$(date_of SD 035344534333324780a1b2c3d4018600)"
seen 'SD card, MDT 0x181: January 2024' '2024 feb' "$(date_of SD 035344534333324780a1b2c3d4018100)"
# Year 0 of the second count, which embedded devices of version 4.41 and later use, is 2013; in the first count it is 1997.
seen 'eMMC, MDT 0x90: September 1997 or 2013' '2006 jan' "$(date_of MMC 150100424a5444345209a1b2c3d49000)"
