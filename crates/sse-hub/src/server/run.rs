//! From the command line to the exit code.

use std::{env, process::ExitCode};

use tracing_subscriber::EnvFilter;

use crate::{
    error::Error,
    server::{
        self,
        logs::{self, Outputs},
        open_files,
    },
    settings::Settings,
};

/// Runs the hub with the command line and the variables of this process, until a signal ends it.
///
/// Returns 0 after a drain and for help, 1 for a failure at run time, and 2 for a rejected
/// configuration. A second `SIGINT`, `SIGQUIT` or `SIGTERM` ends the process at once, with 130, 131
/// or 143.
#[must_use]
pub fn run() -> ExitCode {
    let outputs = match Outputs::get() {
        Ok(outputs) => outputs,
        Err(source) => {
            let error = Error::System {
                what: "failed to start a thread",
                source,
            };
            eprintln!("error: {error}");
            return ExitCode::from(error.exit_code());
        }
    };
    let code = match start(outputs) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report(outputs);
            ExitCode::from(error.exit_code())
        }
    };
    outputs.flush();
    code
}

fn start(outputs: &Outputs) -> Result<(), Error> {
    let settings = Settings::gather(env::args_os())?;
    let filter = EnvFilter::builder()
        .parse(&settings.log)
        .map_err(|error| Error::Setting {
            name: settings.sources.name("log"),
            problem: format!("is not a valid filter: {error}"),
        })?;
    logs::start(filter, &outputs.err);
    settings.sources.log_notes();
    let files = open_files::raise(open_files::files_for(&settings.streams)).map_err(|problem| {
        Error::Files {
            name: settings.sources.name_of_stream("max_connections"),
            problem,
        }
    })?;
    let most = open_files::connections_for(files, &settings.streams);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::System {
            what: "failed to start the runtime",
            source,
        })?
        .block_on(server::serve(settings, most))
}
