//! Commands that send one request to the running station: `reload`, `restart`, `disarm`, `arm`, `identify` and `log confirm`.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::{GOOD, NOT_GOOD, USAGE_OR_STATION, complain, say, say_json};
use crate::config::{self, DEFAULT_PATH, DEFAULT_SOCKET, ImageCheck};
use crate::control::client::{Client, ClientError};
use crate::control::wire::Request;

/// The options of every command that asks a running station.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct StationArgs {
    /// Control socket of the station [default: the configuration's]
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(super) json: bool,
}

impl StationArgs {
    /// The station's socket. If the configuration cannot be read, it is the default.
    pub(super) fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| {
            config::read(DEFAULT_PATH.as_ref(), ImageCheck::Unseen)
                .map_or_else(|_unread| PathBuf::from(DEFAULT_SOCKET), |settings| settings.socket)
        })
    }

    /// Connects to the station of another configuration than the default one, which names this socket.
    pub(super) fn connect_to(&self, configured: &Path) -> Result<Client, ClientError> {
        Client::connect(self.socket.as_deref().unwrap_or(configured))
    }

    pub(super) fn connect(&self) -> Result<Client, ClientError> {
        Client::connect(&self.socket())
    }

    /// Sends a request, and prints that it was done, or why not.
    pub(super) fn send(&self, request: &Request, done: &str) -> u8 {
        let result = self.connect().and_then(|mut client| client.ask(request)).map(drop);
        self.print_result(result, done)
    }

    pub(super) fn print_result(&self, result: Result<(), ClientError>, done: &str) -> u8 {
        let (code, error) = match result {
            Ok(()) => (GOOD, None),
            Err(error) => {
                let code = if matches!(error, ClientError::Refused(_)) { NOT_GOOD } else { USAGE_OR_STATION };
                (code, Some(error))
            }
        };
        if self.json {
            let of = |error: &ClientError| match error {
                ClientError::Refused(refused) => json!({ "code": refused.code, "message": refused.message }),
                other => json!({ "code": "no-station", "message": super::sentence(other) }),
            };
            say_json(&json!({ "done": error.is_none(), "error": error.as_ref().map(of) }));
        } else if let Some(error) = &error {
            complain(error);
        } else {
            say(done);
        }
        code
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct ReloadArgs {
    #[command(flatten)]
    station: StationArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct RestartArgs {
    #[command(flatten)]
    station: StationArgs,
}

/// The target of disarming or arming.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct TargetArgs {
    /// Name of the slot, as on its sticker
    #[arg(long, value_name = "NAME")]
    slot: Option<String>,
    /// Name of a model in the configuration: all its slots
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
}

impl TargetArgs {
    fn words(&self) -> String {
        match (&self.slot, &self.model) {
            (Some(slot), _) => format!("slot {slot}"),
            (None, model) => format!("model {}", model.as_deref().unwrap_or_default()),
        }
    }
}

#[derive(Debug, clap::Args)]
pub(super) struct DisarmArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Reason, shown to the operator beside DISARMED
    #[arg(long, value_name = "WORDS")]
    reason: Option<String>,
    #[command(flatten)]
    station: StationArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ArmArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    station: StationArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArgs {
    /// Name of the slot, as on its sticker
    slot: String,
    #[command(flatten)]
    station: StationArgs,
}

#[derive(Clone, Debug, clap::Args)]
pub(super) struct ConfirmLogArgs {
    #[command(flatten)]
    station: StationArgs,
}

pub(super) fn confirm_log(args: &ConfirmLogArgs) -> u8 {
    args.station.send(&Request::LogConfirm {}, "the new flash log is confirmed; the log records who confirmed it")
}

pub(super) fn reload(args: &ReloadArgs) -> u8 {
    args.station.send(&Request::Reload {}, "the new configuration holds")
}

pub(super) fn disarm(args: &DisarmArgs) -> u8 {
    let TargetArgs { slot, model } = &args.target;
    let request = Request::Disarm { slot: slot.clone(), model: model.clone(), reason: args.reason.clone() };
    let words = args.target.words();
    args.station.send(&request, &format!("{words} starts no further card until `flashline arm`; cards under way are finished"))
}

pub(super) fn restart(args: &RestartArgs) -> u8 {
    args.station
        .send(&Request::Restart {}, "the station starts no card any more, and restarts when the last one is out: see `flashline status`")
}

pub(super) fn arm(args: &ArmArgs) -> u8 {
    let TargetArgs { slot, model } = &args.target;
    args.station.send(&Request::Arm { slot: slot.clone(), model: model.clone() }, &format!("{} is armed again", args.target.words()))
}

pub(super) fn identify(args: &IdentifyArgs) -> u8 {
    let done = format!("the lamp of {} winks for half a minute", args.slot);
    args.station.send(&Request::Identify { slot: args.slot.clone() }, &done)
}
