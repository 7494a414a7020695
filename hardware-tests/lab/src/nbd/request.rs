//! The requests that reach a card.

/// One request that reached the card, in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A read, answered or failed.
    Read {
        /// First byte of the range.
        offset: u64,
        /// Length of the range in bytes.
        length: u64,
    },
    /// A write that was acknowledged.
    Write {
        /// First byte of the range.
        offset: u64,
        /// Length of the range in bytes.
        length: u64,
    },
    /// A flush that was acknowledged.
    Flush,
    /// A discard; it changes nothing.
    Trim {
        /// First byte of the range.
        offset: u64,
        /// Length of the range in bytes.
        length: u64,
    },
}
