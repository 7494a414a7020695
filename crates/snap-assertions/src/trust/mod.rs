//! Trust: root keys, and chains of signatures that end at one.
//!
//! A root is trusted because the configuration names it, or because it is Canonical's. Every other assertion is known, and proven only if a
//! chain of signatures reaches from it to a root, at a given time. Names prove nothing: anybody can call an account `canonical`.
//!
//! ```text
//! root key ──signs──▶ store key ──signs──▶ account and account-key of a brand ──signs──▶ model
//!                         └──────signs──▶ snap-declaration, snap-revision
//! ```

mod canonical;
mod device;
#[cfg(test)]
mod device_cases;
#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use jiff::Timestamp;

use super::assertion::{Account, AccountKey, Assertion, PrimaryKey, SnapDeclaration, SnapRevision, Typed};
use super::signature::{PublicKey, Sha3};
use super::text::TextError;
pub use canonical::ROOT_KEY as CANONICAL_ROOT_KEY;
pub use device::Missing;

/// An image of a thousand snaps has some three thousand assertions.
const MAX_KNOWN: usize = 8192;
/// Revisions of one assertion that are kept side by side. Each may be forged, so no revision may displace another.
const MAX_CANDIDATES: usize = 16;

/// Length of a chain of assertions that need one another. A usual chain has four: model, key of the brand, key of the store, account.
const MAX_DEPTH: usize = 16;

/// A key that is believed without a signature.
#[derive(Clone, Debug)]
struct Root {
    account: String,
    name: String,
    since: Timestamp,
    until: Option<Timestamp>,
    key: PublicKey,
}

/// Why a file cannot provide roots or known assertions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// It is not a stream of assertions.
    #[error(transparent)]
    Text(#[from] TextError),
    /// It is empty.
    #[error("there is no assertion in it")]
    Empty,
    /// It contains no key.
    #[error("there is no root in it: a root is an account-key assertion signed by its own key; what only completes a chain goes to `with`")]
    NoRoot,
    /// One of its assertions cannot be a root's.
    #[error("{assertion} is no root's: {reason}; what only completes a chain goes to `with`")]
    NotARoot {
        /// The assertion that was given as a root, by type and primary key.
        assertion: String,
        /// Why it cannot be a root of trust.
        reason: String,
    },
    /// There are more assertions than any chain of signatures needs.
    #[error("more than {MAX_KNOWN} assertions, or more than {MAX_CANDIDATES} forms of one: this is no set of assertions anybody uses")]
    TooMany,
}

/// One key of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The id of the key that signed.
    pub key: Sha3,
    /// The account id of the owner of the key.
    pub account: String,
    /// The name of the key.
    pub name: String,
}

/// The chain of an assertion: the signing key first, a root last. Only [`Judge::prove`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    chain: Vec<Link>,
}

impl Proof {
    /// The keys, the signing key first, the root last.
    #[must_use]
    pub fn chain(&self) -> &[Link] {
        &self.chain
    }

    /// The key that signed the assertion.
    #[must_use]
    pub fn signer(&self) -> &Link {
        &self.chain[0]
    }

    /// The root at which the chain ends.
    #[must_use]
    pub fn root(&self) -> &Link {
        &self.chain[self.chain.len() - 1]
    }
}

/// A value with its proof.
#[derive(Clone, Debug)]
pub struct Proven<T> {
    /// The proven value.
    pub what: T,
    /// The assertion that states it.
    pub assertion: Assertion,
    /// The chain of signatures that proves it.
    pub proof: Proof,
}

/// Roots, and assertions that are known without being believed. A clone shares its contents: for each image, start from a clone of the
/// station's.
#[derive(Clone, Debug)]
pub struct Trust {
    roots: Vec<Root>,
    known: HashMap<PrimaryKey, Vec<Assertion>>,
    count: usize,
    /// The assertions that came with the roots. A device that has the roots has these, too.
    built_in: Vec<Assertion>,
    /// Does the device have the generic account, whether or not it is known here? See [`Trust::built_in`].
    has_generic: bool,
}

impl Trust {
    /// Canonical's root, and no known assertion.
    #[must_use]
    pub fn canonical() -> Self {
        Self { roots: vec![canonical::root()], known: HashMap::new(), count: 0, built_in: Vec::new(), has_generic: false }
    }

    /// Trusts more roots: every account-key in these bytes, which must be signed by itself. Their accounts may stand beside them.
    ///
    /// # Errors
    /// If there is no root in it, or an assertion that does not belong to a root. Then nothing of it is trusted.
    pub fn add_roots(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let assertions = Assertion::read_all(bytes)?;
        let mut roots = Vec::new();
        for assertion in &assertions {
            let no_root = |reason: &str| TrustError::NotARoot { assertion: assertion.name(), reason: reason.to_owned() };
            if let Some(problem) = assertion.problems().first() {
                return Err(no_root(problem));
            }
            match assertion.typed() {
                Typed::AccountKey(key) => roots.push(root(assertion, key).map_err(|reason| no_root(&reason))?),
                Typed::Account(_) => {}
                _ => return Err(no_root("only accounts and account-keys can be")),
            }
        }
        if assertions.is_empty() {
            return Err(TrustError::Empty);
        }
        if roots.is_empty() {
            return Err(TrustError::NoRoot);
        }
        for assertion in &assertions {
            let named = roots.iter().any(|root| root.account == assertion.authority() && Some(root.key.id()) == assertion.sign_key());
            if !named {
                let reason = "it is not signed by a root in the same file".to_owned();
                return Err(TrustError::NotARoot { assertion: assertion.name(), reason });
            }
        }
        self.roots.extend(roots);
        self.built_in.extend(assertions.iter().cloned());
        assertions.into_iter().try_for_each(|assertion| self.insert(assertion))
    }

    /// Adds these assertions to the known ones. This does not make them believed.
    ///
    /// # Errors
    /// If the bytes are not assertions, or too many.
    pub fn add_known(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        let assertions = Assertion::read_all(bytes)?;
        if assertions.is_empty() {
            return Err(TrustError::Empty);
        }
        assertions.into_iter().try_for_each(|assertion| self.insert(assertion))
    }

    /// Adds this assertion to the known ones. Of those with the same primary key, the highest revision that can be proven holds.
    ///
    /// # Errors
    /// If there are too many assertions.
    pub fn insert(&mut self, assertion: Assertion) -> Result<(), TrustError> {
        let key = assertion.primary_key();
        if key == PrimaryKey::None {
            return Ok(());
        }
        let candidates = self.known.entry(key).or_default();
        if candidates.iter().any(|known| known.is_same(&assertion)) {
            return Ok(());
        }
        if self.count >= MAX_KNOWN || candidates.len() >= MAX_CANDIDATES {
            return Err(TrustError::TooMany);
        }
        self.count += 1;
        candidates.push(assertion);
        candidates.sort_by_key(|known| std::cmp::Reverse(known.revision()));
        Ok(())
    }

    /// Judges by the keys that are valid at this time.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Judge<'_> {
        Judge { trust: self, time, key_cure: CURE_OF_A_FILE, found: RefCell::default(), depth: Cell::new(0) }
    }

    fn known(&self, key: &PrimaryKey) -> &[Assertion] {
        self.known.get(key).map_or(&[], Vec::as_slice)
    }

    fn is_root_account(&self, account: &str) -> bool {
        self.roots.iter().any(|root| root.account == account)
    }
}

/// The root that a self-signed account-key is.
fn root(assertion: &Assertion, key: &AccountKey) -> Result<Root, String> {
    if assertion.sign_key() != Some(key.key.id()) || assertion.authority() != key.account {
        return Err("it is not signed by its own key".to_owned());
    }
    let signature = assertion.signature().ok_or("it has no signature")?;
    key.key.verify(assertion.content(), signature).map_err(|error| error.to_string())?;
    Ok(Root { account: key.account.clone(), name: key.name.clone(), since: key.since, until: key.until, key: key.key.clone() })
}

/// Why an assertion is not proven.
#[derive(Clone, Debug)]
struct Unproven {
    /// Each way to a root that was tried, and why it failed.
    reasons: Vec<String>,
    /// The assertion where it began, for those that depend on this one: one sentence, whatever the length of the chain.
    cause: String,
}

/// One reason, and the assertion where it began if that is another one.
struct Reason {
    sentence: String,
    cause: Option<String>,
}

impl From<String> for Reason {
    fn from(sentence: String) -> Self {
        Self { sentence, cause: None }
    }
}

/// The result for an assertion: its chain, or why there is none.
type Finding = Result<Proof, Unproven>;

/// Proves assertions at one time. Each result is kept.
#[derive(Debug)]
pub struct Judge<'a> {
    trust: &'a Trust,
    time: Timestamp,
    /// The cure that is shown if the signing key is unknown.
    key_cure: &'static str,
    /// By digest; `None` while the result is being computed.
    found: RefCell<HashMap<Sha3, Option<Finding>>>,
    depth: Cell<usize>,
}

/// For a file that was given to the station.
const CURE_OF_A_FILE: &str = "give it by --with FILE, or `with` in [trust]";
/// For an image: its device gets no further assertions.
const CURE_OF_AN_IMAGE: &str = "it must be in the seed: make the image again with it";

impl Judge<'_> {
    /// The same for the contents of an image, for which no further file can be given.
    #[must_use]
    pub fn of_an_image(mut self) -> Self {
        self.key_cure = CURE_OF_AN_IMAGE;
        self
    }

    /// The time at which keys are judged.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// Finds the chain from an assertion to a root. The assertion need not be a known one.
    ///
    /// # Errors
    /// Every problem, in sentences: of the rules of its type, its signature, its key, and the assertions it needs.
    pub fn prove(&self, assertion: &Assertion) -> Result<Proof, Vec<String>> {
        self.find(assertion).map_err(|unproven| unproven.reasons)
    }

    fn find(&self, assertion: &Assertion) -> Finding {
        let unproven = |reason: String| Err(Unproven { cause: format!("{}: {reason}", assertion.name()), reasons: vec![reason] });
        if let Some(found) = self.found.borrow().get(&assertion.digest()) {
            return found.clone().unwrap_or_else(|| unproven("its chain leads back to itself, and to no trusted root".to_owned()));
        }
        if self.depth.get() >= MAX_DEPTH {
            return unproven(format!("more than {MAX_DEPTH} assertions would have to prove one another"));
        }
        self.found.borrow_mut().insert(assertion.digest(), None);
        self.depth.set(self.depth.get() + 1);
        let found = self.look(assertion);
        self.depth.set(self.depth.get() - 1);
        self.found.borrow_mut().insert(assertion.digest(), Some(found.clone()));
        found
    }

    fn look(&self, assertion: &Assertion) -> Finding {
        let mut reasons: Vec<Reason> = assertion.problems().iter().cloned().map(Reason::from).collect();
        let chain = match self.signer(assertion) {
            Ok(chain) => chain,
            Err(found) => {
                reasons.extend(found);
                Vec::new()
            }
        };
        reasons.extend(self.missing(assertion));
        match reasons.first() {
            None if !chain.is_empty() => Ok(Proof { chain }),
            None => {
                Err(Unproven { reasons: vec!["it is not signed".to_owned()], cause: format!("{}: it is not signed", assertion.name()) })
            }
            Some(first) => {
                let cause = first.cause.clone().unwrap_or_else(|| format!("{}: {}", assertion.name(), first.sentence));
                Err(Unproven { reasons: reasons.into_iter().map(|reason| reason.sentence).collect(), cause })
            }
        }
    }

    /// The chain of the signing key, if this key made the signature and may sign the assertion.
    fn signer(&self, assertion: &Assertion) -> Result<Vec<Link>, Vec<Reason>> {
        // An assertion that names no key or has no signature has already reported this among its problems.
        let (Some(id), Some(signature)) = (assertion.sign_key(), assertion.signature()) else { return Err(Vec::new()) };
        let (key, account, span, chain) = if let Some(root) = self.trust.roots.iter().find(|root| root.key.id() == id) {
            let link = Link { key: id, account: root.account.clone(), name: root.name.clone() };
            (root.key.clone(), root.account.clone(), (root.since, root.until), vec![link])
        } else {
            let key = self.proven(&PrimaryKey::AccountKey(id)).map_err(|cause| {
                let sentence = match &cause {
                    None => format!("`sign-key-sha3-384` is {id}, and no account-key assertion of it is known: {}", self.key_cure),
                    Some(cause) => format!("`sign-key-sha3-384` is {id}, which no trusted root vouches for: {cause}"),
                };
                vec![Reason { sentence, cause }]
            })?;
            let Typed::AccountKey(signer) = key.assertion.typed() else { return Err(Vec::new()) };
            if !signer.constraints.allow(assertion.headers()) {
                let sentence = format!("`sign-key-sha3-384` is {id}, which may not sign this: see `constraints` of its account-key");
                return Err(vec![sentence.into()]);
            }
            let mut chain = vec![Link { key: id, account: signer.account.clone(), name: signer.name.clone() }];
            chain.extend(key.proof.chain.iter().cloned());
            (signer.key.clone(), signer.account.clone(), (signer.since, signer.until), chain)
        };
        let mut problems: Vec<Reason> = Vec::new();
        // An authority that cannot be read was already reported.
        if account != assertion.authority() && !assertion.authority().is_empty() {
            problems.push(format!("`authority-id` is {}, but the key that signed belongs to {account}", assertion.authority()).into());
        }
        let (since, until) = span;
        let is_within = |time: Timestamp| since <= time && until.is_none_or(|until| time < until);
        let valid = until.map_or_else(|| format!("from {since} on"), |until| format!("from {since} until {until}"));
        if !is_within(self.time) {
            problems.push(format!("`sign-key-sha3-384` is {id}, which is valid {valid}, and not at {}", self.time).into());
        }
        if let Some(timestamp) = assertion.timestamp()
            && !is_within(timestamp)
        {
            problems.push(format!("`timestamp` is {timestamp}, when the key that signed was not valid: it is {valid}").into());
        }
        if let Err(error) = key.verify(assertion.content(), signature) {
            problems.push(error.to_string().into());
        }
        if problems.is_empty() { Ok(chain) } else { Err(problems) }
    }

    /// The assertions that an assertion of its type needs besides its signature, and that are missing.
    fn missing(&self, assertion: &Assertion) -> Vec<Reason> {
        let mut problems: Vec<Reason> = Vec::new();
        let (authority, kind) = (assertion.authority(), assertion.kind());
        if matches!(assertion.typed(), Typed::Account(_) | Typed::AccountKey(_) | Typed::SnapDeclaration(_) | Typed::SnapRevision(_))
            && !self.trust.is_root_account(authority)
        {
            let sentence =
                format!("`authority-id` is {authority:?}, which is no trusted root's: only a root's word counts for `type: {kind}`");
            problems.push(sentence.into());
        }
        let mut account = |header: &str, id: &str| {
            if let Err(cause) = self.account_or_cause(id) {
                let why = cause.as_deref().unwrap_or("no account assertion of it is known");
                problems.push(Reason { sentence: format!("`{header}` is {id}, which no trusted root vouches for: {why}"), cause });
            }
        };
        match assertion.typed() {
            Typed::AccountKey(key) => {
                account("account-id", &key.account);
                // An added root may state the same as Canonical published, but gives no keys to Canonical.
                if self.trust.is_root_account(&key.account) && authority != key.account {
                    problems.push(format!("`account-id` is {}, a root's, and {authority} may not give it keys", key.account).into());
                }
            }
            Typed::SnapDeclaration(declaration) => account("publisher-id", &declaration.publisher),
            Typed::SnapRevision(revision) => {
                account("developer-id", &revision.developer);
                let id = &revision.snap_id;
                match self.proven(&PrimaryKey::SnapDeclaration(id.clone())) {
                    Ok(declaration) => {
                        if matches!(declaration.assertion.typed(), Typed::SnapDeclaration(declaration) if declaration.name.is_none()) {
                            problems.push(format!("`snap-id` is {id}, whose snap-declaration was taken back").into());
                        }
                    }
                    Err(None) => problems.push(format!("`snap-id` is {id}, and no snap-declaration of it is known").into()),
                    Err(Some(cause)) => {
                        let sentence = format!("`snap-id` is {id}, whose snap-declaration no trusted root vouches for: {cause}");
                        problems.push(Reason { sentence, cause: Some(cause) });
                    }
                }
            }
            Typed::Account(_) | Typed::Model(_) | Typed::Other => {}
        }
        problems
    }

    /// The revision that holds instead of this assertion, if a higher one can be proven.
    pub(super) fn newer(&self, assertion: &Assertion) -> Option<Assertion> {
        let holds = self.proven(&assertion.primary_key()).ok()?.assertion;
        (holds.revision() > assertion.revision()).then_some(holds)
    }

    /// The highest revision that can be proven. Otherwise the reason against the highest one; `None` if no revision is known.
    fn proven(&self, key: &PrimaryKey) -> Result<Proven<()>, Option<String>> {
        let mut first = None;
        for assertion in self.trust.known(key) {
            match self.find(assertion) {
                Ok(proof) => return Ok(Proven { what: (), assertion: assertion.clone(), proof }),
                Err(unproven) => first = first.or(Some(unproven.cause)),
            }
        }
        Err(first)
    }

    fn proven_as<T>(&self, key: &PrimaryKey, none: &str, as_type: impl Fn(&Typed) -> Option<T>) -> Result<Proven<T>, Vec<String>> {
        let proven = self.proven(key).map_err(|cause| vec![cause.unwrap_or_else(|| none.to_owned())])?;
        let what = as_type(proven.assertion.typed()).ok_or_else(|| vec![none.to_owned()])?;
        Ok(Proven { what, assertion: proven.assertion, proof: proven.proof })
    }

    fn account_or_cause(&self, id: &str) -> Result<Option<Account>, Option<String>> {
        match self.proven(&PrimaryKey::Account(id.to_owned())) {
            Ok(proven) => Ok(if let Typed::Account(account) = proven.assertion.typed() { Some(account.clone()) } else { None }),
            Err(_) if self.trust.is_root_account(id) => Ok(None),
            Err(cause) => Err(cause),
        }
    }

    /// Is there a proven account with this id? The account of a root needs no assertion.
    ///
    /// # Errors
    /// If there is none: the reason.
    pub fn account(&self, id: &str) -> Result<Option<Account>, Vec<String>> {
        self.account_or_cause(id).map_err(|cause| vec![cause.unwrap_or_else(|| "no account assertion of it is known".to_owned())])
    }

    /// The declaration of this snap by the store of a trusted root. Its name is `None` if the store revoked it.
    ///
    /// # Errors
    /// If there is no proven declaration: the reason.
    pub fn snap_declaration(&self, snap_id: &str) -> Result<Proven<SnapDeclaration>, Vec<String>> {
        let as_declaration = |typed: &Typed| if let Typed::SnapDeclaration(declaration) = typed { Some(declaration.clone()) } else { None };
        let key = PrimaryKey::SnapDeclaration(snap_id.to_owned());
        self.proven_as(&key, "no snap-declaration of it is known", as_declaration)
    }

    /// The revision of the snap file with this digest, by the store of a trusted root.
    ///
    /// # Errors
    /// If there is no proven revision: the reason. The declaration of the snap is part of the proof.
    pub fn snap_revision(&self, digest: Sha3) -> Result<Proven<SnapRevision>, Vec<String>> {
        let as_revision = |typed: &Typed| if let Typed::SnapRevision(revision) = typed { Some(revision.clone()) } else { None };
        self.proven_as(&PrimaryKey::SnapRevision(digest), "no snap-revision of this file is known: nobody published it", as_revision)
    }
}
