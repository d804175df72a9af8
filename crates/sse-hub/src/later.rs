//! Settings that are known, but not built yet: they end the start, so that nobody relies on them in vain.

use std::{env, ffi::OsStr};

use clap::Args;

use crate::{error::Error, file::Fields, source::Sources};

/// Flags and variables of what is not built yet.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Not built yet: these end the start")]
pub(crate) struct LaterArgs {
    /// Where published events go: memory, file:DIR, redis://…, nats://…
    #[arg(long, value_name = "URL", env = "SSE_HUB_BACKPLANE")]
    backplane: Option<String>,
    /// Who may connect: none (demo mode, the default), nextauth, jwt
    #[arg(long, value_name = "KIND", env = "SSE_HUB_AUTH")]
    auth: Option<String>,
    /// A certificate chain for TLS
    #[arg(long, value_name = "FILE", env = "SSE_HUB_TLS_CERT")]
    tls_cert: Option<String>,
    /// The private key of the certificate
    #[arg(long, value_name = "FILE", env = "SSE_HUB_TLS_KEY")]
    tls_key: Option<String>,
}

/// The variable with the key of backends. It has no flag: others can see command lines.
pub(crate) const BACKEND_KEY: &str = "SSE_HUB_BACKEND_KEY";

/// Ends the start for what is not built yet.
pub(crate) fn refuse(args: LaterArgs, file: Fields, sources: &Sources) -> Result<(), Error> {
    let settings = [
        Setting::new("auth", args.auth, file.auth, Some("none"), &["nextauth", "jwt"]),
        Setting::new("backplane", args.backplane, file.backplane, None, &[]),
        Setting::new("tls-cert", args.tls_cert, file.tls_cert, None, &[]),
        Setting::new("tls-key", args.tls_key, file.tls_key, None, &[]),
    ];
    settings.into_iter().try_for_each(|setting| setting.refuse(sources))?;
    refuse_key(env::var_os(BACKEND_KEY).as_deref(), file.backend_key.is_some(), sources)
}

/// Even an empty one: who sets it believes that the hub is closed.
fn refuse_key(variable: Option<&OsStr>, in_file: bool, sources: &Sources) -> Result<(), Error> {
    match variable {
        Some(_) => Err(Error::NotBuilt(BACKEND_KEY.to_owned())),
        None if in_file => Err(Error::NotBuilt(sources.name("backend-key"))),
        None => Ok(()),
    }
}

struct Setting {
    flag: &'static str,
    given: Option<String>,
    /// The value that is as good as none.
    built: Option<&'static str>,
    /// The other values there will be; empty where any value will do.
    later: &'static [&'static str],
}

impl Setting {
    fn new(
        flag: &'static str,
        arg: Option<String>,
        field: Option<String>,
        built: Option<&'static str>,
        later: &'static [&'static str],
    ) -> Self {
        Self { flag, given: arg.or(field), built, later }
    }

    fn refuse(self, sources: &Sources) -> Result<(), Error> {
        let Some(given) = self.given else { return Ok(()) };
        if self.built == Some(given.as_str()) {
            return Ok(());
        }
        let name = sources.name(self.flag);
        if self.later.is_empty() {
            return Err(Error::NotBuilt(name));
        }
        if self.later.contains(&given.as_str()) {
            return Err(Error::NotBuilt(format!("{name} {given}")));
        }
        let choices: Vec<_> = self.built.iter().chain(self.later).copied().collect();
        let problem = format!("should be one of {}, not {given:?}", choices.join(", "));
        Err(Error::Setting { name, problem })
    }
}
