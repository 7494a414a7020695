#!/bin/bash
# One Info metric or one exemplar in what the crate prometheus-client writes makes node_exporter's textfile collector drop the whole file.
#
# Expected: the metrics of the official Rust client are read by the official exporter, or those alone are left out that it cannot use.
# Seen: the crate writes OpenMetrics, the collector reads the older text format. Counters and gauges pass, "# EOF" and "# UNIT" are
#   comments; a counter is then "untyped" and without its help text, as its TYPE line names "cards" and its sample "cards_total". When an
#   Info ("unknown metric type") or an exemplar ("expected integer as timestamp") is added, no metric of the file is exported, those
#   included that were exported before. The exporter still answers with 200; only node_textfile_scrape_error is 1.
# Versions: prometheus-node-exporter 1.5.0 (Debian 12); crate prometheus-client 0.26.0.
# Written in: node_exporter, collector/textfile.go, and prometheus/common, expfmt (text_parse.go); OpenMetrics 1.0, Info and Exemplars;
#   prometheus-client, src/encoding/text.rs.
# Hurts: a maker whose station writes its counters for the collector, and adds the program's version as an Info: all its graphs end that
#   day, and an alarm on a counter that is absent is silent.
set -euo pipefail
. "$(dirname "$0")/common.bash"
deb prometheus-node-exporter=1.5.0-1+b6
crates prometheus-client@=0.26.0

rust "$work" <<'RUST'
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::{counter::Counter, exemplar::CounterWithExemplar, gauge::Gauge, info::Info};
use prometheus_client::registry::Registry;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("no directory")?;
    for name in ["plain", "info", "exemplar"] {
        let mut registry = Registry::default();
        let (cards, waiting) = (Counter::<u64>::default(), Gauge::<i64>::default());
        cards.inc_by(5);
        waiting.set(3);
        registry.register("cards", "Cards written", cards);
        registry.register("waiting", "Cards that wait", waiting);
        if name == "info" {
            registry.register("station", "The program", Info::new(vec![("version", "1.0")]));
        }
        if name == "exemplar" {
            let bad = CounterWithExemplar::<Vec<(String, String)>>::default();
            bad.inc_by(1, Some(vec![("serial".into(), "A3".into())]), None);
            registry.register("bad", "Bad cards", bad);
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
        std::fs::write(format!("{directory}/{name}.prom"), text)?;
    }
    Ok(())
}
RUST
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir textfiles
prometheus-node-exporter --collector.disable-defaults --collector.textfile --collector.textfile.directory=textfiles \
	--web.disable-exporter-metrics --web.listen-address="127.0.0.1:$port" >log 2>&1 &
exporter=$!
stop() {
	kill "$exporter" 2>/dev/null || true
	clean_up
}
trap stop EXIT
# What the exporter answers when this is the only file: status, its own error flag, and the lines about cards.
exported() {
	cp "$1.prom" textfiles/station.prom
	python3 - "$port" <<'PYTHON'
import sys, time, urllib.request
for attempt in range(100):
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics")
        break
    except OSError:
        time.sleep(0.05)
wanted = ("# TYPE cards", "cards", "waiting", "station", "bad", "node_textfile_scrape_error")
print(answer.status, "; ".join(line for line in answer.read().decode().splitlines() if line.startswith(wanted)), sep="; ")
PYTHON
}
reason() { grep -o 'text format parsing error in line .*' log | tail -1 | sed 's/ in line [0-9]*//; s/\\//g; s/"$//'; }
seen plain '200; # TYPE cards_total untyped; cards_total 5; node_textfile_scrape_error 0; waiting 3' "$(exported plain)"
seen info '200; node_textfile_scrape_error 1' "$(exported info)"
seen 'info, the log' 'text format parsing error: unknown metric type "info"' "$(reason)"
seen exemplar '200; node_textfile_scrape_error 1' "$(exported exemplar)"
seen 'exemplar, the log' 'text format parsing error: expected integer as timestamp, got "#"' "$(reason)"
