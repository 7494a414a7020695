//! Images of Ubuntu Core 22, laid out as `snapd` does for each of its boot loaders and signed by the tests' own root. A test changes one
//! thing on the boot partition.

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::rc::Rc;

use fatfs::{FatType, FileSystem, FormatVolumeOptions, FsOptions};
use flashline::image::inspect::page::Page;
use flashline::image::inspect::{Wanted, inspect_medium};
use flashline::station::allowed::Allowed;
use snap_assertions::signature::Sha3Hasher;

use crate::fixtures::wanted;
use crate::forge;
use crate::snapmaker::{Item, Items, file, snap};

pub(crate) const LABEL: &str = "20261122";
const FAT_LENGTH: usize = 16 << 20;
const START: usize = 1 << 20;
const SNAPS: [(&str, &str, &str); 4] = [
    ("pi", "YbGa9O3dAXl88YLI6Y1bGG74pwBxZyKg", "gadget"),
    ("pi-kernel", "jeIuP6tfFrvAdic8DMWqHmoaoukAPNbJ", "kernel"),
    ("core22", "amcUKQILKXHHTlmSa7NMdnXSx02dNeeT", "base"),
    ("snapd", "PMrrV4ml8uWuEUDBT8dSGnKUYbevVhc4", "snapd"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loader {
    Grub,
    Uboot,
    Piboot,
}

impl Loader {
    pub(crate) const ALL: [Self; 3] = [Self::Grub, Self::Uboot, Self::Piboot];

    /// The place of its environment.
    pub(crate) fn environment(self) -> &'static str {
        match self {
            Self::Grub => "EFI/ubuntu/grubenv",
            Self::Uboot => "uboot/ubuntu/boot.sel",
            Self::Piboot => "piboot/ubuntu/piboot.conf",
        }
    }

    /// An environment with these contents.
    pub(crate) fn says(self, variables: &[(&str, &str)]) -> Vec<u8> {
        match self {
            Self::Grub => grubenv(variables),
            Self::Uboot | Self::Piboot => ubootenv(variables, &[0], 4096),
        }
    }
}

pub(crate) fn grubenv(variables: &[(&str, &str)]) -> Vec<u8> {
    let mut text = "# GRUB Environment Block\n".to_owned();
    for (name, value) in variables {
        text.push_str(&format!("{name}={value}\n"));
    }
    let mut bytes = text.into_bytes();
    bytes.resize(1024, b'#');
    bytes
}

pub(crate) fn ubootenv(variables: &[(&str, &str)], flag: &[u8], length: usize) -> Vec<u8> {
    let mut contents: Vec<u8> = variables.iter().flat_map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect();
    contents.extend(if variables.is_empty() { &[0, 0][..] } else { &[0] });
    contents.resize(length - 4 - flag.len(), 0xff);
    let mut crc = flate2::Crc::new();
    crc.update(&contents);
    [&crc.sum().to_le_bytes(), flag, &contents].concat()
}

/// Changes before it is signed, and changes to the files of its boot partition afterwards.
#[derive(Clone)]
pub(crate) struct Core20 {
    pub(crate) label: String,
    pub(crate) boot: BTreeMap<String, Vec<u8>>,
    /// The bytes of the image in front of its table.
    pub(crate) code: Vec<u8>,
    /// The contents of the second partition, if there is one.
    pub(crate) state: Vec<u8>,
    known: String,
}

/// The files of gadget and kernel, the program in snapd, and the model.
pub(crate) struct Snaps {
    pub(crate) gadget: Items,
    pub(crate) kernel: Items,
    pub(crate) program: Vec<u8>,
    pub(crate) grade: &'static str,
    architecture: &'static str,
}

/// A menu of snapd that is newer than any that is known here.
pub(crate) const MENU: &str = "# Snapd-Boot-Config-Edition: 9\n\nset snapd_static_cmdline_args='panic=-1'\n\
                               if true; then\n    set snapd_static_cmdline_args='console=ttyS0 console=tty1 panic=-1'\nfi\n\
                               for label in /systems/*; do\n    load_env snapd_extra_cmdline_args snapd_full_cmdline_args\n    \
                               menuentry \"Install using $label\" {\n        chainloader (loop)/kernel.efi\n    }\ndone\n\nmenuentry 'Settings' {\n    fwsetup\n}\n";
/// The menu that starts an installed system.
pub(crate) const RUN_MENU: &str = "# Snapd-Boot-Config-Edition: 9\n\nmenuentry \"Run\" {\n    chainloader $prefix/kernel.efi\n}\n";

pub(crate) const CONFIG: &str = "[pi4]\nmax_framebuffers=2\n\n[all]\nkernel=kernel.img\ninitramfs initrd.img followkernel\n";
pub(crate) const COMMAND_LINE: &str = "console=tty1 panic=-1\n";

impl Snaps {
    pub(crate) fn of(loader: Loader) -> Self {
        let described = |name: &str, kind: &str| {
            let base = if kind == "gadget" { "base: core22\n" } else { "" };
            file(format!("name: {name}\nversion: '22'\ntype: {kind}\n{base}architectures: [arm64]\n"))
        };
        let (bootloader, kernels) = match loader {
            Loader::Grub => ("grub", ""),
            Loader::Uboot => ("u-boot", ""),
            Loader::Piboot => ("piboot", "          - source: $kernel:dtbs/dtbs/broadcom/\n            target: /\n"),
        };
        let yaml = format!(
            "volumes:\n  pi:\n    schema: mbr\n    bootloader: {bootloader}\n    structure:\n      - name: ubuntu-seed\n        role: system-seed\n        filesystem: vfat\n        type: 0C\n        size: 16M\n        content:\n{kernels}          - source: boot-assets/\n            target: /\n"
        );
        let mut gadget: Items = [
            ("meta/snap.yaml", described("pi", "gadget")),
            ("meta/gadget.yaml", file(yaml)),
            ("boot-assets/config.txt", file(CONFIG)),
            ("boot-assets/cmdline.txt", file(COMMAND_LINE)),
            ("boot-assets/start4.elf", file([7; 3000])),
        ]
        .map(|(path, item)| (path.to_owned(), item))
        .into();
        let marker = match loader {
            Loader::Grub => "grub.conf",
            Loader::Uboot => "uboot.conf",
            Loader::Piboot => "piboot.conf",
        };
        gadget.insert(marker.to_owned(), file(""));
        let kernel = [
            ("meta/snap.yaml", described("pi-kernel", "kernel")),
            ("kernel.img", file([1; 200_000])),
            ("initrd.img", file([2; 9000])),
            ("dtbs/broadcom/bcm2711-rpi-4-b.dtb", file([3; 700])),
            ("dtbs/overlays/vc4.dtbo", file([4; 600])),
            ("dtbs/overlays/README", file("what overlays do")),
            ("dtbs/other/board.dtb", file([5; 500])),
        ];
        // The menu lies across the end of a block of the snap.
        let program = [&[9; (128 << 10) - 20], MENU.as_bytes(), &[0; 5], RUN_MENU.as_bytes(), &[0; 70_000]].concat();
        Self { gadget, kernel: kernel.map(|(path, item)| (path.to_owned(), item)).into(), program, grade: "signed", architecture: "arm64" }
    }

    /// The same for a PC.
    pub(crate) fn for_pc(mut self) -> Self {
        self.architecture = "amd64";
        for items in [&mut self.gadget, &mut self.kernel] {
            let Some(Item::File(described)) = items.get_mut("meta/snap.yaml") else { panic!("every snap has it") };
            *described = String::from_utf8_lossy(described).replace("arm64", "amd64").into_bytes();
        }
        self
    }

    /// The additional lines of their gadget.
    pub(crate) fn describing(mut self, yaml: &str) -> Self {
        let Some(Item::File(described)) = self.gadget.get_mut("meta/gadget.yaml") else { panic!("every gadget has it") };
        described.extend(yaml.as_bytes());
        self
    }

    /// The image that snapd makes of them.
    pub(crate) fn image(&self, loader: Loader) -> Core20 {
        let contents = |item: &Item| match item {
            Item::File(contents) => contents.clone(),
            Item::Link(target) => panic!("a link to {target} is copied nowhere"),
        };
        let mut boot = BTreeMap::new();
        let mut assertions = String::new();
        for (name, id, kind) in SNAPS {
            let bytes = match kind {
                "gadget" => snap(&self.gadget),
                "kernel" => snap(&self.kernel),
                kind => {
                    let mut items: Items =
                        [("meta/snap.yaml".to_owned(), file(format!("name: {name}\nversion: '1'\ntype: {kind}\n")))].into();
                    if kind == "snapd" {
                        items.insert("usr/lib/snapd/snapd".to_owned(), file(&self.program));
                    }
                    snap(&items)
                }
            };
            let mut hasher = Sha3Hasher::default();
            hasher.update(&bytes);
            assertions += &forge::declaration(id, name, "canonical");
            assertions += "\n";
            assertions += &revision(&hasher.finish().to_string(), id, bytes.len());
            assertions += "\n";
            boot.insert(format!("snaps/{name}_7.snap"), bytes);
        }
        let root = format!("systems/{LABEL}");
        let snaps: String = SNAPS
            .iter()
            .map(|(name, id, kind)| format!("\n  -\n    name: {name}\n    id: {id}\n    type: {kind}\n    default-channel: latest/stable"))
            .collect();
        let account = forge::ACCOUNT;
        let model = forge::signed(
            &format!(
                "type: model\nauthority-id: {account}\nseries: 16\nbrand-id: {account}\nmodel: my-pi22\narchitecture: {}\nbase: core22\ngrade: {}\nsnaps:{snaps}\ntimestamp: 2026-11-20T08:00:00Z",
                self.architecture, self.grade
            ),
            "",
        );
        boot.insert(format!("{root}/model"), model.into_bytes());
        boot.insert(format!("{root}/assertions/snaps"), assertions.into_bytes());
        for (path, item) in &self.gadget {
            if let Some(name) = path.strip_prefix("boot-assets/") {
                boot.insert(name.to_owned(), contents(item));
            }
        }
        for (path, item) in &self.kernel {
            let moved = path.replace("dtbs/broadcom/", "").replace("dtbs/overlays/", "overlays/");
            match loader {
                _ if path.starts_with("meta/") => {}
                Loader::Grub => {}
                Loader::Uboot => drop(boot.insert(format!("{root}/kernel/{path}"), contents(item))),
                Loader::Piboot => {
                    if let Some(name) = path.strip_prefix("dtbs/broadcom/") {
                        boot.insert(name.to_owned(), contents(item));
                    }
                    boot.insert(format!("{root}/kernel/{moved}"), contents(item));
                }
            }
        }
        boot.insert(loader.environment().to_owned(), loader.says(&[("snapd_recovery_mode", "install"), ("snapd_recovery_system", LABEL)]));
        match loader {
            Loader::Grub => {
                boot.insert("EFI/ubuntu/grub.cfg".to_owned(), MENU.as_bytes().to_vec());
                boot.insert(format!("{root}/grubenv"), grubenv(&[("snapd_recovery_kernel", "/snaps/pi-kernel_7.snap")]));
            }
            Loader::Uboot => {}
            Loader::Piboot => {
                let line = format!("{} snapd_recovery_mode=install snapd_recovery_system={LABEL}\n", COMMAND_LINE.trim_end());
                boot.insert(format!("{root}/kernel/cmdline.txt"), line.into_bytes());
                boot.insert(format!("{root}/kernel/overlays/README"), Vec::new());
                boot.insert("config.txt".to_owned(), format!("{CONFIG}\nos_prefix=/{root}/kernel/\n").into_bytes());
            }
        }
        Core20 { label: "ubuntu-seed".to_owned(), boot, code: Vec::new(), state: Vec::new(), known: String::new() }
    }
}

pub(crate) fn revision(digest: &str, id: &str, size: usize) -> String {
    let account = forge::ACCOUNT;
    forge::signed(
        &format!(
            "type: snap-revision\nauthority-id: {account}\nsnap-sha3-384: {digest}\ndeveloper-id: canonical\nsnap-id: {id}\nsnap-revision: 7\nsnap-size: {size}\ntimestamp: 2026-11-01T00:00:00Z"
        ),
        "",
    )
}

impl Core20 {
    /// A good image with this boot loader.
    pub(crate) fn with(loader: Loader) -> Self {
        Snaps::of(loader).image(loader)
    }

    pub(crate) fn put(mut self, path: &str, contents: impl AsRef<[u8]>) -> Self {
        self.boot.insert(path.to_owned(), contents.as_ref().to_vec());
        self
    }

    pub(crate) fn without(mut self, path: &str) -> Self {
        assert!(self.boot.remove(path).is_some(), "{path} is there");
        self
    }

    /// Another prefix for everything below a directory.
    pub(crate) fn moved(mut self, from: &str, to: &str) -> Self {
        let change = |path: String| path.strip_prefix(from).map_or(path.clone(), |rest| format!("{to}{rest}"));
        self.boot = self.boot.into_iter().map(|(path, contents)| (change(path), contents)).collect();
        self
    }

    pub(crate) fn text(&self, path: &str) -> String {
        String::from_utf8(self.boot.get(path).expect("it is there").clone()).expect("text")
    }

    /// The further knowledge of the station.
    pub(crate) fn known(mut self, assertion: &str) -> Self {
        self.known = assertion.to_owned();
        self
    }

    pub(crate) fn judged(&self) -> Page {
        self.judged_allowing(&[])
    }

    /// With these words as `allow`.
    pub(crate) fn judged_allowing(&self, words: &[&str]) -> Page {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let mut wanted = Wanted { allowed: Allowed::new(&words).expect("they have a meaning"), ..wanted() };
        wanted.trust.add_roots(forge::root().as_bytes()).expect("a root");
        if !self.known.is_empty() {
            wanted.trust.add_known(self.known.as_bytes()).expect("assertions");
        }
        inspect_medium(Rc::new(self.image()), &wanted).expect("memory can be read")
    }

    /// One FAT in the first partition of an MBR.
    pub(crate) fn image(&self) -> Vec<u8> {
        let mut fat = Cursor::new(vec![0; FAT_LENGTH]);
        let label: [u8; 11] = self.label.as_bytes().try_into().expect("eleven letters");
        fatfs::format_volume(&mut fat, FormatVolumeOptions::new().fat_type(FatType::Fat16).volume_label(label)).expect("a FAT");
        {
            let system = FileSystem::new(&mut fat, FsOptions::new()).expect("it is formatted");
            for (path, contents) in &self.boot {
                let mut directory = system.root_dir();
                let mut names = path.split('/').peekable();
                while let Some(name) = names.next() {
                    if names.peek().is_some() {
                        directory = directory.create_dir(name).expect("a directory");
                    } else {
                        directory.create_file(name).expect("a file").write_all(contents).expect("room");
                    }
                }
            }
        }
        let mut image = self.code.clone();
        image.resize(START, 0);
        let blocks = |bytes: usize| u32::try_from(bytes / 512).expect("small").to_le_bytes();
        image[440..444].copy_from_slice(&[1, 2, 3, 4]);
        image[450] = 0x0c;
        image[454..458].copy_from_slice(&blocks(START));
        image[458..462].copy_from_slice(&blocks(FAT_LENGTH));
        if !self.state.is_empty() {
            image[466] = 0xda;
            image[470..474].copy_from_slice(&blocks(START + FAT_LENGTH));
            image[474..478].copy_from_slice(&blocks(self.state.len()));
        }
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        image.extend(fat.into_inner());
        image.extend(&self.state);
        image
    }
}
