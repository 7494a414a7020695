#!/bin/bash
# `UPDATE ... WHERE id IN (SELECT id ... LIMIT 1 FOR UPDATE SKIP LOCKED)` takes every row, if the planner believes that there is one.
#
# Expected: the subquery does not depend on the outer row, so it is evaluated once: the statement takes one row, whatever the plan.
# Seen: the statistics are of a time when the table had one row, and it has 100 now. The plan is a nested loop, which asks the subquery anew
#   for each row. A row that the statement itself has just changed cannot be locked any more and is passed over, so the subquery returns the
#   next one each time: 100 rows are taken, by one session, without an error. After ANALYZE the same statement takes one. It also takes one,
#   with the old statistics, as `id = (SELECT ...)`, behind WITH, and without FOR UPDATE. DELETE does the same as UPDATE.
# Versions: PostgreSQL 15.18 (Debian 12).
# Written in: PostgreSQL, "SELECT", The Locking Clause (nothing on being evaluated again); src/backend/executor/nodeLockRows.c
#   (TM_SelfModified: the tuple is treated as if it were not there). UPDATE's page shows the form with WITH.
# Hurts: a maker whose stations draw serial numbers or jobs from such a table. A queue is nearly empty most of the time, and that is when
#   autovacuum counts it: the first batch of the next day is handed out at once, to one card, and the test with a filled table passes.
set -euo pipefail
. "$(dirname "$0")/common.bash"
postgresql
postgresql_server start
sql() { sql_told default -q "$@"; }

# taken STATEMENT...: how many of 100 rows it takes, with statistics of a table of one row.
statistics=of-one
taken() {
	sql -c 'SET client_min_messages = warning; DROP TABLE IF EXISTS serials' \
		-c 'CREATE TABLE serials (id int PRIMARY KEY, serial text, used boolean NOT NULL DEFAULT false)'
	sql -c "INSERT INTO serials VALUES (1, 'FX-0001')" -c 'VACUUM ANALYZE serials'
	sql -c "INSERT INTO serials SELECT n, 'FX-' || to_char(n, 'FM0000') FROM generate_series(2, 100) n"
	if [ "$statistics" = new ]; then sql -c 'ANALYZE serials'; fi
	sql -c "EXPLAIN (COSTS OFF) $1" >plan
	sql -c "$1" | wc -l
}
one='SELECT id FROM serials WHERE NOT used ORDER BY id LIMIT 1'
take='UPDATE serials SET used = true WHERE id'
seen 'UPDATE with IN, statistics of one row' 100 "$(taken "$take IN ($one FOR UPDATE SKIP LOCKED) RETURNING serial")"
seen 'its plan' 'Nested Loop Semi Join' "$(grep -o 'Nested Loop.*' plan)"
seen 'without SKIP LOCKED' 100 "$(taken "$take IN ($one FOR UPDATE) RETURNING serial")"
seen 'DELETE with IN' 100 "$(taken "DELETE FROM serials WHERE id IN ($one FOR UPDATE SKIP LOCKED) RETURNING serial")"
seen 'UPDATE with =' 1 "$(taken "$take = ($one FOR UPDATE SKIP LOCKED) RETURNING serial")"
seen 'UPDATE behind WITH' 1 "$(taken "WITH next AS ($one FOR UPDATE SKIP LOCKED) $take IN (SELECT id FROM next) RETURNING serial")"
seen 'without FOR UPDATE' 1 "$(taken "$take IN ($one) RETURNING serial")"
statistics=new
seen 'UPDATE with IN after ANALYZE' 1 "$(taken "$take IN ($one FOR UPDATE SKIP LOCKED) RETURNING serial")"
