#!/bin/bash
# A COPY whose client stalls is ended by no timeout of the session, and by no cancel request either.
#
# Expected: statement_timeout ends each statement that takes longer, idle_in_transaction_session_timeout what stands about in a transaction,
#   and pg_cancel_backend answers "t" and cancels.
# Seen: with both timeouts at 300 ms, `COPY cards FROM STDIN` whose client sends one row and then nothing is "active" for as long as one
#   likes. Interrupts are held off while the server waits for the client's next row: the timeout has gone off, the cancel was accepted, and
#   both act when the client sends something again. All that time the locks are held (a `TRUNCATE` waits) and the transaction keeps dead
#   rows of all tables from vacuum. Only pg_terminate_backend ends it. An INSERT of the same session that waits for a lock ends after 300
#   ms.
# Versions: PostgreSQL 15.18 (Debian 12).
# Written in: PostgreSQL, src/backend/commands/copyfromparse.c (CopyGetData: HOLD_CANCEL_INTERRUPTS). 20.11 "Client Connection Defaults"
#   says of statement_timeout "abort any statement".
# Hurts: a maker whose stations upload by COPY and are switched off or suspended at the end of the shift: the session remains, with its
#   locks and its horizon, until TCP finds out; a timeout set as a protection against just that does nothing.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb postgresql-15=15.18-0+deb12u1 postgresql-client-15=15.18-0+deb12u1 libpq5=15.18-0+deb12u1
PATH=$work/root/usr/lib/postgresql/15/bin:/usr/lib/postgresql/15/bin:$PATH

# The server does not run as root.
as_user=()
mkdir -m 777 cluster
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$work"
	as_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
fi
stop() {
	"${as_user[@]}" pg_ctl -D cluster/data -m immediate stop >/dev/null 2>&1 || true
	clean_up
}
trap stop EXIT
"${as_user[@]}" initdb -D cluster/data -A trust -U station >log 2>&1 || fail "initdb: $(tail -1 log)"
"${as_user[@]}" pg_ctl -D cluster/data -w -o "-k $work/cluster -h ''" -l cluster/log start >log 2>&1 || fail "pg_ctl: $(tail -1 log)"
sql() { psql -X -q -A -t -h "$work/cluster" -U station -v VERBOSITY=terse postgres "$@"; }
sql -c 'CREATE TABLE cards (serial text)'
limits="SET statement_timeout = '300ms'; SET idle_in_transaction_session_timeout = '300ms';"

# The client that stalls.
mkfifo rows
sql <rows >answers 2>&1 &
client=$!
exec 3>rows
printf '%s\nCOPY cards FROM STDIN;\nA1\n' "$limits" >&3
state() { sql -c "SELECT state FROM pg_stat_activity WHERE query LIKE 'COPY cards%'"; }
for _ in $(seq 100); do if [ "$(state)" = active ]; then break; fi; sleep 0.05; done
sleep 2
seen 'two seconds later' active "$(state)"
seen 'pg_cancel_backend' t "$(sql -c "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY cards%'")"
sleep 1
seen 'one second after that' active "$(state)"
timed_out='ERROR:  canceling statement due to statement timeout'
seen 'TRUNCATE by another session' "$timed_out" "$(sql -c "$limits" -c 'TRUNCATE cards' 2>&1 || true)"
printf 'A2\n\\.\n' >&3
exec 3>&-
wait "$client" || true
seen 'what the client is told when it goes on' "$timed_out" "$(head -1 answers)"

# The same, ended from outside.
sql <rows >answers 2>&1 &
client=$!
exec 3>rows
printf '%s\nCOPY cards FROM STDIN;\nA1\n' "$limits" >&3
for _ in $(seq 100); do if [ "$(state)" = active ]; then break; fi; sleep 0.05; done
seen 'pg_terminate_backend' t "$(sql -c "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE 'COPY cards%'")"
seen 'then' '' "$(state)"
exec 3>&-
wait "$client" || true
seen 'rows' 0 "$(sql -c 'SELECT count(*) FROM cards')"
