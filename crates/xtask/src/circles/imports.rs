//! The files below one folder, and the imports between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::paths::{Path, Paths};

/// Names of files, with the folders below the crate's: `jwt/key.rs`.
pub(super) type FileName = String;

/// Imports between the files of a crate. The crate's root (`lib.rs`, `main.rs`) declares and
/// re-exports everything, so the root is excluded, and so are the files of modules for tests.
#[derive(Debug, Default)]
pub(super) struct Imports(BTreeMap<FileName, BTreeSet<FileName>>);

impl Imports {
    /// Reads files from their names and texts.
    pub(super) fn of<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let files: Vec<_> = files
            .into_iter()
            .map(|(file, text)| (file, module(file), Paths::of(text)))
            .collect();
        let for_tests: Vec<_> = files
            .iter()
            .flat_map(|(_, module, paths)| paths.for_tests.iter().map(|test| joined(module, test)))
            .collect();
        let is_for_tests =
            |module: &[String]| for_tests.iter().any(|test| module.starts_with(test));
        let code = || {
            files
                .iter()
                .filter(|(_, module, _)| !module.is_empty() && !is_for_tests(module))
        };
        let modules: BTreeMap<&[String], &str> = code()
            .map(|(file, module, _)| (module.as_slice(), *file))
            .collect();
        let imports = code().map(|(file, module, paths)| {
            let imported = paths
                .named
                .iter()
                .filter_map(|path| imported(&modules, module, path));
            let others = imported
                .filter(|other| other != file)
                .map(str::to_owned)
                .collect();
            ((*file).to_owned(), others)
        });
        Self(imports.collect())
    }

    /// Returns the number of files.
    pub(super) fn files(&self) -> usize {
        self.0.len()
    }

    /// Returns pairs of a file and a file that it imports from.
    pub(super) fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .flat_map(|(from, all)| all.iter().map(move |to| (from.as_str(), to.as_str())))
    }

    /// Returns the circles: for every file in a circle, a shortest circle that contains it. Each
    /// begins and ends with its first file by name.
    pub(super) fn circles(&self) -> Vec<Vec<&str>> {
        let circles: BTreeSet<_> = self
            .0
            .keys()
            .filter_map(|file| self.way_back(file))
            .map(turned)
            .collect();
        circles.into_iter().collect()
    }

    /// Returns a shortest path from a file to itself: the file, and those on the path.
    fn way_back<'a>(&'a self, start: &'a str) -> Option<Vec<&'a str>> {
        let mut ways = VecDeque::from([vec![start]]);
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop_front() {
            for next in way
                .last()
                .and_then(|file| self.0.get(*file))
                .into_iter()
                .flatten()
            {
                if next == start {
                    return Some(way);
                }
                if seen.insert(next) {
                    let mut way = way.clone();
                    way.push(next);
                    ways.push_back(way);
                }
            }
        }
        None
    }
}

/// Returns the same circle, starting and ending with its first file by name.
fn turned(mut circle: Vec<&str>) -> Vec<&str> {
    let first = circle
        .iter()
        .enumerate()
        .min_by_key(|(_, file)| **file)
        .map_or(0, |(place, _)| place);
    circle.rotate_left(first);
    circle.extend(circle.first().copied());
    circle
}

/// Returns the module of a file; the root of the crate has no name.
fn module(file: &str) -> Vec<String> {
    let path = file.strip_suffix(".rs").unwrap_or(file);
    let path = path.strip_suffix("/mod").unwrap_or(path);
    match path {
        "lib" | "main" => Vec::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}

fn joined(module: &[String], inner: &[String]) -> Vec<String> {
    [module, inner].concat()
}

/// Returns the file that a path leads to: the file of the longest prefix that has one, except for
/// the root.
fn imported<'a>(
    modules: &BTreeMap<&[String], &'a str>,
    module: &[String],
    path: &Path,
) -> Option<&'a str> {
    let mut absolute = joined(module, &path.inside);
    for (place, segment) in path.segments.iter().enumerate() {
        match segment.as_str() {
            "crate" if place == 0 => absolute.clear(),
            "super" => drop(absolute.pop()),
            "self" => {}
            name => absolute.push(name.to_owned()),
        }
    }
    (1..=absolute.len())
        .rev()
        .find_map(|length| modules.get(&absolute[..length]).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(files: &[(&str, &str)]) -> Vec<String> {
        let imports = Imports::of(files.iter().copied());
        imports
            .edges()
            .map(|(from, to)| format!("{from} -> {to}"))
            .collect()
    }

    fn circles(files: &[(&str, &str)]) -> Vec<String> {
        let imports = Imports::of(files.iter().copied());
        imports
            .circles()
            .iter()
            .map(|circle| circle.join(" -> "))
            .collect()
    }

    #[test]
    fn a_path_counts_for_the_file_of_its_longest_module() {
        let files = [
            ("lib.rs", "mod a; mod d; pub use a::A; use crate::d::D;"),
            (
                "a.rs",
                "mod b; mod c; use self::b::B; fn f() { crate::Thing; crate::d::inner::E::new() }",
            ),
            (
                "a/b.rs",
                "use super::{c::C, A}; mod inner { use super::super::c; use super::F; }",
            ),
            ("a/c.rs", "use crate::{a::b::inner::G, a::nowhere::H};"),
            ("d/mod.rs", "use self::D; use super::a;"),
        ];
        assert_eq!(
            edges(&files),
            [
                "a.rs -> a/b.rs",
                "a.rs -> d/mod.rs",
                "a/b.rs -> a.rs",
                "a/b.rs -> a/c.rs",
                "a/c.rs -> a.rs",
                "a/c.rs -> a/b.rs",
                "d/mod.rs -> a.rs",
            ]
        );
    }

    #[test]
    fn circles_are_found_by_every_kind_of_path() {
        for text in [
            "use crate::a::A;",
            "use crate::{x::X, a::A};",
            "use crate::{x::X, x::{Y, Z as W}, a::{self, A}};",
            "use {std::fmt, crate::{x::{X, Y}, a}};",
            "use crate::a as b;",
            "use crate::a::{A as B, C as _};",
            "use super::super::a::A;",
            "use super::super::{x::X, a::*};",
            "fn f(a: crate::a::A) {}",
            "fn f() -> super::super::a::A { x }",
            "mod inner { fn f() { super::super::super::a::f() } }",
            "#[cfg(not(test))] use crate::a::A;",
        ] {
            let files = [
                ("a.rs", "use crate::m::b::B;"),
                ("m.rs", ""),
                ("m/b.rs", text),
                ("x.rs", ""),
            ];
            assert_eq!(circles(&files), ["a.rs -> m/b.rs -> a.rs"], "{text}");
        }
    }

    #[test]
    fn non_imports_close_no_circle() {
        for text in [
            "use crate::x::X; use crate::A;",
            "// use crate::a::A;",
            "const A: &str = \"crate::a::A\";",
            "pub(in crate::a) fn f() {}",
            "use a::A; use ::a::B;",
            "#[cfg(test)] mod tests { use crate::a::A; }",
            "#[cfg(all(test, not(loom)))] use crate::a::A;",
        ] {
            let files = [("a.rs", "use crate::b::B;"), ("b.rs", text), ("x.rs", "")];
            assert_eq!(circles(&files), [""; 0], "{text}");
        }
    }

    #[test]
    fn test_modules_and_root_are_in_no_circle() {
        let files = [
            ("lib.rs", "mod a; use crate::a::A;"),
            ("main.rs", "use crate::a::A;"),
            (
                "a.rs",
                "#[cfg(test)] mod tests; use crate::B; use crate::a::tests::C; use crate::main::D;",
            ),
            ("a/tests.rs", "mod deep; use super::*;"),
            ("a/tests/deep.rs", "use crate::a::A;"),
        ];
        assert_eq!(circles(&files), [""; 0]);
        assert_eq!(Imports::of(files).files(), 1);
    }

    #[test]
    fn each_file_of_a_circle_is_in_a_shortest_one() {
        let files = [
            ("a.rs", "use crate::b;"),
            ("b.rs", "use crate::{c, e};"),
            ("c.rs", "use crate::{a, d, e};"),
            ("d.rs", "use crate::c;"),
            ("e.rs", ""),
            ("f.rs", "use crate::a;"),
        ];
        assert_eq!(
            circles(&files),
            ["a.rs -> b.rs -> c.rs -> a.rs", "c.rs -> d.rs -> c.rs"]
        );
    }
}
