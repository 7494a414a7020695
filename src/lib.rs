//! Flashline: the daemon of a factory flashing station. This page is the map.
//!
//! An operator puts a card into a slot; the station writes the image of that slot's model to it, reads every byte back, records
//! the card in the flash log, and only then shows PASS. The rooms, in the order a card meets them:
//!
//! [`config`] reads the station engineer's file: models, slots, ports. It is validated once, and an error names line, key and cure.
//!
//! [`image`] opens an image in any supported packing, hashes it piece by piece, and keeps a raw copy that never changes. Cards are
//! written from that copy only. It inspects the copy, without mounting it, and compares what it finds with the model.
//!
//! The package [`snap_assertions`] reads the model assertion of the device an image is for, verifies its signature and the chain of keys
//! to a trusted root, and checks its rules. It imports nothing of ours.
//!
//! The package `flashline-fetch` brings images from elsewhere. It is a program of its own, and neither imports the other: the station has no
//! network.
//!
//! [`watch`] reads sysfs after every hint of udev, and reports every card that came or left. The kernel's `DISKSEQ` identifies each visit.
//! It also finds out which programs use a disk, on which hubs and readers each port hangs, and what the PC does not let the station do.
//!
//! [`station`] decides. It is a value: an event with its time goes in, effects come out. Admission, outcomes and every word for the
//! operator are here, and nothing that could touch a disk.
//!
//! [`flash`] writes one card and proves it, in a separate thread. Each step has a type that only the step before it can make. [`device`] is
//! the card as the kernel gives it, with direct I/O, and holds the crate's `unsafe`.
//!
//! [`ledger`] is the flash log: an event is durable before it counts. [`report`] makes tables, pages and files of it.
//!
//! [`backup`] makes folders with a proven copy of the flash log, and puts one in its place on another PC as one history.
//!
//! [`panel`] shows the state of the station: on a terminal, in a journal, by lamps. [`control`] answers the requests of clients.
//!
//! [`prover`] plants faults into a file, and shows that the engine of [`flash`] finds them.
//!
//! [`qualify`] tries a card reader on a card that may be erased, and says which settings suit it.
//!
//! [`zone`] is the PC's time zone: it tells which moment belongs to which day and shift. [`mod@file`] identifies a file and its
//! version, and opens, digests, replaces and removes files.
//!
//! [`daemon`] ties them together: one task owns the station, threads carry the bytes. [`cli`] is the command line.
//!
//! # A slot's phases
//!
//! ```text
//!              card seen         sits still        admitted          start on disk
//!     EMPTY ─────────────▶ WAIT ─────────▶ survey ─────────▶ opening ────────────▶ WRITING
//!       ▲                                    │ no                                     │ all written, flushed
//!       │                                    ▼                                        ▼
//!       │ card gone               REFUSED ◀─ recording ◀── error, pull ────────  READING BACK
//!       │                                    ▲                                        │ body is the image's
//!       │      PASS · FAILED · PULLED        │                                        ▼
//!       └───────────────────────────── RECORDING ◀───── head read back ──────────  FINISHING
//! ```
//! If `[policy] done` is `"recheck"`, RECHECKING comes before WRITING: a card that already holds every byte of the image goes to
//! RECORDING from there, unwritten, and is DONE.
//!
//! # Who may import whom
//!
//! Arrows never run up; a test holds this table (`tests/rooms.rs`). Nor do files or folders within a room import each other in a circle.
//!
//! | room | may import |
//! | --- | --- |
//! | `cli` | everything below |
//! | `daemon` | all but `cli` |
//! | `panel` | `station`, `control`, `zone` |
//! | `control` | `station` |
//! | `report` | `station`, `ledger` |
//! | `backup` | `station`, `ledger`, `file` |
//! | `ledger` | `station`, `device`, `file` |
//! | `qualify` | `station`, `device`, `flash`, `watch` |
//! | `prover` | `station`, `device`, `flash`, `image`, `file` |
//! | `watch` | `station`, `device` |
//! | `flash` | `station`, `device`, `image` |
//! | `image` | `station`, `device`, `file` |
//! | `device` | `station` |
//! | `config` | `station`, `file` |
//! | `station` | nothing but the standard library |
//! | `zone` | no other |
//! | `file` | no other |

pub(crate) mod backup;
pub mod cli;
pub(crate) mod config;
pub mod control;
pub(crate) mod daemon;
pub mod device;
pub(crate) mod file;
pub(crate) mod flash;
pub mod image;
pub mod ledger;
pub(crate) mod panel;
pub(crate) mod prover;
pub(crate) mod qualify;
pub mod report;
pub mod station;
pub(crate) mod watch;
pub(crate) mod zone;
