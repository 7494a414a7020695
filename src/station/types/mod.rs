//! Facts, settings, outcomes and entries of the log: the input and the output of the rules.

pub mod allowed;
pub mod armed;
pub(crate) mod bins;
pub mod card;
pub(crate) mod first_off;
pub mod labels;
pub(crate) mod lamp;
pub(crate) mod order;
pub mod outcome;
pub mod past;
pub mod port;
pub mod prover;
pub mod record;
pub mod request;
pub(crate) mod restriction;
pub(crate) mod settings;
pub(crate) mod sizes;
pub(crate) mod standing;
pub(crate) mod survey;
pub mod suspect;
pub mod units;
pub(crate) mod written_card;
