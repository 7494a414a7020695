//! A lamp for the guest: a virtual ThingM blink(1), whose lights the kernel's own driver switches.
//!
//! Owns a device on /dev/uhid for as long as it runs, and prints every light as it changes: `MS LED R G B`, with the
//! time since its start in milliseconds. Compiled like the agent: `std` alone.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::time::Instant;

/// Sizes and numbers of <linux/uhid.h>: an event is its type and the longest of its bodies, packed.
const EVENT: usize = 4 + 128 + 64 + 64 + 2 + 2 + 4 * 4 + 4096;
const GET_REPORT: u32 = 9;
const GET_REPORT_REPLY: u32 = 10;
const CREATE2: u32 = 11;
const SET_REPORT: u32 = 13;
const SET_REPORT_REPLY: u32 = 14;

const BUS_USB: u16 = 3;
const VENDOR: u32 = 0x27b8;
const PRODUCT: u32 = 0x01ed;

/// The report descriptor of the real device: feature report 1 of eight bytes and feature report 2 of sixty, on a vendor's page.
const DESCRIPTOR: &[u8] = &[
    0x06, 0x00, 0xff, // usage page: vendor
    0x09, 0x01, // usage
    0xa1, 0x01, // collection: application
    0x85, 0x01, // report 1
    0x95, 0x08, 0x75, 0x08, // eight bytes
    0x15, 0x00, 0x26, 0xff, 0x00, // 0 to 255
    0x09, 0x00, 0xb2, 0x02, 0x01, // feature
    0x85, 0x02, // report 2
    0x95, 0x3c, 0x75, 0x08, // sixty bytes
    0x09, 0x00, 0xb2, 0x02, 0x01, // feature
    0xc0,
];

/// Report 1: its number and eight bytes.
const REPORT: usize = 9;

fn main() -> Result<(), Box<dyn Error>> {
    let name = std::env::args().nth(1).unwrap_or_default();
    let mut uhid = OpenOptions::new().read(true).write(true).open("/dev/uhid")?;
    uhid.write_all(&create(&name))?;
    let begun = Instant::now();
    // The version that the driver asks for: 2.04, a device with two lights.
    let mut last = [1, b'v', 0, b'2', b'4', 0, 0, 0, 0];
    let mut event = vec![0; EVENT];
    loop {
        if uhid.read(&mut event)? < 10 {
            continue;
        }
        let kind = number(&event, 0);
        let id = number(&event, 4);
        match kind {
            GET_REPORT => reply(&mut uhid, GET_REPORT_REPLY, id, &last)?,
            SET_REPORT => {
                // After the id: report number, report type, size in two bytes, and the report.
                if let Some(report) = event.get(12..12 + REPORT) {
                    if let [_, b'c' | b'n', red, green, blue, _, _, led, _] = report {
                        println!("{} {led} {red} {green} {blue}", begun.elapsed().as_millis());
                    }
                    last.copy_from_slice(report);
                    if let [_, b'v', _, major, minor, ..] = &mut last {
                        (*major, *minor) = (b'2', b'4');
                    }
                }
                // Answered at once: otherwise the kernel waits for five seconds.
                reply(&mut uhid, SET_REPORT_REPLY, id, &[])?;
            }
            _ => {}
        }
    }
}

fn number(event: &[u8], at: usize) -> u32 {
    event.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}

fn create(name: &str) -> Vec<u8> {
    let padded = |text: &str, length: usize| {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let mut event = CREATE2.to_ne_bytes().to_vec();
    event.extend(padded("ThingM blink(1) mk2", 128));
    event.extend(padded("emulated", 64));
    event.extend(padded(name, 64));
    event.extend(u16::try_from(DESCRIPTOR.len()).unwrap_or_default().to_ne_bytes());
    event.extend(BUS_USB.to_ne_bytes());
    for number in [VENDOR, PRODUCT, 2, 0] {
        event.extend(number.to_ne_bytes());
    }
    event.extend(DESCRIPTOR);
    event.resize(EVENT, 0);
    event
}

fn reply(uhid: &mut File, kind: u32, id: u32, report: &[u8]) -> std::io::Result<()> {
    let mut event = kind.to_ne_bytes().to_vec();
    event.extend(id.to_ne_bytes());
    // No error, and the length of the data that follows. A SET reply lacks the length, but the kernel does not read it.
    event.extend(0_u16.to_ne_bytes());
    event.extend(u16::try_from(report.len()).unwrap_or_default().to_ne_bytes());
    event.extend(report);
    event.resize(EVENT, 0);
    uhid.write_all(&event)
}
