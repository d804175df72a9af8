//! The floor check: a crate may use only crates on lower floors, and siblings do not use each
//! other.
//!
//! Normal and build dependencies count. Dev-dependencies are exempt: tests may use any crate.

use std::fmt;

use crate::cargo;
use crate::error::Error;
use crate::graph::{DependencyKind, Graph};

/// The floor of a crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Floor {
    /// A numbered floor. A crate may use only the crates on floors with a lower number.
    At(u8),
    /// A tool of this workspace. It may use the crates on all numbered floors. Only tests and
    /// [`USERS_OF_DEV`] may use it.
    Dev,
}

/// Every crate of the workspace has its floor here; see `docs/architecture.md`.
const FLOORS: &[(&str, Floor)] = &[
    ("sse-core", Floor::At(0)),
    ("sse-auth", Floor::At(0)),
    ("sse-browser", Floor::At(0)),
    ("sse-access", Floor::At(1)),
    ("sse-notify", Floor::At(1)),
    ("sse-reactor", Floor::At(1)),
    ("sse-socket", Floor::At(1)),
    ("sse-redis", Floor::At(1)),
    ("sse-nats", Floor::At(1)),
    ("sse-file", Floor::At(1)),
    ("sse-cluster", Floor::At(1)),
    ("sse-metrics", Floor::At(1)),
    ("sse-hyper", Floor::At(2)),
    ("sse-trpc", Floor::At(2)),
    ("sse-axum", Floor::At(3)),
    ("sse-actix", Floor::At(3)),
    ("sse-hub", Floor::At(4)),
    ("examples", Floor::At(4)),
    ("benches", Floor::At(4)),
    ("sse-testkit", Floor::Dev),
    ("sse-fuzz", Floor::Dev),
    ("sse-chaos", Floor::Dev),
    ("xtask", Floor::Dev),
];

/// The crate that knows no web framework and no database.
const CORE: &str = "sse-core";

/// Crates that may use the dev crates as normal dependencies, because no crate depends on them.
const USERS_OF_DEV: &[&str] = &["benches", "sse-chaos", "sse-fuzz"];

/// Packages that the core must not need, even indirectly; a `*` at the end stands for any ending.
const FOREIGN_TO_CORE: &[&str] = &[
    // The web.
    "http",
    "http-body*",
    "hyper*",
    "h2",
    "axum*",
    "actix*",
    "tower-http",
    "warp",
    "reqwest",
    // Databases and brokers.
    "redis",
    "fred",
    "async-nats",
    "nats",
    "lapin",
    "rdkafka",
    "sqlx*",
    "diesel*",
    "sea-orm*",
    "rusqlite",
    "libsqlite3-sys",
    "postgres*",
    "tokio-postgres",
    "mysql*",
    "mongodb",
    "sled",
    "redb",
    "rocksdb",
    "heed*",
];

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
enum FloorViolation {
    Unlisted { name: String },
    NotLower { from: String, to: String },
    DevInTheOpen { from: String, to: String },
    ForeignToCore { way: Vec<String> },
    NoCore,
}

impl fmt::Display for FloorViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlisted { name } => {
                write!(
                    f,
                    "{name} has no floor: add it to the table in xtask's floors.rs"
                )
            }
            Self::NotLower { from, to } => {
                write!(f, "{from} uses {to}, which is not on a lower floor")
            }
            Self::DevInTheOpen { from, to } => {
                write!(f, "{from} uses {to}, which may only be a dev-dependency")
            }
            Self::ForeignToCore { way } => {
                write!(f, "{CORE} must not need this: {}", way.join(" -> "))
            }
            Self::NoCore => write!(f, "{CORE} is not in the workspace"),
        }
    }
}

/// Checks the workspace.
pub(crate) fn check() -> Result<(), Error> {
    let graph = Graph::of(&cargo::metadata()?);
    let violations = violations(&graph);
    if violations.is_empty() {
        println!(
            "floors: {} crates, each uses only lower floors",
            graph.members().count()
        );
        return Ok(());
    }
    let lines: Vec<_> = violations
        .iter()
        .map(|violation| format!("\n  {violation}"))
        .collect();
    Err(Error::new(format!(
        "the floors are broken:{}",
        lines.concat()
    )))
}

fn violations(graph: &Graph) -> Vec<FloorViolation> {
    let mut found: Vec<_> = graph
        .members()
        .filter(|name| floor(name).is_none())
        .map(|name| FloorViolation::Unlisted {
            name: name.to_owned(),
        })
        .collect();
    found.extend(
        graph
            .member_edges()
            .filter_map(|(from, kind, to)| edge_violation(from, kind, to)),
    );
    if graph.members().all(|name| name != CORE) {
        found.push(FloorViolation::NoCore);
    }
    let foreign = graph
        .normal_closure(CORE)
        .into_iter()
        .filter(|way| way.last().is_some_and(is_foreign));
    found.extend(foreign.map(|way| FloorViolation::ForeignToCore {
        way: way.into_iter().map(str::to_owned).collect(),
    }));
    found
}

fn edge_violation(from: &str, kind: DependencyKind, to: &str) -> Option<FloorViolation> {
    if kind == DependencyKind::Development {
        return None;
    }
    let (from, to) = (from.to_owned(), to.to_owned());
    match (floor(&from)?, floor(&to)?) {
        (_, Floor::Dev) if USERS_OF_DEV.contains(&from.as_str()) => None,
        (_, Floor::Dev) => Some(FloorViolation::DevInTheOpen { from, to }),
        (Floor::Dev, Floor::At(_)) => None,
        (Floor::At(upper), Floor::At(lower)) if lower < upper => None,
        (Floor::At(_), Floor::At(_)) => Some(FloorViolation::NotLower { from, to }),
    }
}

fn floor(name: &str) -> Option<Floor> {
    FLOORS
        .iter()
        .find(|(listed, _)| *listed == name)
        .map(|(_, floor)| *floor)
}

fn is_foreign(name: &&str) -> bool {
    FOREIGN_TO_CORE
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use DependencyKind::{Build, Development as Dev, Normal};

    /// Returns the violations of a constructed workspace, formatted.
    fn shown(members: &[&str], edges: &[(&str, DependencyKind, &str)]) -> Vec<String> {
        violations(&Graph::made_up(members, edges))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_good_graph_passes() {
        let members = [
            "sse-core",
            "sse-auth",
            "sse-notify",
            "sse-hyper",
            "sse-axum",
            "benches",
            "sse-testkit",
        ];
        let edges = [
            ("sse-notify", Normal, "sse-core"),
            ("sse-hyper", Normal, "sse-core"),
            ("sse-hyper", Normal, "http"),
            ("sse-axum", Normal, "sse-hyper"),
            ("sse-axum", Build, "sse-core"),
            ("benches", Normal, "sse-axum"),
            ("benches", Normal, "sse-testkit"),
            ("sse-testkit", Normal, "sse-core"),
            ("sse-core", Normal, "bytes"),
        ];
        assert_eq!(shown(&members, &edges), [""; 0]);
    }

    #[test]
    fn siblings_and_higher_floors_are_refused() {
        let members = [
            "sse-core",
            "sse-auth",
            "sse-notify",
            "sse-redis",
            "sse-hyper",
        ];
        assert_eq!(
            shown(&members, &[("sse-redis", Normal, "sse-notify")]),
            ["sse-redis uses sse-notify, which is not on a lower floor"]
        );
        assert_eq!(
            shown(&members, &[("sse-notify", Normal, "sse-hyper")]),
            ["sse-notify uses sse-hyper, which is not on a lower floor"]
        );
        assert_eq!(
            shown(&members, &[("sse-auth", Normal, "sse-core")]),
            ["sse-auth uses sse-core, which is not on a lower floor"]
        );
    }

    #[test]
    fn build_dependencies_count_but_dev_do_not() {
        let members = ["sse-core", "sse-notify", "sse-testkit"];
        assert_eq!(
            shown(&members, &[("sse-core", Build, "sse-notify")]).len(),
            1
        );
        assert_eq!(
            shown(
                &members,
                &[
                    ("sse-core", Dev, "sse-notify"),
                    ("sse-core", Dev, "sse-testkit")
                ]
            ),
            [""; 0]
        );
        let both = [
            ("sse-core", Dev, "sse-notify"),
            ("sse-core", Normal, "sse-notify"),
        ];
        assert_eq!(shown(&members, &both).len(), 1);
    }

    #[test]
    fn dev_crates_are_only_for_tests_and_benches() {
        let members = ["sse-core", "sse-hub", "sse-testkit", "xtask"];
        assert_eq!(
            shown(&members, &[("sse-hub", Normal, "sse-testkit")]),
            ["sse-hub uses sse-testkit, which may only be a dev-dependency"]
        );
        assert_eq!(
            shown(&members, &[("xtask", Normal, "sse-testkit")]).len(),
            1
        );
    }

    #[test]
    fn a_crate_without_a_floor_is_refused() {
        let found = shown(
            &["sse-core", "sse-kafka"],
            &[("sse-kafka", Normal, "sse-core")],
        );
        assert_eq!(
            found,
            ["sse-kafka has no floor: add it to the table in xtask's floors.rs"]
        );
    }

    #[test]
    fn core_has_no_transitive_web_or_database_crates() {
        let edges = [
            ("sse-core", Normal, "tidy"),
            ("tidy", Normal, "http"),
            ("http", Normal, "bytes"),
        ];
        assert_eq!(
            shown(&["sse-core"], &edges),
            ["sse-core must not need this: sse-core -> tidy -> http"]
        );
        for name in [
            "hyper",
            "hyper-util",
            "axum",
            "actix-web",
            "redis",
            "sqlx-core",
            "rusqlite",
        ] {
            assert_eq!(
                shown(&["sse-core"], &[("sse-core", Normal, name)]).len(),
                1,
                "{name}"
            );
        }
        for name in ["httpdate", "bytes", "redistribute"] {
            assert_eq!(
                shown(&["sse-core"], &[("sse-core", Normal, name)]),
                [""; 0],
                "{name}"
            );
        }
        assert_eq!(shown(&["sse-core"], &[("sse-core", Dev, "axum")]), [""; 0]);
    }

    #[test]
    fn a_workspace_without_the_core_is_refused() {
        assert_eq!(
            shown(&["sse-auth"], &[]),
            ["sse-core is not in the workspace"]
        );
    }
}
