#!/bin/bash
# Of the five ways in which sqlite3 copies a database, two forget what kind of file it is, one gives used numbers out again, one never works.
#
# Expected: `.backup`, `VACUUM INTO`, `.dump`, `.clone` and `.recover` of a healthy database differ in speed and layout alone.
# Seen: `.dump` and `.clone` leave out application_id and user_version, by which programs know their own files and the version of their
#   schema. `.clone` cannot make the table of the AUTOINCREMENT counters, says so, ends with exit status 0, and the copy counts on from its
#   highest row: the number of a deleted row is given to the next one. `.recover` ends with "SQL logic error" and no row for every database:
#   Debian's sqlite3 has the command, and its library not the sqlite_dbpage table that the command reads.
# Versions: sqlite3 and libsqlite3-0 3.40.1 (Debian 12).
# Written in: the shell's documentation calls .clone a copy of the database; that .recover needs SQLITE_ENABLE_DBPAGE_VTAB is in the page on
#   recovery, that Debian's library is built without it is not.
# Hurts: a log or a register of serial numbers that is moved to a new disk by `.clone`: the program no longer knows its file, or gives a
#   number a second time that AUTOINCREMENT was to keep unique for ever; and whoever meets a damaged file and finds the one tool for it dead.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb sqlite3=3.40.1-2+deb12u2 libsqlite3-0=3.40.1-2+deb12u2

sqlite3 log.db "
	PRAGMA application_id = 1181512552;
	PRAGMA user_version = 7;
	CREATE TABLE unit (number INTEGER PRIMARY KEY AUTOINCREMENT, made TEXT);
	INSERT INTO unit (made) VALUES ('a'), ('b'), ('c');
	DELETE FROM unit WHERE number = 3;"
# kind FILE: its application_id and user_version, its rows, and the number that the next row gets.
kind() {
	sqlite3 -separator ' ' "$1" "
		SELECT (SELECT * FROM pragma_application_id), (SELECT * FROM pragma_user_version), (SELECT count(*) FROM unit);
		INSERT INTO unit (made) VALUES ('next') RETURNING number;" | paste -sd ' '
}
status() {
	if "$@" >told 2>&1; then echo 'exit 0'; else echo "exit $?"; fi
}
seen '.backup' 'exit 0' "$(status sqlite3 log.db '.backup backup.db')"
seen 'VACUUM INTO' 'exit 0' "$(status sqlite3 log.db "VACUUM INTO 'vacuum.db'")"
sqlite3 log.db .dump | sqlite3 dump.db
seen '.clone' 'exit 0' "$(status sqlite3 log.db '.clone clone.db')"
seen 'what .clone says' 1 "$(grep -c 'object name reserved for internal use: sqlite_sequence' told)"
seen '.recover' 'exit 1' "$(status sqlite3 log.db .recover)"
seen 'its rows' 0 "$(grep -c INSERT told || true)"
seen 'application_id, user_version, rows, next number of .backup' '1181512552 7 2 4' "$(kind backup.db)"
seen 'of VACUUM INTO' '1181512552 7 2 4' "$(kind vacuum.db)"
seen 'of .dump' '0 0 2 4' "$(kind dump.db)"
seen 'of .clone' '0 0 2 3' "$(kind clone.db)"
seen 'sqlite_dbpage in the library' 0 "$(sqlite3 :memory: 'PRAGMA compile_options' | grep -c DBPAGE || true)"
