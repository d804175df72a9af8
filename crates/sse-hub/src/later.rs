//! Settings that are known, but not built yet: they end the start, so that nobody relies on them in vain.

use clap::Args;

use crate::{error::Error, source::Sources};

/// Flags and variables of what is not built yet.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Not built yet: these end the start")]
pub(crate) struct LaterArgs {
    /// Where published events go: memory, file:DIR, redis://…, nats://…
    #[arg(long, value_name = "URL", env = "SSE_HUB_BACKPLANE")]
    backplane: Option<String>,
}

/// Ends the start for what is not built yet.
pub(crate) fn refuse(
    args: LaterArgs,
    backplane_in_file: Option<String>,
    sources: &Sources,
) -> Result<(), Error> {
    match args.backplane.or(backplane_in_file) {
        Some(_) => Err(Error::NotBuilt(sources.name("backplane"))),
        None => Ok(()),
    }
}
