//! Limits of calls of the management API, as flags and variables.

use clap::Args;
use sse_trpc::{CallLimits, Transformer};

use crate::settings::values::{choice, put};

/// A flag and a variable for every field of [`CallLimits`], by the field's name.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Management API")]
pub(crate) struct ManagementArgs {
    /// Encoding of data in JSON: json, superjson [default: json]
    #[arg(long, value_name = "NAME", env = "SSE_HUB_TRPC_TRANSFORMER", value_parser = choice::<Transformer>)]
    pub(crate) trpc_transformer: Option<Transformer>,
    /// Maximum size of a call's input [default: 1048576]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_MANAGEMENT_BODY")]
    management_body: Option<usize>,
    /// Maximum size of all inputs in flight; a quarter is reserved for backends and admins
    /// [default: 67108864]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_MANAGEMENT_BODIES")]
    management_bodies: Option<usize>,
    /// Maximum size of the inputs in flight of one user, or of one address without a user [default:
    /// 4194304]
    #[arg(
        long,
        value_name = "BYTES",
        env = "SSE_HUB_MANAGEMENT_BODIES_PER_CALLER"
    )]
    management_bodies_per_caller: Option<usize>,
    /// Maximum number of calls in a batch; 0 disables batches [default: 100]
    #[arg(long, value_name = "N", env = "SSE_HUB_MANAGEMENT_BATCH")]
    management_batch: Option<usize>,
    /// Maximum nesting depth of an input [default: 64]
    #[arg(long, value_name = "N", env = "SSE_HUB_MANAGEMENT_DEPTH")]
    management_depth: Option<usize>,
    /// Maximum size of a notification's message [default: 16384]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_MANAGEMENT_MESSAGE")]
    management_message: Option<usize>,
    /// Maximum size of a notification's title [default: 1024]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_MANAGEMENT_TITLE")]
    management_title: Option<usize>,
    /// Maximum size of the reason for a disconnect [default: 1024]
    #[arg(long, value_name = "BYTES", env = "SSE_HUB_MANAGEMENT_REASON")]
    management_reason: Option<usize>,
    /// Maximum number of streams that a publish can exclude [default: 1000]
    #[arg(long, value_name = "N", env = "SSE_HUB_MANAGEMENT_EXCEPT")]
    management_except: Option<usize>,
    /// Maximum number of users for which getStats counts streams [default: 10000]
    #[arg(long, value_name = "N", env = "SSE_HUB_MANAGEMENT_USERS")]
    management_users: Option<usize>,
    /// Maximum number of streams on one page of getConnections [default: 1000]
    #[arg(long, value_name = "N", env = "SSE_HUB_MANAGEMENT_CONNECTIONS")]
    management_connections: Option<usize>,
}

impl ManagementArgs {
    /// Overwrites the limits that were given.
    pub(crate) fn apply(self, limits: &mut CallLimits) {
        put(&mut limits.body, self.management_body);
        put(&mut limits.bodies, self.management_bodies);
        put(
            &mut limits.bodies_per_caller,
            self.management_bodies_per_caller,
        );
        put(&mut limits.batch, self.management_batch);
        put(&mut limits.depth, self.management_depth);
        put(&mut limits.message, self.management_message);
        put(&mut limits.title, self.management_title);
        put(&mut limits.reason, self.management_reason);
        put(&mut limits.except, self.management_except);
        put(&mut limits.users, self.management_users);
        put(&mut limits.connections, self.management_connections);
    }
}
