//! Servers of other projects, measured if they are installed. They are run, and never linked.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use clap::ValueEnum;

use crate::servers::contender::Contender;

const NCHAN: &str = include_str!("../../../../peers/nchan/nginx.conf");
const NCHAN_MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// A server of somebody else, with the routes of
/// [`Layout::Plain`](crate::driver::target::Layout::Plain).
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Peer {
    /// nginx with the Nchan module, as Debian packages it (`nginx`, `libnginx-mod-nchan`).
    Nchan,
    /// better-sse on Node, installed by `load install`.
    BetterSse,
}

impl Peer {
    /// Returns the command line that starts the server, or the reason why it cannot be started.
    pub(crate) fn contender(self) -> Result<Contender, String> {
        match self {
            Self::Nchan => nchan(),
            Self::BetterSse => better_sse(),
        }
    }

    /// Returns the server's name on the command line.
    pub(crate) fn command(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

fn nchan() -> Result<Contender, String> {
    let version = output("nginx", &["-v"])
        .ok_or("nginx is not installed (Debian: nginx, libnginx-mod-nchan)")?;
    if !Path::new(NCHAN_MODULE).exists() {
        return Err(format!(
            "{NCHAN_MODULE} is not there (Debian: libnginx-mod-nchan)"
        ));
    }
    let version = version.rsplit('/').next().unwrap_or_default().to_owned();
    let arguments = ["-p", "FOLDER", "-c", "FOLDER/configuration"]
        .map(str::to_owned)
        .into();
    let contender = Contender::plain(
        format!("Nchan (nginx {version})"),
        "nginx".into(),
        arguments,
        None,
    );
    Ok(Contender {
        configuration: Some(NCHAN),
        ..contender
    })
}

fn better_sse() -> Result<Contender, String> {
    let node = output("node", &["--version"]).ok_or("node is not installed")?;
    let folder = folder_of("better-sse");
    if !folder.join("node_modules").exists() {
        return Err("better-sse is not installed: run `load install`".to_owned());
    }
    let server = folder.join("server.js").to_string_lossy().into_owned();
    Ok(Contender::plain(
        format!("better-sse (Node {})", node.trim_start_matches('v')),
        "node".into(),
        vec![server],
        None,
    ))
}

/// Returns the trimmed output of a program; `None` if it cannot be run.
fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let printed = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&printed).trim().to_owned())
}

fn folder_of(peer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(peer)
}

/// Installs the packages from npm, according to the lock file.
pub(crate) fn install() -> anyhow::Result<()> {
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts"])
        .current_dir(folder_of("better-sse"))
        .status();
    ensure!(status.context("starting npm")?.success(), "npm ci failed");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_can_be_started_or_says_why_not() {
        for peer in Peer::value_variants() {
            match peer.contender() {
                Ok(contender) => assert!(!contender.name.is_empty()),
                Err(why) => assert!(
                    why.contains("install") || why.contains("not there"),
                    "{why}"
                ),
            }
        }
    }

    #[test]
    fn nchan_config_has_its_address_and_own_paths() {
        assert!(NCHAN.contains("listen ADDRESS "));
        assert_eq!(
            NCHAN.matches("FOLDER/").count(),
            6,
            "a pid and five kinds of temporary files"
        );
    }
}
