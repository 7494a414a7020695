#!/bin/bash
# toml_edit, which keeps comments, drops those above a key when `insert` gives the key another value; an assignment by index keeps them.
#
# Expected: both ways replace the value of a key that is there, and what stands above the key stays, as the crate promises for edits.
# Seen: `table.insert("image", value(…))` puts a new key in the place of the old one. The comment and the empty line above it, and spaces around
#   it, are gone, and nothing is returned that says so: the old value comes back, without the key. `table["image"] = value(…)` keeps what is
#   above and drops the comment behind the value. The order of the keys stays in both.
# Versions: crate toml_edit 0.25.18.
# Written in: toml_edit, src/table.rs (`insert` makes a `Key` anew; `index_mut` takes the entry that is there).
# Hurts: a program that changes one key in a file that people maintain (an image's path, a count, a network address). A line that was commented
#   out for later, or the reason of a setting, vanishes with the change, and a test that compares keys and values passes.
set -euo pipefail
. "$(dirname "$0")/common.bash"
crates toml_edit@=0.25.18 --no-default-features --features parse,display

rust >said <<'RUST'
use toml_edit::{DocumentMut, value};

const FILE: &str = "name = \"line 3\"\n\n# image = \"/srv/next.img\" is tested from Monday on\nimage = \"/srv/old.img\" # of order 17\ncount = 20\n";

fn main() {
    let read = || FILE.parse::<DocumentMut>().expect("valid TOML");
    let told = |document: &DocumentMut| println!("{}", document.to_string().replace('\n', "|"));
    told(&read());
    let mut inserted = read();
    inserted.as_table_mut().insert("image", value("/srv/new.img"));
    told(&inserted);
    let mut assigned = read();
    assigned["image"] = value("/srv/new.img");
    told(&assigned);
}
RUST
above='# image = "/srv/next.img" is tested from Monday on|'
seen 'read and written' "name = \"line 3\"||${above}image = \"/srv/old.img\" # of order 17|count = 20|" "$(sed -n 1p said)"
seen 'by insert' 'name = "line 3"|image = "/srv/new.img"|count = 20|' "$(sed -n 2p said)"
seen 'by index' "name = \"line 3\"||${above}image = \"/srv/new.img\"|count = 20|" "$(sed -n 3p said)"
