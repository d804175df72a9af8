//! Exceptions: advisories that a locked version can have for a while, each with a reason.

use std::fmt;

use semver::Version;
use serde::Deserialize;

use super::lock::Locked;
use crate::date::Date;
use crate::error::Error;

/// An exception for one version of one package.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exception {
    id: String,
    package: String,
    version: Version,
    /// Last day of the exception.
    until: Date,
    /// Set if the exception holds only as long as no default feature of the workspace needs the
    /// package.
    #[serde(default)]
    pub(super) optional: bool,
    reason: String,
}

impl Exception {
    /// Returns `true` if the last day is over.
    pub(super) fn is_over(&self, today: Date) -> bool {
        today > self.until
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id,
            package,
            version,
            until,
            reason,
            ..
        } = self;
        write!(f, "{id}, {package} {version}, until {until}: {reason}")
    }
}

/// The listed exceptions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exceptions {
    #[serde(default, rename = "exception")]
    all: Vec<Exception>,
}

impl Exceptions {
    pub(super) fn from_toml(text: &str) -> Result<Self, Error> {
        let exceptions: Self = toml::from_str(text)
            .map_err(|error| Error::new(format!("failed to read the exceptions: {error}")))?;
        match exceptions
            .all
            .iter()
            .find(|exception| exception.reason.trim().is_empty())
        {
            Some(exception) => Err(Error::new(format!(
                "the exception for {} has no reason",
                exception.id
            ))),
            None => Ok(exceptions),
        }
    }

    pub(super) fn all(&self) -> &[Exception] {
        &self.all
    }

    pub(super) fn find(&self, id: &str, package: &Locked) -> Option<&Exception> {
        let matches = |exception: &&Exception| {
            exception.id == id
                && exception.package == package.name
                && exception.version == package.version
        };
        self.all.iter().find(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_needs_a_reason_and_a_day() {
        let complete = "[[exception]]\nid = \"R\"\npackage = \"a\"\nversion = \"1.0.0\"\nuntil = \"2027-01-01\"\nreason = \"why\"\n";
        assert_eq!(Exceptions::from_toml(complete).unwrap().all().len(), 1);
        for (part, without) in [
            ("why", " "),
            ("until = \"2027-01-01\"\n", ""),
            ("2027-01-01", "2027-13-01"),
        ] {
            assert!(
                Exceptions::from_toml(&complete.replace(part, without)).is_err(),
                "{part}"
            );
        }
    }
}
