//! The extent of a bench run.

use std::env;

/// The extent of a bench run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Everything, at full size.
    Full,
    /// Some benches, by name: only those of criterion.
    Named,
    /// Everything once, at small sizes: `--test`, or a run by `cargo test`.
    Quick,
    /// Nothing: `--list`.
    List,
}

impl Scale {
    /// Reads the command line as criterion does. Options with values are distinguished from names
    /// only as `--option=value`.
    #[must_use]
    pub fn from_args() -> Self {
        let args: Vec<_> = env::args().skip(1).collect();
        let has = |flag: &str| args.iter().any(|arg| arg == flag);
        if has("--list") {
            Self::List
        } else if has("--test") || !has("--bench") {
            Self::Quick
        } else if args.iter().any(|arg| !arg.starts_with('-')) {
            Self::Named
        } else {
            Self::Full
        }
    }

    /// Returns `true` if the run includes measurements outside of criterion.
    #[must_use]
    pub fn measures(self) -> bool {
        matches!(self, Self::Full | Self::Quick)
    }

    /// Returns `full` for a full run, `quick` for a quick one.
    #[must_use]
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full | Self::Named => full,
            Self::Quick | Self::List => quick,
        }
    }
}
