#!/bin/bash
# fdtput, which changes a property of a device tree, cuts all kernels off a FIT that was made by `mkimage -E`; `mkimage -F` makes them
# impossible to find.
#
# Expected: a FIT is a device tree, so `fdtput FIT /configurations default NAME` chooses another default, and `mkimage -F`, which is for
#   changing an existing FIT, leaves its kernels where they are found.
# Seen: with -E the kernels lie behind the tree. fdtput writes back what the header counts, the tree, into the same file: of 200 KiB less
#   than 2 are left, with exit status 0. `mkimage -l` lists all kernels with their lengths and hashes as before. `mkimage -F` without -E
#   moves the data into the tree and leaves `data-offset` there, which now points behind the end of the file, and which a reader looks at
#   first; the exit status is 0. `mkimage -E -F` is right. A FIT that was made without -E stands both.
# Versions: device-tree-compiler 1.6.1, u-boot-tools 2023.01 (Debian 12).
# Written in: mkimage(1), -E (the data is moved outside the FIT) and -F (an existing FIT is modified); Devicetree Specification, 5.2
#   (totalsize); dtc, util.c (utilfdt_write writes totalsize bytes); U-Boot, boot/image-fit.c (data-offset is used before data).
# Hurts: a maker who gives each product of a release its own default configuration, or a release its description, by fdtput: the image is
#   listed as whole, and a digest that is made of it afterwards proves it, until the first board does not boot.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb device-tree-compiler=1.6.1-4+b1 libfdt1=1.6.1-4+b1 libyaml-0-2=0.2.5-1 u-boot-tools=2023.01+dfsg-2+deb12u3

for kernel in one two; do head -c 100K /dev/urandom >$kernel; done
cat >fit.its <<'ITS'
/dts-v1/;
/ {
	description = "release"; #address-cells = <1>;
	images {
		one { description = "one"; data = /incbin/("one"); type = "kernel"; arch = "arm64"; os = "linux"; compression = "none";
			load = <0x80000>; entry = <0x80000>; hash-1 { algo = "sha256"; }; };
		two { description = "two"; data = /incbin/("two"); type = "kernel"; arch = "arm64"; os = "linux"; compression = "none";
			load = <0x80000>; entry = <0x80000>; hash-1 { algo = "sha256"; }; };
	};
	configurations { default = "board-a"; board-a { kernel = "one"; }; board-b { kernel = "two"; }; };
};
ITS
mkimage -f fit.its inside >/dev/null
mkimage -E -f fit.its outside >/dev/null
# The exit status of a command, as text.
status() {
	if "$@" >said 2>&1; then echo 'exit 0'; else echo "exit $?"; fi
}
length() { stat -c %s "$1"; }
# tree_length FILE: what its header counts.
tree_length() { echo $((0x$(od -An -tx1 -j 4 -N 4 "$1" | tr -d ' '))); }
# kernels FILE: those that dumpimage extracts as they were.
kernels() {
	local index=0 kernel found=''
	for kernel in one two; do
		rm -f extracted
		dumpimage -T flat_dt -p $index -o extracted "$1" >/dev/null 2>&1 || true
		if cmp -s $kernel extracted; then found+=" $kernel"; fi
		index=$((index + 1))
	done
	echo "kernels:${found:- none}"
}
listed() { status mkimage -l "$1" && grep -E 'Data Size|Hash value|Default' said; }

for file in inside outside; do
	seen "$file, by dumpimage" 'kernels: one two' "$(kernels $file)"
	cp $file put
	listed $file | sed 's/board-a/board-b/' >before
	seen "$file, fdtput" 'exit 0' "$(status fdtput -t s put /configurations default board-b)"
	listed put >after
	seen "$file, mkimage -l" 'as before, exit 0' "$(cmp -s before after && echo 'as before,') $(head -1 after)"
	cp $file again
	seen "$file, mkimage -F" 'exit 0' "$(status mkimage -F again)"
	mv put put-$file && mv again again-$file
done
seen 'inside, after fdtput' 'kernels: one two' "$(kernels put-inside)"
seen 'inside, after mkimage -F' 'kernels: one two' "$(kernels again-inside)"
seen 'outside, after fdtput: bytes behind the end of the tree' 0 "$(($(length put-outside) - $(tree_length put-outside)))"
seen 'shorter than 2048 bytes' yes "$([ "$(length put-outside)" -lt 2048 ] && echo yes || echo no)"
seen 'outside, after fdtput, by dumpimage' 'kernels: none' "$(kernels put-outside)"
seen 'outside, after mkimage -F: properties of a kernel' 'data data-offset data-size' \
	"$(fdtget -p again-outside /images/one | grep ^data | sort | paste -sd ' ')"
seen 'data-offset of the first kernel, from the end of the tree' 0 "$(fdtget again-outside /images/one data-offset)"
seen 'outside, after mkimage -F: bytes behind the end of the tree' 0 "$(($(length again-outside) - $(tree_length again-outside)))"
seen 'outside, after mkimage -F, by dumpimage' 'kernels: none' "$(kernels again-outside)"
cp outside again
seen 'outside, mkimage -E -F' 'exit 0, kernels: one two' "$(status mkimage -E -F again), $(kernels again)"
