//! Compares two logs: are they one history, and if not, after which event do they differ?

use super::error::LogError;
use super::link::Link;
use super::reader::LogReader;
use super::{beginning, chain};

/// How a log relates to another one. Counts are events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Relation {
    /// Both have the same events.
    Same {
        /// How many there are.
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
    /// They differ, or one of them ends, before the events that both files have: that part of a log is in its archives.
    InArchives {
        /// The last event of the longer one of both archived parts.
        until: u64,
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
        let (id_here, id_there) = (self.station_id()?, other.station_id()?);
        let archived = self.archived_until()?.max(other.archived_until()?);
        if archived > 0 && id_here != id_there {
            return Ok(Relation::Strangers { here: id_here, there: id_there });
        }
        if here.min(there) < archived || self.link_at(archived)? != other.link_at(archived)? {
            return Ok(Relation::InArchives { until: archived });
        }
        // `common` events are the same in both; event `first_other`, if both have it, differs.
        let (mut common, mut first_other) = (archived, here.min(there) + 1);
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
            _ if common == 0 => Relation::Strangers { here: id_here, there: id_there },
            (lacks, 0) => Relation::OtherIsBeginning { lacks },
            (0, more) => Relation::OtherGoesOn { more },
            (here, there) => Relation::Forked { after: common, here, there },
        })
    }

    /// The last event behind which the file has every event.
    fn archived_until(&self) -> Result<u64, LogError> {
        Ok(u64::try_from(self.within(beginning::of)?.first - 1).unwrap_or(0))
    }

    /// The hash of an event behind the archived ones, or of the last one of those.
    fn link_at(&self, seq: u64) -> Result<Option<Link>, LogError> {
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        self.within(|log| {
            let begins = beginning::of(log)?;
            if seq == begins.first - 1 {
                return Ok(Some(begins.prev));
            }
            Ok(chain::at(log, seq)?.map(|event| event.hash))
        })
    }
}
