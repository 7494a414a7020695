//! Controllers, hubs, readers, ports and cards, from sysfs; and the udev rules of the slots.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::context::{Context, Made, why};
use crate::config::shared_chain;
use crate::station::card::Card;
use crate::station::settings::SlotSettings;
use crate::watch::rules;
use crate::watch::sysfs::MediaPolling;
use crate::watch::topology::{Socket, UsbDevice};

pub(super) fn slots(context: &Context) -> Made {
    let slots = context.good_settings().map(|settings| settings.slots.as_slice()).unwrap_or_default();
    let sockets = context.source.sysfs.sockets();
    let taught = |slot: &SlotSettings| {
        let chains: Vec<Value> =
            slot.policy.hung_on.iter().map(|(port, chain)| json!({"port": port.0, "chain": hidden(context, &chain.to_string())})).collect();
        let ports: Vec<&str> = slot.ports.iter().map(|port| port.0.as_str()).collect();
        json!({"slot": context.own(&slot.name), "ports": ports, "taught": chains})
    };
    let mut unread = Vec::new();
    if !context.source.sysfs.has_diskseq() {
        unread.push("the kernel gives no DISKSEQ".to_owned());
    }
    Made::json(
        &json!({
            "sockets": sockets.iter().map(|socket| self::socket(context, slots, socket)).collect::<Vec<_>>(),
            "usb_devices": context.source.sysfs.usb_devices().iter().map(|device| usb(context, device)).collect::<Vec<_>>(),
            "slots": slots.iter().map(taught).collect::<Vec<_>>(),
            "disks": context.source.sysfs.disk_names().unwrap_or_default(),
        }),
        unread,
    )
}

fn socket(context: &Context, slots: &[SlotSettings], socket: &Socket) -> Value {
    let slot = slots.iter().find(|slot| slot.ports.contains(&socket.port));
    let polling = socket.kernel_name.as_deref().map(|name| match context.source.sysfs.media_polling(name) {
        MediaPolling::Unneeded => json!("not needed"),
        MediaPolling::Every(interval) => json!({"milliseconds": interval.as_millis().to_string()}),
        MediaPolling::Never => json!("never"),
    });
    json!({
        "port": socket.port.0,
        "slot": slot.map(|slot| context.own(&slot.name)),
        "disk": socket.kernel_name,
        "bus": socket.bus.to_string(),
        "devices": socket.devices.iter().map(|device| usb(context, device)).collect::<Vec<_>>(),
        "chain": hidden(context, &socket.chain.to_string()),
        "stays": socket.stays,
        "gives_cid": socket.gives_cid,
        "media_polling": polling,
        "other_generation": socket.companion.as_ref().map(|other| json!({"port": other.port.0, "known": other.known})),
        "card": socket.card.as_ref().map(|card| self::card(context, card)),
    })
}

fn hidden(context: &Context, chain: &str) -> String {
    shared_chain(chain, &|serial| context.disguise.serial(serial))
}

fn usb(context: &Context, device: &UsbDevice) -> Value {
    let own = |text: &Option<String>| text.as_deref().map(|text| context.disguise.text(text));
    json!({"place": device.place, "id": hidden(context, &device.id), "product": own(&device.product), "hub": device.hub, "megabits": device.speed})
}

fn card(context: &Context, card: &Card) -> Value {
    let own = |text: &Option<String>| text.as_deref().map(|text| context.disguise.text(text));
    let serial = |text: Option<&str>| text.map(|text| context.disguise.serial(text));
    let cid = card.cid.as_ref().map(|cid| {
        json!({
            "raw": serial(Some(&cid.raw)), "manfid": cid.manfid, "oemid": cid.oemid, "name": cid.name, "serial": serial(cid.serial.as_deref()),
            "date": cid.date, "hwrev": cid.hwrev, "fwrev": cid.fwrev,
        })
    });
    json!({
        "vendor": own(&card.vendor),
        "product": own(&card.product),
        "serial": serial(card.serial.as_deref()),
        "wwn": serial(card.wwn.as_deref()),
        "cid": cid,
        "identified": card.identified.word(),
        "capacity": card.capacity.0,
        "block": card.logical_block,
        "diskseq": card.visit.diskseq,
        "write_protected": card.write_protected,
        "partitioned": card.partitioned,
    })
}

/// The file of rules, of which only lines are sent that this program writes for this configuration.
pub(super) fn rules(context: &Context) -> Made {
    let text = match context.source.read(rules::FILE) {
        Ok(text) => text,
        Err(error) => return Made { contents: "# no rules\n".to_owned(), unread: vec![why("the udev rules", &error)] },
    };
    let expected = context
        .good_settings()
        .map(|settings| rules::file(&context.config, &settings.slots, &settings.lamps, settings.station_bell.as_deref()));
    let expected = expected.unwrap_or_default();
    let known: BTreeSet<&str> = expected.lines().collect();
    let judged = match () {
        () if expected.is_empty() => "there is no configuration to compare them with",
        () if text == expected => "they are those of the configuration",
        () => "they are NOT those of the configuration",
    };
    let mut contents = format!("# {} lines: {judged}\n", text.lines().count());
    for (index, line) in text.lines().enumerate() {
        if known.contains(line) {
            // A remark names the configuration, or a slot.
            let shown = line.strip_prefix('#').map_or_else(|| line.to_owned(), |remark| format!("#{}", context.own(remark)));
            contents.push_str(&format!("{shown}\n"));
        } else {
            contents.push_str(&format!("# line {}: not written by this program for this configuration, (left out)\n", index + 1));
        }
    }
    Made { contents: context.disguise.text(&contents), unread: Vec::new() }
}
