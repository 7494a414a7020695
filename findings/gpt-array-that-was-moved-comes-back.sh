#!/bin/bash
# A GPT whose entries were moved to make room for a boot loader is written back to sector 2 by parted and by two Rust crates, over the
# loader.
#
# Expected: the header says where the array of entries begins, as the UEFI specification provides. A program that only renames a partition
#   writes the array where it was.
# Seen: `sgdisk --move-main-table=4096` frees the sectors from 2, and a loader lies at sector 16 (8 KiB), where the boot ROMs of some chips
#   look for it. After `parted name` and after a rename by the crate gpt, the array is at sector 2 again and the loader is zeroes. The crate
#   gptman writes the main array to 4096, but also the backup's array to sector 2: it takes a header whose array is not at 2 for the backup.
#   All three report success. sfdisk and sgdisk leave the loader as it was.
# Versions: parted 3.5, fdisk 2.38.1, gdisk 1.0.9 (Debian 12); crates gpt 4.1.0, gptman 3.1.1.
# Written in: UEFI specification, 5.3.2 (PartitionEntryLBA); sgdisk(8), --move-main-table; parted, libparted/labels/gpt.c (the generated
#   header has PartitionEntryLBA 2); gpt, src/header/builder.rs; gptman, src/lib.rs (GPT::write_into).
# Hurts: a maker of boards whose loader lies inside the first 17 KiB: a tool that grows or names the last partition, at the factory or at
#   the first boot, makes the device unbootable.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb parted=3.5-3+deb12u1 libparted2=3.5-3+deb12u1 fdisk=2.38.1-5+deb12u3 libfdisk1=2.38.1-5+deb12u3 gdisk=1.0.9-2.1 libpopt0=1.19+dfsg-1
crates gpt@=4.1.0 gptman@=3.1.1

truncate -s 64M made
sgdisk --move-main-table=4096 --new=1:8192:+8M made >/dev/null
head -c 16384 /dev/urandom >loader
dd if=loader of=made seek=16 conv=notrunc status=none
for program in parted sfdisk sgdisk gpt gptman; do cp made "$program"; done
parted -s parted name 1 root >/dev/null 2>&1
sfdisk -q --part-label sfdisk 1 root
sgdisk --change-name=1:root sgdisk >/dev/null
rust "$work/gpt" "$work/gptman" <<'RUST'
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let paths: Vec<String> = std::env::args().skip(1).collect();
    let mut disk = gpt::GptConfig::new().writable(true).open(&paths[0])?;
    let mut partitions = disk.partitions().clone();
    partitions.get_mut(&1).ok_or("no partition 1")?.name = "root".into();
    disk.update_partitions(partitions)?;
    disk.write()?;

    let mut file = std::fs::OpenOptions::new().read(true).write(true).open(&paths[1])?;
    let mut table = gptman::GPT::find_from(&mut file)?;
    table[1].partition_name = "root".into();
    table.write_into(&mut file)?;
    Ok(())
}
RUST
# What the header says, and what became of the loader's sectors.
result() {
	local loader=overwritten
	if cmp -s -n 16384 -i 0:8192 loader "$1"; then loader=kept; fi
	local array name
	array=$(od -An -td8 -j 584 -N 8 "$1" | tr -d ' ')
	name=$(sgdisk --info=1 "$1" | sed -n 's/^Partition name: //p')
	echo "array at sector $array, name $name, loader $loader"
}
seen sfdisk "array at sector 4096, name 'root', loader kept" "$(result sfdisk)"
seen sgdisk "array at sector 4096, name 'root', loader kept" "$(result sgdisk)"
seen parted "array at sector 2, name 'root', loader overwritten" "$(result parted)"
seen 'crate gpt' "array at sector 2, name 'root', loader overwritten" "$(result gpt)"
seen 'crate gptman' "array at sector 4096, name 'root', loader overwritten" "$(result gptman)"
