//! `flashline order`: start, stop and list production orders.

use clap::Subcommand;
use serde_json::json;

use super::request::StationArgs;
use super::{GOOD, NOT_GOOD, say, say_json};
use crate::control::wire::{OrderStatus, Request, Status};
use crate::report::harmless;
use crate::station::labels;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: OrderCommand,
}

#[derive(Debug, Subcommand)]
enum OrderCommand {
    /// Start an order: the slots of the model make COUNT good cards and then take no more
    Start {
        /// The model, as BRAND/MODEL
        #[arg(long, value_name = "BRAND/MODEL")]
        model: String,
        /// Number of good cards to make
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        count: u32,
        /// Name of the order
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        /// Work order to record in the row of each card
        #[arg(long, value_name = "TEXT", value_parser = labels::plain)]
        work_order: Option<String>,
        #[command(flatten)]
        station: StationArgs,
    },
    /// Print the progress of every order
    Status {
        #[command(flatten)]
        station: StationArgs,
    },
    /// End the order of a model, complete or not; its slots then take cards without counting them
    Stop {
        /// The model, as BRAND/MODEL
        #[arg(long, value_name = "BRAND/MODEL")]
        model: String,
        #[command(flatten)]
        station: StationArgs,
    },
}

pub(super) fn run(args: &Args) -> u8 {
    match &args.command {
        OrderCommand::Start { model, count, name, work_order, station } => {
            let request = Request::OrderStart { model: model.clone(), count: *count, name: name.clone(), work_order: work_order.clone() };
            station.send(&request, &format!("{count} good cards of {model} will be made, and no more"))
        }
        OrderCommand::Stop { model, station } => {
            station.send(&Request::OrderStop { model: model.clone() }, &format!("{model} has no order any more"))
        }
        OrderCommand::Status { station } => match station.connect().and_then(|mut client| client.status()) {
            Ok(status) => {
                print(&status, station.json);
                if status.fault.is_none() { GOOD } else { NOT_GOOD }
            }
            Err(error) => station.print_result(Err(error), ""),
        },
    }
}

fn print(status: &Status, json: bool) {
    let orders: Vec<(&str, &OrderStatus)> =
        status.models.iter().filter_map(|model| model.order.as_ref().map(|order| (model.device.as_str(), order))).collect();
    if json {
        let orders: Vec<_> = orders
            .iter()
            .map(|(model, order)| {
                json!({
                    "order": order.number, "model": model, "name": order.name, "count": order.count, "passed": order.passed,
                    "under_way": order.under_way, "complete": order.passed >= order.count, "work_order": order.work_order,
                })
            })
            .collect();
        say_json(&json!({ "orders": orders }));
        return;
    }
    if orders.is_empty() {
        say("no order: every slot takes what it is given");
    }
    for (model, order) in orders {
        say(line(model, order));
        if status.models.iter().any(|other| other.device == model && other.image.is_none()) {
            say("  no armed model answers to this order: no card is counted in it. Arm the model, or stop the order");
        }
    }
}

/// `acme/my-pi3  37 / 500  (lot 17, 3 under way)`
pub(super) fn line(model: &str, order: &OrderStatus) -> String {
    let state = if order.passed >= order.count { "complete".to_owned() } else { format!("{} under way", order.under_way) };
    let name = order.name.as_ref().map_or_else(|| format!("no. {}", order.number), |name| harmless(name));
    let work_order = order.work_order.as_ref().map(|text| format!(", work order {}", harmless(text))).unwrap_or_default();
    format!("{}  {} / {}  ({name}{work_order}, {state})", harmless(model), order.passed, order.count)
}
