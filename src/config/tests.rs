use std::fs;

use super::tables::*;
use super::*;
use crate::station::bins::{BinColour, BinLabel};
use crate::station::lamp::Lamp;
use crate::station::settings::Policy;

/// A directory with an image in it, and the result of a configuration there.
pub(in crate::config) fn proved(text: &str) -> Result<Settings, String> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("box.img"), [1]).expect("it can be written");
    let path = directory.path().join("config.toml");
    fs::write(&path, text).expect("it can be written");
    read(&path, ImageCheck::Proved).map_err(|error| error.to_string().replace(&directory.path().display().to_string(), "DIR"))
}

pub(in crate::config) const GOOD: &str = r#"
[[model]]
name = "acme/box"
image = "box.img"

[[slot]]
name = "A1"
ports = ["pci-0000:00:14.0/usb3-1/lun-0", "pci-0000:00:14.0/usb2-1/lun-0"]
model = "acme/box"
"#;

#[test]
fn a_small_configuration_gets_every_default() {
    let settings = proved(GOOD).expect("it is good");
    assert_eq!(settings.station.settle, Duration::from_millis(700));
    assert_eq!(settings.state, Path::new("/var/lib/flashline"));
    assert!(!settings.station.flash_present);
    assert_eq!(settings.slots[0].policy, Policy::default());
    assert_eq!(settings.slots[0].ports.len(), 2);
    assert_eq!(settings.shifts, [6, 14, 22].map(|hour| Time::constant(hour, 0, 0, 0)));
    assert_eq!(settings.log_files, None);
    assert_eq!((settings.bins, settings.station_bell, settings.station.box_size), (Bins::default(), None, None));
    assert_eq!(settings.lamps, []);
}

#[test]
fn the_digest_of_a_configuration_is_what_b3sum_prints_and_differs_with_every_byte_of_the_file() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.toml");
    let digest = |bytes: &[u8]| {
        fs::write(&path, bytes).expect("it can be written");
        read(&path, ImageCheck::Unseen).expect("it is good").digest.to_string()
    };
    let with_mark = [&b"\xef\xbb\xbf"[..], GOOD.as_bytes()].concat();
    for bytes in [GOOD.as_bytes(), format!("{GOOD}# a remark\n").as_bytes(), &with_mark] {
        assert_eq!(digest(bytes), blake3::hash(bytes).to_string());
    }
    assert_ne!(digest(GOOD.as_bytes()), digest(&with_mark), "of the bytes, and not of what they mean");
}

#[test]
fn the_directory_of_the_log_files_counts_from_the_configuration_as_every_path_does() {
    let files = |directory: &str| {
        let text = format!("[log]\ndirectory = {directory:?}\n{GOOD}");
        prove(Path::new("/etc/flashline/config.toml"), &text, ImageCheck::Unseen).expect("it is good").log_files
    };
    assert_eq!(files("/srv/share"), Some("/srv/share".into()));
    assert_eq!(files("log"), Some("/etc/flashline/log".into()));
    assert_eq!(files(""), None, "an empty one is none");
}

#[test]
fn every_mistake_is_named_with_its_line_its_key_and_a_cure() {
    let mistakes = [
        ("name = \"A1\"", "name = \"A1\"\nspeed = 3", "line 8: unknown key `speed`: the keys here are name, ports"),
        ("image = \"box.img\"", "image = \"none.img\"", "line 4: `image`: DIR/none.img: No such file"),
        ("model = \"acme/box\"", "model = \"acme/bax\"", "line 9: `model`: there is no model \"acme/bax\": add a [[model]]"),
        ("[[model]]", "[[model]", "line 2: "),
        ("image = \"box.img\"", "image = \"box.img\"\nassertion = \"none.model\"", "line 5: `assertion`: DIR/none.model: No such file"),
        (
            "image = \"box.img\"",
            "image = \"box.img\"\nrequire = \"maybe\"",
            "line 5: `require` is \"proven\", \"matching\" or \"none\", and not the text \"maybe\"",
        ),
        (
            "image = \"box.img\"",
            "image = \"box.img\"\nassertion = \"box.img\"\nrequire = \"none\"",
            "line 5: `assertion` is never looked at where `require` is \"none\"",
        ),
        ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"a\", \"/\"]", "line 5: `allow`: \"/\" is no path"),
        ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"../etc\"]", "line 5: `allow`: \"../etc\" is no path"),
        ("image = \"box.img\"", "image = \"box.img\"\nallow = [\"partition-x\"]", "line 5: `allow`: \"partition-x\" is no partition"),
        ("\n[[model]]", "[trust]\nroots = [\"none.trusted\"]\n[[model]]", "line 2: `roots`: DIR/none.trusted: No such file"),
        ("\n[[model]]", "[trust]\nwith = [\"none.bundle\"]\n[[model]]", "line 2: `with`: DIR/none.bundle: No such file"),
        ("ports = [\"pci-0000:00:14.0/usb3-1/lun-0\", ", "ports = [\"pci-0000:00:14.0/usb2-1/lun-0\", ", "line 8: `ports`: "),
        ("name = \"A1\"", "name = \" A1\"", "line 7: `name` must be a name"),
        ("name = \"A1\"", "name = \"A1\"\nhangs_on = [\"05e3:0610\"]", "line 8: `hangs_on` has one text for each of `ports`"),
        ("name = \"A1\"", "name = \"A1\"\nhangs_on = [\"\",\n\"a:1 > b:2\"]", "line 9: `hangs_on`: \"a:1 > b:2\" names more devices"),
        ("\n[[model]]", "[station]\nname = \"a\\nA1  PASS\"\n[[model]]", "line 2: `name` must be a name"),
        ("\n[[model]]", "[station]\nstore_limit_gb = 9000000000000\n[[model]]", "line 2: `store_limit_gb` is the most"),
        ("\n[[model]]", "[shift]\nstarts = []\n[[model]]", "line 2: `starts` is empty: write the times of day"),
        ("\n[[model]]", "[shift]\nstarts = [\"06:00\",\n\"24:00\"]\n[[model]]", "line 3: `starts`: \"24:00\" is no time of day"),
        ("\n[[model]]", "[shift]\nstarts = [\"6:00\"]\n[[model]]", "line 2: `starts`: \"6:00\" is no time of day"),
        ("\n[[model]]", "[shift]\nstarts = [\"06:00\", \"06:00\"]\n[[model]]", "line 2: `starts`: \"06:00\" does not come after"),
        ("\n[[model]]", "[log]\ndirectry = \"x\"\n[[model]]", "line 2: unknown key `directry`"),
        (
            "\n[[model]]",
            "[policy]\ndone = \"erase\"\n[[model]]",
            "line 2: `done` is \"recheck\" or \"reflash\", and not the text \"erase\"",
        ),
        (
            "image = \"box.img\"",
            "image = \"box.img\"\ncontents = \"all\"",
            "line 5: `contents` is \"disk\" or \"any\", and not the text \"all\"",
        ),
        (
            "image = \"box.img\"",
            "image = \"box.img\"\ndigest = \"af13\"",
            "line 5: `digest` is the BLAKE3 of the raw image, 64 hexadecimal digits",
        ),
        ("image = \"box.img\"", "image = \".\"", "line 4: `image`: DIR/.: not a regular file"),
        ("\n[[model]]", "[[own_disk]]\nserial = \"4C53\"\nbytes = 1000\n[[model]]", "line 1: [[own_disk]] has either"),
        ("\n[[model]]", "[[own_disk]]\nwwn = \"\"\n[[model]]", "is no World Wide Name"),
        ("\n[[model]]", "[[own_disk]]\nwwn = \"/dev/sda\"\n[[model]]", "is no World Wide Name"),
        (
            "\n[[model]]",
            "[[own_disk]]\nvendor = \"\"\nproduct = \"\"\nserial = \"\"\nbytes = 0\n[[model]]",
            "line 1: `bytes`: no disk has 0 bytes",
        ),
        ("model = \"acme/box\"", "model = \"acme/box\"\ncapacity_gb = [9, 8]", "line 10: `capacity_gb`"),
        ("name = \"A1\"", "name = \"A1\"\nlamp = {}", "line 8: `lamp` names no LED: write lamp = { led = \"NAME\" }"),
        ("name = \"A1\"", "name = \"A1\"\nlamp = { white = \"a\" }", "line 8: unknown key `white`: the keys here are led, green"),
        ("name = \"A1\"", "name = \"A1\"\nlamp.green = \"g\"\nlamp.red = \"/dev/sda\"", "line 9: `red`: \"/dev/sda\" is no name of an LED"),
        ("name = \"A1\"", "name = \"A1\"\nlamp.green = \"g\"\nlamp.led = \"a\"", "line 9: `led` is for a lamp of a single LED"),
        ("name = \"A1\"", "name = \"A1\"\nlamp = { red = \"r\" }", "line 8: `lamp` has colours and no `green`"),
        ("\n[[model]]", "[panel]\nbell = 1\n[[model]]", "line 2: `bell` is true or false, without quotes, and not the number 1"),
        ("\n[[model]]", "[station]\nlamp = { red = \"r\" }\n[[model]]", "line 2: `lamp` has colours and no `green`"),
        ("\n[[model]]", "[station]\nlamp = \"mmc0::\"\n[[model]]", "line 2: `lamp` is a table of LEDs by their colour, and not the text"),
        (
            "\n[[model]]",
            "[station]\nbell = true\n[[model]]",
            "line 2: `bell` is a text in quotes, and not true: write bell = \"/dev/input/",
        ),
        ("\n[[model]]", "[station]\nbell = \"/dev/sda\"\n[[model]]", "line 2: `bell`: /dev/sda is no sound device of the kernel"),
        ("\n[[model]]", "[station]\nbell = \"/dev/input/../sda\"\n[[model]]", "line 2: `bell`: /dev/input/../sda is no sound device"),
        ("\n[[model]]", "[station]\nbell = \"/dev/input\"\n[[model]]", "line 2: `bell`: /dev/input is no sound device"),
        ("\n[[model]]", "[order]\nbox = \"50\"\n[[model]]", "line 2: `box` is a whole number, not below zero, without quotes"),
        ("\n[[model]]", "[order]\nbox = 100001\n[[model]]", "line 2: `box` is at most 100000: it counts the good cards"),
        ("\n[[model]]", "[order]\nBox = 50\n[[model]]", "line 2: unknown key `Box` in [order]: it is called `box`"),
        (
            "\n[[model]]",
            "[panel]\nbins = [\"A\"]\n[[model]]",
            "line 2: `bins` is a table of bins, each with `word` and `colour`, and not a list",
        ),
        (
            "\n[[model]]",
            "[panel]\nbins.good = \"A\"\n[[model]]",
            "line 2: `good` of `bins` is a table with `word` and `colour`, and not the text",
        ),
        ("\n[[model]]", "[panel]\nbins.good.word = 1\n[[model]]", "line 2: `word` of `good` is a text in quotes, and not the number 1"),
        (
            "\n[[model]]",
            "[panel]\nbins.rework.word = \"A\"\n[[model]]",
            "line 2: unknown key `rework`: the keys here are good, not_bad, bad",
        ),
        ("\n[[model]]", "[panel]\nbins.bad.color = \"red\"\n[[model]]", "line 2: unknown key `color`: the keys here are word, colour"),
        (
            "\n[[model]]",
            "[panel]\nbins.bad.colour = \"pink\"\n[[model]]",
            "line 2: `colour` of `bad`: \"pink\" is no colour of a terminal: write one of green",
        ),
        (
            "\n[[model]]",
            "[panel]\nbins.bad.colour = \"green\"\n[[model]]",
            "line 2: `colour` of `bad` is green, which means good on this panel",
        ),
        ("\n[[model]]", "[panel]\nbins.bad.word = \" A\"\n[[model]]", "line 2: `word` must be a name"),
        (
            "\n[[model]]",
            "[panel]\nbins.bad.word = \"ABCDEFGHIJKLMNOPQRSTU\"\n[[model]]",
            "line 2: `word` of `bad`: \"ABCDEFGHIJKLMNOPQRSTU\" is too long",
        ),
        (
            "\n[[model]]",
            "[panel]\nbins.good.word = \"A\"\nbins.bad.word = \"A\"\n[[model]]",
            "line 3: `bins`: `good` and `bad` have the same word, \"A\": each bin has its own",
        ),
        (
            "\n[[model]]",
            "[panel]\nbins.not_bad.colour = \"red\"\n[[model]]",
            "line 2: `bins`: `not_bad` and `bad` have the same colour, \"red\": each bin has its own",
        ),
        (
            "model = \"acme/box\"",
            "model = \"acme/box\"\ncards = \"new\"",
            "line 10: `cards` is \"reuse\" or \"blank\", and not the text \"new\"",
        ),
    ];
    for (right, wrong, expected) in mistakes {
        let text = GOOD.replacen(right, wrong, 1);
        let error = proved(&text).expect_err(wrong);
        assert!(error.contains(expected), "{wrong}\n  says: {error}\n  not:  {expected}");
    }
}

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_their_lines() {
    let several = |text: &str| proved(text).expect_err("it is wrong").lines().map(str::to_owned).collect::<Vec<_>>();
    let text = GOOD
        .replace("box.img", "none.img")
        .replace("usb3-1/lun-0", "usb3-1")
        .replace("model = \"acme/box\"", "model = \"acme/bax\"\ncapacity_gb = [9, 8]")
        .replace("\n[[model]]", "[station]\nstall_timeout_s = 1\nname = \" \"\n[shift]\nstarts = []\n[[model]]");
    let told = several(&text);
    let expected =
        ["line 2: `stall_timeout_s`", "line 3: `name`", "line 5: `starts`", "line 8: `image`", "line 12: `ports`", "line 13: `model`"];
    assert_eq!(told.len(), 7, "{told:?}");
    for (line, begin) in told.iter().zip(expected.into_iter().chain(["line 14: `capacity_gb`"])) {
        assert!(line.contains(begin), "{line}, and not {begin}");
    }
    // A model with a mistake still counts as a name: its slots are not wrong because of it.
    assert_eq!(several(&GOOD.replace("box.img", "none.img")).len(), 1);
    let told = several(&GOOD.replace("image =", "imgae =").replace("ports =", "port =").replace("model = \"acme/box\"", "model = 7"));
    let expected = ["line 4: unknown key `imgae`", "line 8: unknown key `port`", "line 9: `model` is a text"];
    assert!(told.len() == 3 && told.iter().zip(expected).all(|(line, begin)| line.contains(begin)), "{told:?}");
}

#[test]
fn a_pipe_in_the_place_of_a_configuration_is_told_and_nobody_waits_for_it() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.toml");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
    for path in [&path, Path::new("/dev/zero"), directory.path()] {
        for error in [read(path, ImageCheck::Proved).expect_err("no file"), read_settled(path, ImageCheck::Proved).expect_err("no file")] {
            assert!(error.to_string().ends_with("it is no regular file: name a file with --config"), "{error}");
        }
    }
}

#[test]
fn who_only_reads_the_log_needs_no_image() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.toml");
    fs::write(&path, GOOD).expect("it can be written");
    read(&path, ImageCheck::Unseen).expect("the image is not looked at");
    read(&path, ImageCheck::Proved).expect_err("the image is not there");
}

#[test]
fn two_slots_of_one_name_or_on_one_port_are_an_error() {
    let twice = format!("{GOOD}\n[[slot]]\nname = \"A1\"\nports = [\"pci-0000:00:14.0/usb3-2/lun-0\"]\nmodel = \"acme/box\"\n");
    assert!(proved(&twice).expect_err("one name").contains("the slot \"A1\" is there twice"));
    let shared = format!("{GOOD}\n[[slot]]\nname = \"A2\"\nports = [\"pci-0000:00:14.0/usb2-1/lun-0\"]\nmodel = \"acme/box\"\n");
    assert!(proved(&shared).expect_err("one port").contains("already belongs to slot \"A1\""));
}

#[test]
fn a_lamp_is_its_slots_own_in_either_form_of_the_table() {
    let two = format!(
        "{GOOD}[slot.lamp]\nred = \"input*::numlock\"\ngreen = \"input*::capslock\"\n\n[[slot]]\nname = \"A2\"\nports = [\"pci-0000:00:14.0/usb3-2/lun-0\"]\n\
         model = \"acme/box\"\nlamp = {{ led = \"LED\" }}\n"
    );
    let lamps = proved(&two.replace("LED", "mmc0::")).expect("it is good").lamps;
    assert_eq!(lamps.iter().map(|lamp| lamp.owner.to_string()).collect::<Vec<_>>(), ["slot A1", "slot A2"]);
    assert_eq!(lamps[0].lamp.leds(), [("green", "input*::capslock"), ("red", "input*::numlock")]);
    assert_eq!(lamps[1].lamp, Lamp::One("mmc0::".into()));
    let error = proved(&two.replace("LED", "input3::capslock")).expect_err("one LED, two slots");
    assert!(error.contains("line 18: `led`: the LED \"input3::capslock\" already belongs to the lamp of slot \"A1\""), "{error}");
    let of_station = |led: &str| proved(&format!("[station]\nlamp = {{ led = \"{led}\" }}\n{two}").replace("\"LED\"", "\"mmc0::\""));
    let lamps = of_station("thingm0:green:led1").expect("it is good").lamps;
    assert_eq!(lamps.last().map(|lamp| lamp.owner.to_string()).as_deref(), Some("the station"));
    let error = of_station("mmc*::").expect_err("one LED, a slot and the station");
    assert!(error.contains("line 2: `led`: the LED \"mmc*::\" already belongs to the lamp of slot \"A2\""), "{error}");
}

#[test]
fn what_the_operator_sees_and_hears_is_read_as_it_is_written() {
    let text = format!(
        "[station]\nbell = \"/dev/input/by-path/platform-pcspkr-event-spkr\"\n[order]\nbox = 50\n[panel.bins]\n\
         good = {{ word = \"Kiste A\", colour = \"blue\" }}\nbad.word = \"Schrott\"\n{GOOD}"
    );
    let settings = proved(&text).expect("it is good");
    assert_eq!(settings.station_bell.as_deref(), Some(Path::new("/dev/input/by-path/platform-pcspkr-event-spkr")));
    assert_eq!(settings.station.box_size, Some(50));
    let label = |word: Option<&str>, colour| BinLabel { word: word.map(str::to_owned), colour };
    let usual = Bins::default();
    let expected = Bins { good: label(Some("Kiste A"), BinColour::Blue), bad: label(Some("Schrott"), BinColour::Red), ..usual };
    assert_eq!(settings.bins, expected, "what is left out is as it was");
}

#[test]
fn a_missing_file_and_an_empty_one_say_what_to_do() {
    let error = read(Path::new("/nonexistent/config.toml"), ImageCheck::Unseen).expect_err("it is not there");
    assert!(error.to_string().contains("--config"), "{error}");
    assert!(proved("").expect_err("no model").contains("add a [[model]]"));
}

/// The example is what an engineer starts from: each key in it that has a default shows this default.
#[test]
fn the_example_shows_every_key_with_its_default() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.example.toml")).expect("it is there");
    let example: toml::Table = toml::from_str(&text).expect("it is TOML");
    assert_eq!(example["version"].as_integer().and_then(|version| u64::try_from(version).ok()), Some(VERSION));
    let StationTable { name, state, settle_ms, flash_present, stall_timeout_s, store_limit_gb, lamp, bell } = StationTable::default();
    let mut defaults = toml::Table::new();
    defaults.insert("name".to_owned(), name.into_inner().into());
    defaults.insert("state".to_owned(), state.to_str().expect("it is text").into());
    defaults.insert("settle_ms".to_owned(), i64::try_from(settle_ms.into_inner()).expect("it is small").into());
    defaults.insert("flash_present".to_owned(), flash_present.into());
    defaults.insert("stall_timeout_s".to_owned(), i64::try_from(stall_timeout_s.into_inner()).expect("it is small").into());
    defaults.insert("store_limit_gb".to_owned(), i64::try_from(store_limit_gb.into_inner()).expect("it is small").into());
    defaults.insert("bell".to_owned(), bell.get_ref().to_str().expect("it is text").into());
    let mut shown = example["station"].as_table().expect("it is a table").clone();
    assert!(shown.remove("lamp").is_some() && lamp.is_none(), "the example shows a lamp, and without the key there is none");
    assert_eq!(shown, defaults);
    let OrderTable { box_size } = OrderTable::default();
    assert_eq!(example["order"]["box"].as_integer(), i64::try_from(box_size.into_inner()).ok());
    let starts: Vec<toml::Value> = ShiftTable::default().starts.into_inner().into_iter().map(|start| start.into_inner().into()).collect();
    assert_eq!(example["shift"]["starts"].as_array(), Some(&starts));
    let LogTable { directory, volatile } = LogTable::default();
    assert_eq!(example["log"]["volatile"].as_bool(), Some(volatile));
    assert_eq!(example["log"]["directory"].as_str(), directory.to_str());
    let BackupTable { folder, keep } = BackupTable::default();
    assert_eq!(example["backup"]["folder"].as_str(), folder.get_ref().to_str());
    assert_eq!(example["backup"]["keep"].as_integer(), i64::try_from(keep.into_inner()).ok());
    let ControlTable { socket } = ControlTable::default();
    assert_eq!(example["control"]["socket"].as_str(), socket.to_str());
    let PanelTable { language: _, bell, bins: _ } = PanelTable::default();
    assert_eq!(example["panel"]["bell"].as_bool(), Some(bell));
    for (key, label) in [("good", &Bins::default().good), ("not_bad", &Bins::default().not_bad), ("bad", &Bins::default().bad)] {
        assert_eq!(example["panel"]["bins"][key]["colour"].as_str(), Some(label.colour.word()));
    }
    let PolicyTable { done, first_off, flush, marks, retries, rules } = PolicyTable::default();
    assert_eq!(example["policy"]["first_off"].as_bool(), Some(first_off));
    assert_eq!((example["policy"]["flush"].as_str(), flush), (Some("ask"), FlushWord::Ask));
    assert_eq!(example["policy"]["retries"].as_integer(), i64::try_from(retries.into_inner()).ok());
    assert_eq!((example["policy"]["rules"].as_str(), rules), (Some("warn"), RulesWord::Warn));
    assert_eq!((example["policy"]["marks"].as_str(), marks), (Some("refuse"), MarksWord::Refuse));
    assert_eq!((example["policy"]["done"].as_str(), done), (Some("recheck"), DoneWord::Recheck));
    assert_eq!((example["model"][0]["contents"].as_str(), ContentsWord::default()), (Some("disk"), ContentsWord::Disk));
    let typed: File = toml::from_str(&text).expect("every key is known");
    let source = Source { path: Path::new("config.example.toml"), text: &text };
    let lamps = prove_lamps(&source, &typed.slot, typed.station.lamp.as_ref()).expect("they are lamps");
    assert_eq!(lamps.len(), 2, "the example shows a lamp of a slot, and the one of the station");
    assert!(prove_bins(&source, &typed.panel.bins, &mut Mistakes::default()).is_some(), "and bins");
}

mod cases {
    use super::*;

    #[test]
    fn calls_of_a_card_are_repeated_a_few_times_at_most_and_never_by_default() {
        let retries = |count: &str| proved(&format!("[policy]\nretries = {count}\n{GOOD}"));
        assert_eq!(proved(GOOD).expect("it is good").retries, 0);
        assert_eq!(retries("5").expect("it is allowed").retries, 5);
        for wrong in ["6", "4294967296"] {
            let error = retries(wrong).expect_err("too many");
            assert!(error.contains("line 2: `retries` is at most 5") && error.contains("0 repeats nothing"), "{error}");
        }
    }

    #[test]
    fn a_stall_is_no_shorter_than_what_the_kernel_and_udev_take() {
        let stall = |seconds: u64| proved(&format!("[station]\nstall_timeout_s = {seconds}\n{GOOD}"));
        for seconds in [0, 1, 59] {
            let error = stall(seconds).expect_err("every card would stall");
            assert!(error.contains("line 2: `stall_timeout_s` is at least 60") && error.contains("30 s"), "{error}");
        }
        assert_eq!(stall(60).expect("that is enough").stall, Duration::from_secs(60));
        assert_eq!(proved(GOOD).expect("it is good").stall, DEFAULT_STALL);
    }
}
