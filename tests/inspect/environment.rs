//! Tests of the boot loader's inputs: its environment, and on the Raspberry Pi two text files. Nothing signs them, so every word must be
//! the one that snapd writes into a fresh image.

use flashline::image::inspect::page::Check;

use crate::core20::{COMMAND_LINE, CONFIG, Core20, LABEL, Loader, MENU, RUN_MENU, Snaps, grubenv, ubootenv};
use crate::fixtures::{Changed, only_no};
use crate::fixtures::{fat_file, replaced};
use crate::snapmaker::{Item, file};

/// The beginnings of the boot partitions.
const OF_PI: u64 = 1 << 20;
const OF_PC: u64 = 2 << 20;

fn refused(image: &Core20) -> String {
    only_no(&image.judged(), Check::BootFiles)
}

fn fresh<'v>(more: &[(&'v str, &'v str)]) -> Vec<(&'v str, &'v str)> {
    [&[("snapd_recovery_mode", "install"), ("snapd_recovery_system", LABEL)], more].concat()
}

#[test]
fn a_fresh_image_is_good_with_every_boot_loader_of_snapd() {
    for loader in Loader::ALL {
        let page = Core20::with(loader).judged();
        assert!(page.is_good(), "{loader:?}: {page:#?}");
    }
    let words = Core20::with(Loader::Piboot).judged().not_covered().join("\n");
    assert!(!words.contains("os_prefix") && !words.contains("cmdline") && !words.contains("piboot"), "everything is held: {words}");
}

#[test]
fn kernels_whose_device_trees_lie_flat_are_good_with_piboot_too() {
    let mut snaps = Snaps::of(Loader::Piboot);
    let trees: Vec<(String, Item)> =
        snaps.kernel.extract_if(.., |path, _| path.starts_with("dtbs/broadcom/") || path.contains("other")).collect();
    for (path, item) in trees {
        snaps.kernel.insert(path.replace("broadcom/", "").replace("other/", ""), item);
    }
    let yaml = snaps.gadget.get_mut("meta/gadget.yaml").expect("it is there");
    let Item::File(text) = yaml else { panic!("it is a file") };
    *yaml = file(String::from_utf8_lossy(text).replace("$kernel:dtbs/dtbs/broadcom/", "$kernel:dtbs/dtbs/bcm2711-rpi-4-b.dtb"));
    let mut image = snaps.image(Loader::Piboot).moved(&format!("systems/{LABEL}/kernel/dtbs/"), &format!("systems/{LABEL}/kernel/"));
    let tree = image.boot.get(&format!("systems/{LABEL}/kernel/bcm2711-rpi-4-b.dtb")).expect("it was moved").clone();
    image = image.put("bcm2711-rpi-4-b.dtb", tree);
    let page = image.judged();
    assert!(page.is_good(), "{page:#?}");
}

#[test]
fn the_boot_flag_of_factories_is_known_and_no_other_is() {
    for loader in Loader::ALL {
        let image = |flags: &str| Core20::with(loader).put(loader.environment(), loader.says(&fresh(&[("snapd_boot_flags", flags)])));
        let page = image("factory").judged();
        assert!(page.is_good(), "{loader:?}: {page:#?}");
        let said = refused(&image("factory,debug"));
        assert!(said.contains("sets the boot flag \"debug\", which snapd does not know"), "{said}");
    }
}

#[test]
fn a_first_boot_installs_and_does_nothing_else() {
    for loader in Loader::ALL {
        let image = |mode: &str| {
            Core20::with(loader).put(loader.environment(), loader.says(&[("snapd_recovery_mode", mode), ("snapd_recovery_system", LABEL)]))
        };
        for mode in ["run", "recover", "factory-reset", "install ", "Install", "anything"] {
            let said = refused(&image(mode));
            assert!(said.contains(&format!("names {mode:?} as snapd_recovery_mode, and a fresh image begins with \"install\"")), "{said}");
        }
        // GRUB's menu and U-Boot's script start an installation by themselves; for piboot, snapd chooses when it writes a mode, or never.
        let without = Core20::with(loader).put(loader.environment(), loader.says(&[("snapd_recovery_system", LABEL)]));
        if loader == Loader::Piboot {
            assert!(refused(&without).contains("does not say snapd_recovery_mode, so that nothing starts"));
        } else {
            assert!(without.judged().is_good(), "{loader:?}");
        }
    }
}

#[test]
fn whatever_else_an_environment_says_is_refused() {
    for loader in Loader::ALL {
        let path = loader.environment();
        let image = |variables: &[(&str, &str)]| Core20::with(loader).put(path, loader.says(variables));
        for (name, value) in [("kernel_status", "try"), ("snap_kernel", "x_1.snap"), ("try_recovery_system", "1"), ("bootcmd", "run x")] {
            let said = refused(&image(&fresh(&[(name, value)])));
            assert!(said.contains(&format!("sets {name} to {value:?}, which no fresh image does")), "{said}");
        }
        let said = refused(&image(&[("snapd_recovery_mode", "install"), ("snapd_recovery_system", "20261121")]));
        assert!(said.contains("names \"20261121\" as snapd_recovery_system, and the seed's is \"20261122\""), "{said}");
        let said = refused(&image(&fresh(&[("snapd_recovery_system", "20261121")])));
        assert!(said.contains("says snapd_recovery_system twice"), "{said}");
    }
    let system = format!("systems/{LABEL}/grubenv");
    let image =
        Core20::with(Loader::Grub).put(&system, grubenv(&[("snapd_recovery_kernel", "/snaps/pi-kernel_7.snap"), ("snapd_other", "1")]));
    assert!(refused(&image).contains("systems/20261122/grubenv sets snapd_other to \"1\""));
    // A name that snapd does not know has an effect even without a value: GRUB forgets the value of its menu.
    let image = Core20::with(Loader::Grub).put(&system, grubenv(&[("snapd_recovery_kernel", "/snaps/pi-kernel_7.snap"), ("timeout", "")]));
    assert!(refused(&image).contains("systems/20261122/grubenv sets timeout to \"\""));
}

#[test]
fn an_environment_that_the_boot_loader_needs_is_missed() {
    for loader in Loader::ALL {
        let path = loader.environment();
        let said = refused(&Core20::with(loader).without(path));
        assert!(said.contains(&format!("{} is missing on ubuntu-seed", path.to_lowercase())), "{said}");
        // A directory in its place does not count.
        let said = refused(&Core20::with(loader).without(path).put(&format!("{path}/x"), "x"));
        assert!(said.contains("is missing on ubuntu-seed"), "{said}");
    }
    for path in ["EFI/ubuntu/grub.cfg".to_owned(), format!("systems/{LABEL}/grubenv")] {
        let said = refused(&Core20::with(Loader::Grub).without(&path));
        assert!(said.contains(&format!("{} is missing on ubuntu-seed: GRUB reads it", path.to_lowercase())), "{said}");
    }
}

#[test]
fn a_damaged_environment_is_told_from_a_wrong_one() {
    for loader in Loader::ALL {
        let path = loader.environment();
        let good = loader.says(&fresh(&[]));
        let mut longer = good.clone();
        longer.extend([0xff; 512]);
        let (short, length) = if loader == Loader::Grub { (1023, "1024") } else { (4095, "4096") };
        for contents in [good[..short].to_vec(), longer, Vec::new()] {
            let said = refused(&Core20::with(loader).put(path, &contents));
            assert!(said.contains(&format!("is {} bytes long, where", contents.len())) && said.contains(length), "{said}");
        }
        let mut flipped = good.clone();
        flipped[10] ^= 1;
        let said = refused(&Core20::with(loader).put(path, flipped));
        assert!(said.contains("is damaged"), "{said}");
    }
    // U-Boot was built with or without a flag, and reads nothing if the environment differs.
    for loader in [Loader::Uboot, Loader::Piboot] {
        let said = refused(&Core20::with(loader).put(loader.environment(), ubootenv(&fresh(&[]), &[], 4096)));
        assert!(said.contains("has another header than the gadget asks for"), "{said}");
    }
    let mut snaps = Snaps::of(Loader::Uboot);
    snaps.gadget.insert("boot.sel".to_owned(), file(ubootenv(&[], &[], 4096)));
    let image = snaps.image(Loader::Uboot);
    assert!(refused(&image).contains("has another header than the gadget asks for"));
    let page = image.put("uboot/ubuntu/boot.sel", ubootenv(&fresh(&[]), &[], 4096)).judged();
    assert!(page.is_good(), "{page:#?}");
}

#[test]
fn a_boot_loader_is_known_by_its_mark_in_the_gadget_though_it_be_a_link() {
    let mut snaps = Snaps::of(Loader::Uboot);
    snaps.gadget.insert("uboot.conf".to_owned(), Item::Link("uboot.env"));
    snaps.gadget.insert("uboot.env".to_owned(), file(""));
    let image = snaps.image(Loader::Uboot);
    assert!(image.judged().is_good());
    assert!(refused(&image.without("uboot/ubuntu/boot.sel")).contains("uboot/ubuntu/boot.sel is missing"));
}

#[test]
fn an_environment_of_another_boot_loader_is_a_foreign_file() {
    for (loader, other) in [(Loader::Grub, Loader::Uboot), (Loader::Uboot, Loader::Piboot), (Loader::Piboot, Loader::Grub)] {
        let path = other.environment();
        let said = refused(&Core20::with(loader).put(path, other.says(&fresh(&[]))));
        assert!(said.contains(&format!("{} is in neither the kernel nor the gadget snap", path.to_lowercase())), "{said}");
    }
}

#[test]
fn words_for_the_kernel_are_the_gadgets_and_snapds() {
    let path = format!("systems/{LABEL}/kernel/cmdline.txt");
    let image = Core20::with(Loader::Piboot);
    let line = image.text(&path);
    for word in ["init=/bin/sh", "rdinit=/x", "systemd.unit=rescue.target", "systemd.mask=snapd.service", "snapd_recovery_mode=run"] {
        let said = refused(&image.clone().put(&path, format!("{} {word}\n", line.trim_end())));
        assert!(said.contains(&format!("{path} gives the kernel {word:?}, which the gadget's does not")), "{said}");
    }
    let said = refused(&image.clone().put(&path, line.replace("mode=install", "mode=run")));
    assert!(said.contains("gives the kernel \"snapd_recovery_mode=run\""), "{said}");
    let said = refused(&image.clone().put(&path, COMMAND_LINE));
    assert!(said.contains("does not give the kernel \"snapd_recovery_mode=install\""), "{said}");
    assert!(refused(&image.clone().without(&path)).contains("cmdline.txt is missing on ubuntu-seed: snapd makes it"));
    // The gadget's own environment, from which it is made again at every update.
    let said = refused(&image.clone().put("cmdline.txt", format!("{} init=/x\n", COMMAND_LINE.trim_end())));
    assert!(said.contains("cmdline.txt differs from boot-assets/cmdline.txt") && said.contains("gives the kernel \"init=/x\""), "{said}");
    // The gadget's own statements are part of the gadget.
    let mut snaps = Snaps::of(Loader::Piboot);
    snaps.gadget.insert("boot-assets/cmdline.txt".to_owned(), file("console=tty1 init=/own panic=-1\n"));
    let image = snaps.image(Loader::Piboot);
    assert!(refused(&image).contains("does not give the kernel \"init=/own\""));
    let own = format!("console=tty1 init=/own panic=-1 snapd_recovery_mode=install snapd_recovery_system={LABEL}\n");
    assert!(image.put(&path, own).judged().is_good());
}

/// The environment of a system with these words for the kernel.
fn telling(extra: &str, full: &str) -> Vec<u8> {
    grubenv(&[("snapd_recovery_kernel", "/snaps/pi-kernel_7.snap"), ("snapd_extra_cmdline_args", extra), ("snapd_full_cmdline_args", full)])
}

#[test]
fn the_words_a_gadget_gives_to_grub_are_the_ones_it_describes() {
    let system = format!("systems/{LABEL}/grubenv");
    let image = Core20::with(Loader::Grub);
    let said = refused(&image.put(&system, telling("init=/x", "")));
    let words = "gives the kernel \"console=ttyS0 console=tty1 panic=-1 init=/x\", where menu and gadget make it \"console=ttyS0 console=tty1 panic=-1\"";
    assert!(said.contains(words), "{said}");
    let mut in_file = Snaps::of(Loader::Grub);
    in_file.gadget.insert("cmdline.extra".to_owned(), file("# for the console\nquiet\nsplash\n"));
    let image = in_file.image(Loader::Grub);
    assert!(refused(&image).contains("where menu and gadget make it \"console=ttyS0 console=tty1 panic=-1 quiet splash\""));
    assert!(image.put(&system, telling("quiet splash", "")).judged().is_good());
    let mut replacing = Snaps::of(Loader::Grub);
    replacing.gadget.insert("cmdline.full".to_owned(), file("quiet\n"));
    let image = replacing.image(Loader::Grub);
    assert!(image.clone().put(&system, telling("", "quiet")).judged().is_good());
    assert!(refused(&image.put(&system, telling("quiet", ""))).contains("where menu and gadget make it \"quiet\""));
    let image = Snaps::of(Loader::Grub).describing("kernel-cmdline:\n  append:\n    - quiet\n    - console=ttyS1\n").image(Loader::Grub);
    assert!(image.clone().put(&system, telling("quiet console=ttyS1", "")).judged().is_good());
    let said = refused(&image.put(&system, telling("quiet", "")));
    assert!(said.contains("panic=-1 quiet console=ttyS1\"; a snapd that does not know all that is in gadget.yaml"), "{said}");
}

#[test]
fn a_gadget_that_takes_words_away_leaves_no_room_for_others() {
    let system = format!("systems/{LABEL}/grubenv");
    let yaml = "kernel-cmdline:\n  append:\n    - quiet\n  remove:\n    - console=ttyS0\n";
    let image = Snaps::of(Loader::Grub).describing(yaml).image(Loader::Grub);
    let says = |extra: &str, full: &str| image.clone().put(&system, telling(extra, full));
    let page = says("", "console=tty1 panic=-1 quiet").judged();
    assert!(page.is_good(), "{:#?}", page.verdicts);
    assert_eq!(page.not_covered(), [""; 0], "everything is held");
    for (extra, full, words) in [
        // A snapd that cannot remove words restores those that the gadget removed.
        ("quiet", "", "make it with a newer one"),
        ("", "console=ttyS0 console=tty1 panic=-1 quiet", "make it \"console=tty1 panic=-1 quiet\""),
        ("", "quiet", "make it \"console=tty1 panic=-1 quiet\""),
        ("", "console=tty1 console=tty1 panic=-1 quiet", "make it"),
        ("init=/x", "", "make it"),
        ("quiet init=/x", "", "make it"),
        ("", "", "make it"),
        ("", "console=tty1 panic=-1", "make it"),
        ("", "console=tty1 init=/x quiet", "make it"),
        ("", "console=tty1 quiet init=/x", "make it"),
        ("", "init=/xquiet", "make it"),
        ("quiet", "quiet", "sets both snapd_extra_cmdline_args and snapd_full_cmdline_args, which no snapd does"),
    ] {
        let said = refused(&says(extra, full));
        assert!(said.contains(&format!("systems/{LABEL}/grubenv")) && said.contains(words), "{extra:?} {full:?}: {said}");
    }
}

#[test]
fn a_newer_snapd_says_the_menus_words_itself() {
    let system = format!("systems/{LABEL}/grubenv");
    let image = Core20::with(Loader::Grub);
    let page = image.clone().put(&system, telling("", "console=ttyS0 console=tty1 panic=-1")).judged();
    assert!(page.is_good() && page.not_covered().is_empty(), "{page:#?}");
    let said = refused(&image.put(&system, telling("", "console=ttyS0 console=tty1 panic=-1 init=/x")));
    assert!(said.contains("gives the kernel \"console=ttyS0 console=tty1 panic=-1 init=/x\", where menu and gadget make it"), "{said}");
}

#[test]
fn dangerous_words_of_a_gadget_are_for_models_of_that_grade() {
    let system = format!("systems/{LABEL}/grubenv");
    for (grade, is_good) in [("dangerous", true), ("signed", false)] {
        let mut snaps =
            Snaps::of(Loader::Grub).describing("defaults: {system: {system.kernel.dangerous-cmdline-append: systemd.debug-shell}}\n");
        snaps.grade = grade;
        let image = snaps.image(Loader::Grub).put(&system, telling("", "console=ttyS0 console=tty1 panic=-1 systemd.debug-shell"));
        let page = image.judged();
        assert_eq!(page.is_good(), is_good, "{grade}: {:#?}", page.verdicts);
    }
}

#[test]
fn a_menu_ends_where_the_program_has_what_is_no_text() {
    // As behind the menus in snapd's programs: a zero, a byte beyond ASCII, the next text.
    for behind in [&[0][..], &[0xc6, 0], RUN_MENU.as_bytes()] {
        let mut snaps = Snaps::of(Loader::Grub);
        snaps.program = [&[9; 77], MENU.as_bytes(), behind].concat();
        assert!(snaps.image(Loader::Grub).judged().is_good(), "{behind:?}");
    }
    let mut snaps = Snaps::of(Loader::Grub);
    snaps.program = [MENU.as_bytes(), b"and so on\n\0"].concat();
    assert!(refused(&snaps.image(Loader::Grub)).contains("the snapd in the image does not contain it"));
}

#[test]
fn the_menu_of_grub_is_one_that_snapd_carries_and_all_of_it() {
    let path = "EFI/ubuntu/grub.cfg";
    let put = |menu: &str| Core20::with(Loader::Grub).put(path, menu);
    let page = put(MENU).judged();
    assert!(page.is_good() && page.not_covered().is_empty(), "{page:#?}");
    let (head, _) = MENU.split_once("menuentry 'Settings'").expect("it has two");
    for other in [
        MENU.replace("chainloader", "linux /evil #"),
        // Other texts that the program also contains, and texts with another beginning or end.
        RUN_MENU.to_owned(),
        head.split_once("done").expect("a loop").0.to_owned(),
        MENU.replacen("# Snapd", "Snapd", 1),
        format!("{MENU}\n"),
        String::new(),
    ] {
        let said = refused(&put(&other));
        assert!(said.contains("ubuntu-seed/efi/ubuntu/grub.cfg: it is not the menu of a published snapd"), "{said}");
    }
    let mut older = Snaps::of(Loader::Grub);
    older.program = MENU.replace("9", "8").into_bytes();
    let said = refused(&older.image(Loader::Grub));
    assert!(said.contains("the snapd in the image does not contain it"), "{said}");
    // A file that `allow` names is accepted, and reported.
    for word in ["ubuntu-seed/EFI/ubuntu/grub.cfg", "/ubuntu-seed/efi/"] {
        let page = put("# a menu of our own\n").judged_allowing(&[word]);
        assert!(page.is_good(), "{page:#?}");
        assert!(page.not_covered().contains(&"ubuntu-seed/efi/ubuntu/grub.cfg, which is allowed by configuration".to_owned()));
    }
    assert!(!put("# a menu of our own\n").judged_allowing(&["EFI/ubuntu/grub.cfg"]).is_good(), "a path without its label is another");
}

#[test]
fn a_gadget_that_writes_a_number_behind_all_bytes_is_refused_and_no_more_comes_of_it() {
    let mut snaps = Snaps::of(Loader::Uboot);
    let Some(Item::File(yaml)) = snaps.gadget.get("meta/gadget.yaml") else { panic!("it is there") };
    let structure = "      - name: firmware\n        type: bare\n        offset: 512\n        offset-write: 18446744073709551615\n        size: 512\n        content:\n          - image: fw.bin\n";
    let yaml = String::from_utf8_lossy(yaml).replace("    structure:\n", &format!("    structure:\n{structure}"));
    snaps.gadget.insert("meta/gadget.yaml".to_owned(), file(yaml));
    snaps.gadget.insert("fw.bin".to_owned(), file([7; 512]));
    let said = refused(&snaps.image(Loader::Uboot));
    assert!(said.contains("differs from the gadget's fw.bin") && said.contains("block number at byte 18446744073709551615"), "{said}");
}

#[test]
fn the_firmware_is_led_to_the_kernel_that_was_compared() {
    let image = Core20::with(Loader::Piboot);
    let config = image.text("config.txt");
    for (text, words) in [
        (
            config.replace("/kernel/\n", "/other/\n"),
            "leads the firmware to \"/systems/20261122/other/\" (os_prefix), and the kernel that was compared lies in \"/systems/20261122/kernel/\"",
        ),
        (format!("{config}[pi4]\nos_prefix=/x/\n"), "leads the firmware to \"/x/\" (os_prefix)"),
        (format!("{config}os_prefix = /x/\n"), "leads the firmware to \" /x/\" (os_prefix)"),
        (CONFIG.to_owned(), "leads the firmware nowhere (os_prefix)"),
        (format!("{config}include usercfg.txt\n"), "says \"include usercfg.txt\", which the gadget's does not"),
        (config.replace("kernel=kernel.img", "kernel=other.img"), "says \"kernel=other.img\""),
        (format!("{config}device_tree=x.dtb\n"), "says \"device_tree=x.dtb\""),
        (format!("{config}initramfs x.img followkernel\n"), "says \"initramfs x.img followkernel\""),
        (format!("{config}[none]\n"), "says \"[none]\""),
        (config.replace("[all]\n", ""), "does not say \"[all]\""),
        (
            config.replace("[pi4]\nmax_framebuffers=2\n\n[all]", "[all]\nmax_framebuffers=2\n\n[pi4]"),
            "says the same as the gadget's in another order, or more often",
        ),
    ] {
        let said = refused(&image.clone().put("config.txt", &text));
        assert!(said.contains(&format!("config.txt {words}")), "{said}");
    }
    // If there is another boot loader in between, the firmware reads the gadget's own files.
    for loader in [Loader::Uboot, Loader::Grub] {
        let said = refused(&Core20::with(loader).put("config.txt", format!("{CONFIG}os_prefix=/x/\n")));
        assert!(said.contains("it leads the firmware to \"/x/\" (os_prefix), which the gadget's does not"), "{said}");
    }
}

#[test]
fn what_piboot_starts_is_the_kernels_own() {
    let below = |name: &str| format!("systems/{LABEL}/kernel/{name}");
    let image = Core20::with(Loader::Piboot);
    for (name, original) in [
        ("kernel.img", "kernel.img"),
        ("initrd.img", "initrd.img"),
        ("bcm2711-rpi-4-b.dtb", "dtbs/broadcom/bcm2711-rpi-4-b.dtb"),
        ("overlays/vc4.dtbo", "dtbs/overlays/vc4.dtbo"),
        ("dtbs/other/board.dtb", "dtbs/other/board.dtb"),
    ] {
        let path = below(name);
        let mut other = image.boot.get(&path).expect("it is there").clone();
        *other.last_mut().expect("it is not empty") ^= 1;
        let said = refused(&image.clone().put(&path, other));
        assert!(said.contains(&format!("{path} differs from {original} in the kernel snap")), "{said}");
        assert!(refused(&image.clone().without(&path)).contains(&format!("{path} is missing on ubuntu-seed")));
    }
    assert!(refused(&image.clone().put(&below("overlays/README"), "x")).contains("overlays/readme is not empty, as snapd makes it"));
    assert!(refused(&image.clone().without(&below("overlays/README"))).contains("overlays/readme is missing"));
    // The place in the kernel snap, where the firmware does not look.
    let moved = image.clone().put(&below("dtbs/overlays/vc4.dtbo"), [4; 600]);
    assert!(refused(&moved).contains("dtbs/overlays/vc4.dtbo is in neither the kernel nor the gadget snap"));
    // With U-Boot, device trees keep their places, and each must be there.
    let image = Core20::with(Loader::Uboot);
    let said = refused(&image.without(&below("dtbs/broadcom/bcm2711-rpi-4-b.dtb")));
    assert!(said.contains("is missing on ubuntu-seed: it is dtbs/broadcom/bcm2711-rpi-4-b.dtb of the kernel snap"), "{said}");
}

#[test]
fn files_that_a_firmware_would_read_beside_are_refused_by_name() {
    for loader in Loader::ALL {
        for path in [
            "tryboot.txt",
            "autoboot.txt",
            "usercfg.txt",
            "recovery.bin",
            "boot.scr",
            "boot.scr.uimg",
            "uEnv.txt",
            "uboot.env",
            "uboot-redund.env",
            "extlinux/extlinux.conf",
            "kernel8.img",
            "overlays/x.dtbo",
            "EFI/boot/bootaa64.efi",
            "EFI/boot/grub.cfg",
            "EFI/ubuntu/custom.cfg",
            "boot/grub/grub.cfg",
            "loader/entries/x.conf",
            "startup.nsh",
            "systems/20261122/kernel/usercfg.txt",
            "systems/20261122/options.yaml",
            "systems/20261122/auto-import.assert",
        ] {
            let said = refused(&Core20::with(loader).put(path, "x"));
            let path = path.to_lowercase();
            assert!(said.contains(&format!("ubuntu-seed/{path} is in neither the kernel nor the gadget snap")), "{loader:?}: {said}");
        }
    }
}

#[test]
fn in_ubuntu_core_16_and_18_the_environment_names_the_seeds_snaps_and_is_the_gadgets_otherwise() {
    let image = Changed::of("uc18-pi");
    let place = fat_file(&image, OF_PI, b"UBOOT   ENV");
    let original = image.bytes(place.start, place.length);
    let with = |old: &str, new: &str| {
        let mut bytes = replaced(&original, old, new);
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[5..]);
        bytes[..4].copy_from_slice(&crc.sum().to_le_bytes());
        image.clone().put(place.start, &bytes)
    };
    for (old, new, sentence) in [
        ("bootcmd=run snappy_boot", "bootcmd=run sloppy_boot", "uboot.env differs from the gadget's uboot.conf in more than the names"),
        ("snap_kernel=pi-kernel_794.snap", "snap_kernel=pi-kernel_793.snap", "names \"pi-kernel_793.snap\" as snap_kernel"),
        ("snap_core=core18_2812.snap", "snap_core=core18_2813.snap", "names \"core18_2813.snap\" as snap_core"),
        ("snap_mode=", "snap_mode=try", "sets snap_mode to \"try\""),
        ("snap_core=core18_2812.snap\0", "snap_core=core18_2812.snap\0snap_core=x\0", "says snap_core twice"),
    ] {
        let said = only_no(&with(old, new).judged(), Check::BootFiles);
        assert!(said.contains(sentence), "{said}");
    }
    let said = only_no(&image.clone().flip(place.start + 20).judged(), Check::BootFiles);
    assert!(said.contains("uboot.env is damaged: its checksum does not hold"), "{said}");
    let said = only_no(&image.clone().put(place.entry, b"UBOOT   EN2").judged(), Check::BootFiles);
    assert!(said.contains("uboot.env is missing on system-boot: U-Boot reads it"), "{said}");
    let shorter = u32::try_from(place.length - 1).expect("small");
    let said = only_no(&image.clone().put(place.entry + 28, &shorter.to_le_bytes()).judged(), Check::BootFiles);
    assert!(said.contains("uboot.env is damaged"), "{said}");

    // Half as long, and consistent in itself.
    let mut half = original[..place.length / 2].to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&half[5..]);
    half[..4].copy_from_slice(&crc.sum().to_le_bytes());
    let length = u32::try_from(half.len()).expect("small");
    let said = only_no(&image.clone().put(place.start, &half).put(place.entry + 28, &length.to_le_bytes()).judged(), Check::BootFiles);
    assert!(said.contains("and the gadget's uboot.conf") && said.contains("U-Boot reads no other length"), "{said}");
}

#[test]
fn in_ubuntu_core_16_and_18_grub_needs_its_menu_and_its_environment() {
    let image = Changed::of("uc16-amd64");
    for (name, other, path) in [(b"GRUBENV    ", b"GRUBENX    ", "grubenv"), (b"GRUB    CFG", b"GRUX    CFG", "grub.cfg")] {
        let place = fat_file(&image, OF_PC, name);
        let said = only_no(&image.clone().put(place.entry, other).judged(), Check::BootFiles);
        assert!(said.contains(&format!("efi/ubuntu/{path} is missing on system-boot: GRUB reads it")), "{said}");
    }
    let place = fat_file(&image, OF_PC, b"GRUBENV    ");
    let said = only_no(&image.clone().put(place.start, b"X").judged(), Check::BootFiles);
    assert!(said.contains("efi/ubuntu/grubenv is damaged: it does not begin as an environment of GRUB"), "{said}");
    let text = image.bytes(place.start, place.length);
    let twice = replaced(&text, "snap_mode=\n", "snap_mode=\nsnap_mode=\n");
    let said = only_no(&image.clone().put(place.start, &twice).judged(), Check::BootFiles);
    assert!(said.contains("efi/ubuntu/grubenv says snap_mode twice"), "{said}");
}
