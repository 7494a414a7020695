#!/bin/bash
# Purging what is left of a renamed package disables the service of its successor; and one that was disabled by hand is enabled again.
#
# Expected: a package that was replaced has nothing any more; dpkg keeps even its conffile, which now belongs to the successor.
# Seen: "station" with station.service is replaced by "station-daemon" with the same unit, both packed by debhelper as usual. The old
#   package stays behind in state "rc". `dpkg --purge station` runs its postrm, which knows units by name alone: the link in
#   multi-user.target.wants goes, and so does deb-systemd-helper's record. The running service is not stopped: it is missing after the next
#   reboot. And as the record is gone, the next upgrade counts as a first installation: a service that the engineer had disabled is enabled.
# Versions: debhelper 13.11.4, init-system-helpers 1.65.2 and 1.65.2+deb12u1, systemd 252.39, dpkg 1.21 (Debian 12).
# Written in: debhelper, autoscripts/postrm-systemd and postinst-systemd-enable; deb-systemd-helper (remove_links, was_enabled: true
#   without a record). deb-systemd-helper(1p) does not say it.
# Hurts: a maker who renames a package and, months later, cleans up by `apt purge '~c'`: the stations work until the next power cut.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb debhelper=13.11.4 libdebhelper-perl=13.11.4 systemd=252.39-1~deb12u2
helper=$(dpkg-query -W -f '${Version}' init-system-helpers)
case $helper in 1.65.2 | 1.65.2+deb12u1) echo "package: init-system-helpers $helper" ;; *) fail "init-system-helpers is $helper, not 1.65.2" ;; esac
perl -MDpkg::Control -e 1 2>/dev/null || fail "this needs dpkg-dev"
if [ -d "$work/root/usr/share/debhelper" ]; then
	export PERL5LIB=$work/root/usr/share/perl5 DH_AUTOSCRIPTDIR=$work/root/usr/share/debhelper/autoscripts
fi

# build NAME VERSION [FIELD]: a package with station.service, as `dh` packs it.
build() {
	rm -rf source
	mkdir -p "source/debian/$1/lib/systemd/system" "source/debian/$1/etc/station"
	cd source
	echo 13 >debian/compat
	printf 'Source: %s\nMaintainer: None <none@example.org>\n\nPackage: %s\nArchitecture: all\nDescription: station\n%s' \
		"$1" "$1" "${3-}" >debian/control
	printf '%s (%s) unstable; urgency=low\n\n  * Made.\n\n -- None <none@example.org>  Sun, 29 Nov 2026 00:00:00 +0000\n' "$1" "$2" >debian/changelog
	printf '[Service]\nExecStart=/bin/true\n\n[Install]\nWantedBy=multi-user.target\n' >"debian/$1/lib/systemd/system/station.service"
	echo 'slots = 8' >"debian/$1/etc/station/station.toml"
	local step
	for step in dh_installsystemd dh_installdeb dh_gencontrol 'dh_builddeb --destdir=.. -- --root-owner-group'; do
		$step >"$work/built" 2>&1 || fail "$step: $(tail -1 "$work/built")"
	done
	cd ..
}
build station 1
for version in 2 3 4; do build station-daemon "$version" $'Conflicts: station\nReplaces: station\nProvides: station\n'; done

# A system in a directory; its maintainer scripts run with DPKG_ROOT. That the programs are there is all that deb-systemd-helper asks of it.
mkdir -p database/updates database/info system/usr/bin system/etc
touch database/status database/available system/usr/bin/{deb-systemd-helper,systemctl}
chmod +x system/usr/bin/*
package() {
	dpkg --admindir="$work/database" --instdir="$work/system" --log=/dev/null --force-not-root --force-script-chrootless "$@" >said 2>&1 ||
		fail "dpkg $*: $(tail -1 said)"
}
enabled() { systemctl --root="$work/system" is-enabled station.service || true; }
state() { dpkg-query --admindir="$work/database" -W -f '${Package} ${Version} ${db:Status-Status}\n' | paste -sd ';'; }
package --install station_1_all.deb
seen 'the old package' enabled "$(enabled)"
package --install station-daemon_2_all.deb
seen 'packages after the change of name' 'station 1 config-files;station-daemon 2 installed' "$(state)"
seen 'the new package' enabled "$(enabled)"
package --purge station
seen 'after the purge of the old name' disabled "$(enabled)"
seen 'the conffile' 'slots = 8' "$(cat system/etc/station/station.toml)"
package --install station-daemon_3_all.deb
seen 'after the next upgrade' enabled "$(enabled)"

# The same, with a service that is disabled by hand.
rm -rf database/{status,available,info,updates} system/{etc,var,lib}
mkdir -p database/updates database/info system/etc
touch database/status database/available
package --install station_1_all.deb
package --install station-daemon_2_all.deb
systemctl --root="$work/system" disable station.service >/dev/null 2>&1
package --install station-daemon_3_all.deb
seen 'disabled by hand, after an upgrade' disabled "$(enabled)"
package --purge station
package --install station-daemon_4_all.deb
seen 'after the purge and one more upgrade' enabled "$(enabled)"
