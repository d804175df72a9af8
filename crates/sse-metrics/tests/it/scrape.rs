//! The text itself, byte by byte.

use std::time::Duration;

use proptest::prelude::*;
use sse_core::Manager;
use sse_metrics::{Collector, DurationHistogram, Family, Histogram, Metrics};

use crate::judges::{Samples, check_with_promtool};

const SENT: Family = Family::counter("app_sent_bytes", "Bytes that were \"sent\",\nat C:\\.");
const ROOMS: Family<2> = Family::gauge("app_rooms", "Rooms.").labels(["state", "floor"]);
const BUILD: Family<1> = Family::info("app_build", "What was built.").labels(["version"]);
const TOOK: Histogram<1> =
    Histogram::new("app_calls_seconds", "How long calls took.").labels(["call"]);
const WAITED: Histogram = Histogram::new("app_waits_seconds", "How long it waited.");

const OPEN_METRICS: &[u8] = b"application/openmetrics-text; version=1.0.0";

fn put(families: &mut Collector) {
    families.put(&SENT, [], u64::MAX);
    families.put(&ROOMS, ["open", "1"], 2_usize);
    families.put(&BUILD, ["0.1"], 1_u32);
    families.put(&ROOMS, ["open \"wide\"\n\\", ""], 0.5);
    let durations = DurationHistogram::new();
    durations.record(Duration::from_micros(300));
    durations.record(Duration::from_millis(1));
    durations.record(Duration::from_secs(3));
    families.put_durations(&TOOK, ["a"], &durations);
    families.put_durations(&WAITED, [], &DurationHistogram::new());
}

#[test]
fn prometheus_text_is_exact() {
    let scrape = Metrics::new().source(put).scrape(None);
    assert_eq!(
        scrape.content_type,
        "text/plain; version=0.0.4; charset=utf-8"
    );
    check_with_promtool(&scrape.body);
    let (families, histograms) = scrape.body.split_once("# HELP app_calls_seconds").unwrap();
    let (histogram, _) = histograms.split_once("app_waits_seconds_bucket").unwrap();
    assert_eq!(
        families,
        r#"# HELP app_sent_bytes_total Bytes that were "sent",\nat C:\\.
# TYPE app_sent_bytes_total counter
app_sent_bytes_total 18446744073709551615
# HELP app_rooms Rooms.
# TYPE app_rooms gauge
app_rooms{state="open",floor="1"} 2
app_rooms{state="open \"wide\"\n\\",floor=""} 0.5
# HELP app_build_info What was built.
# TYPE app_build_info gauge
app_build_info{version="0.1"} 1
"#
    );
    assert_eq!(
        histogram,
        r#" How long calls took.
# TYPE app_calls_seconds histogram
app_calls_seconds_bucket{call="a",le="0.00005"} 0
app_calls_seconds_bucket{call="a",le="0.0001"} 0
app_calls_seconds_bucket{call="a",le="0.00025"} 0
app_calls_seconds_bucket{call="a",le="0.0005"} 1
app_calls_seconds_bucket{call="a",le="0.001"} 2
app_calls_seconds_bucket{call="a",le="0.0025"} 2
app_calls_seconds_bucket{call="a",le="0.005"} 2
app_calls_seconds_bucket{call="a",le="0.01"} 2
app_calls_seconds_bucket{call="a",le="0.025"} 2
app_calls_seconds_bucket{call="a",le="0.1"} 2
app_calls_seconds_bucket{call="a",le="0.5"} 2
app_calls_seconds_bucket{call="a",le="2.5"} 2
app_calls_seconds_bucket{call="a",le="+Inf"} 3
app_calls_seconds_sum{call="a"} 3.0013
app_calls_seconds_count{call="a"} 3
# HELP app_waits_seconds How long it waited.
# TYPE app_waits_seconds histogram
"#
    );
    assert!(histograms.ends_with(
        "app_waits_seconds_bucket{le=\"+Inf\"} 0\napp_waits_seconds_sum 0\napp_waits_seconds_count 0\n"
    ));
    let counts = Samples::read(&scrape.body).histogram("app_calls_seconds");
    assert_eq!(
        (counts[3], counts[12]),
        ((0.0005, 1.0), (f64::INFINITY, 3.0))
    );
}

#[test]
fn openmetrics_text_is_exact() {
    let scrape = Metrics::new().source(put).scrape(Some(OPEN_METRICS));
    assert_eq!(
        scrape.content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(
        scrape.body.starts_with(
            r#"# HELP app_sent_bytes Bytes that were \"sent\",\nat C:\\.
# TYPE app_sent_bytes counter
# UNIT app_sent_bytes bytes
app_sent_bytes_total 18446744073709551615
# HELP app_rooms Rooms.
# TYPE app_rooms gauge
app_rooms{state="open",floor="1"} 2
app_rooms{state="open \"wide\"\n\\",floor=""} 0.5
# HELP app_build What was built.
# TYPE app_build info
app_build_info{version="0.1"} 1
# HELP app_calls_seconds How long calls took.
# TYPE app_calls_seconds histogram
# UNIT app_calls_seconds seconds
app_calls_seconds_bucket{call="a",le="0.00005"} 0
"#
        ),
        "{}",
        scrape.body
    );
    assert!(
        scrape
            .body
            .ends_with("\napp_waits_seconds_count 0\n# EOF\n")
    );
}

#[test]
fn scrape_without_sources_is_empty() {
    assert_eq!(Metrics::new().scrape(None).body, "");
    assert_eq!(Metrics::new().scrape(Some(OPEN_METRICS)).body, "# EOF\n");
}

#[test]
#[should_panic(expected = "must match [a-zA-Z_]")]
fn invalid_label_is_rejected() {
    let manager = Manager::builder().build().unwrap();
    let _ = Metrics::new().labelled("a-b", "", manager);
}

proptest! {
    /// Whatever a label contains, its line stays one line, and the next line can be read.
    #[test]
    fn label_value_stays_in_its_line(value in any::<String>()) {
        let text = Metrics::new()
            .labelled("common", value.clone(), move |families: &mut Collector| {
                families.put(&BUILD, [&value], 1_u32);
                families.put(&SENT, [], 7_u32);
            })
            .scrape(None)
            .body;
        prop_assert_eq!(text.split('\n').count(), 7, "{}", text);
        let line = text.split('\n').nth(2).unwrap();
        prop_assert!(line.starts_with("app_build_info{common=\"") && line.ends_with("\"} 1"), "{}", line);
    }
}

/// Prometheus' own parser reads the most difficult characters back.
#[test]
fn promtool_accepts_every_character() {
    let everything: String = (0..0x300)
        .filter_map(char::from_u32)
        .chain("\u{2028}😀\u{ffff}".chars())
        .collect();
    let text = Metrics::new()
        .source(move |families: &mut Collector| families.put(&BUILD, [&everything], 1_u32))
        .scrape(None)
        .body;
    check_with_promtool(&text);
}
