//! The PC and the program: versions, memory, room, clock.

use std::io;
use std::path::Path;

use nix::sys::statvfs::statvfs;
use serde_json::{Map, Value, json};

use super::context::{Context, Made, SOON, plain, why};
use crate::cli::formats;
use crate::config::{DEFAULT_STATE, Settings};
use crate::file;

/// Keys of os-release(5) that say which distribution it is.
const DISTRIBUTION: [&str; 5] = ["ID", "VERSION_ID", "VERSION_CODENAME", "PRETTY_NAME", "ID_LIKE"];
/// Lines of `/proc/meminfo` (proc_meminfo(5)).
const MEMORY: [&str; 8] = ["MemTotal", "MemFree", "MemAvailable", "SwapTotal", "SwapFree", "Dirty", "Writeback", "Mlocked"];
/// What systemd says about the clock (timedatectl(1)).
const CLOCK: [&str; 5] = ["Timezone", "LocalRTC", "CanNTP", "NTP", "NTPSynchronized"];

pub(super) fn program(context: &Context) -> Made {
    let mut unread = Vec::new();
    let own = file::digest(Path::new("/proc/self/exe")).map_err(|error| unread.push(why("the program's own file", &error)));
    let build = own.ok().map(|(digest, _)| digest.to_hex().to_string());
    let built = env!("FLASHLINE_BUILT").parse::<i64>().ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    let formats = formats::lines(&context.source.place(&context.config));
    Made::json(
        &json!({
            "version": env!("CARGO_PKG_VERSION"),
            "build_blake3": build,
            "built": built.map(|at| at.to_string()),
            "architecture": std::env::consts::ARCH,
            "formats": formats,
        }),
        unread,
    )
}

pub(super) fn pc(context: &Context) -> Made {
    let mut unread = Vec::new();
    let mut text = |path: &str| context.source.read(path).map_err(|error| unread.push(why(path, &error))).unwrap_or_default();
    let kernel = ["ostype", "osrelease", "version"].map(|name| text(&format!("/proc/sys/kernel/{name}")).trim().to_owned());
    let distribution = pairs(&text("/etc/os-release"), '=', &DISTRIBUTION);
    let memory = pairs(&text("/proc/meminfo"), ':', &MEMORY);
    let processors = text("/proc/cpuinfo");
    let uptime = text("/proc/uptime");
    let load = text("/proc/loadavg");
    let of_processor = |key: &str| processors.lines().filter_map(|line| line.split_once(':')).find(|(name, _)| name.trim() == key);
    let clock = (context.source.run)("timedatectl", &["show"], SOON);
    let clock = clock.map_err(|error| unread.push(why("timedatectl", &error))).unwrap_or_default();
    let state = context.good_settings().map_or_else(|| DEFAULT_STATE.into(), |settings: &Settings| settings.state.clone());
    let files = context.good_settings().and_then(|settings| settings.log_files.clone());
    let rooms: Vec<Value> =
        [Some(("root", "/".into())), Some(("state", state)), files.map(|files| ("log files", files)), Some(("run", "/run".into()))]
            .into_iter()
            .flatten()
            .map(|(name, path)| room(context, name, &path, &mut unread))
            .collect();
    Made::json(
        &json!({
            "kernel": kernel.each_ref().map(|text| plain(text)),
            "distribution": distribution,
            "host_name": context.host,
            "processors": processors.lines().filter(|line| line.starts_with("processor")).count(),
            "processor": of_processor("model name").and_then(|(_, name)| plain(name.trim())),
            "memory": memory,
            "uptime": plain(uptime.trim()),
            "load": plain(load.trim()),
            "room": rooms,
            "time": jiff::Timestamp::now().to_string(),
            "clock": pairs(&clock.said, '=', &CLOCK),
            "set_from_network": crate::ledger::Stamp::now().synced,
        }),
        unread,
    )
}

/// The values of these keys, without quotes.
fn pairs(text: &str, sign: char, keys: &[&str]) -> Map<String, Value> {
    let pairs = text.lines().filter_map(|line| line.split_once(sign)).filter(|(key, _)| keys.contains(&key.trim()));
    pairs.map(|(key, value)| (key.trim().to_owned(), json!(plain(value.trim().trim_matches('"'))))).collect()
}

fn room(context: &Context, name: &str, path: &Path, unread: &mut Vec<String>) -> Value {
    match statvfs(&context.source.place(path)) {
        Ok(disk) => {
            let bytes = |blocks: u64| blocks.saturating_mul(disk.fragment_size());
            json!({
                "place": name, "free_bytes": bytes(disk.blocks_available()), "bytes": bytes(disk.blocks()), "free_files": disk.files_available(),
                "read_only": disk.flags().contains(nix::sys::statvfs::FsFlags::ST_RDONLY),
            })
        }
        Err(errno) => {
            unread.push(why(&format!("room of the place `{name}`"), &io::Error::from(errno)));
            json!({"place": name})
        }
    }
}
