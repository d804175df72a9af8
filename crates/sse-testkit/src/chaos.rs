//! What it takes to play havoc with real servers and to judge what became of their promise.
//!
//! A [`Client`] is one of thousands that come and go and keep a [`Journal`] of all that they were told; an [`Oracle`] holds the journals
//! against what was acknowledged. With a [`Proxy`](crate::Proxy) between them and the servers the network fails when it should.

mod client;
mod journal;
mod oracle;
mod told;

pub use client::{Client, ClientRequest, Departure, Phase, Status};
pub use journal::{Entry, Journal};
pub use oracle::{
    Acknowledgement, Fault, GapCounts, Offence, OffenceKind, Oracle, OracleError, Publication, Recovery,
    Subscriber, Verdict,
};
pub use told::{Gap, GapReason, Loss, Stop, Told};
