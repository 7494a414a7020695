#![doc = include_str!("../README.md")]
//!
//! # Where things are
//!
//! [`text`] reads the signed text, [`signature`] keys and signatures, [`assertion`] gives each assertion its type, [`definition`] has the
//! rules of models, [`trust`] proves chains of signatures, [`check`] finds all problems of one file, and [`mod@file`] reads files with a
//! limit.

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
