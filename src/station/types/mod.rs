//! Facts, settings, outcomes and entries of the log: what the rules decide about and what they answer with.

pub mod allowed;
pub mod bins;
pub mod card;
pub mod command;
pub mod labels;
pub mod lamp;
pub mod order;
pub mod outcome;
pub mod past;
pub mod port;
pub mod record;
pub mod settings;
pub mod sizes;
pub mod standing;
pub mod survey;
pub mod units;
