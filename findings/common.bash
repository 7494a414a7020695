# Sourced by each finding: a temporary directory that goes at exit, pinned packages in it, and the comparison with what was seen.
# shellcheck shell=bash
set -euo pipefail

work=$(mktemp -d)
loops=()
clean_up() {
	local loop
	for loop in "${loops[@]}"; do losetup -d "$loop" 2>/dev/null || true; done
	rm -rf "$work"
}
trap clean_up EXIT
cd "$work"
export LC_ALL=C TZ=UTC PATH=$PATH:/usr/sbin:/sbin

fail() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

# deb PACKAGE=VERSION...: puts those Debian packages' programs first in PATH. An installed package of that version is used as it is; others
# are unpacked into the temporary directory, without the packages that they depend on; missing libraries are an error.
deb() {
	local wanted package version file
	for wanted in "$@"; do
		package=${wanted%%=*} version=${wanted#*=}
		echo "package: $package $version"
		if [ "$(dpkg-query -W -f '${db:Status-Status} ${Version}' "$package" 2>/dev/null)" = "installed $version" ]; then continue; fi
		apt-cache show "$wanted" >/dev/null 2>&1 || apt-get update -qq >/dev/null 2>&1 || true
		nice apt-get download -qq -o APT::Sandbox::User=root "$wanted" >/dev/null 2>"$work/apt" ||
			fail "$package $version is neither installed nor in the package archives: $(tail -1 "$work/apt")"
		for file in "$package"_*.deb; do dpkg -x "$file" "$work/root"; done
	done
	PATH=$work/root/usr/sbin:$work/root/usr/bin:$work/root/sbin:$work/root/bin:$PATH
	local libraries=$work/root/usr/lib/x86_64-linux-gnu:$work/root/lib/x86_64-linux-gnu
	export LD_LIBRARY_PATH=$libraries:$work/root/usr/lib/x86_64-linux-gnu/android:$work/root/usr/lib:$work/root/lib/x86_64-linux-gnu/systemd:$work/root/usr/lib/x86_64-linux-gnu/swtpm
	hash -r
	local missing
	# A program of any other kind is not one that ldd knows, and some of these directories do not exist.
	missing=$(find "$work"/root/{,usr/}{s,}bin -type f -exec ldd {} + 2>/dev/null | sed -n 's/^\t\(.*\) => not found/\1/p' | sort -u) || true
	[ -z "$missing" ] || fail "these packages need libraries that are not installed (apt-get install $*): ${missing//$'\n'/ }"
}

# crates NAME[@VERSION] [OPTION]...: adds each to a cargo project, made on the first call, in which `rust` runs programs.
crates() {
	command -v cargo >/dev/null || fail "this needs cargo"
	[ -e "$work/crate/Cargo.toml" ] || cargo init --quiet --vcs none --name probe "$work/crate" >/dev/null 2>&1
	echo "crates: $*"
	(cd "$work/crate" && cargo add --quiet "$@" 2>"$work/cargo") || fail "cargo add $*: $(tail -1 "$work/cargo")"
}

# rust ARGUMENT...: builds the program on standard input and runs it.
rust() {
	cat >"$work/crate/src/main.rs"
	(cd "$work/crate" && nice cargo build --quiet 2>"$work/cargo") || fail "the Rust program does not build: $(grep -m 1 '^error' "$work/cargo")"
	"$work/crate/target/debug/probe" "$@"
}

# pip_install NAME==VERSION...: into a virtual environment, whose interpreter is $work/venv/bin/python.
pip_install() {
	python3 -m venv "$work/venv"
	echo "python packages: $*"
	nice "$work/venv/bin/pip" install --quiet --disable-pip-version-check "$@" 2>"$work/pip" || fail "pip install $*: $(tail -1 "$work/pip")"
}

# go_program: builds the Go program on standard input against the packages' sources and runs it.
go_program() {
	command -v go >/dev/null || fail "this needs Go"
	mkdir -p "$work/go"
	cat >"$work/go/main.go"
	(cd "$work/go" && GO111MODULE=off GOFLAGS='' GOTOOLCHAIN=local GOPATH=$work/root/usr/share/gocode:/usr/share/gocode GOCACHE=$work/go-cache \
		nice go build -o probe main.go 2>"$work/go-errors") || fail "the Go program does not build: $(sed -n 2p "$work/go-errors")"
	"$work/go/probe"
}

# postgresql: PostgreSQL 15 of Debian 12 in the temporary directory, with the user `station`, who may do everything. `postgresql_server start`
# starts it; it stops with the finding. It does not run as root.
postgresql_user=()
postgresql() {
	deb postgresql-15=15.18-0+deb12u1 postgresql-client-15=15.18-0+deb12u1 libpq5=15.18-0+deb12u1
	PATH=$work/root/usr/lib/postgresql/15/bin:/usr/lib/postgresql/15/bin:$PATH
	mkdir -m 777 cluster
	if [ "$(id -u)" = 0 ]; then
		chmod 711 "$work"
		postgresql_user=(setpriv --reuid nobody --regid nogroup --clear-groups)
	fi
	trap postgresql_stop EXIT
	"${postgresql_user[@]}" initdb -D cluster/data -A trust -U station >log 2>&1 || fail "initdb: $(tail -1 log)"
}
postgresql_stop() {
	"${postgresql_user[@]}" pg_ctl -D cluster/data -m immediate stop >/dev/null 2>&1 || true
	clean_up
}
# postgresql_server start|restart [OPTION]...
postgresql_server() {
	"${postgresql_user[@]}" pg_ctl -D cluster/data -w -o "-k $work/cluster -h ''" -l cluster/log "$@" >log 2>&1 || fail "pg_ctl: $(tail -1 log)"
}
# sql_told VERBOSITY [OPTION]...: psql with that verbosity of errors, and plain rows.
sql_told() {
	psql -X -A -t -h "$work/cluster" -U station -v VERBOSITY="$1" postgres "${@:2}"
}

# containers: systemd 252 of Debian 12, and the means to boot it as it is installed here. They do not run without root.
containers() {
	[ "$(id -u)" = 0 ] || fail "containers need root"
	[ "$(dpkg-query -W -f '${Version}' systemd 2>/dev/null)" = 252.39-1~deb12u2 ] ||
		fail "the installed systemd, which is booted, is not 252.39-1~deb12u2"
	deb systemd=252.39-1~deb12u2 systemd-container=252.39-1~deb12u2
}
# container: a new system in ./system, with /usr of this PC and the users ann and bob. When it has booted it runs the script on standard
# input, and ends.
container() {
	rm -rf system
	mkdir -p system/{etc/systemd/system/basic.target.wants,etc/systemd/system-preset,usr,var,proc,sys,dev,run,tmp,root}
	local name
	for name in bin sbin lib lib64; do ln -s usr/$name system/$name; done
	printf '%s\n' root:x:0:0::/root:/bin/sh ann:x:501:501::/:/bin/sh bob:x:502:502::/:/bin/sh >system/etc/passwd
	printf '%s\n' root:x:0: ann:x:501: bob:x:502: >system/etc/group
	echo 'ID=container' >system/etc/os-release
	echo 0123456789abcdef0123456789abcdef >system/etc/machine-id
	cat >system/var/last
	printf '[Unit]\nSuccessAction=exit\nFailureAction=exit\n[Service]\nType=oneshot\nExecStart=/bin/sh /var/last\n' \
		>system/etc/systemd/system/last.service
	ln -s ../last.service system/etc/systemd/system/basic.target.wants/last.service
}
container_boot() {
	# /usr is this PC's, which no container may change.
	timeout 120 systemd-nspawn --directory=system --bind-ro=/usr --boot --register=no --keep-unit --quiet --console=pipe -- \
		systemd.unit=basic.target </dev/null >log 2>&1 || fail "the container did not boot: $(tail -1 log)"
}

# attach FILE [OPTION]...: attaches a loop device to the file and stores its path in $loop.
attach() {
	[ "$(id -u)" = 0 ] || fail "loop devices need root"
	loop=$(losetup --find --show "${@:2}" "$1")
	loops+=("$loop")
}

detach() {
	losetup -d "$1"
}

# seen WHAT EXPECTED ACTUAL: prints what was seen, and fails if it is no longer what the finding says.
seen() {
	printf '%s: %s\n' "$1" "$3"
	if [ "$2" != "$3" ]; then
		fail "behaviour changed: $1 was: $2"
	fi
}
