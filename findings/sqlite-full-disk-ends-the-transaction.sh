#!/bin/bash
# After "database or disk is full", SQLite may have rolled back the whole transaction or only the statement, and the next INSERT is
# committed by itself.
#
# Expected: a statement that fails leaves the transaction open, as after a constraint's error. What is inserted next is committed or
#   rolled back with it.
# Seen: SQLITE_FULL in a simple INSERT rolls back all of the transaction and ends it. rusqlite's Transaction value can still be used: what
#   the next execute() inserts is committed at once, and commit() fails afterwards ("no transaction is active"). If the INSERT writes
#   several rows under a constraint, SQLite keeps a statement journal, and the same error undoes that statement alone: the transaction is
#   still open.
# Versions: crate rusqlite 0.41.1 with its bundled SQLite 3.54.1. A limit by `PRAGMA max_page_count` stands for the full disk: it gives
#   the same SQLITE_FULL.
# Written in: SQLite, "Transaction", 3. "Response To Errors Within A Transaction" (FULL, IOERR, NOMEM, BUSY and INTERRUPT might cause an
#   automatic rollback; ask sqlite3_get_autocommit()); src/vdbeaux.c (sqlite3VdbeHalt: usesStmtJournal).
# Hurts: a maker whose log writes several rows per card in one transaction and goes on after an error with a shorter row: half a record is
#   durable.
set -euo pipefail
. "$(dirname "$0")/common.bash"
crates rusqlite@=0.41.1 --features bundled

# shellcheck disable=SC2119
rust <<'RUST' >said
use rusqlite::{Connection, ErrorCode, Result};

fn case(name: &str, statement: &str) -> Result<()> {
    let mut log = Connection::open_in_memory()?;
    log.execute_batch("CREATE TABLE log (id INTEGER PRIMARY KEY, body, CHECK (body IS NOT NULL)); CREATE TABLE large (body)")?;
    log.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50) INSERT INTO large SELECT zeroblob(3000) FROM n",
    )?;
    let pages: i64 = log.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    log.query_row(&format!("PRAGMA max_page_count = {}", pages + 10), [], |_| Ok(()))?;
    let transaction = log.transaction()?;
    transaction.execute("INSERT INTO log (body) VALUES ('first')", [])?;
    let full = transaction.execute(statement, []).map_err(|error| error.sqlite_error_code());
    assert_eq!(full, Err(Some(ErrorCode::DiskFull)));
    println!("{name}, in autocommit: {}", transaction.is_autocommit());
    transaction.execute("INSERT INTO log (body) VALUES ('second')", [])?;
    match transaction.commit() {
        Ok(()) => println!("{name}, commit: done"),
        Err(error) => println!("{name}, commit: {error}"),
    }
    let mut rows = log.prepare("SELECT body FROM log ORDER BY id")?;
    let rows: Vec<String> = rows.query_map([], |row| row.get(0))?.collect::<Result<_>>()?;
    println!("{name}, in the table: {}", rows.join(" "));
    Ok(())
}

fn main() -> Result<()> {
    println!("SQLite {}", rusqlite::version());
    case("one row", "INSERT INTO log (body) VALUES (zeroblob(100000))")?;
    case("many rows", "INSERT INTO log (body) SELECT body FROM large")
}
RUST
head -1 said
said() { sed -n "s/^$1: //p" said; }
for what in 'one row, in autocommit=true' 'one row, commit=cannot commit - no transaction is active' 'one row, in the table=second' \
	'many rows, in autocommit=false' 'many rows, commit=done' 'many rows, in the table=first second'; do
	seen "${what%%=*}" "${what#*=}" "$(said "${what%%=*}")"
done
