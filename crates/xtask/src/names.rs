//! The check of type names: no name of a type stands for two things in the workspace.
//!
//! It reads the definitions at the margin of each file in the `src` of each crate, so types of
//! functions and of test modules are exempt, and so are the programs of `benches` and `examples`,
//! from which nothing can be imported. A name of [`SHARED`] has one meaning in all its places.

use std::collections::BTreeMap;

use crate::circles;
use crate::error::Error;

/// The names that several files define, and the one meaning of each.
const SHARED: &[(&str, &str)] = &[
    ("BoxError", "any error that a caller supplies"),
    (
        "Broadcast",
        "the input of a procedure that sends to everybody",
    ),
    ("Cli", "the command line of a program"),
    (
        "Connection",
        "a stream in a listing; the API's types describe it again",
    ),
    (
        "ConnectionPage",
        "a page of the listing of streams; described again likewise",
    ),
    ("Cursor", "the position at which a page of anything ended"),
    ("Error", "the error of its crate"),
    (
        "Gap",
        "a `gap` event: as it is sent, and as a client sees it",
    ),
    ("GapReason", "the reason in a `gap` event, likewise"),
    ("Headers", "the headers of an HTTP message"),
    ("Input", "the input of a procedure"),
    ("Item", "an element of what the file defines"),
    ("LogInfo", "what a broker reports about a log"),
    ("Output", "the output of a procedure"),
    (
        "Page",
        "a part of a listing that is too long for one answer",
    ),
    (
        "Rejection",
        "the response to a stream that is refused, one in each adapter",
    ),
    ("Response", "an HTTP response"),
    ("Send", "the input of a procedure that sends to one user"),
    (
        "SendNotification",
        "the fields of a notification to one user",
    ),
    ("Serve", "the server of an adapter"),
    ("Shared", "the state that the parts of a backplane share"),
    ("SseHandshake", "the extractor of an adapter"),
    ("SseResponse", "the response of an adapter"),
    ("Stats", "the statistics of a manager"),
];

/// Checks the workspace.
pub(crate) fn check() -> Result<(), Error> {
    let mut found = TypeNames::default();
    let mut files = 0;
    for sources in circles::workspace()? {
        if !sources.folder.starts_with("crates/") {
            continue;
        }
        files += sources.files.len();
        for (name, text) in &sources.files {
            found.read(&format!("{}/{name}", sources.folder), text);
        }
    }
    let violations = found.violations(SHARED);
    if violations.is_empty() {
        println!(
            "names: {} types in {files} files, none with another's name",
            found.0.len()
        );
        return Ok(());
    }
    Err(Error::new(format!("type names:{}", violations.concat())))
}

/// TypeNames of types, and the files that define them.
#[derive(Debug, Default)]
struct TypeNames(BTreeMap<String, Vec<String>>);

impl TypeNames {
    fn read(&mut self, file: &str, text: &str) {
        for name in text.lines().filter_map(defined) {
            self.0
                .entry(name.to_owned())
                .or_default()
                .push(file.to_owned());
        }
    }

    /// Returns one line for each name with two definitions that is not shared, and for each shared
    /// name without two.
    fn violations(&self, shared: &[(&str, &str)]) -> Vec<String> {
        let is_shared = |name: &str| shared.iter().any(|(one, _)| *one == name);
        let twice = self
            .0
            .iter()
            .filter(|(name, files)| files.len() > 1 && !is_shared(name))
            .map(|(name, files)| format!("\n  {name} stands for two things: {}", files.join(", ")));
        let once = shared
            .iter()
            .filter(|(name, _)| self.0.get(*name).is_none_or(|files| files.len() < 2))
            .map(|(name, _)| format!("\n  {name} is listed as shared, and has one place"));
        twice.chain(once).collect()
    }
}

/// Returns the name of the type that a line at the margin defines.
fn defined(line: &str) -> Option<&str> {
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(") ")?.1,
        Some(rest) => rest.strip_prefix(' ')?,
        None => line,
    };
    let (keyword, rest) = line.split_once(' ')?;
    ["struct", "enum", "trait", "union", "type"]
        .contains(&keyword)
        .then(|| {
            rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                .next()
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn violations(shared: &[(&str, &str)], files: &[(&str, &str)]) -> Vec<String> {
        let mut names = TypeNames::default();
        for (file, text) in files {
            names.read(file, text);
        }
        names.violations(shared)
    }

    #[test]
    fn a_name_of_two_types_is_reported_with_its_files() {
        let files = [
            (
                "a/one.rs",
                "/// A place.\npub struct Place<T>(T);\nfn one() {\n    struct Inner;\n}",
            ),
            ("a/two.rs", "struct Inner;"),
            ("b/three.rs", "pub(crate) enum Place {}"),
        ];
        assert_eq!(
            violations(&[], &files),
            ["\n  Place stands for two things: a/one.rs, b/three.rs"]
        );
        assert_eq!(violations(&[("Place", "one")], &files), [""; 0]);
    }

    #[test]
    fn every_kind_of_type_counts() {
        for definition in [
            "struct X;",
            "enum X {}",
            "trait X: Y {}",
            "union X {}",
            "type X = u8;",
        ] {
            for visibility in ["", "pub ", "pub(crate) ", "pub(in crate::y) "] {
                assert_eq!(defined(&format!("{visibility}{definition}")), Some("X"));
            }
        }
        for other in [
            "fn x() {}",
            "pub use x::Y;",
            "    struct X;",
            "// struct X",
            "",
        ] {
            assert_eq!(defined(other), None, "{other}");
        }
    }

    #[test]
    fn a_shared_name_that_lost_its_second_place_is_reported() {
        assert_eq!(
            violations(&[("Place", "one")], &[("a.rs", "struct Place;")]),
            ["\n  Place is listed as shared, and has one place"]
        );
    }
}
