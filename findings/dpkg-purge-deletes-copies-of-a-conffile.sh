#!/bin/bash
# `dpkg --purge` deletes files that no package ever had: the copies an engineer made of a configuration file, if they have certain names.
#
# Expected: dpkg removes what the package owns. Files that somebody else put beside it stay, and dpkg says that the directory is not empty.
# Seen: for the conffile station.toml also station.toml.bak, station.toml~, station.toml%, #station.toml#, .dpkg-old and .dpkg-dist go, without
#   a word. station.toml.orig, .old, .save, .bak1, a date, and even .dpkg-bak (of dpkg-maintscript-helper) stay. --remove keeps all. The same
#   goes for the copies of a conffile that the newer package no longer has.
# Versions: dpkg 1.21.22 and 1.21.23 (Debian 12).
# Written in: dpkg, src/main/remove.c (removal_bulk_remove_configfiles) and REMOVECONFFEXTS. dpkg(1), of --purge: "everything,
#   including conffiles, and anything else cleaned up from postrm".
# Hurts: a maker who copies the station's configuration to NAME.bak, purges the package for a clean installation, and means to put the copy
#   back: the teaching of all slots is gone. Copies belong into another directory, or end in .orig.
set -euo pipefail
. "$(dirname "$0")/common.bash"
version=$(dpkg-query -W -f '${Version}' dpkg)
[ "$version" = 1.21.22 ] || [ "$version" = 1.21.23 ] || fail "dpkg is $version, not 1.21.22 or 1.21.23"
echo "package: dpkg $version"

mkdir -p database/updates database/info system package/DEBIAN package/etc/station
touch database/status database/available
package() { dpkg --admindir="$work/database" --instdir="$work/system" --log=/dev/null --force-not-root --force-script-chrootless "$@"; }
# A package with those conffiles.
build() {
	rm -f package/etc/station/* package/DEBIAN/conffiles
	printf 'Package: station\nVersion: %s\nArchitecture: all\nMaintainer: None <none@example.org>\nDescription: station\n' "$1" >package/DEBIAN/control
	local name
	for name in "${@:2}"; do
		echo "/etc/station/$name" >>package/DEBIAN/conffiles
		echo "made = 1" >"package/etc/station/$name"
	done
	dpkg-deb --root-owner-group --build package station.deb >/dev/null
}
build 1 station.toml slots.toml
package --install station.deb >/dev/null 2>&1
here() { (cd system/etc/station 2>/dev/null && find . -type f -printf '%f\n' | sort | paste -sd ' '); }
for name in station.toml{.bak,'~',%,.dpkg-old,.dpkg-dist,.dpkg-bak,.orig,.old,.save,.bak1,.2026-11-29} '#station.toml#' {slots,other}.toml.bak; do
	echo "mine = 1" >"system/etc/station/$name"
done
before=$(here)
build 2 station.toml
package --install station.deb >/dev/null 2>&1
seen 'after an upgrade' "$before" "$(here)"
package --remove station >/dev/null 2>&1
seen 'after --remove' "$before" "$(here)"
package --purge station >said 2>&1
kept='other.toml.bak station.toml.2026-11-29 station.toml.bak1 station.toml.dpkg-bak station.toml.old station.toml.orig station.toml.save'
seen 'after --purge' "$kept" "$(here)"
seen 'dpkg of the copies' '' "$(grep -F .bak said || true)"
