//! Facts, settings, outcomes and entries of the log: the input and the output of the rules.

pub mod allowed;
pub mod armed;
pub mod bins;
pub mod card;
pub mod labels;
pub mod lamp;
pub mod order;
pub mod outcome;
pub mod past;
pub mod port;
pub mod record;
pub mod request;
pub mod settings;
pub mod sizes;
pub mod standing;
pub mod survey;
pub mod units;
