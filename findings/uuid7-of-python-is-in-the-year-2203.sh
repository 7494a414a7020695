#!/bin/bash
# UUIDs of the Python package uuid7 say "version 7", and hold their time in another form: by RFC 9562 they are of the year 2203.
#
# Expected: a UUID with version 7 begins with the milliseconds since 1970 in 48 bits, so those of all programs sort by time together.
# Seen: the package, of 2021, follows a draft in which the time is 36 bits of seconds and a fraction; version and variant are the same. What
#   it makes on 29 November 2026 is of the year 2203 for the crate uuid and for each other reader of RFC 9562, and an hour is four. In a table
#   with UUIDs of other programs they sort behind all that is made in the next 176 years, and a search for a day by range of UUIDs does not
#   find them. Nothing in the UUID tells the one form from the other.
# Versions: PyPI uuid7 0.1.0; crate uuid 1.29.3.
# Written in: RFC 9562, 5.7 (unix_ts_ms); the package's page names draft-peabody-dispatch-new-uuid-format-02.
# Hurts: a maker whose stations make record IDs in Rust, and whose bench programs make them in Python by the package of the obvious name:
#   "the newest first" shows the bench's alone, and what deletes records older than a year by range of UUIDs never meets them.
set -euo pipefail
. "$(dirname "$0")/common.bash"
pip_install uuid7==0.1.0
crates uuid@=1.29.3 --features v7

# Of 29 November 2026, 12:00 and 13:00 UTC.
noon=1795953600
"$work/venv/bin/python" - $noon <<'PYTHON' >uuids
import sys
from uuid_extensions import uuid7
for hour in (0, 1):
    print(uuid7((int(sys.argv[1]) + hour * 3600) * 1_000_000_000))
PYTHON
mapfile -t python <uuids
rust $noon "${python[@]}" <<'RUST' >said
use uuid::{NoContext, Timestamp, Uuid};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = |uuid: &Uuid| uuid.get_timestamp().map_or(0, |time| time.to_unix().0);
    let ours = Uuid::new_v7(Timestamp::from_unix(NoContext, arguments[0].parse()?, 0));
    let (first, second): (Uuid, Uuid) = (arguments[1].parse()?, arguments[2].parse()?);
    println!("versions: {} {}", ours.get_version_num(), first.get_version_num());
    println!("variants: {:?} {:?}", ours.get_variant(), first.get_variant());
    println!("ours: {}", seconds(&ours));
    println!("first: {}", seconds(&first));
    println!("an hour: {}", seconds(&second) - seconds(&first));
    let in_176_years = Uuid::new_v7(Timestamp::from_unix(NoContext, arguments[0].parse::<u64>()? + 176 * 31_556_952, 0));
    println!("sorts behind 176 years: {}", first > in_176_years);
    Ok(())
}
RUST
said() { sed -n "s/^$1: //p" said; }
seen 'version of the crate and of the package' '7 7' "$(said versions)"
seen 'variant' 'RFC4122 RFC4122' "$(said variants)"
seen 'time of the crate' '2026-11-29 12:00:00' "$(date -d "@$(said ours)" '+%F %T')"
seen 'time of the package' 2203-02-10 "$(date -d "@$(said first)" +%F)"
seen 'an hour of it, in seconds' 14746 "$(said 'an hour')"
seen 'behind one of the crate in 176 years' true "$(said 'sorts behind 176 years')"
