//! The assertions that a device has at its first boot: those built into its snapd and those of its seed. No other assertion can complete a
//! chain there.
//!
//! Snapd takes the assertions of a seed as one batch: each with its signing key and the assertions it refers to, all of them from the same
//! seed or built in. If one cannot be resolved, the whole seed is refused (snapd: `asserts/batch.go`, `seed/helpers.go`).

use super::{Assertion, Judge, Link, PrimaryKey, Trust};
use crate::signature::Sha3;

/// The account and the id of the key that snapd has built in beside the root: they sign models and serials of brands that do not sign their
/// own (snapd: `asserts/sysdb/generic.go`).
const GENERIC: &str = "generic";
const GENERIC_KEY: &str = "d-JcZF9nD9eBw7bwMnH61x-bklnQOhQud1Is6o_cn2wTj8EYDi9musrIT9z2MdAa";

/// An assertion that others refer to, but that is neither built in nor part of the seed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its type and primary key.
    pub what: String,
    /// The first one that refers to it.
    pub needed_by: String,
}

fn is_generic(key: &PrimaryKey) -> bool {
    match key {
        PrimaryKey::Account(id) => id == GENERIC,
        PrimaryKey::AccountKey(id) => Sha3::parse(GENERIC_KEY) == Some(*id),
        _ => false,
    }
}

impl Trust {
    /// The roots with their accounts, without anything that only the station knows. Before Ubuntu Core 20, the system that reads the seed
    /// also has the generic account and its key; since then the seed is read before there is such a system.
    #[must_use]
    pub fn built_in(&self, has_generic: bool) -> Self {
        let mut own = Self { roots: self.roots.clone(), ..Self::canonical() };
        let generic = self.known.iter().filter(|(key, _)| has_generic && is_generic(key)).flat_map(|(_, known)| known);
        for assertion in self.built_in.iter().chain(generic) {
            // It fits: the number of assertions is not larger than that of the known ones.
            let _fits = own.insert(assertion.clone());
        }
        own.built_in.clone_from(&self.built_in);
        own.has_generic = has_generic;
        own
    }

    fn lacks(&self, key: &PrimaryKey) -> bool {
        let is_built_in = match key {
            PrimaryKey::Account(id) => self.is_root_account(id),
            PrimaryKey::AccountKey(id) => self.roots.iter().any(|root| root.key.id() == *id),
            _ => false,
        };
        !(is_built_in || self.has_generic && is_generic(key) || !self.known(key).is_empty())
    }
}

impl Judge<'_> {
    /// The keys that are believed without a signature.
    pub fn roots(&self) -> impl Iterator<Item = Link> {
        self.trust.roots.iter().map(|root| Link { key: root.key.id(), account: root.account.clone(), name: root.name.clone() })
    }

    /// The assertions that these refer to and that are not known here, each once.
    #[must_use]
    pub fn lacking<'a>(&self, assertions: impl IntoIterator<Item = &'a Assertion>) -> Vec<Missing> {
        let mut found: Vec<Missing> = Vec::new();
        for assertion in assertions {
            for key in assertion.prerequisites().iter().filter(|key| self.trust.lacks(key)) {
                let what = key.to_string();
                if !found.iter().any(|missing| missing.what == what) {
                    found.push(Missing { what, needed_by: assertion.name() });
                }
            }
        }
        found
    }

    /// Is there a snap-revision of the file with this digest, proven or not?
    #[must_use]
    pub fn has_snap_revision(&self, digest: Sha3) -> bool {
        !self.trust.lacks(&PrimaryKey::SnapRevision(digest))
    }
}
