//! Compares two logs: are they one history, and if not, after which event do they differ?

use super::chain;
use super::error::LogError;
use super::reader::LogReader;

/// How a log relates to another one. Counts are events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Both have the same events.
    Same {
        /// How many.
        events: u64,
    },
    /// The other one is a beginning of this one.
    OtherIsBeginning {
        /// How many newest events it lacks.
        lacks: u64,
    },
    /// This one is a beginning of the other one.
    OtherGoesOn {
        /// How many more events the other one has.
        more: u64,
    },
    /// They have a common beginning, and go on differently.
    Forked {
        /// The last common event.
        after: u64,
        /// How many events this one has behind it.
        here: u64,
        /// How many events the other one has behind it.
        there: u64,
    },
    /// They have no event in common.
    Strangers {
        /// The id of the station of this log.
        here: String,
        /// The id of the station of the other log.
        there: String,
    },
}

impl LogReader {
    /// Compares this log with another one. Both must be verified: then the hash of an event stands for all events before it, and a search
    /// by halves finds the last common one.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub(crate) fn relation_to(&self, other: &Self) -> Result<Relation, LogError> {
        let (here, there) = (self.head()?.count, other.head()?.count);
        // `common` events are the same in both; event `first_other`, if both have it, differs.
        let (mut common, mut first_other) = (0, here.min(there) + 1);
        while first_other - common > 1 {
            let middle = common + (first_other - common) / 2;
            if self.link_at(middle)? == other.link_at(middle)? {
                common = middle;
            } else {
                first_other = middle;
            }
        }
        Ok(match (here - common, there - common) {
            (0, 0) => Relation::Same { events: common },
            _ if common == 0 => Relation::Strangers { here: self.station_id()?, there: other.station_id()? },
            (lacks, 0) => Relation::OtherIsBeginning { lacks },
            (0, more) => Relation::OtherGoesOn { more },
            (here, there) => Relation::Forked { after: common, here, there },
        })
    }

    fn link_at(&self, seq: u64) -> Result<Option<super::link::Link>, LogError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        Ok(self.within(|log| chain::at(log, seq))?.map(|event| event.hash))
    }
}
