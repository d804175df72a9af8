//! The external packages of `Cargo.lock`.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use semver::Version;
use serde::Deserialize;

use crate::error::Error;
use crate::files::read;

/// A package that is locked to a version.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: Version,
    /// Source of the package; `None` for packages of the workspace.
    source: Option<String>,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// The locked packages, without those of the workspace.
#[derive(Debug, Deserialize)]
pub(super) struct Lockfile {
    #[serde(rename = "package")]
    packages: Vec<Locked>,
}

impl Lockfile {
    pub(super) fn read(file: &Path) -> Result<Self, Error> {
        let mut lockfile: Self = toml::from_str(&read(file)?)
            .map_err(|error| Error::new(format!("failed to read Cargo.lock: {error}")))?;
        lockfile.packages.retain(|package| package.source.is_some());
        Ok(lockfile)
    }

    pub(super) fn packages(&self) -> &[Locked] {
        &self.packages
    }

    /// Returns the distinct names of the packages, in order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.packages
            .iter()
            .map(|package| package.name.as_str())
            .collect::<BTreeSet<_>>()
            .into_iter()
    }

    #[cfg(test)]
    pub(super) fn made_up(packages: &[(&str, &str)]) -> Self {
        let locked = |(name, version): &(&str, &str)| Locked {
            name: (*name).to_owned(),
            version: version.parse().unwrap(),
            source: Some("registry".to_owned()),
        };
        Self {
            packages: packages.iter().map(locked).collect(),
        }
    }
}
