#!/bin/bash
# Under synchronous replication, a commit that is cancelled answers with success; and a statement's timeout does not end its wait.
#
# Expected: an INSERT that cannot be replicated fails after statement_timeout; a cancelled one is reported as cancelled; a row that was not
#   committed to the standby is not there.
# Seen: the server waits for a standby that does not come, far beyond a statement_timeout of 300 ms: the clock is stopped before the commit,
#   implicit or by COMMIT. A cancel request, as drivers send it for their own timeouts, ends the wait: the answer is "INSERT 0 1" with a
#   warning, no error. The row is then there for all, without ever having reached the standby. If the server is restarted in mid-wait, the
#   client gets an error for the same INSERT, and the row is there as well.
# Versions: PostgreSQL 15.18 (Debian 12).
# Written in: PostgreSQL, 27.2.8.4 "Planning for High Availability" (transactions that wait are marked committed when the primary recovers);
#   src/backend/replication/syncrep.c (SyncRepWaitForLSN: "canceling wait"), src/backend/tcop/postgres.c (finish_xact_command).
# Hurts: a maker whose stations delete what the database acknowledged: the standby fails, each upload is cancelled by the driver's timeout
#   and is a success; then the primary is lost too, and with it all rows since. Drivers show the warning to nobody.
set -euo pipefail
. "$(dirname "$0")/common.bash"
postgresql
postgresql_server start
sql() { sql_told terse "$@"; }
sql -q -c 'CREATE TABLE cards (serial text)'
sql -q -c "ALTER SYSTEM SET synchronous_standby_names = 'standby'"
sql -q -c 'SELECT pg_reload_conf()' >/dev/null

waiting() { sql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"; }
rows() { sql -c 'SELECT count(*) FROM cards'; }
# begin STATEMENT...: in a session that has a timeout, and is not waited for.
begin() {
	sql -c "SET statement_timeout = '300ms'" "$@" >answers 2>&1 &
	client=$!
	for _ in $(seq 100); do if [ "$(waiting)" = 1 ]; then break; fi; sleep 0.05; done
}
cancel() { sql -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >/dev/null; }
# finish: what the session's client was told, in $answer.
finish() {
	local status=0
	wait "$client" || status=$?
	answer="exit $status, $(grep -v '^SET$' answers | paste -sd'|' | sed 's/|/ | /g')"
}
warning='WARNING:  canceling wait for synchronous replication due to user request'
begin -c "INSERT INTO cards VALUES ('A1')"
sleep 2
seen 'waiting, two seconds later' 1 "$(waiting)"
seen 'rows that others see' 0 "$(rows)"
cancel
finish
seen 'the INSERT, cancelled' "exit 0, $warning | INSERT 0 1" "$answer"
seen 'rows that others see' 1 "$(rows)"
begin -c BEGIN -c "INSERT INTO cards VALUES ('A2')" -c COMMIT
sleep 2
seen 'a COMMIT, waiting, two seconds later' 1 "$(waiting)"
cancel
finish
seen 'the COMMIT, cancelled' "exit 0, BEGIN | INSERT 0 1 | $warning | COMMIT" "$answer"
begin -c "INSERT INTO cards VALUES ('A3')"
postgresql_server restart -m immediate
finish
seen 'the INSERT, server restarted, its exit' 'not 0' "$(sed 's/^exit [1-9].*/not 0/' <<<"$answer")"
seen 'rows' 3 "$(rows)"
