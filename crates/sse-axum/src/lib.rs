//! Server-Sent Events for Axum: extractor, response and serve
