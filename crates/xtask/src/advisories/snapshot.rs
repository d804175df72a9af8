//! The committed snapshot: the advisories about the packages that were looked up on one day.

use serde::Deserialize;

use super::advisory::Advisory;
use crate::date::Date;
use crate::error::Error;

const HEAD: &str = "\
# The advisories of the RustSec database (https://rustsec.org, CC0) about packages of Cargo.lock.
# Generated: see `cargo xtask advisories --help`. Exceptions are in exceptions.toml.
";

/// The advisories about some packages, as the database had them on a day.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// The day of the database.
    pub(super) date: Date,
    /// The packages that were looked up, in order.
    pub(super) packages: Vec<String>,
    pub(super) advisories: Vec<Advisory>,
}

impl Snapshot {
    pub(super) fn from_toml(text: &str) -> Result<Self, Error> {
        let mut snapshot: Self = toml::from_str(text).map_err(|error| {
            Error::new(format!(
                "failed to read the snapshot of advisories: {error}"
            ))
        })?;
        snapshot.packages.sort_unstable();
        Ok(snapshot)
    }

    /// Writes the snapshot with one advisory a line, so that a difference between two is easy to
    /// read.
    pub(super) fn to_toml(&self) -> String {
        let mut text = format!("{HEAD}\ndate = \"{}\"\n\npackages = [\n", self.date);
        for name in &self.packages {
            text.push_str(&format!("    {name:?},\n"));
        }
        text.push_str("]\n\nadvisories = [\n");
        for Advisory {
            id,
            package,
            kind,
            patched,
            unaffected,
        } in &self.advisories
        {
            let list = |ranges: &[semver::VersionReq]| {
                ranges.iter().map(ToString::to_string).collect::<Vec<_>>()
            };
            text.push_str(&format!(
                "    {{ id = {id:?}, package = {package:?}, kind = {kind:?}, patched = {:?}, unaffected = {:?} }},\n",
                list(patched),
                list(unaffected),
            ));
        }
        text.push_str("]\n");
        text
    }

    /// Returns whether the snapshot has all advisories about a package.
    pub(super) fn has_looked_up(&self, name: &str) -> bool {
        self.packages
            .binary_search_by(|package| package.as_str().cmp(name))
            .is_ok()
    }
}
