//! What an operator is shown: the sign of a slot, the reason for it, and what to do now.

pub mod instruction;
pub mod reason;
pub mod sign;
pub mod station_call;
pub mod view;
