#!/bin/bash
# The crate prometheus-parse cuts labels at a comma, and drops labels with "=" and samples with "}" in them, without an error.
#
# Expected: what the official Rust client writes comes back as it was; what a parser cannot read is an error (parse() returns a Result).
# Seen: a label ends at the first comma of its value, so two series with different reasons become one of the same name. With "=" in its value
#   it is missing. A sample with "}" in a label is missing altogether, and so is each metric with ":" in its name, as recording rules have. A
#   quote keeps its backslash. parse() is Ok for all of it. The official Python client reads the same text right.
# Versions: crates prometheus-parse 0.2.5, prometheus-client 0.26.0; PyPI prometheus-client 0.26.0.
# Written in: Prometheus, "Exposition formats" (label values are any characters; only backslash, quote and line feed are escaped; ":" is part
#   of a metric's name); prometheus-parse, src/lib.rs (SAMPLE_RE, Labels::parse).
# Hurts: a maker whose tests or gateway add up failures by reason with it: "stalled, then gone" and "stalled, then read" are two samples of
#   one name, of which a map keeps the last, and what happened in the slot "{B}" is not there. A test with labels of one word passes.
set -euo pipefail
. "$(dirname "$0")/common.bash"
crates prometheus-parse@=0.2.5
crates prometheus-client@=0.26.0
pip_install prometheus-client==0.26.0

rust "$work/exposition" <<'RUST' >rust.said
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::{counter::Counter, family::Family};
use prometheus_client::registry::Registry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let failed = Family::<Vec<(String, String)>, Counter>::default();
    for (reason, count) in [("plain", 1), ("stalled, then gone", 2), ("stalled, then read", 3), ("a=b", 4), ("slot {B}", 5), ("say \"no\"", 6)] {
        failed.get_or_create(&vec![("reason".to_owned(), reason.to_owned())]).inc_by(count);
    }
    let mut registry = Registry::default();
    registry.register("failed", "Failed cards", failed);
    let rule = Counter::<u64>::default();
    rule.inc_by(7);
    registry.register("slot:failed", "A rule's result", rule);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    std::fs::write(std::env::args().nth(1).ok_or("no path")?, &text)?;
    let read = prometheus_parse::Scrape::parse(text.lines().map(|line| Ok(line.to_owned())))?;
    for sample in read.samples {
        let value = match sample.value {
            prometheus_parse::Value::Counter(value) | prometheus_parse::Value::Untyped(value) => value,
            other => return Err(format!("{other:?}").into()),
        };
        println!("{value}: {} {}", sample.metric, sample.labels.get("reason").unwrap_or("no label"));
    }
    Ok(())
}
RUST
"$work/venv/bin/python" - exposition <<'PYTHON' >python.said
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    for sample in family.samples:
        print(f"{sample.value:.0f}: {sample.name} {sample.labels.get('reason', 'no label')}")
PYTHON
said() { sed -n "s/^$2: //p" "$1.said"; }
both() {
	seen "$1, Python" "$2" "$(said python "$1")"
	seen "$1, prometheus-parse" "$3" "$(said rust "$1")"
}
both 1 'failed_total plain' 'failed_total plain'
both 2 'failed_total stalled, then gone' 'failed_total stalled'
both 3 'failed_total stalled, then read' 'failed_total stalled'
both 4 'failed_total a=b' 'failed_total no label'
both 5 'failed_total slot {B}' ''
both 6 'failed_total say "no"' 'failed_total say \"no\'
both 7 'slot:failed_total no label' ''
