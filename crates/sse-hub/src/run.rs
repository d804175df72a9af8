//! From the command line to the exit code.

use std::{
    env,
    io::{self, IsTerminal},
    process::ExitCode,
};

use tracing_subscriber::EnvFilter;

use crate::{error::Error, limits, server, settings::Settings};

/// Runs the hub with the command line and the variables of this process, until a signal ends it.
///
/// Gives 0 after a drain and for help, 1 for a failure at run time, 2 for a configuration that is refused. A second
/// `SIGINT`, `SIGQUIT` or `SIGTERM` ends the process at once, with 130, 131 or 143.
#[must_use]
pub fn run() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            ExitCode::from(error.exit_code())
        }
    }
}

fn start() -> Result<(), Error> {
    let settings = Settings::gather(env::args_os())?;
    start_logs(&settings)?;
    limits::make_room(limits::files_for(&settings.streams)).map_err(|problem| Error::Files {
        name: settings.sources.name_of_stream("max_connections"),
        problem,
    })?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System { what: "the runtime cannot be started", source })?
        .block_on(server::serve(settings))
}

/// Logs go to standard error; standard output is for the address.
fn start_logs(settings: &Settings) -> Result<(), Error> {
    let filter = EnvFilter::builder().parse(&settings.log).map_err(|error| Error::Setting {
        name: settings.sources.name("log"),
        problem: format!("is no filter: {error}"),
    })?;
    let colours = io::stderr().is_terminal();
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    // A failure to write to standard error would be reported there, which panics: a terminal that closed would end the drain.
    logs.log_internal_errors(false).init();
    Ok(())
}
