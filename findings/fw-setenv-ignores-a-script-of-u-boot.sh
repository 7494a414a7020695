#!/bin/bash
# `fw_setenv --script` of libubootenv takes a script as U-Boot documents it, exits with 0, and sets nothing, or a variable of another name.
#
# Expected: fw_setenv reads scripts of lines "name value", as since 2008; a line that it cannot use is an error. And `fw_setenv name a b` sets
#   name to "a b", as U-Boot's own does.
# Seen: Debian's fw_setenv is libubootenv's. A line without "=" is passed over: "bootdelay 5" and "serial", which deletes a variable in
#   U-Boot's, change nothing. A line whose value has "=" is cut there: "bootargs console=ttyS0 root=/dev/mmcblk0p2" sets a variable
#   "bootargs console" to "ttyS0 root=/dev/mmcblk0p2", and bootargs keeps its old value. "bootdelay = 5" sets "bootdelay " with a blank.
#   The exit status is 0, nothing is printed, and the environment is written anew. Of `fw_setenv bootargs quiet splash` the last word is lost.
# Versions: libubootenv-tool 0.3.2, u-boot-tools 2023.01 for mkenvimage (Debian 12).
# Written in: U-Boot, tools/env/fw_env.c and its --help (key, white space, value; a key alone deletes; further words are joined by blanks). Not
#   in fw_setenv(8) of libubootenv; its src/uboot_env.c (libuboot_load_file) cuts at "=".
# Hurts: a maker whose products or first boot set variables by a script from the time of U-Boot's tool: the update is "done", and the device
#   boots the old partition with the old arguments.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb libubootenv-tool=0.3.2-1 libubootenv0.1=0.3.2-1 u-boot-tools=2023.01+dfsg-2+deb12u3

printf 'bootargs=ro\nbootdelay=2\nserial=FX-0001\n' >environment.txt
echo "$work/environment 0x0 0x4000" >fw_env.config
# set_by OPTION...: what a fresh environment holds after fw_setenv with those, and its exit status.
set_by() {
	mkenvimage -s 0x4000 -o environment environment.txt
	local status=0
	fw_setenv -c fw_env.config "$@" >said 2>&1 || status=$?
	echo "$(fw_printenv -c fw_env.config | paste -sd ';') exit $status$(cat said)"
}
script() {
	printf '%s\n' "$1" >script
	set_by -s script
}
before='bootargs=ro;bootdelay=2;serial=FX-0001 exit 0'
seen 'bootdelay=5' 'bootargs=ro;bootdelay=5;serial=FX-0001 exit 0' "$(script 'bootdelay=5')"
seen 'bootdelay 5' "$before" "$(script 'bootdelay 5')"
seen 'serial' "$before" "$(script serial)"
seen 'bootdelay = 5' 'bootargs=ro;bootdelay=2;bootdelay = 5;serial=FX-0001 exit 0' "$(script 'bootdelay = 5')"
seen 'bootargs console=ttyS0 root=/dev/mmcblk0p2' 'bootargs=ro;bootargs console=ttyS0 root=/dev/mmcblk0p2;bootdelay=2;serial=FX-0001 exit 0' \
	"$(script 'bootargs console=ttyS0 root=/dev/mmcblk0p2')"
seen 'fw_setenv bootargs quiet splash' 'bootargs=quiet;bootdelay=2;serial=FX-0001 exit 0' "$(set_by bootargs quiet splash)"
seen 'fw_setenv serial' 'bootargs=ro;bootdelay=2 exit 0' "$(set_by serial)"
