//! Metrics for Prometheus.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};
use sse_axum::{TransportStats, TransportStatsHandle};
use sse_core::{Manager, stats::Stats};
use sse_metrics::{Collector, Family, Metrics};
use sse_trpc::Management;

const BUILD: Family<1> = Family::info("sse_hub_build", "Version of the hub.").labels(["version"]);

const STREAMS: Family<1> = Family::gauge(
    "sse_transport_streams",
    "Open and ending streams by transport: the reactor, or hyper as the body of a response.",
)
.labels(["transport"]);
const OPENED: Family<1> = Family::counter(
    "sse_transport_streams_opened",
    "Streams that were opened, by transport.",
)
.labels(["transport"]);
const FALLBACKS: Family<1> = Family::counter(
    "sse_transport_fallbacks",
    "Streams that were served as the body of a response, by the reason why the reactor could not serve them.",
)
.labels(["reason"]);
const THREADS: Family = Family::gauge("sse_reactor_threads", "Threads of the reactor.");
const BLOCKED: Family = Family::gauge(
    "sse_reactor_streams_blocked",
    "Streams that wait because a client's socket is full.",
);
const STALLS: Family = Family::counter(
    "sse_reactor_write_stalls",
    "Waits of a stream because a client's socket was full.",
);
const BYTES: Family = Family::counter(
    "sse_reactor_written_bytes",
    "Bytes written to sockets, including heads and framing.",
);
const RESETS: Family = Family::counter(
    "sse_reactor_resets",
    "Connections that were reset, since their client read nothing or the server stopped.",
);
const FAILURES: Family<1> = Family::counter(
    "sse_reactor_failures",
    "Streams that a fault ended: their socket could not be watched, or a thread panicked.",
)
.labels(["fault"]);

/// Creates the collection of all metrics of the hub.
pub(crate) fn of(
    manager: Manager,
    management: Management,
    transports: TransportStatsHandle,
) -> Metrics {
    let streams = manager.clone();
    Metrics::of(manager)
        .source(management)
        .source(move |families: &mut Collector| {
            put_transports(families, &streams.stats(), &transports.stats());
        })
        .source(|families: &mut Collector| families.put(&BUILD, [env!("CARGO_PKG_VERSION")], 1_u32))
}

/// Adds the statistics of both transports. The hub has one server, so a stream that the reactor
/// does not serve is served as a body.
fn put_transports(families: &mut Collector, streams: &Stats, transports: &TransportStats) {
    let TransportStats {
        reactor, bodies, ..
    } = transports;
    let open = streams.total_connections + streams.ending;
    families.put_each(
        &STREAMS,
        [
            ("reactor", reactor.streams),
            ("body", open.saturating_sub(reactor.streams)),
        ],
    );
    families.put_each(
        &OPENED,
        [("reactor", reactor.adopted), ("body", bodies.total())],
    );
    families.put_each(
        &FALLBACKS,
        bodies.iter().map(|(why, count)| (why.as_str(), count)),
    );
    families.put(&THREADS, [], reactor.threads);
    families.put(&BLOCKED, [], reactor.blocked);
    families.put(&STALLS, [], reactor.write_stalls);
    families.put(&BYTES, [], reactor.bytes);
    families.put(&RESETS, [], reactor.resets);
    families.put_each(
        &FAILURES,
        [("unwatched", reactor.failed), ("panicked", reactor.panics)],
    );
}

/// Responds to a scrape.
pub(crate) async fn scrape(
    State(metrics): State<Metrics>,
    headers: HeaderMap,
) -> impl IntoResponse {
    let scrape = metrics.scrape(headers.get(header::ACCEPT).map(HeaderValue::as_bytes));
    let headers = [
        (header::CONTENT_TYPE, scrape.content_type),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, scrape.body)
}
