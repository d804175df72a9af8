//! Numbers for Prometheus.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::IntoResponse,
};
use sse_core::Manager;
use sse_metrics::{Families, Family, Metrics};
use sse_trpc::Management;

const BUILD: Family<1> = Family::info("sse_hub_build", "Which hub it is.").labels(["version"]);

/// All that the hub tells.
pub(crate) fn of(manager: Manager, management: Management) -> Metrics {
    Metrics::of(manager)
        .source(management)
        .source(|families: &mut Families| families.put(&BUILD, [env!("CARGO_PKG_VERSION")], 1_u32))
}

/// Answers a scrape.
pub(crate) async fn scrape(State(metrics): State<Metrics>, headers: HeaderMap) -> impl IntoResponse {
    let scrape = metrics.scrape(headers.get(header::ACCEPT).map(HeaderValue::as_bytes));
    let headers = [(header::CONTENT_TYPE, scrape.content_type), (header::CACHE_CONTROL, "no-store")];
    (headers, scrape.body)
}
