#!/bin/bash
# `INSERT ... ON CONFLICT DO NOTHING` ends with an error under REPEATABLE READ, if the row that is there already is not in the snapshot.
#
# Expected: DO NOTHING never fails because of a row that exists: that is what it is for.
# Seen: a transaction took its snapshot, another one inserted the row and committed. Under READ COMMITTED the INSERT reports 0 rows. Under
#   REPEATABLE READ it fails with SQLSTATE 40001, "could not serialize access due to concurrent update", and the whole transaction is lost.
#   `MERGE ... WHEN NOT MATCHED THEN INSERT` fails there with 23505 (unique violation), which a loop that repeats on 40001 does not repeat.
# Versions: PostgreSQL 15.18 (Debian 12).
# Written in: PostgreSQL, 13.2 "Transaction Isolation" (of READ COMMITTED only, it says that a conflict with an invisible row is taken
#   quietly); src/backend/executor/nodeModifyTable.c (ExecCheckTupleVisible).
# Hurts: a maker whose stations upload the same record twice by design, through a client whose default is REPEATABLE READ: uploads fail
#   only when two stations are at it at once.
set -euo pipefail
. "$(dirname "$0")/common.bash"
postgresql
postgresql_server start
sql() { sql_told verbose -q "$@"; }
sql -c 'CREATE TABLE cards (serial text PRIMARY KEY)'

# A transaction of this isolation level takes its snapshot, another inserts the row, and the first one executes the statement.
conflict() {
	local level=$1 statement=$2
	sql -c 'TRUNCATE cards'
	mkfifo commands
	sql <commands >answers 2>&1 &
	local client=$!
	exec 3>commands
	printf 'BEGIN ISOLATION LEVEL %s;\nSELECT count(*) FROM cards;\n' "$level" >&3
	for _ in $(seq 100); do if grep -q 0 answers; then break; fi; sleep 0.05; done
	sql -c "INSERT INTO cards VALUES ('A')"
	printf '%s;\n\\echo rows: :ROW_COUNT\nCOMMIT;\n' "$statement" >&3
	exec 3>&-
	wait "$client" || true
	rm commands
	sed -n 's/^ERROR:  \(.....\): \(.*\)/\1 \2/p; s/^\(rows: .*\)/\1/p' answers | head -1
}
nothing="INSERT INTO cards VALUES ('A') ON CONFLICT DO NOTHING"
merge="MERGE INTO cards USING (VALUES ('A')) AS new (serial) ON cards.serial = new.serial WHEN NOT MATCHED THEN INSERT VALUES (new.serial)"
seen 'DO NOTHING, READ COMMITTED' 'rows: 0' "$(conflict 'READ COMMITTED' "$nothing")"
seen 'DO NOTHING, REPEATABLE READ' '40001 could not serialize access due to concurrent update' "$(conflict 'REPEATABLE READ' "$nothing")"
seen 'MERGE, REPEATABLE READ' '23505 duplicate key value violates unique constraint "cards_pkey"' "$(conflict 'REPEATABLE READ' "$merge")"
