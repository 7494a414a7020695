//! `flashline order`: start, stop and list production orders.

use clap::Subcommand;
use serde_json::json;

use super::request::StationArgs;
use super::{GOOD, NOT_GOOD, say, say_json};
use crate::control::wire::{BoxStatus, OrderStatus, Request, Status};
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
                    "under_way": order.under_way, "complete": order.passed >= order.count, "work_order": order.work_order, "box": order.open_box,
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
    let packing = order.open_box.as_ref().map(|open| format!(", {}", box_line(open))).unwrap_or_default();
    let work_order = order.work_order.as_ref().map(|text| format!(", work order {}", harmless(text))).unwrap_or_default();
    format!("{}  {} / {}  ({name}{work_order}, {state}{packing})", harmless(model), order.passed, order.count)
}

/// `box 3: 12 of 50`, or the box that was closed last.
fn box_line(open: &BoxStatus) -> String {
    match open.number.checked_sub(1).filter(|closed| *closed > 0 && open.cards == 0) {
        Some(closed) => format!("box {closed} is closed"),
        None => format!("box {}: {} of {}", open.number, open.cards, open.size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_says_which_box_is_open_and_which_was_closed_last() {
        let order = |open_box| OrderStatus {
            number: 4,
            name: Some("lot 17".to_owned()),
            work_order: None,
            count: 500,
            passed: 112,
            under_way: 3,
            open_box,
        };
        let open = |number, cards| Some(BoxStatus { number, size: 50, cards, left: 50 - cards });
        let said = |open_box| line("acme/box", &order(open_box));
        assert_eq!(said(None), "acme/box  112 / 500  (lot 17, 3 under way)");
        assert_eq!(said(open(1, 0)), "acme/box  112 / 500  (lot 17, 3 under way, box 1: 0 of 50)");
        assert_eq!(said(open(3, 12)), "acme/box  112 / 500  (lot 17, 3 under way, box 3: 12 of 50)");
        assert_eq!(said(open(3, 0)), "acme/box  112 / 500  (lot 17, 3 under way, box 2 is closed)");
    }
}
