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
postgresql
postgresql_server start
sql() { sql_told terse -q "$@"; }
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
