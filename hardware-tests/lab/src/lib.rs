//! The emulated factory PC.
