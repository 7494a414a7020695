//! `flashline slots`: lists the ports of this PC, teaches slots, and writes the rules for the other programs of the PC.

mod list;
pub(super) mod own_disks;
pub(super) mod rules;
pub(super) mod teach;

use clap::Subcommand;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<SlotsCommand>,
    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum SlotsCommand {
    /// Learn the port of each slot from cards put in one after the other, and write the slots into the configuration
    Teach(teach::TeachArgs),
    /// Print the udev rules that keep other programs away from cards in the configured slots, or write them to their place
    Rules(rules::RulesArgs),
    /// Print `[[own_disk]]` tables for the configuration: the disks that are in this PC now
    OwnDisks,
}

pub(super) fn run(args: &Args) -> u8 {
    match &args.command {
        None => list::run(&args.list),
        Some(SlotsCommand::Teach(args)) => teach::run(args),
        Some(SlotsCommand::Rules(args)) => rules::run(args),
        Some(SlotsCommand::OwnDisks) => own_disks::run(),
    }
}
