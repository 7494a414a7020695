//! The information for the operator: the sign of a slot, the reason for it, and the instruction.

pub mod instruction;
pub mod reason;
pub mod sign;
pub mod station_call;
pub mod view;
