//! The model assertion of an Ubuntu Core device, and whether it is what it says: text, signature, chain of keys, rules.
//!
//! [`text`] reads what was signed, [`signature`] keys and signatures, [`assertion`] gives each its type, [`definition`] knows the
//! rules of models, [`trust`] whom to believe, [`allowed`] what to take on trust though nothing signs it, [`check`] all there is to say of
//! one file. Knows nothing of images, cards or clocks:
//! bytes and a time go in, proofs or sentences come out.
//!
//! ```
//! use flashline::model::assertion::Assertion;
//! use flashline::model::trust::Trust;
//!
//! let mut trust = Trust::canonical();
//! let assertions = Assertion::read_all(b"")?; // The bytes of a file, or of several, one behind the other.
//! for assertion in &assertions {
//!     trust.insert(assertion.clone())?;
//! }
//! let judge = trust.at(jiff::Timestamp::now());
//! for assertion in &assertions {
//!     match judge.prove(assertion) {
//!         Ok(proof) => println!("{} is signed by {}", assertion.name(), proof.signer().account),
//!         Err(reasons) => println!("{}: {}", assertion.name(), reasons.join("; ")),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod allowed;
pub mod assertion;
pub mod check;
mod connections;
mod constraints;
pub mod definition;
pub mod file;
mod headers;
pub mod json;
pub mod signature;
#[cfg(test)]
mod testing;
pub mod text;
pub mod trust;
mod validation_set;

pub use headers::Findings;
