//! The dependency graph, as cargo resolved it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

pub(crate) use cargo_metadata::DependencyKind;
use cargo_metadata::{Metadata, Node};
use semver::Version;

/// One package of the graph.
#[derive(Debug, Default)]
struct Package {
    name: String,
    /// `None` for a package that other packages name and that cargo does not describe.
    version: Option<Version>,
    uses: Vec<(DependencyKind, String)>,
}

/// Packages by cargo's id (two versions of a crate are two packages), and the members of the
/// workspace among them.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
}

impl Graph {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        let mut graph = Self::default();
        for package in &metadata.packages {
            let entry = graph.packages.entry(package.id.repr.clone()).or_default();
            entry.name = package.name.to_string();
            entry.version = Some(package.version.clone());
        }
        for node in metadata.resolve.iter().flat_map(|resolve| &resolve.nodes) {
            graph.packages.entry(node.id.repr.clone()).or_default().uses = uses(node);
        }
        let members = metadata.workspace_members.iter();
        graph.members = members.map(|id| id.repr.clone()).collect();
        graph
    }

    /// Returns the names of the workspace's own crates.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|id| self.name(id))
    }

    /// Returns the dependencies between the workspace's crates: the user, the purpose, and the used
    /// crate.
    pub(crate) fn member_edges(&self) -> impl Iterator<Item = (&str, DependencyKind, &str)> {
        let edges = self
            .members
            .iter()
            .flat_map(|id| self.uses(id).map(move |(kind, to)| (id, kind, to)));
        edges
            .filter(|(_, _, to)| self.members.contains(*to))
            .map(|(from, kind, to)| (self.name(from), kind, self.name(to)))
    }

    /// Returns `true` if the workspace crate `member` names the crate `used` as a dependency of any
    /// kind.
    pub(crate) fn member_uses(&self, member: &str, used: &str) -> bool {
        self.member_id(member)
            .is_some_and(|id| self.uses(id).any(|(_, to)| self.name(to) == used))
    }

    /// Returns, for every package that the workspace crate `member` needs in an application, the
    /// shortest path to it, by name.
    pub(crate) fn normal_closure(&self, member: &str) -> Vec<Vec<&str>> {
        let Some(start) = self.member_id(member) else {
            return Vec::new();
        };
        let mut seen = BTreeSet::from([start]);
        let mut queue = VecDeque::from([(start, vec![self.name(start)])]);
        let mut found = Vec::new();
        while let Some((id, way)) = queue.pop_front() {
            for (kind, to) in self.uses(id) {
                if kind == DependencyKind::Normal && seen.insert(to) {
                    let mut way = way.clone();
                    way.push(self.name(to));
                    found.push(way.clone());
                    queue.push_back((to, way));
                }
            }
        }
        found
    }

    /// Returns `true` if a workspace crate needs this version of a package, directly or indirectly,
    /// for any purpose.
    pub(crate) fn members_need(&self, name: &str, version: &Version) -> bool {
        let mut queue: Vec<_> = self.members.iter().map(String::as_str).collect();
        let mut seen: BTreeSet<_> = queue.iter().copied().collect();
        while let Some(id) = queue.pop() {
            let package = self.packages.get(id);
            if package.is_some_and(|it| it.name == name && it.version.as_ref() == Some(version)) {
                return true;
            }
            queue.extend(self.uses(id).map(|(_, to)| to).filter(|to| seen.insert(to)));
        }
        false
    }

    fn member_id(&self, name: &str) -> Option<&str> {
        self.members
            .iter()
            .map(String::as_str)
            .find(|id| self.name(id) == name)
    }

    fn name(&self, id: &str) -> &str {
        self.packages.get(id).map_or("?", |package| &package.name)
    }

    fn uses(&self, id: &str) -> impl Iterator<Item = (DependencyKind, &str)> {
        let uses = self
            .packages
            .get(id)
            .into_iter()
            .flat_map(|package| &package.uses);
        uses.map(|(kind, to)| (*kind, to.as_str()))
    }
}

/// Returns the dependencies of a package. A dependency for several platforms is listed once.
fn uses(node: &Node) -> Vec<(DependencyKind, String)> {
    let mut uses = Vec::new();
    for dependency in &node.deps {
        for info in &dependency.dep_kinds {
            let to = (info.kind, dependency.pkg.repr.clone());
            if !uses.contains(&to) {
                uses.push(to);
            }
        }
    }
    uses
}

#[cfg(test)]
impl Graph {
    /// Creates a graph from the members and the dependencies between crates. Ids are names.
    pub(crate) fn made_up(members: &[&str], edges: &[(&str, DependencyKind, &str)]) -> Self {
        let mut graph = Self::default();
        for &name in members {
            graph.members.insert(name.to_owned());
            graph.packages.entry(name.to_owned()).or_default().name = name.to_owned();
        }
        for &(from, kind, to) in edges {
            graph.packages.entry(to.to_owned()).or_default().name = to.to_owned();
            let package = graph.packages.entry(from.to_owned()).or_default();
            package.name = from.to_owned();
            package.uses.push((kind, to.to_owned()));
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Graph {
        let mut graph = Graph::made_up(
            &["a", "b"],
            &[
                ("a", DependencyKind::Normal, "b"),
                ("a", DependencyKind::Development, "b"),
                ("a", DependencyKind::Build, "c"),
                ("b", DependencyKind::Normal, "c"),
                ("c", DependencyKind::Normal, "registry#b"),
                ("d", DependencyKind::Normal, "a"),
            ],
        );
        for (id, name, version) in [
            ("a", "a", "0.1.0"),
            ("c", "c", "1.2.3"),
            ("registry#b", "b", "3.0.0"),
            ("d", "d", "1.0.0"),
        ] {
            let package = graph.packages.get_mut(id).unwrap();
            package.name = name.to_owned();
            package.version = Some(version.parse().unwrap());
        }
        graph
    }

    #[test]
    fn this_workspace_is_read_with_kinds_and_members() {
        let graph = Graph::of(&crate::cargo::metadata().unwrap());
        assert!(graph.members().any(|name| name == "xtask"));
        let edges: Vec<_> = graph.member_edges().collect();
        assert!(edges.contains(&("sse-notify", DependencyKind::Normal, "sse-core")));
        assert!(edges.contains(&("sse-core", DependencyKind::Development, "sse-testkit")));
        assert!(graph.member_uses("xtask", "semver") && !graph.member_uses("sse-core", "xtask"));
    }

    #[test]
    fn closure_follows_normal_dependencies_by_id() {
        let graph = sample();
        let ways = graph.normal_closure("a");
        assert_eq!(
            ways,
            [
                vec!["a", "b"],
                vec!["a", "b", "c"],
                vec!["a", "b", "c", "b"]
            ]
        );
        assert!(graph.normal_closure("nobody").is_empty());
    }

    #[test]
    fn packages_are_needed_by_name_and_version() {
        let graph = sample();
        let needs = |name, version: &str| graph.members_need(name, &version.parse().unwrap());
        assert!(needs("c", "1.2.3") && needs("b", "3.0.0") && needs("a", "0.1.0"));
        assert!(!needs("c", "1.2.4") && !needs("d", "1.0.0") && !needs("e", "1.0.0"));
    }
}
