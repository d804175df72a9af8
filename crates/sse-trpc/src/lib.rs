#![doc = include_str!("../README.md")]

#[cfg(feature = "access")]
mod access;
mod bodies;
mod body;
mod call_info;
mod call_span;
mod call_stats;
mod context;
mod credentials;
mod error;
mod error_code;
mod limits;
mod management;
mod metrics;
mod outcome;
mod procedure;
mod procedures;
mod registered_procedure;
mod subscribe;
#[cfg(test)]
mod typescript;
mod validation;
mod wire;

pub use body::Body;
pub use call_info::CallInfo;
pub use context::Context;
pub use credentials::{Credentials, StreamTicket};
pub use error::Error;
pub use error_code::Code;
pub use limits::CallLimits;
pub use management::Management;
pub use procedure::{Procedure, ProcedureKind};
pub use wire::batch_stream::BatchStream;
pub use wire::connection_params::ConnectionParams;
pub use wire::path_separator::PathSeparator;
pub use wire::request::{Headers, Request};
pub use wire::response::{Content, Response};
pub use wire::transformer::Transformer;

/// The types of the API for TypeScript: the text of an `app-router.d.ts`, for `@trpc/client` 11.
/// The text does not contain procedures that an app adds.
pub const APP_ROUTER: &str = include_str!("../types/app-router.d.ts");
