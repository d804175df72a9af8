//! The dependency graph, as cargo resolved it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use semver::Version;
use serde_json::Value;

use crate::error::Error;

/// The purpose of a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// One package of the graph.
#[derive(Debug, Default)]
struct Package {
    name: String,
    /// `None` for a package that other packages name and that cargo does not describe.
    version: Option<Version>,
    uses: BTreeSet<(Kind, String)>,
}

/// Packages by cargo's id (two versions of a crate are two packages), and the members of the
/// workspace among them.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    packages: BTreeMap<String, Package>,
    members: BTreeSet<String>,
}

impl Graph {
    /// Reads the output of `cargo metadata`.
    pub(crate) fn from_metadata(metadata: &Value) -> Result<Self, Error> {
        let mut graph = Self::default();
        for package in array(metadata, "packages")? {
            let entry = graph.packages.entry(text(package, "id")?).or_default();
            entry.name = text(package, "name")?;
            entry.version = Some(version(package)?);
        }
        for node in array(&metadata["resolve"], "nodes")? {
            let uses = uses(node)?;
            graph.packages.entry(text(node, "id")?).or_default().uses = uses;
        }
        for member in array(metadata, "workspace_members")? {
            let id = member
                .as_str()
                .ok_or_else(|| Error::new("cargo metadata: a member is not a string"))?;
            graph.members.insert(id.to_owned());
        }
        Ok(graph)
    }

    /// Returns the names of the workspace's own crates.
    pub(crate) fn members(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|id| self.name(id))
    }

    /// Returns the dependencies between the workspace's crates: the user, the purpose, and the used
    /// crate.
    pub(crate) fn member_edges(&self) -> impl Iterator<Item = (&str, Kind, &str)> {
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
                if kind == Kind::Normal && seen.insert(to) {
                    let mut way = way.clone();
                    way.push(self.name(to));
                    found.push(way.clone());
                    queue.push_back((to, way));
                }
            }
        }
        found
    }

    /// Returns whether a workspace crate needs this version of a package, directly or not, for any
    /// purpose.
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

    fn uses(&self, id: &str) -> impl Iterator<Item = (Kind, &str)> {
        let uses = self
            .packages
            .get(id)
            .into_iter()
            .flat_map(|package| &package.uses);
        uses.map(|(kind, to)| (*kind, to.as_str()))
    }
}

fn uses(node: &Value) -> Result<BTreeSet<(Kind, String)>, Error> {
    let mut uses = BTreeSet::new();
    for dependency in array(node, "deps")? {
        for entry in array(dependency, "dep_kinds")? {
            uses.insert((kind(&entry["kind"])?, text(dependency, "pkg")?));
        }
    }
    Ok(uses)
}

fn kind(value: &Value) -> Result<Kind, Error> {
    match value.as_str() {
        None if value.is_null() => Ok(Kind::Normal),
        Some("build") => Ok(Kind::Build),
        Some("dev") => Ok(Kind::Dev),
        _ => Err(Error::new(format!(
            "cargo metadata: unknown kind of dependency {value}"
        ))),
    }
}

fn version(package: &Value) -> Result<Version, Error> {
    let version = text(package, "version")?;
    version
        .parse()
        .map_err(|error| Error::new(format!("cargo metadata: version `{version}`: {error}")))
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, Error> {
    value[key]
        .as_array()
        .ok_or_else(|| Error::new(format!("cargo metadata: no list `{key}`")))
}

fn text(value: &Value, key: &str) -> Result<String, Error> {
    let text = value[key].as_str().map(str::to_owned);
    text.ok_or_else(|| Error::new(format!("cargo metadata: no text `{key}`")))
}

#[cfg(test)]
impl Graph {
    /// Creates a graph from the members and the dependencies between crates. Ids are names.
    pub(crate) fn made_up(members: &[&str], edges: &[(&str, Kind, &str)]) -> Self {
        let mut graph = Self::default();
        for &name in members {
            graph.members.insert(name.to_owned());
            graph.packages.entry(name.to_owned()).or_default().name = name.to_owned();
        }
        for &(from, kind, to) in edges {
            graph.packages.entry(to.to_owned()).or_default().name = to.to_owned();
            let package = graph.packages.entry(from.to_owned()).or_default();
            package.name = from.to_owned();
            package.uses.insert((kind, to.to_owned()));
        }
        graph
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "packages": [
                {"id": "path#a", "name": "a", "version": "0.1.0"},
                {"id": "path#b", "name": "b", "version": "0.1.0"},
                {"id": "registry#c", "name": "c", "version": "1.2.3"},
                {"id": "registry#b", "name": "b", "version": "3.0.0"},
                {"id": "registry#d", "name": "d", "version": "1.0.0"},
            ],
            "workspace_members": ["path#a", "path#b"],
            "resolve": {"nodes": [
                {"id": "path#a", "deps": [
                    {"pkg": "path#b", "dep_kinds": [{"kind": null}, {"kind": "dev"}]},
                    {"pkg": "registry#c", "dep_kinds": [{"kind": "build"}]},
                ]},
                {"id": "path#b", "deps": [{"pkg": "registry#c", "dep_kinds": [{"kind": null}]}]},
                {"id": "registry#c", "deps": [{"pkg": "registry#b", "dep_kinds": [{"kind": null}]}]},
                {"id": "registry#b", "deps": []},
            ]},
        })
    }

    #[test]
    fn metadata_is_read_with_kinds_and_members() {
        let graph = Graph::from_metadata(&sample()).unwrap();
        assert_eq!(graph.members().collect::<Vec<_>>(), ["a", "b"]);
        let edges: Vec<_> = graph.member_edges().collect();
        assert_eq!(edges, [("a", Kind::Normal, "b"), ("a", Kind::Dev, "b")]);
        assert!(graph.member_uses("a", "c") && !graph.member_uses("b", "a"));
    }

    #[test]
    fn closure_follows_normal_dependencies_by_id() {
        let graph = Graph::from_metadata(&sample()).unwrap();
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
        let graph = Graph::from_metadata(&sample()).unwrap();
        let needs = |name, version: &str| graph.members_need(name, &version.parse().unwrap());
        assert!(needs("c", "1.2.3") && needs("b", "3.0.0") && needs("a", "0.1.0"));
        assert!(!needs("c", "1.2.4") && !needs("d", "1.0.0") && !needs("e", "1.0.0"));
    }

    #[test]
    fn metadata_of_another_shape_is_an_error() {
        assert!(Graph::from_metadata(&json!({})).is_err());
        let mut odd = sample();
        odd["resolve"]["nodes"][0]["deps"][0]["dep_kinds"][0]["kind"] = json!("new");
        let error = Graph::from_metadata(&odd).unwrap_err().to_string();
        assert!(error.contains("\"new\""), "{error}");
    }
}
