#!/bin/bash
# A counter in a TPM that was deleted and defined anew goes on from where the old one ended; also after `tpm2_clear`, also under another name.
#
# Expected: a new NV index is empty; a new counter begins at 0 or 1, and TPM2_Clear brings the owner's part of the TPM back to its beginning.
# Seen: a counter is incremented to 6 and undefined. The one defined in its place reads 7 after its first increment. After tpm2_clear, which
#   removes all indices of the owner, the next one begins at 8, and another index, never used before, at 8, too: the TPM keeps the
#   highest value that any deleted counter had, for life. So a counter's value is no count, and its first one differs from device to device.
# Versions: swtpm 0.7.1, libtpms 0.9.2, tpm2-tools 5.4 (Debian 12).
# Written in: TPM 2.0 Library, part 1, "NV Counters", and part 3, TPM2_NV_Increment (the first value is one above the highest ever kept, so
#   that a deleted counter cannot be set back). Not in tpm2_nvdefine(1) and tpm2_nvincrement(1).
# Hurts: a maker whose devices number their records or firmware by such a counter, defined on the line: a device from the repair bench, where
#   the index was made anew, begins at 4711, and the server refuses the gap; or its test of a fresh TPM expects 1.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb swtpm=0.7.1-1.3 swtpm-libs=0.7.1-1.3 libtpms0=0.9.2-3.1+deb12u1 tpm2-tools=5.4-1 libtss2-esys-3.0.2-0=3.2.1-3 libtss2-mu0=3.2.1-3 \
	libtss2-sys1=3.2.1-3 libtss2-tctildr0=3.2.1-3 libtss2-tcti-swtpm0=3.2.1-3 libtss2-rc0=3.2.1-3 libtss2-fapi1=3.2.1-3

mkdir tpm
swtpm socket --tpm2 --tpmstate dir=tpm --server type=unixio,path=tpm/socket --ctrl type=unixio,path=tpm/socket.ctrl \
	--flags not-need-init,startup-clear >swtpm.log 2>&1 &
swtpm=$!
stop() {
	kill "$swtpm" 2>/dev/null || true
	clean_up
}
trap stop EXIT
export TPM2TOOLS_TCTI=swtpm:path=$work/tpm/socket
for _ in $(seq 100); do if [ -S tpm/socket ]; then break; fi; sleep 0.05; done
tpm() { tpm2 "$@" >said 2>errors || fail "tpm2 $*: $(grep -m 1 ERROR errors)"; }
define() { tpm nvdefine -C o -s 8 -a 'ownerread|ownerwrite|nt=counter' "$1"; }
# one_more INDEX: increments the counter and shows its value.
one_more() {
	tpm nvincrement -C o "$1"
	tpm nvread -C o "$1"
	echo $((16#$(od -An -tx1 said | tr -d ' \n')))
}
define 0x1500016
seen 'the first value of a new TPM' 1 "$(one_more 0x1500016)"
for _ in 2 3 4 5; do one_more 0x1500016 >/dev/null; done
seen 'its sixth' 6 "$(one_more 0x1500016)"
tpm nvundefine -C o 0x1500016
define 0x1500016
seen 'the first value after it was defined anew' 7 "$(one_more 0x1500016)"
tpm clear -c p
define 0x1500016
seen 'the first value after TPM2_Clear' 8 "$(one_more 0x1500016)"
define 0x1500017
seen 'the first value of another counter' 8 "$(one_more 0x1500017)"
