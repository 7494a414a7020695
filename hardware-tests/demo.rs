//! The demo: a product on its way from the brand's snaps to the packing list, in the five steps of the simple production model of Ubuntu
//! Core, on an emulated factory PC.
//!
//! Every command is run in that PC as it is printed. Every claim is checked; the first false one ends the demo with exit code 1. The
//! transcript and the files stay in the directory named on the command line.

#[allow(dead_code, reason = "the scenarios use the rest")]
mod factory;
mod screen;
mod transcript;

use std::error::Error;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use factory::{lun, rows, sd, usb};
use flashline_lab::reader::ReaderCard;
use flashline_lab::{Job, MIB, Medium, Pc, Reader, SdCard, UsbStick, secs};
use screen::screen_text;
use tempfile::NamedTempFile;
use transcript::{DIRECTORY, Show, Transcript};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The account of the fixtures' brand.
const BRAND: &str = "Fx7Qm2VtY9sKd4RwLpZ3bN8cHjG6aTu1";
/// When the fixture was signed.
const TIMESTAMP: &str = "2026-11-21T08:00:00+00:00";
/// The placeholders in the documentation of Ubuntu Core, and the brand's own values for them.
const PLACEHOLDERS: [(&str, &str); 2] = [(BRAND, "<your account id>"), (TIMESTAMP, "<timestamp>")];

/// The image of the model, by the name of its fixture.
const IMAGE: &str = "uc16-pi3-seed-sample";
/// The snaps of the product, with their revisions and digests.
const SNAPS: [(&str, u32, &str); 2] = [
    ("myawesomesnap", 7, "gD_QQ_2c3X4xls0fYi_jX1injIrHF-hjwlWN_csPjR5W2kRIja-XjpdFYKieTqJd"),
    ("mysecondawesomesnap", 3, "RMorySg0L7LG--WWOnw033zZ8zjviCo_JBijKJ0cj-jOhooWnRkU7Wt0sDxmp0hk"),
];
/// Their ids, in the order of [`SNAPS`].
const SNAP_IDS: [&str; 2] = ["aW3s0meSnapIdForTheFixtureNo0001", "aW3s0meSnapIdForTheFixtureNo0002"];

/// The capacity of every card of the demo.
const CARD: u64 = 128 * MIB;
/// The slots of the model, by the kind of their port.
const SLOTS: [&str; 6] = ["A1", "A2", "B1", "B2", "S1", "R1"];
/// The slots of the model with the wrong image.
const WRONG_SLOTS: [&str; 2] = ["C1", "C2"];

/// How long all cards together may take in the emulated PC, on a busy machine.
const ALL_CARDS: Duration = secs(270);
/// The same for one card.
const ONE_CARD: Duration = secs(120);

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().skip(1).find(|argument| !argument.to_string_lossy().starts_with('-')).map(PathBuf::from) else {
        eprintln!("demo: name the directory to keep its results in");
        return ExitCode::from(2);
    };
    // A failure in the emulated PC is a panic with a sentence.
    set_hook(Box::new(|_| {}));
    let told = catch_unwind(AssertUnwindSafe(|| demo(&out).map_err(|error| error.to_string()))).unwrap_or_else(|panic| {
        let sentence = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(sentence.unwrap_or_else(|| "the emulated PC does not answer".to_owned()))
    });
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("\ndemo: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// Fails the demo if this is false.
fn claim(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/snap").join(path)
}

fn demo(out: &Path) -> Result<()> {
    let tell = Transcript::begin(&out.join("transcript.txt"))?;
    let pc = Pc::start();
    let debian = pc.sh(". /etc/os-release && echo \"$PRETTY_NAME, Linux $(uname -r | cut -d- -f1)\"");
    tell.say(&format!(
        "A product with Ubuntu Core, from its snaps to the packing list of its first lot. Every command is typed in an emulated factory \
         PC ({debian}). Its cards are files on this machine."
    ))?;
    pc.install(env!("CARGO_BIN_EXE_flashline"));
    extra_snaps(&tell, &pc)?;
    model(&tell, &pc)?;
    let raw = image(&tell, &pc)?;
    fs::copy(fixture("brand/my-pi3-r1.model"), out.join("my-pi3.model"))?;
    factory(&tell, &pc, raw.path(), out)?;
    distribution(&tell, &pc, out)?;
    tell.say(&format!("Each of these claims was checked. It took {:.0} seconds. The results are in {}:", tell.seconds(), out.display()))?;
    for (file, what) in [
        ("screen.png", "the panel of the station, with six cards PASS"),
        ("lot-report.html", "the report of the lot, for a browser and for paper"),
        ("packing-list.txt, packing-list.csv", "every card of the lot by its serial"),
        ("my-pi3.model", "the signed model"),
        ("transcript.txt", "all commands with their whole output"),
    ] {
        tell.line(&format!("{file:<36}{what}"))?;
    }
    Ok(())
}

fn extra_snaps(tell: &Transcript, pc: &Pc) -> Result<()> {
    tell.heading("1. The extra snaps")?;
    tell.say(
        "The brand publishes two snaps in the store. Here they are fixtures of this repository. The store, its keys and its root are \
         fixtures, too: they are not Canonical's. `snap download` gives a snap and its assertions:",
    )?;
    for ((name, revision, digest), id) in SNAPS.iter().zip(SNAP_IDS) {
        pc.put_file(fixture(&format!("snaps/{name}_{revision}.snap")), &format!("{DIRECTORY}/{name}_{revision}.snap"), 0o644);
        let declaration = fs::read_to_string(fixture(&format!("chain/16,{id}.snap-declaration")))?;
        let assertions = format!("{declaration}\n{}", fs::read_to_string(fixture(&format!("chain/{digest}.snap-revision")))?);
        pc.put(assertions.as_bytes(), &format!("{DIRECTORY}/{name}_{revision}.assert"), 0o644);
    }
    for file in ["test-root.trusted", "accounts-and-keys.bundle"] {
        pc.put_file(fixture(&format!("chain/{file}")), &format!("{DIRECTORY}/{file}"), 0o644);
    }
    tell.typed(pc, "ls -l *.snap *.assert *.trusted *.bundle", 0, Show::All)?;
    let names = SNAPS.map(|(name, revision, _)| format!("{name}_{revision}.assert")).join(" ");
    let said =
        tell.typed(pc, &format!("flashline model check {names} --trust test-root.trusted --with accounts-and-keys.bundle"), 0, Show::All)?;
    claim(said.matches(": accepted").count() == SNAPS.len(), "not every snap is signed under the root of the fixtures")
}

fn model(tell: &Transcript, pc: &Pc) -> Result<()> {
    tell.heading("2. The model")?;
    tell.say("The model my-pi3 lists the kernel, the gadget and the two snaps. It begins as the JSON of the documentation:")?;
    let filled = fs::read_to_string(fixture("brand/my-pi3-r1.json"))?;
    let template = PLACEHOLDERS.iter().fold(filled.clone(), |text, (value, placeholder)| text.replace(value, placeholder));
    pc.put(template.as_bytes(), &format!("{DIRECTORY}/my-pi3.json"), 0o644);
    tell.typed(pc, "cat my-pi3.json", 0, Show::All)?;
    let refusal = Show::Only(&[": refused", "  problem"]);
    let said = tell.typed(pc, "flashline model check my-pi3.json", 1, refusal)?;
    for header in ["authority-id", "brand-id", "timestamp"] {
        claim(said.contains(&format!("`{header}` still has the placeholder")), &format!("the placeholder of {header} was not named"))?;
    }
    tell.say("Each placeholder is named. The brand fills them in:")?;
    let sed = PLACEHOLDERS.map(|(value, placeholder)| format!("s/{placeholder}/{value}/")).join("; ");
    tell.typed(pc, &format!("sed -i '{sed}' my-pi3.json"), 0, Show::All)?;
    claim(pc.get(&format!("{DIRECTORY}/my-pi3.json")) == filled.as_bytes(), "the JSON is not the one that was signed")?;
    let said = tell.typed(pc, "flashline model check my-pi3.json", 1, refusal)?;
    claim(said.matches("  problem").count() == 1 && said.contains("it is not signed"), "something else than the signature is missing")?;
    tell.say("Only the signature is missing. The brand signs the JSON with `snap sign`. The fixture was signed with the key of the fixtures' brand:")?;
    let signed = fs::read_to_string(fixture("brand/my-pi3-r1.model"))?;
    pc.put(signed.as_bytes(), &format!("{DIRECTORY}/my-pi3.model"), 0o644);
    let headers: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&filled)?;
    for (name, value) in headers {
        let same = value.as_str().is_none_or(|value| signed.lines().any(|line| line == format!("{name}: {value}")));
        claim(same, &format!("the signed model has another {name} than the JSON"))?;
    }
    let check = "flashline model check my-pi3.model --with accounts-and-keys.bundle";
    let said = tell.typed(pc, &format!("{check} --trust test-root.trusted"), 0, Show::Only(&["accepted", "  what", "  snap", " by "]))?;
    claim(said.contains("my-pi3.model: accepted"), "the signed model was not accepted")?;
    tell.say("It is accepted because `--trust` names the root of the fixtures. Under Canonical's root alone, it is refused:")?;
    let said = tell.typed(pc, check, 1, refusal)?;
    claim(said.contains("my-pi3.model: refused"), "the model of the fixtures was accepted without their root")
}

/// Returns the raw image, unpacked by programs other than the station.
fn image(tell: &Transcript, pc: &Pc) -> Result<NamedTempFile> {
    tell.heading("3. The image")?;
    tell.say(
        "`ubuntu-image` makes the image from the model. This one is a fixture: partitions, seed and boot files are those of Ubuntu Core on \
         a Raspberry Pi 3, with small snaps. It is inspected before it goes to the factory:",
    )?;
    pc.put_file(fixture(&format!("images/{IMAGE}.img.xz")), &format!("{DIRECTORY}/my-pi3.img.xz"), 0o644);
    let inspect = "flashline image inspect my-pi3.img.xz --model my-pi3.model --trust test-root.trusted";
    let said = tell.typed(pc, inspect, 0, Show::Table)?;
    claim(said.contains("a station would arm it"), "the image was not proven")?;
    let raw = NamedTempFile::new()?;
    let unpacked = Command::new("xz").arg("-dc").arg(fixture(&format!("images/{IMAGE}.img.xz"))).stdout(raw.reopen()?).status()?;
    claim(unpacked.success(), "xz could not unpack the image")?;
    let bytes = fs::read(raw.path())?;
    for (name, revision, digest) in SNAPS {
        let short: String = digest.chars().take(12).collect();
        let is_listed = said.lines().any(|line| line.trim_start().starts_with(&format!("{name} ")) && line.contains(&short));
        let snap = fs::read(fixture(&format!("snaps/{name}_{revision}.snap")))?;
        // The file has one block, so it stays in one piece.
        let is_there = bytes.chunks(512).enumerate().any(|(block, _)| bytes[block * 512..].starts_with(&snap));
        claim(is_listed && is_there, &format!("{name} of step 1 is not in the image"))?;
    }
    tell.say(
        "The image is proven: it holds the model of step 2 and, byte for byte, the snaps of step 1, and signatures reach from all of them to \
         a trusted root. Here this is the root of the fixtures, and not Canonical's.",
    )?;
    Ok(raw)
}

/// A card in a slot.
struct Inserted<'a> {
    slot: &'static str,
    medium: &'a Medium,
}

/// The digest that `sha256sum` prints for the beginning of a file.
fn sha256(file: &Path, length: u64) -> Result<String> {
    let script = "head -c \"$1\" \"$2\" | sha256sum";
    let output = Command::new("sh").args(["-c", script, "sh", &length.to_string()]).arg(file).output()?;
    Ok(String::from_utf8(output.stdout)?.split_whitespace().next().unwrap_or_default().to_owned())
}

fn configuration() -> String {
    let mut text = format!(
        "[station]\nname = \"line-1\"\n\n[trust]\nroots = [\"{DIRECTORY}/test-root.trusted\"]\nwith = [\"{DIRECTORY}/accounts-and-keys.bundle\"]\n"
    );
    for model in ["my-pi3", "my-pi18"] {
        text.push_str(&format!(
            "\n[[model]]\nname = \"{model}\"\nimage = \"{DIRECTORY}/{model}.img.xz\"\nassertion = \"{DIRECTORY}/{model}.model\"\n"
        ));
    }
    let ports = [usb("1"), usb("2"), usb("3.1"), usb("3.2"), sd(0), lun(0)];
    let right = SLOTS.into_iter().zip(ports).map(|(slot, ports)| (slot, ports, "my-pi3"));
    let wrong = WRONG_SLOTS.into_iter().zip([usb("4"), usb("5")]).map(|(slot, ports)| (slot, ports, "my-pi18"));
    for (slot, ports, model) in right.chain(wrong) {
        text.push_str(&format!("\n[[slot]]\nname = \"{slot}\"\nports = {ports:?}\nmodel = \"{model}\"\n"));
    }
    text
}

/// Installs program, configuration and units, as a station engineer does.
fn installed(pc: &Pc) {
    let disk = pc.disk("state").size(512 * MIB).plug();
    pc.sh(&format!("mkfs.ext4 -q {0} && mkdir -p /var/lib/flashline && mount {0} /var/lib/flashline", disk.node()));
    factory::install_units(pc);
    pc.put_file(fixture("brand/my-pi18.model"), &format!("{DIRECTORY}/my-pi18.model"), 0o644);
    pc.put(configuration().as_bytes(), "/etc/flashline/config.toml", 0o644);
    pc.sh("setfont Uni2-Terminus14 -C /dev/tty1");
}

/// The hardware in a slot.
struct Cards {
    sticks: Vec<UsbStick>,
    sd: SdCard,
    in_reader: ReaderCard,
    wrong: Vec<UsbStick>,
}

impl Cards {
    fn put_in(pc: &Pc, reader: &Reader) -> Self {
        let stick = |port: &str, serial: &str, seed| pc.usb(port).serial(serial).size(CARD).filled(seed).plug();
        Self {
            sticks: vec![
                stick("1", "4C53000101", 1),
                stick("2", "4C53000102", 2),
                stick("3.1", "4C53000103", 3),
                stick("3.2", "4C53000104", 4),
            ],
            sd: pc.sd(0).size(CARD).insert(),
            in_reader: reader.card(0).size(CARD).insert(),
            wrong: vec![stick("4", "4C53000201", 5), stick("5", "4C53000202", 6)],
        }
    }
}

fn factory(tell: &Transcript, pc: &Pc, raw: &Path, out: &Path) -> Result<()> {
    tell.heading("4. The factory")?;
    tell.say(
        "The station has six slots for my-pi3: two USB ports (A1, A2), two ports of a hub (B1, B2), an SD host (S1) and a reader (R1). Two \
         more USB ports (C1, C2) are for another model, my-pi18. Somebody copies the wrong image for it:",
    )?;
    let _hub = pc.hub("3");
    let reader = pc.reader("READER0001").plug();
    installed(pc);
    fs::write(out.join("config.toml"), configuration())?;
    tell.typed(pc, "cp my-pi3.img.xz my-pi18.img.xz", 0, Show::All)?;
    tell.typed(pc, "systemctl start flashline flashline-console", 0, Show::All)?;
    let journal = pc.spawn("exec journalctl --unit flashline.service --output cat --lines all --follow");
    journal.wait_for_line("the station runs", ONE_CARD);
    tell.say("The station runs. It has no image for C1 and C2, and says why:")?;
    let said = tell.typed(pc, "flashline check", 1, Show::Only(&["my-pi", "disarmed"]))?;
    let reason = format!("DISARMED: it is the image of another model: it has {BRAND}/my-pi3, and {BRAND}/my-pi18 is wanted");
    claim(said.contains(&reason), "the swapped image was not noticed")?;
    claim(said.contains(&format!("model proof: proven: {BRAND}/my-pi3, revision 1")), "the image of my-pi3 was not proven")?;
    tell.say(
        "The wrong image disarms its own two slots only. The station is new, so the engineer confirms that its flash log is new. Then it \
         gets an order of six good cards:",
    )?;
    tell.typed(pc, "flashline log confirm", 0, Show::All)?;
    tell.typed(pc, &format!("flashline order start --model {BRAND}/my-pi3 --count 6 --name 'lot 1'"), 0, Show::All)?;

    tell.say("A card is inserted into each of the eight slots. Those in S1 and R1 are new; the others hold old data:")?;
    let cards = Cards::put_in(pc, &reader);
    let media = cards.sticks.iter().map(|stick| &**stick).chain([&*cards.sd, &*cards.in_reader]);
    let inserted: Vec<Inserted<'_>> = SLOTS.into_iter().zip(media).map(|(slot, medium)| Inserted { slot, medium }).collect();
    let wrong: Vec<Inserted<'_>> = WRONG_SLOTS.into_iter().zip(&cards.wrong).map(|(slot, medium)| Inserted { slot, medium }).collect();
    for slot in WRONG_SLOTS {
        let line = journal.wait_for_line(&format!("^{slot}  REFUSED"), ONE_CARD);
        tell.now(&line)?;
    }
    for card in &cards.wrong {
        card.pull();
    }
    follow(tell, &journal)?;
    let said = tell.typed(pc, "flashline status", 0, Show::All)?;
    claim(said.matches("  DISARMED").count() == WRONG_SLOTS.len(), "the slots of my-pi18 are not DISARMED")?;
    pictured(pc, out)?;

    tell.say(
        "Six cards passed. One of them is inserted again. It is read back and shown as DONE; it is not written and not counted again:",
    )?;
    let first = &cards.sticks[0];
    let written = first.counts().bytes_written;
    first.pull();
    first.plug();
    let line = journal.wait_for_line("^A1  DONE", ONE_CARD);
    tell.now(&line)?;
    claim(first.counts().bytes_written == written, "the finished card was written again")?;
    let said = tell.typed(pc, "flashline order status", 0, Show::All)?;
    claim(said.contains("6 / 6"), "the order does not count six good cards")?;

    cards.sticks.iter().for_each(UsbStick::pull);
    cards.sd.eject();
    cards.in_reader.eject();
    cards.in_reader.settle();
    compared(tell, raw, &inserted, &wrong)
}

/// Reports every card of the order as it ends. Fails if one does not pass.
fn follow(tell: &Transcript, journal: &Job) -> Result<()> {
    let ended = format!("^({})  (PASS|DONE|FAILED|REFUSED|PULLED|HELD|CHANGED|STALLED)", SLOTS.join("|"));
    for number in 1..=SLOTS.len() {
        let line = journal.wait_for_nth_line(number, &ended, ALL_CARDS);
        tell.now(&line)?;
        claim(line.contains("  PASS"), &format!("not every card passed: {line}"))?;
    }
    Ok(())
}

/// Takes a picture of the panel and checks its contents.
fn pictured(pc: &Pc, out: &Path) -> Result<()> {
    // It is drawn at least once a second.
    std::thread::sleep(secs(2));
    pc.screenshot(out.join("screen.png"));
    let text = screen_text(pc);
    claim(text.contains("6 / 6"), &format!("the panel does not show the order:\n{text}"))?;
    claim(text.matches("TAKE IT OUT, GOOD").count() == SLOTS.len(), &format!("the panel does not show six good cards:\n{text}"))?;
    claim(text.matches("CALL THE ENGINEER").count() == WRONG_SLOTS.len(), &format!("the panel does not show two DISARMED slots:\n{text}"))
}

/// Compares the files of the cards with the image and with their old contents, by programs that know nothing of the station.
fn compared(tell: &Transcript, raw: &Path, inserted: &[Inserted<'_>], wrong: &[Inserted<'_>]) -> Result<()> {
    tell.say(
        "All cards are taken out. Their files are compared outside of the PC, by `cmp` with the image, or with what they held before:",
    )?;
    let length = fs::metadata(raw)?.len();
    let published = fs::read_to_string(fixture("images/SHA256SUMS"))?;
    let digest = sha256(raw, length)?;
    claim(published.contains(&format!("{digest}  ./{IMAGE}.img")), "the image is not the fixture")?;
    for card in inserted {
        let equal = Command::new("cmp").args(["--bytes", &length.to_string()]).arg(raw).arg(card.medium.path()).status()?;
        claim(equal.success(), &format!("the card of slot {} is not the image", card.slot))?;
    }
    for card in wrong {
        let same = card.medium.untouched() && card.medium.counts().bytes_written == 0;
        claim(same, &format!("the card of slot {} was touched", card.slot))?;
    }
    tell.now(&format!("{} hold the image, {length} bytes, SHA-256 {}…", SLOTS.join(" "), digest.get(..16).unwrap_or_default()))?;
    tell.now(&format!("{} hold what they held before: not one byte was written", WRONG_SLOTS.join(" "))).map_err(Into::into)
}

fn distribution(tell: &Transcript, pc: &Pc, out: &Path) -> Result<()> {
    tell.heading("5. Distribution")?;
    tell.say(
        "The packing list has every card of the lot. The exit code is 0 because the lot is complete. The card in R1 gave no serial of its \
         own, only that of the reader; the list says so:",
    )?;
    let model = format!("--model {BRAND}/my-pi3");
    let said = tell.typed(pc, &format!("flashline log serials {model} --expect 6"), 0, Show::All)?;
    fs::write(out.join("packing-list.txt"), &said)?;
    tell.typed(pc, &format!("flashline log serials {model} --csv > packing-list.csv"), 0, Show::All)?;
    fs::write(out.join("packing-list.csv"), pc.get(&format!("{DIRECTORY}/packing-list.csv")))?;
    tell.typed(pc, &format!("flashline log report {model} -o lot-report.html"), 0, Show::All)?;
    let page = String::from_utf8(pc.get(&format!("{DIRECTORY}/lot-report.html")))?;
    fs::write(out.join("lot-report.html"), &page)?;
    for serial in ["4C53000101", "4C53000102", "4C53000103", "4C53000104"] {
        claim(said.contains(serial) && page.contains(serial), &format!("the card {serial} is not in the packing list and the report"))?;
    }
    tell.say("The flash log has one row for every attempt, including the refused cards and the card that was inserted again. No event was changed \
         or removed:")?;
    tell.typed(pc, "flashline log", 0, Show::All)?;
    tell.typed(pc, "flashline log verify", 0, Show::All)?;
    let rows = rows(pc);
    let count = |outcome: &str, model: &str| {
        rows.iter().filter(|row| row["outcome"] == outcome && row["model"].as_str().is_some_and(|name| name.ends_with(model))).count()
    };
    claim(count("passed", "/my-pi3") == 6, "the log does not have six good cards of my-pi3")?;
    claim(count("recheck", "/my-pi3") == 1, "the log does not have the card that was put in again")?;
    claim(
        rows.iter().filter(|row| row["outcome"] == "refused" && row["code"] == "no-armed-image").count() == 2,
        "the log does not have the two refused cards",
    )?;
    claim(rows.len() == 9, &format!("the log has {} rows, and there were nine attempts", rows.len()))
}
