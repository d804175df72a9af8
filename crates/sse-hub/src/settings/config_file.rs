//! The settings file.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use sse_core::Config;

use crate::{
    error::Error,
    settings::{
        access_args::AccessArgs,
        values::{Milliseconds, Seconds},
    },
};

/// The fields of a settings file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fields {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) drain: Option<Seconds>,
    pub(crate) drain_delay: Option<Seconds>,
    pub(crate) demo: Option<bool>,
    pub(crate) reactor: Option<bool>,
    pub(crate) log: Option<String>,
    pub(crate) header_timeout: Option<Milliseconds>,
    pub(crate) keep_alive_timeout: Option<Milliseconds>,
    pub(crate) streams: Config,
    pub(crate) management: sse_trpc::CallLimits,
    pub(crate) trpc_transformer: Option<sse_trpc::Transformer>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) access: AccessArgs,
    pub(crate) backplane: Option<String>,
    pub(crate) backplane_file: Option<PathBuf>,
    pub(crate) backplane_prefix: Option<String>,
    pub(crate) backplane_memory: Option<u64>,
    pub(crate) backplane_replicas: Option<u8>,
    pub(crate) node_name: Option<String>,
    pub(crate) backplane_ca: Option<PathBuf>,
    pub(crate) backplane_cert: Option<PathBuf>,
    pub(crate) backplane_key: Option<PathBuf>,
}

/// The path and the text of a settings file.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl ConfigFile {
    /// Reads a file.
    pub(crate) fn read(path: PathBuf) -> Result<Self, Error> {
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(source) => Err(Error::UnreadableFile { path, source }),
        }
    }

    /// Parses the text.
    pub(crate) fn fields(&self) -> Result<Fields, Error> {
        fields(&self.text).map_err(|error| Error::WrongFile {
            path: self.path.clone(),
            error: Box::new(error),
        })
    }

    /// Returns the path and the text.
    pub(crate) fn parts(&self) -> (&Path, &str) {
        (&self.path, &self.text)
    }
}

fn fields(text: &str) -> Result<Fields, toml::de::Error> {
    toml::from_str(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Returns the error message of an invalid text.
    fn error(text: &str) -> String {
        fields(text).unwrap_err().to_string()
    }

    #[test]
    fn readme_example_has_the_defaults() {
        let readme = include_str!("../../README.md");
        let (_, rest) = readme.split_once("```toml\n").unwrap();
        let (example, _) = rest.split_once("```").unwrap();
        let fields = fields(example).unwrap();
        assert_eq!(fields.streams, Config::default());
        assert_eq!(fields.management, sse_trpc::CallLimits::default());
        assert_eq!(fields.drain, Some(Seconds(Duration::from_secs(10))));
        assert_eq!(fields.drain_delay, Some(Seconds(Duration::from_secs(5))));
        assert_eq!(fields.listen.unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(
            (fields.demo, fields.log.as_deref()),
            (Some(false), Some("info"))
        );
        assert_eq!(fields.reactor, Some(true));
        let timeouts = [fields.header_timeout, fields.keep_alive_timeout];
        assert_eq!(
            timeouts,
            [30, 75].map(|seconds| Some(Milliseconds(Duration::from_secs(seconds))))
        );
    }

    #[test]
    fn hub_toml_is_valid() {
        let fields = fields(include_str!("../../hub.toml")).unwrap();
        assert_eq!(
            fields.access.auth,
            Some(crate::settings::access_args::AuthKind::NextAuth)
        );
        assert_eq!(fields.access.join, ["news", "orders/{sub}/*"]);
        assert_eq!(fields.streams.log, Some(sse_core::Retention::default()));
        // The settings in comments are valid as well.
        let text =
            include_str!("../../hub.toml")
                .lines()
                .map(|line| match line.strip_prefix("# ") {
                    Some(setting)
                        if setting
                            .split_once(" = ")
                            .is_some_and(|(key, _)| !key.contains(' ')) =>
                    {
                        setting
                    }
                    _ => line,
                });
        super::fields(&text.collect::<Vec<_>>().join("\n")).unwrap();
    }

    #[test]
    fn errors_name_line_and_field() {
        let text = error("listen = \"127.0.0.1:1\"\n[streams]\nmax_connexions = 5\n");
        assert!(
            text.contains("line 3") && text.contains("`max_connexions`"),
            "{text}"
        );
        let text = error("drain = 1\ndemo = \"perhaps\"\n");
        assert!(
            text.contains("line 2") && text.contains("demo = "),
            "{text}"
        );
        let text = error("\n\n[streams]\nheartbeat_interval = \"soon\"\n");
        assert!(
            text.contains("line 4") && text.contains("heartbeat_interval"),
            "{text}"
        );
        let text = error("drain = -1\n");
        assert!(
            text.contains("line 1") && text.contains("a number of seconds"),
            "{text}"
        );
        let text = error("drain = 1\ndrain = 2\n");
        assert!(
            text.contains("line 2") && text.contains("duplicate"),
            "{text}"
        );
    }
}
