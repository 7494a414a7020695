//! Tests of image inspection: good images of Ubuntu Core, images that a factory must refuse, and images made to break their reader.

mod changed;
mod core20;
mod corpus;
mod environment;
mod first_boot_cases;
mod fixtures;
mod foreign;
mod forge;
mod hostile;
mod loader_cases;
mod medium;
mod outcomes;
mod seed;
mod snapd;
mod snapmaker;
mod unwritten;
