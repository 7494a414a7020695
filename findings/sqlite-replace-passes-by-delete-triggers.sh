#!/bin/bash
# Triggers that forbid DELETE and UPDATE do not make an SQLite table append-only: INSERT OR REPLACE removes rows and fires neither.
#
# Expected: a BEFORE DELETE trigger with RAISE(ABORT) sees each row that leaves the table.
# Seen: DELETE and UPDATE are refused. `REPLACE INTO` with a used key deletes the old row and is carried out, and one REPLACE removes two
#   rows if it meets one by its primary key and another by a UNIQUE column. The upsert form `ON CONFLICT ... DO UPDATE` is refused. After
#   `PRAGMA recursive_triggers = ON`, REPLACE is refused, too; the pragma is a matter of each connection, not of the file, so another
#   program still replaces. A BEFORE INSERT trigger that raises if the key exists holds in all connections.
# Versions: crate rusqlite 0.41.1 with its bundled SQLite 3.54.1.
# Written in: SQLite, "ON CONFLICT clause", REPLACE: delete triggers fire if and only if recursive triggers are enabled.
# Hurts: a maker whose log of tests is append-only by triggers: a tool that writes its rows by REPLACE changes history without a trace.
set -euo pipefail
. "$(dirname "$0")/common.bash"
crates rusqlite@=0.41.1 --features bundled

# shellcheck disable=SC2119
rust <<'RUST' >said
use rusqlite::{Connection, Result};

const TABLE: &str = "
    CREATE TABLE log (id INTEGER PRIMARY KEY, serial UNIQUE, result);
    CREATE TRIGGER no_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    CREATE TRIGGER no_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'append-only'); END;
    INSERT INTO log VALUES (1, 'A', 'FAIL'), (2, 'B', 'FAIL');
";
const GUARD: &str = "
    CREATE TRIGGER no_replace BEFORE INSERT ON log WHEN EXISTS (SELECT 1 FROM log WHERE id = NEW.id OR serial = NEW.serial)
    BEGIN SELECT RAISE(ABORT, 'append-only'); END;
";

fn rows(log: &Connection) -> Result<String> {
    log.query_row("SELECT group_concat(id || serial || ' ' || result, ', ') FROM log", [], |row| row.get(0))
}

fn case(name: &str, before: &str, statement: &str) -> Result<()> {
    let log = Connection::open_in_memory()?;
    log.execute_batch(TABLE)?;
    log.execute_batch(before)?;
    let result = match log.execute(statement, []) {
        Ok(changed) => format!("{changed} changed"),
        Err(error) => error.to_string(),
    };
    println!("{name}: {result}; {}", rows(&log)?);
    Ok(())
}

fn main() -> Result<()> {
    println!("SQLite {}", rusqlite::version());
    let replace = "REPLACE INTO log VALUES (1, 'B', 'PASS')";
    case("DELETE", "", "DELETE FROM log")?;
    case("UPDATE", "", "UPDATE log SET result = 'PASS'")?;
    case("upsert", "", "INSERT INTO log VALUES (1, 'A', 'PASS') ON CONFLICT (id) DO UPDATE SET result = 'PASS'")?;
    case("REPLACE", "", replace)?;
    case("REPLACE, recursive triggers", "PRAGMA recursive_triggers = ON", replace)?;
    case("REPLACE, guarded", GUARD, replace)
}
RUST
head -1 said
said() { sed -n "s/^$1: //p" said; }
for what in DELETE UPDATE upsert 'REPLACE, recursive triggers' 'REPLACE, guarded'; do
	seen "$what" 'append-only; 1A FAIL, 2B FAIL' "$(said "$what")"
done
seen REPLACE '1 changed; 1B PASS' "$(said REPLACE)"
