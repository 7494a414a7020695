#!/bin/bash
# Two images that systemd-repart makes on one PC have the same disk GUID and the same partition GUIDs, even if they are of two products.
#
# Expected: a partition table made by `systemd-repart --empty=create` has GUIDs of its own, as one by sfdisk, sgdisk or parted has; that is
#   what PARTUUID= and /dev/disk/by-partuuid rely on.
# Seen: all GUIDs are computed from the machine ID of the PC that builds (`--seed=random` is not the default), the type of the partition and
#   its number among those of that type. Two images with other sizes, labels and definitions have the same disk GUID, and their root and
#   ESP partitions the same PARTUUID; images of one definition from two PCs differ, so a build is the same here and another there. sfdisk
#   gives two tables of one script other GUIDs.
# Versions: systemd 252.39, fdisk 2.38.1 (Debian 12).
# Written in: systemd-repart(8), --seed= (without it, the machine ID of the host, or of --root=); src/partition/repart.c (derive_uuid).
# Hurts: a maker of two products with one build PC: with a stick of each in a PC, PARTUUID= and the link in by-partuuid mean either, and the
#   installer's root may be the product's. A station that knows disks by their GUID takes both for one.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb systemd=252.39-1~deb12u2 fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3

# product NAME SIZE: definitions of a product, with an ESP and a root partition of its own names and sizes.
product() {
	mkdir "$1"
	printf '[Partition]\nType=esp\nLabel=%s-boot\nSizeMinBytes=%s\nSizeMaxBytes=%s\n' "$1" "$2" "$2" >"$1/10-boot.conf"
	printf '[Partition]\nType=root-x86-64\nLabel=%s\nSizeMinBytes=%s\n' "$1" "$2" >"$1/20-root.conf"
}
product camera 16M
product gateway 24M
for pc in one two; do mkdir -p pc-$pc/etc; done
echo 0123456789abcdef0123456789abcdef >pc-one/etc/machine-id
echo fedcba9876543210fedcba9876543210 >pc-two/etc/machine-id
# made PRODUCT PC [OPTION]: the GUIDs of an image made there: disk, ESP, root.
made() {
	rm -f image
	systemd-repart --root="$work/pc-$2" --definitions="$1" --empty=create --size=128M --dry-run=no "${@:3}" image >said 2>&1 ||
		fail "systemd-repart: $(tail -1 said)"
	sfdisk --dump image | sed -n 's/^label-id: //p; s/.*uuid=\([^,]*\).*/\1/p' | paste -sd ' '
}
same() { if [ "$1" = "$2" ]; then echo equal; else echo different; fi; }
camera=$(made camera one)
guids='6913F4B6-6690-4A57-A202-F1B53C56DBDF B2D552B0-45DB-4678-B34F-066168609D1A 9E90C9C3-C7E8-44F2-BF19-9AE2689DE795'
seen 'the camera, made on PC one: disk, ESP, root' "$guids" "$camera"
seen 'the gateway, made on PC one' "$camera" "$(made gateway one)"
seen 'the camera, made on PC two' different "$(same "$camera" "$(made camera two)")"
seen 'with --seed=random' different "$(same "$(made camera one --seed=random)" "$(made camera one --seed=random)")"
# by_sfdisk: the same table by sfdisk.
by_sfdisk() {
	rm -f image && truncate -s 128M image
	printf 'label: gpt\nsize=16M, type=uefi\ntype=linux\n' | sfdisk -q image
	sfdisk --dump image | sed -n 's/^label-id: //p'
}
seen 'by sfdisk' different "$(same "$(by_sfdisk)" "$(by_sfdisk)")"
