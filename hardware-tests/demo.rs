//! The demo: a station under systemd in the emulated factory PC, its console on the screen, cards put in at once.
//!
//! Prints what it does, and keeps what it showed in the directory named on the command line.

#[allow(dead_code, reason = "the scenarios use the rest")]
mod factory;
mod screen;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use factory::{Factory, Image, lun, rows, sd, usb};
use flashline_lab::{MIB, Medium, Pc};
use screen::screen_text;

const IMAGE: u64 = 128 * MIB;
const CARD: u64 = 256 * MIB;

/// How long all cards together may take, emulated, on a busy machine.
const ALL_CARDS: Duration = Duration::from_secs(270);

/// The console on the first screen, in a font that can be read from three metres.
const ON_SCREEN: &str = "[Service]
ExecStartPre=-/usr/bin/setfont Uni2-TerminusBold28x14 -C /dev/tty1
Environment=TERM=linux
StandardInput=tty-force
StandardOutput=tty
StandardError=journal
TTYPath=/dev/tty1
TTYReset=yes
TTYVHangup=yes
TTYVTDisallocate=yes
";

/// A card that was put in: the slot it is in, and what it holds, seen from outside the PC.
struct Inserted<'a> {
    slot: &'static str,
    medium: &'a Medium,
}

fn main() -> ExitCode {
    let Some(out) = std::env::args_os().skip(1).find(|argument| !argument.to_string_lossy().starts_with('-')).map(PathBuf::from) else {
        eprintln!("demo: name the directory to keep its results in");
        return ExitCode::from(2);
    };
    match demo(&out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

fn demo(out: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let say = |text: &str| println!("[{:5.1} s] {text}", began.elapsed().as_secs_f64());
    say("an image of 128 MiB, half of it zeroes, packed as .xz");
    let image = Image::new(IMAGE, 20);
    let packed = image.xz();

    say("an emulated factory PC: Debian, systemd, udev, a USB controller with a hub, two SD hosts, a reader with four slots");
    let pc = Pc::start();
    let _hub = pc.hub("3");
    let reader = pc.reader("READER0001").plug();
    let slots = [
        ("A1", usb("1")),
        ("A2", usb("2")),
        ("B1", usb("3.1")),
        ("B2", usb("3.2")),
        ("S1", sd(0)),
        ("S2", sd(1)),
        ("R1", lun(0)),
        ("R2", lun(1)),
        ("R3", lun(2)),
        ("R4", lun(3)),
    ];
    let factory = slots.iter().fold(Factory::new(&pc, &packed), |factory, (name, ports)| factory.slot(name, ports.clone()));
    factory.configured();

    say("the station starts, and unpacks the image");
    pc.put(include_bytes!("../systemd/flashline.service"), "/etc/systemd/system/flashline.service", 0o644);
    pc.put(ON_SCREEN.as_bytes(), "/etc/systemd/system/flashline.service.d/screen.conf", 0o644);
    pc.sh("systemctl daemon-reload; systemctl start flashline.service");

    say("four USB sticks, two of them behind the hub, two SD cards, and two cards in the reader go in at once");
    let sticks: Vec<_> = [("1", "STICK-0001"), ("2", "STICK-0002"), ("3.1", "STICK-0003"), ("3.2", "STICK-0004")]
        .iter()
        .map(|(port, serial)| pc.usb(port).serial(serial).size(CARD).filled(1).plug())
        .collect();
    let cards: Vec<_> = [0, 1].iter().map(|slot| pc.sd(*slot).size(CARD).filled(2).insert()).collect();
    let in_reader = [0, 2].map(|slot| reader.card(slot).size(CARD).filled(3).insert());
    let media: Vec<&Medium> = sticks
        .iter()
        .map(|stick| &**stick.medium())
        .chain(cards.iter().map(|card| &**card.medium()))
        .chain(in_reader.iter().map(|card| &**card))
        .collect();
    let filled = slots.iter().filter(|(slot, _)| !["R2", "R4"].contains(slot));
    let inserted: Vec<Inserted<'_>> = filled.zip(&media).map(|((slot, _), medium)| Inserted { slot, medium }).collect();

    let finished = follow(&pc, out, inserted.len(), &say)?;
    fs::write(out.join("console.txt"), screen_text(&pc))?;
    pc.screenshot(out.join("screen.png"));
    fs::write(out.join("flash-log.csv"), pc.sh("flashline log --csv") + "\n")?;
    fs::write(out.join("flash-log.json"), pc.sh("flashline log --json") + "\n")?;
    println!("{}", pc.sh("flashline log"));
    if !finished {
        return Err(format!("not every card passed:\n{}", pc.sh("journalctl -u flashline -o cat | tail -50")).into());
    }

    let rows = rows(&pc);
    let texts = |key: &str| rows.iter().filter_map(|row| row[key].as_str().map(str::to_owned)).collect::<Vec<_>>();
    let passed = texts("outcome").iter().filter(|outcome| *outcome == "passed").count();
    let mut ports = texts("port");
    ports.sort();
    ports.dedup();
    say(&format!(
        "{passed} rows say passed, in {} ports; serials: {}; CIDs: {}",
        ports.len(),
        texts("serial").join(" "),
        texts("cid").join(" ")
    ));
    if passed != inserted.len() || ports.len() != inserted.len() || texts("cid").len() != cards.len() {
        return Err("the flash log does not have the rows it must have".into());
    }

    say("the cards are taken out, and compared with the image outside the PC, by cmp and sha256sum");
    sticks.iter().for_each(flashline_lab::UsbStick::pull);
    cards.iter().for_each(flashline_lab::SdCard::eject);
    for card in &in_reader {
        card.eject();
        card.settle();
    }
    compare(&image.raw(), &inserted, out)?;
    say(&format!("{} PASS; what was shown is in {}", inserted.len(), out.display()));
    Ok(())
}

/// Tells of every slot's sign as it changes. True when all passed.
fn follow(pc: &Pc, out: &Path, slots: usize, say: &dyn Fn(&str)) -> Result<bool, Box<dyn Error>> {
    let deadline = Instant::now() + ALL_CARDS;
    let (mut told, mut pictured) = (0, false);
    loop {
        let passed = rows(pc).iter().filter(|row| row["outcome"] == "passed").count();
        if passed > told {
            say(&format!("{passed} of {slots} cards passed"));
            told = passed;
        }
        // One picture of the work itself, when it is well under way.
        if !pictured && passed > 0 {
            pc.screenshot(out.join("screen-busy.png"));
            pictured = true;
        }
        let rows = rows(pc);
        let over = rows.iter().filter(|row| row["outcome"] != "running").count();
        if over >= slots || Instant::now() > deadline {
            // The last line is on the screen when it has been drawn once more.
            std::thread::sleep(Duration::from_secs(1));
            return Ok(passed == slots || rows.iter().filter(|row| row["outcome"] == "passed").count() == slots);
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Compares every card's backing file with the image by programs that know nothing of us, and keeps the digests.
fn compare(image: &Path, inserted: &[Inserted<'_>], out: &Path) -> Result<(), Box<dyn Error>> {
    let length = fs::metadata(image)?.len().to_string();
    let digest = |file: &Path| -> Result<String, Box<dyn Error>> {
        let output = Command::new("sh").arg("-c").arg("head -c \"$1\" \"$2\" | sha256sum").args(["sh", &length]).arg(file).output()?;
        Ok(String::from_utf8(output.stdout)?.split_whitespace().next().unwrap_or_default().to_owned())
    };
    let mut digests = format!("{}  image\n", digest(image)?);
    for card in inserted {
        let equal = Command::new("cmp").args(["--bytes", &length]).arg(image).arg(card.medium.path()).status()?.success();
        if !equal {
            return Err(format!("the card in slot {} is not the image", card.slot).into());
        }
        digests.push_str(&format!("{}  {}\n", digest(card.medium.path())?, card.slot));
    }
    fs::write(out.join("cards.sha256"), &digests)?;
    print!("{digests}");
    Ok(())
}
