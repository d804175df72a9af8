//! The wire format of tRPC: requests, responses and streams.

pub(crate) mod batch_stream;
pub(crate) mod connection_params;
pub(crate) mod dialect;
pub(crate) mod envelope;
pub(crate) mod input;
pub(crate) mod members;
pub(crate) mod path_separator;
pub(crate) mod query_string;
pub(crate) mod request;
pub(crate) mod request_parser;
pub(crate) mod response;
pub(crate) mod superjson;
pub(crate) mod transformer;
