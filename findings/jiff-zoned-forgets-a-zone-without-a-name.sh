#!/bin/bash
# A jiff `Zoned` of the system's time zone loses the zone when it is written and read, if /etc/localtime is a copy and not a link.
#
# Expected: what Display of a Zoned writes, FromStr reads without loss, or it is an error: the crate is known for that.
# Seen: the name of the zone is the link's target. A copy (or a TZ with a file or with POSIX rules) has no name, and Zoned writes the offset
#   of that moment in its place: `...+02:00[+02:00]`. Read again, it is a zone of a fixed offset. The two values are equal by `==`, but six months
#   later one shows 12:00+01:00 and the other 12:00+02:00. With a named zone both agree.
# Versions: crate jiff 0.2.46; the zone file is made by zic of libc-bin 2.36 (Debian 12).
# Written in: jiff, documentation of Zoned (lossless with an IANA time zone) and src/tz/timezone.rs (the system's zone may have no name).
# Hurts: a maker who stores the start of a shift or an order's deadline as Zoned and computes with it: in a container or on an image whose
#   /etc/localtime was copied, it is an hour off after the change of the clocks. A test on a desktop, where it is a link, does not show it.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb libc-bin=2.36-9+deb12u14
crates jiff@=0.2.46

# Central European rules, since 1996.
cat >rules <<'ZONE'
Rule EU 1996 max - Mar lastSun 1:00u 1:00 S
Rule EU 1996 max - Oct lastSun 1:00u 0    -
Zone Test/Central 1:00 EU CE%sT
ZONE
zic -d zones rules
# Without an argument it only says that it was built.
# shellcheck disable=SC2119
rust >said <<'RUST'
fn main() -> Result<(), jiff::Error> {
    println!("built");
    if std::env::args().nth(1).is_none() {
        return Ok(());
    }
    let noon = jiff::civil::date(2026, 7, 1).at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::system())?;
    let text = noon.to_string();
    let again: jiff::Zoned = text.parse()?;
    println!("{text}");
    println!("{}", noon == again);
    let half_a_year = jiff::Span::new().months(6);
    println!("{}", noon.checked_add(half_a_year)?);
    println!("{}", again.checked_add(half_a_year)?);
    Ok(())
}
RUST
# ask NAME TZ: four lines into said, after the first.
ask() { TZ=$1 "$work/crate/target/debug/probe" run >said; }
# TZDIR is not asked for a path; a file by its path is what /etc/localtime is as a copy.
ask ":$work/zones/Test/Central"
seen 'without a name: written' '2026-07-01T12:00:00+02:00[+02:00]' "$(sed -n 2p said)"
seen 'without a name: equal after reading' true "$(sed -n 3p said)"
seen 'without a name: the value, half a year on' '2027-01-01T12:00:00+01:00[+01:00]' "$(sed -n 4p said)"
seen 'without a name: the value read, half a year on' '2027-01-01T12:00:00+02:00[+02:00]' "$(sed -n 5p said)"
export TZDIR=$work/zones
ask Test/Central
seen 'with a name: written' '2026-07-01T12:00:00+02:00[Test/Central]' "$(sed -n 2p said)"
seen 'with a name: the value, half a year on' '2027-01-01T12:00:00+01:00[Test/Central]' "$(sed -n 4p said)"
seen 'with a name: the value read, half a year on' '2027-01-01T12:00:00+01:00[Test/Central]' "$(sed -n 5p said)"
