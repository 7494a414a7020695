//! Gives the program the time of its build. The program does not believe a clock that shows an earlier time.

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // SOURCE_DATE_EPOCH sets the time of the build, for builds that give the same bytes from the same sources.
    let built = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok()).unwrap_or(now);
    println!("cargo::rustc-env=FLASHLINE_BUILT={built}");
}
