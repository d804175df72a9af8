//! How much a bench was asked to do.

use std::env;

/// How much a bench was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Everything, at full size.
    Full,
    /// Some benches, by name: nothing but what criterion runs.
    Named,
    /// Everything once, at small sizes: `--test`, or a run by `cargo test`.
    Quick,
    /// Nothing: `--list`.
    List,
}

impl Scale {
    /// Reads the command line as criterion does. Options with values are told from names only as
    /// `--option=value`.
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

    /// Whether what is not a criterion bench is measured too.
    #[must_use]
    pub fn measures(self) -> bool {
        matches!(self, Self::Full | Self::Quick)
    }

    /// The first where there is time, the second where it has to be quick.
    #[must_use]
    pub fn pick<T>(self, full: T, quick: T) -> T {
        match self {
            Self::Full | Self::Named => full,
            Self::Quick | Self::List => quick,
        }
    }
}
