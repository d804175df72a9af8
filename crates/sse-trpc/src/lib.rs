#![doc = include_str!("../README.md")]

mod bodies;
mod body;
mod calls;
mod check;
mod code;
mod connection_params;
mod context;
mod credentials;
mod demand;
mod dialect;
mod envelope;
mod error;
#[cfg(feature = "access")]
mod gate;
mod input;
mod limits;
mod lines;
mod management;
mod metrics;
mod outcome;
mod path_separator;
mod procedure;
mod procedures;
mod query;
mod request;
mod response;
mod subscribe;
mod tally;
mod transformer;
#[cfg(test)]
mod typescript;
mod undefined;

pub use body::Body;
pub use code::Code;
pub use connection_params::ConnectionParams;
pub use context::Context;
pub use credentials::{Credentials, Ticket};
pub use demand::Demand;
pub use error::Error;
pub use limits::Limits;
pub use lines::Lines;
pub use management::Management;
pub use path_separator::PathSeparator;
pub use procedure::{Kind, Procedure};
pub use request::{Headers, Request};
pub use response::{Content, Response};
pub use transformer::Transformer;

/// The types of the API for TypeScript: the text of an `app-router.d.ts`, for `@trpc/client` 11. Procedures that an app adds are not in it.
pub const APP_ROUTER: &str = include_str!("../types/app-router.d.ts");
