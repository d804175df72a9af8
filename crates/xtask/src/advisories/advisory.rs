//! One advisory: a package, and which of its versions are affected.

use std::fmt;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

/// An advisory about the versions of a package that are neither patched nor unaffected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Advisory {
    pub(super) id: String,
    pub(super) package: String,
    /// A vulnerability, or the kind of information: `unsound`, `unmaintained`.
    pub(super) kind: String,
    pub(super) patched: Vec<VersionReq>,
    pub(super) unaffected: Vec<VersionReq>,
}

impl Advisory {
    /// Returns `true` if a version of a package is affected.
    ///
    /// No range contains a pre-release unless it names the pre-release, so a pre-release counts as
    /// affected.
    pub(super) fn affects(&self, package: &str, version: &Version) -> bool {
        let mut safe = self.patched.iter().chain(&self.unaffected);
        self.package == package && !safe.any(|range| range.matches(version))
    }
}

impl fmt::Display for Advisory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id, kind, patched, ..
        } = self;
        let patched: Vec<_> = patched.iter().map(ToString::to_string).collect();
        let patched = if patched.is_empty() {
            "not patched".into()
        } else {
            format!("patched in {}", patched.join(" or "))
        };
        write!(
            f,
            "{id} ({kind}, {patched}): https://rustsec.org/advisories/{id}.html"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advisory(patched: &[&str], unaffected: &[&str]) -> Advisory {
        let ranges = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Advisory {
            id: "RUSTSEC-2020-0001".into(),
            package: "a".into(),
            kind: "vulnerability".into(),
            patched: ranges(patched),
            unaffected: ranges(unaffected),
        }
    }

    #[test]
    fn versions_are_affected_unless_a_range_has_them() {
        let table = [
            (advisory(&[], &[]), &["0.1.0", "9.9.9"][..], &[][..]),
            (
                advisory(&[">= 0.4.16"], &[]),
                &["0.3.27", "0.4.15", "0.5.0-rc.1"],
                &["0.4.16", "0.5.0"],
            ),
            (
                advisory(&["^0.3.26", ">= 0.4.4"], &["< 0.3"]),
                &["0.3.25", "0.4.0"],
                &["0.2.9", "0.3.26", "1.0.0"],
            ),
            (
                advisory(&["< 0.10.0, >= 0.9.3"], &[]),
                &["0.9.2", "0.10.0"],
                &["0.9.3"],
            ),
            (
                advisory(&[">= 1.1.3"], &[]),
                &["1.1.2+spec-1.1.0"],
                &["1.1.3+spec-1.1.0"],
            ),
        ];
        for (advisory, affected, safe) in table {
            for version in affected {
                assert!(
                    advisory.affects("a", &version.parse().unwrap()),
                    "{advisory} {version}"
                );
            }
            for version in safe {
                assert!(
                    !advisory.affects("a", &version.parse().unwrap()),
                    "{advisory} {version}"
                );
            }
            assert!(!advisory.affects("b", &Version::new(0, 0, 1)));
        }
    }
}
