//! What an operator is shown: the sign of a slot, why it shows that, and what to do now.

pub mod reason;
pub mod sign;
pub mod station_call;
pub mod todo;
pub mod view;
