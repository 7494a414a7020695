//! Assertions with their types: account, account-key, model, snap-declaration, snap-revision.
//!
//! An assertion that breaks a rule of its type is kept together with the problems found: they are reported as sentences, and such an
//! assertion proves nothing. [`super::trust`] decides whether a trusted key has signed it.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::connections::is_rule;
use super::constraints::Constraints;
use super::definition::Model;
use super::headers::{Findings, KEY_NAME, Reading, SNAP_ID, is_account_id, is_alias, is_key_name, is_snap_id, is_snap_name, is_word};
use super::signature::{PublicKey, Sha3, Signature};
use super::text::{Headers, Stream, Text, TextError, Value, cited};
use super::validation_set;

/// Types that exist beside those read here. A text whose type is not in this list either is not an assertion.
const OTHER_TYPES: [&str; 21] = [
    "account-key-request",
    "base-declaration",
    "confdb-control",
    "confdb-schema",
    "device-session-request",
    "hardware-identity",
    "preseed",
    "registry",
    "registry-control",
    "repair",
    "serial",
    "serial-request",
    "snap-build",
    "snap-developer",
    "snap-resource-pair",
    "snap-resource-revision",
    "store",
    "system-user",
    "validation",
    "validation-set",
    "verdict",
];
/// The provenance of a snap whose snap-revision names none.
const PROVENANCE: &str = "global-upload";

/// An account: a publisher of snaps or models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; a model's brand.
    pub id: String,
    /// Its name for people.
    pub display_name: String,
    /// How well the store knows it: `unproven`, `starred`, `verified`.
    pub validation: String,
}

/// The key of an account.
#[derive(Clone, Debug)]
pub struct AccountKey {
    /// The account id of the owner.
    pub account: String,
    /// The name that the owner gave to the key.
    pub name: String,
    /// The key signs from this moment on.
    pub since: Timestamp,
    /// The key signs nothing from this moment on; `None` if it has no end.
    pub until: Option<Timestamp>,
    /// The RSA public key itself.
    pub key: PublicKey,
    /// The constraints on what it may sign; `None` if it may sign everything.
    pub(super) constraints: Constraints,
}

impl AccountKey {
    /// Why the key is not valid at this time; `None` if it is valid.
    pub(super) fn not_valid_at(&self, time: Timestamp) -> Option<String> {
        match self.until {
            _ if time < self.since => {
                Some(format!("`since` is {}, and now it is {time}: the key is not valid yet; wait, or set the clock", self.since))
            }
            Some(until) if until <= time => {
                Some(format!("`until` is {until}, and now it is {time}: the key has expired; sign with another, and give its account-key"))
            }
            _ => None,
        }
    }
}

/// What the store says of a snap: its name and publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapDeclaration {
    /// The store's id of the snap: it stays when the name changes.
    pub snap_id: String,
    /// Its name; `None` if the store revoked it.
    pub name: Option<String>,
    /// The account id of the publisher.
    pub publisher: String,
}

/// What the store says of one file of a snap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapRevision {
    /// The digest of the file.
    pub digest: Sha3,
    /// Length of the file in bytes.
    pub size: u64,
    /// The store's id of the snap.
    pub snap_id: String,
    /// The number the store gave to this file of the snap.
    pub revision: u64,
    /// The account id that uploaded the file.
    pub developer: String,
    /// The provenance of the file, if it is not the usual one.
    pub provenance: Option<String>,
}

/// An assertion by its type.
#[derive(Clone, Debug)]
pub enum Typed {
    /// `account`: a publisher of snaps or models, as the store knows it.
    Account(Account),
    /// `account-key`: a public key and the account that owns it.
    AccountKey(Box<AccountKey>),
    /// `model`: the definition of a device.
    Model(Box<Model>),
    /// `snap-declaration`: the name and the publisher of a snap id.
    SnapDeclaration(SnapDeclaration),
    /// `snap-revision`: the digest, length and revision of one snap file.
    SnapRevision(SnapRevision),
    /// A type that is not read here, or an assertion too malformed to be used.
    Other,
}

#[derive(Debug)]
struct Inner {
    headers: Headers,
    content: Vec<u8>,
    signature: Option<Signature>,
    kind: String,
    authority: String,
    sign_key: Option<Sha3>,
    revision: u64,
    timestamp: Option<Timestamp>,
    digest: Sha3,
    typed: Typed,
    findings: Findings,
}

/// An assertion that was read and judged by the rules of its type. It is not proven. Copies share their contents.
#[derive(Clone, Debug)]
pub struct Assertion(Arc<Inner>);

impl Assertion {
    /// Judges one assertion by the rules of its type.
    #[must_use]
    pub fn new(text: &Text) -> Self {
        let mut reading = Reading::new(&text.headers);
        let kind = reading.required("type").unwrap_or_default().to_owned();
        let authority = reading.account("authority-id").unwrap_or_default().to_owned();
        let sign_key = reading.digest("sign-key-sha3-384");
        let signature = match Signature::decode(&text.signature) {
            Ok(signature) => Some(signature),
            Err(error) => {
                reading.findings.problems.push(format!("the signature cannot be used: {error}"));
                None
            }
        };
        let revision = reading.number("revision", 0).unwrap_or_default();
        let timestamp = if reading.has("timestamp") { reading.time("timestamp") } else { None };
        let typed = typed(&kind, &text.headers, &text.body, &mut reading);
        if !matches!(typed, Typed::Model(_)) {
            reading.placeholders();
        }
        let mut findings = reading.findings;
        // A header may be read twice; its problem is reported once.
        let mut seen = std::collections::BTreeSet::new();
        findings.problems.retain(|problem| seen.insert(problem.clone()));
        Self(Arc::new(Inner {
            headers: text.headers.clone(),
            content: text.content.clone(),
            signature,
            kind,
            authority,
            sign_key,
            revision,
            timestamp,
            digest: Sha3::of(&text.encoded()),
            typed,
            findings,
        }))
    }

    /// Every assertion of a stream, as a file that holds one or a bundle.
    ///
    /// # Errors
    /// If the stream is not well formed. An assertion that breaks the rules of its type is not an error here: see [`Assertion::problems`].
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, TextError> {
        Stream::new(bytes).map(|text| Ok(Self::new(&text?))).collect()
    }

    /// The value of the header `type`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// Its type and primary key, as people name it: `model my-pi3 of Fx7Q…`.
    #[must_use]
    pub fn name(&self) -> String {
        let header = |name: &str| self.0.headers.get(name).and_then(Value::as_text).map_or_else(|| "?".to_owned(), cited);
        let key = match self.kind() {
            "account" => header("account-id"),
            "account-key" => format!("{} of {}", header("public-key-sha3-384"), header("account-id")),
            "model" => format!("{}/{}", header("brand-id"), header("model")),
            "snap-declaration" => format!("{} ({})", header("snap-id"), header("snap-name")),
            "snap-revision" => format!("{} of {}", header("snap-revision"), header("snap-id")),
            _ => return format!("{:?}", cited(self.kind())).trim_matches('"').to_owned(),
        };
        // Escaped: the author of the file may have put control characters of the reader's terminal into it.
        format!("{} {}", self.kind(), key.escape_debug())
    }

    /// Its contents, by its type.
    #[must_use]
    pub fn typed(&self) -> &Typed {
        &self.0.typed
    }

    /// Its model, even if it has problems.
    #[must_use]
    pub fn as_model(&self) -> Option<&Model> {
        if let Typed::Model(model) = &self.0.typed { Some(model) } else { None }
    }

    /// The account-key it is.
    #[must_use]
    pub fn as_account_key(&self) -> Option<&AccountKey> {
        if let Typed::AccountKey(key) = &self.0.typed { Some(key) } else { None }
    }

    /// All its headers, for types that are not read here.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.0.headers
    }

    /// The id of the authority that signs it; `None` if it names none.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.0.authority
    }

    /// The id of the key that it names as its signer.
    #[must_use]
    pub fn sign_key(&self) -> Option<Sha3> {
        self.0.sign_key
    }

    /// Its revision. Of two assertions with the same primary key, the higher revision holds.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.0.revision
    }

    /// The time at which it was made, as it says.
    #[must_use]
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.0.timestamp
    }

    /// The SHA3-384 of its text with one line end behind it, as `openssl dgst -sha3-384` prints it for the signed file.
    #[must_use]
    pub fn digest(&self) -> Sha3 {
        self.0.digest
    }

    /// The rules of text and type that it breaks. Empty does not mean proven.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.0.findings.problems
    }

    /// What is odd about it.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.0.findings.warnings
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.0.content
    }

    pub(super) fn signature(&self) -> Option<&Signature> {
        self.0.signature.as_ref()
    }

    /// Are both equal to the byte?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.digest() == other.digest()
    }

    /// Type and primary key, where the type is one that is read here.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        let key = self.primary_key();
        (key != PrimaryKey::None).then(|| key.to_string())
    }

    /// What snapd must know before it accepts the assertion: the signing key, and every assertion that this one refers to (snapd:
    /// `Prerequisites` of each type).
    pub(super) fn prerequisites(&self) -> Vec<PrimaryKey> {
        let account = |id: &String| PrimaryKey::Account(id.clone());
        let mut needed: Vec<PrimaryKey> = self.sign_key().map(PrimaryKey::AccountKey).into_iter().collect();
        match &self.0.typed {
            Typed::AccountKey(key) => needed.push(account(&key.account)),
            Typed::SnapDeclaration(declaration) => needed.push(account(&declaration.publisher)),
            Typed::SnapRevision(revision) => {
                needed.extend([PrimaryKey::SnapDeclaration(revision.snap_id.clone()), account(&revision.developer)]);
            }
            Typed::Account(_) | Typed::Model(_) | Typed::Other => {}
        }
        needed
    }

    /// The parts that identify an assertion: no two assertions of a type share them.
    pub(super) fn primary_key(&self) -> PrimaryKey {
        match &self.0.typed {
            Typed::Account(account) => PrimaryKey::Account(account.id.clone()),
            Typed::AccountKey(key) => PrimaryKey::AccountKey(key.key.id()),
            Typed::SnapDeclaration(declaration) => PrimaryKey::SnapDeclaration(declaration.snap_id.clone()),
            Typed::SnapRevision(revision) => PrimaryKey::SnapRevision(revision.digest),
            Typed::Model(model) => PrimaryKey::Model(model.brand.clone(), model.name.clone()),
            Typed::Other => PrimaryKey::None,
        }
    }
}

/// What an assertion is looked up by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum PrimaryKey {
    Account(String),
    AccountKey(Sha3),
    SnapDeclaration(String),
    SnapRevision(Sha3),
    Model(String, String),
    None,
}

impl fmt::Display for PrimaryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(id) => write!(f, "account {id}"),
            Self::AccountKey(id) => write!(f, "account-key {id}"),
            Self::SnapDeclaration(id) => write!(f, "snap-declaration {id}"),
            Self::SnapRevision(digest) => write!(f, "snap-revision {digest}"),
            Self::Model(brand, name) => write!(f, "model {brand}/{name}"),
            Self::None => f.write_str("assertion"),
        }
    }
}

/// The newest format of each type that is read here.
fn format(reading: &mut Reading<'_>, newest: u64) {
    if let Some(format) = reading.number("format", 0)
        && format > newest
    {
        reading.problem("format", format!("is {format}, and {newest} is the newest that is known here: a newer flashline is needed"));
    }
}

/// Nothing reads a body of these types, so a body could hide anything under the signature.
fn no_body(reading: &mut Reading<'_>, kind: &str, body: &[u8]) {
    if !body.is_empty() {
        let sentence = format!("is {}, and `type: {kind}` has no body: nothing would heed it; sign it again without a body", body.len());
        reading.problem("body-length", sentence);
    }
}

fn typed(kind: &str, headers: &Headers, body: &[u8], reading: &mut Reading<'_>) -> Typed {
    match kind {
        "account" => {
            format(reading, 0);
            no_body(reading, kind, body);
            account(reading).map_or(Typed::Other, Typed::Account)
        }
        "account-key" => {
            format(reading, 1);
            account_key(headers, body, reading).map_or(Typed::Other, |key| Typed::AccountKey(Box::new(key)))
        }
        "model" => {
            format(reading, 0);
            no_body(reading, kind, body);
            let (model, mut findings) = Model::read(headers);
            reading.findings.problems.append(&mut findings.problems);
            reading.findings.warnings.append(&mut findings.warnings);
            Typed::Model(Box::new(model))
        }
        "snap-declaration" => {
            format(reading, 7);
            no_body(reading, kind, body);
            snap_declaration(reading).map_or(Typed::Other, Typed::SnapDeclaration)
        }
        "snap-revision" => {
            format(reading, 0);
            no_body(reading, kind, body);
            snap_revision(reading).map_or(Typed::Other, Typed::SnapRevision)
        }
        other if OTHER_TYPES.contains(&other) => {
            format(reading, if other == "system-user" { 2 } else { 0 });
            if other == "validation-set" {
                validation_set::check(reading);
            }
            Typed::Other
        }
        "" => Typed::Other,
        other => {
            reading.problem("type", format!("{:?} is no type of assertion that is known here", cited(other)));
            Typed::Other
        }
    }
}

fn account(reading: &mut Reading<'_>) -> Option<Account> {
    let id = reading.account("account-id");
    let display_name = reading.required("display-name");
    let words = "`unproven`, `starred`, `verified` or `certified`";
    let validation = reading.required_as("validation", |text| matches!(text, "unproven" | "starred" | "verified" | "certified"), words);
    let _checked = reading.time("timestamp");
    let _checked = reading.text("username");
    Some(Account { id: id?.to_owned(), display_name: display_name?.to_owned(), validation: validation?.to_owned() })
}

fn account_key(headers: &Headers, body: &[u8], reading: &mut Reading<'_>) -> Option<AccountKey> {
    let account = reading.account("account-id");
    let id = reading.digest("public-key-sha3-384");
    // The first keys have no name.
    let name = reading.text_as("name", is_key_name, KEY_NAME).unwrap_or_default();
    let since = reading.time("since");
    let until = if reading.has("until") { Some(reading.time("until")) } else { None };
    let key = match PublicKey::decode(body) {
        Ok(key) => Some(key),
        Err(error) => {
            reading.findings.problems.push(format!("the body is no public key: {error}"));
            None
        }
    };
    let constraints = match Constraints::read(headers) {
        Ok(constraints) => Some(constraints),
        Err(sentence) => {
            reading.problem("constraints", sentence);
            None
        }
    };
    if let (Some(since), Some(Some(until))) = (since, until)
        && until <= since
    {
        reading.problem("until", format!("{until} is not after `since` {since}: such a key never signs anything"));
        return None;
    }
    let (id, key) = (id?, key?);
    if key.id() != id {
        reading.problem("public-key-sha3-384", format!("is {id}, but the key in the body is {}: the file was changed", key.id()));
        return None;
    }
    let until = match until {
        Some(until) => Some(until?),
        None => None,
    };
    Some(AccountKey { account: account?.to_owned(), name: name.to_owned(), since: since?, until, key, constraints: constraints? })
}

fn series(reading: &mut Reading<'_>) {
    let _checked = reading.required_as("series", |text| text == "16", "16, which is the series of every Ubuntu Core");
}

/// Another name of an app.
fn is_target(item: &Value) -> bool {
    let text = |key: &str| if let Value::Map(item) = item { item.get(key)?.as_text() } else { None };
    text("name").is_some_and(is_alias) && text("target").is_some_and(is_word)
}

/// The station does not use these headers of a snap, but checks their form.
fn shapes(reading: &mut Reading<'_>) {
    for header in ["plugs", "slots"] {
        let are_rules = |value: &Value| matches!(value, Value::Map(interfaces) if interfaces.values().all(is_rule));
        reading.shape(header, are_rules, "a map of interfaces, each with `true`, `false` or a map of what is allowed and denied");
    }
    reading.shape("refresh-control", |value| value.as_texts().is_some(), "a list of texts");
    let are_aliases = |value: &Value| value.as_texts().is_some_and(|aliases| aliases.iter().all(|alias| is_alias(alias)));
    reading.shape("auto-aliases", are_aliases, "a list of aliases: letters, digits, dots, dashes and underscores");
    let are_targets = |value: &Value| matches!(value, Value::List(items) if items.iter().all(is_target));
    reading.shape("aliases", are_targets, "a list of maps, each with the `name` of an alias and the app that is its `target`");
    let are_maps = |value: &Value| matches!(value, Value::List(items) if items.iter().all(|item| matches!(item, Value::Map(_))));
    reading.shape("revision-authority", are_maps, "a list of maps");
}

fn snap_declaration(reading: &mut Reading<'_>) -> Option<SnapDeclaration> {
    series(reading);
    let snap_id = reading.required_as("snap-id", is_snap_id, SNAP_ID);
    // The name is empty if the store revoked the declaration. The declaration is read, and the search for the snap refuses it.
    let name = if !reading.has("snap-name") { reading.required("snap-name") } else { reading.text("snap-name") };
    let publisher = reading.account("publisher-id");
    let _checked = reading.time("timestamp");
    shapes(reading);
    let name = name?;
    if !name.is_empty() && !is_snap_name(name) {
        reading.problem("snap-name", format!("{:?} is no snap name", cited(name)));
        return None;
    }
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    Some(SnapDeclaration { snap_id: snap_id?.to_owned(), name, publisher: publisher?.to_owned() })
}

fn snap_revision(reading: &mut Reading<'_>) -> Option<SnapRevision> {
    let digest = reading.digest("snap-sha3-384");
    let size = reading.required_length("snap-size");
    let snap_id = reading.required_as("snap-id", is_snap_id, SNAP_ID);
    let revision = reading.required_number("snap-revision");
    let developer = reading.required_as("developer-id", is_account_id, "an account id");
    let provenance =
        reading.text_as("provenance", is_word, "letters and digits, words joined by single dashes").filter(|way| *way != PROVENANCE);
    let _checked = reading.time("timestamp");
    let revision = revision?;
    if revision == 0 {
        reading.problem("snap-revision", "is 0, and revisions are counted from 1");
        return None;
    }
    Some(SnapRevision {
        digest: digest?,
        size: size?,
        snap_id: snap_id?.to_owned(),
        revision,
        developer: developer?.to_owned(),
        provenance: provenance.map(str::to_owned),
    })
}
