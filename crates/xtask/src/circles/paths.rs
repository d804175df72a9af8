//! The module paths in the code of a file, without test code.

use super::lexer::{Token, tokens};

/// The paths and test modules in the code of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Paths {
    /// Paths that begin with `crate`, `self` or `super`.
    pub(super) named: Vec<Path>,
    /// Modules that the file declares for tests only.
    pub(super) for_tests: Vec<Vec<String>>,
}

/// One path, and its location.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path {
    /// Modules of the file around the path, the outermost first.
    pub(super) inside: Vec<String>,
    pub(super) segments: Vec<String>,
}

impl Paths {
    /// Reads the text of a file.
    pub(super) fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let mut reader = PathReader {
            tokens: &tokens,
            at: 0,
            modules: Vec::new(),
            depth: 0,
            found: Self::default(),
        };
        while reader.at < tokens.len() {
            reader.step();
        }
        reader.found
    }
}

/// A module whose block is open.
struct Open<'a> {
    name: &'a str,
    /// Number of blocks around the module.
    depth: usize,
}

struct PathReader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    modules: Vec<Open<'a>>,
    depth: usize,
    found: Paths,
}

impl<'a> PathReader<'a> {
    fn step(&mut self) {
        use Token::{Name, Separator, Sign};
        match *self.rest() {
            [Sign('#'), Sign('!'), Sign('['), ..] if self.is_for_tests(self.at + 2) => {
                self.skip_block();
            }
            [Sign('#'), Sign('['), ..] if self.is_for_tests(self.at + 1) => self.skip_item(),
            [Name("mod"), Name(name), Sign('{'), ..] => {
                self.modules.push(Open {
                    name,
                    depth: self.depth,
                });
                self.at += 2;
            }
            [Name("use"), Name(_) | Separator | Sign('{'), ..] => {
                self.at += 1;
                self.use_tree(&[]);
            }
            // A re-export of a child makes the child public; the file does not read it.
            [Name("pub"), Name("use"), Name("self"), Separator, ..] => self.skip_item(),
            // The path of a visibility is not an import.
            [Name("pub"), Sign('('), Name("in"), ..] => self.at = self.after_group(self.at + 1),
            [Separator, Name(_), ..] => self.at += 2,
            [Name("crate" | "self" | "super"), Separator, ..] => self.inline_path(),
            [Sign('{'), ..] => {
                self.depth += 1;
                self.at += 1;
            }
            [Sign('}'), ..] => {
                self.depth = self.depth.saturating_sub(1);
                self.modules.pop_if(|module| module.depth == self.depth);
                self.at += 1;
            }
            _ => self.at += 1,
        }
    }

    fn rest(&self) -> &'a [Token<'a>] {
        self.tokens.get(self.at..).unwrap_or_default()
    }

    fn inside(&self) -> Vec<String> {
        self.modules
            .iter()
            .map(|module| module.name.to_owned())
            .collect()
    }

    fn add(&mut self, segments: &[&str]) {
        if matches!(segments, ["crate" | "self" | "super", ..]) {
            let segments = segments.iter().map(|&segment| segment.to_owned()).collect();
            self.found.named.push(Path {
                inside: self.inside(),
                segments,
            });
        }
    }

    fn inline_path(&mut self) {
        let mut segments = Vec::new();
        while let [Token::Name(name), rest @ ..] = self.rest() {
            segments.push(*name);
            self.at += 1;
            if rest.first() != Some(&Token::Separator) {
                break;
            }
            self.at += 1;
        }
        self.add(&segments);
    }

    /// Reads one tree of a `use`, up to the sign that ends it.
    fn use_tree(&mut self, prefix: &[&'a str]) {
        let mut segments = prefix.to_vec();
        loop {
            match *self.rest() {
                [Token::Name("as"), _, ..] => self.at += 2,
                [Token::Name(name), ..] => {
                    segments.push(name);
                    self.at += 1;
                }
                // A path that begins with `::` belongs to another crate.
                [Token::Separator, ..] => {
                    if segments.is_empty() {
                        segments.push("");
                    }
                    self.at += 1;
                }
                [Token::Sign('*'), ..] => self.at += 1,
                [Token::Sign('{'), ..] => return self.use_group(&segments),
                _ => return self.add(&segments),
            }
        }
    }

    fn use_group(&mut self, prefix: &[&'a str]) {
        self.at += 1;
        loop {
            match self.rest().first() {
                Some(Token::Sign(',')) => self.at += 1,
                Some(Token::Sign('}')) => {
                    self.at += 1;
                    return;
                }
                Some(Token::Name(_) | Token::Separator | Token::Sign('*' | '{')) => {
                    self.use_tree(prefix);
                }
                // Not a group of a `use` after all: the reader continues here.
                None | Some(Token::Sign(_)) => return,
            }
        }
    }

    /// Returns `true` if the attribute whose bracket is at `at` excludes an item from all builds
    /// except those of tests.
    fn is_for_tests(&self, at: usize) -> bool {
        match &self.tokens[at..self.after_group(at)] {
            [
                _,
                Token::Name("cfg"),
                Token::Sign('('),
                predicate @ ..,
                Token::Sign(')'),
                _,
            ] => implies_test(predicate),
            _ => false,
        }
    }

    /// Skips to the end of the block, or of the file.
    fn skip_block(&mut self) {
        while !matches!(self.rest().first(), None | Some(Token::Sign('}'))) {
            self.at = self.after_group(self.at);
        }
    }

    /// Skips attributes and the item, field, arm or statement that they belong to.
    fn skip_item(&mut self) {
        while let [Token::Sign('#'), Token::Sign('['), ..] = self.rest() {
            self.at = self.after_group(self.at + 1);
        }
        if let [Token::Name("pub"), rest @ ..] = self.rest() {
            self.at += 1;
            if rest.first() == Some(&Token::Sign('(')) {
                self.at = self.after_group(self.at);
            }
        }
        if let [Token::Name("mod"), Token::Name(name), Token::Sign(';'), ..] = self.rest() {
            let mut module = self.inside();
            module.push((*name).to_owned());
            self.found.for_tests.push(module);
        }
        let (block_ends, comma_ends) = ends(self.rest());
        loop {
            match self.rest().first() {
                None | Some(Token::Sign('}' | ')' | ']')) => return,
                Some(Token::Sign(';')) => {
                    self.at += 1;
                    return;
                }
                Some(Token::Sign(',')) if comma_ends => {
                    self.at += 1;
                    return;
                }
                Some(Token::Sign('{')) if block_ends => {
                    self.at = self.after_group(self.at);
                    return;
                }
                Some(_) => self.at = self.after_group(self.at),
            }
        }
    }

    /// Returns the index after the token at `at`, or after the group that it opens.
    fn after_group(&self, at: usize) -> usize {
        let mut depth = 0_usize;
        for (place, token) in self.tokens.iter().enumerate().skip(at) {
            match token {
                Token::Sign('(' | '[' | '{') => depth += 1,
                Token::Sign(')' | ']' | '}') => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return place + 1;
            }
        }
        self.tokens.len()
    }
}

/// Keywords of items that a block can end.
const BLOCK_ITEMS: &[&str] = &[
    "async",
    "enum",
    "extern",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "struct",
    "trait",
    "union",
    "unsafe",
];

/// Returns two values: `true` if a block ends the item that begins here, and `true` if a comma
/// does.
fn ends(item: &[Token<'_>]) -> (bool, bool) {
    use Token::Name;
    match item {
        [
            Name("const"),
            Name("fn" | "unsafe" | "async" | "extern"),
            ..,
        ] => (true, false),
        [Name("use" | "const" | "static" | "let" | "type"), ..] => (false, false),
        [Name(word), ..] => (true, !BLOCK_ITEMS.contains(word)),
        _ => (true, true),
    }
}

/// Returns `true` if a predicate of `cfg` holds only in builds of tests.
fn implies_test(predicate: &[Token<'_>]) -> bool {
    use Token::{Name, Sign};
    match predicate {
        [Name("test")] => true,
        [Name("all"), Sign('('), inner @ .., Sign(')')] => {
            parts(inner).into_iter().any(implies_test)
        }
        [Name("any"), Sign('('), inner @ .., Sign(')')] => {
            let parts = parts(inner);
            !parts.is_empty() && parts.into_iter().all(implies_test)
        }
        _ => false,
    }
}

/// Splits a list at the commas outside of parentheses.
fn parts<'t, 'a>(list: &'t [Token<'a>]) -> Vec<&'t [Token<'a>]> {
    let mut depth = 0_usize;
    let parts = list.split(|token| {
        match token {
            Token::Sign('(') => depth += 1,
            Token::Sign(')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && *token == Token::Sign(',')
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the paths of a text, each with the modules of the file around it in front.
    fn shown(text: &str) -> Vec<String> {
        let shown = |path: &Path| {
            let inside = path
                .inside
                .iter()
                .map(|module| format!("[{module}] "))
                .collect::<String>();
            inside + &path.segments.join("::")
        };
        Paths::of(text).named.iter().map(shown).collect()
    }

    #[test]
    fn uses_are_taken_apart() {
        assert_eq!(
            shown("use crate::a;\npub(crate) use super::b::C as D;"),
            ["crate::a", "super::b::C"]
        );
        assert_eq!(
            shown("use crate::{a::{self, b::*, C as _}, d as e,};"),
            ["crate::a::self", "crate::a::b", "crate::a::C", "crate::d"]
        );
        assert_eq!(
            shown("use {self::a, std::io, super::super::{b, c}};"),
            ["self::a", "super::super::b", "super::super::c"]
        );
        assert_eq!(
            shown("pub use self::{a::B, c::{D, E}}; pub use crate::f::G; use self::h::I;"),
            ["crate::f::G", "self::h::I"]
        );
        assert_eq!(
            shown("use std::{fmt, io}; use ::crate_of_others::x; use other::crate_::y;"),
            [""; 0]
        );
    }

    #[test]
    fn inline_paths_are_found() {
        let text =
            "fn f(x: &crate::a::B) -> super::C { self::d::<crate::e::F>(crate::g!(x)); self.h() }";
        assert_eq!(
            shown(text),
            [
                "crate::a::B",
                "super::C",
                "self::d",
                "crate::e::F",
                "crate::g"
            ]
        );
        assert_eq!(
            shown("fn f() -> impl T + use<'_, S> { std::crate::x(); a::self::b() }"),
            [""; 0]
        );
        assert_eq!(
            shown("for x in crate::a::all() { $crate::b!() }"),
            ["crate::a::all", "crate::b"]
        );
    }

    #[test]
    fn visibilities_comments_and_strings_are_no_paths() {
        let text = "pub(crate) struct A; pub(in crate::a::b) fn f() {} // crate::c\n\
                    /// [`D`](crate::D)\nconst S: &str = \"crate::e::F\";";
        assert_eq!(shown(text), [""; 0]);
    }

    #[test]
    fn modules_of_the_file_are_known() {
        let text = "mod a { use super::b; mod c { fn f() { super::d() } } } mod e; use super::g;";
        assert_eq!(
            shown(text),
            ["[a] super::b", "[a] [c] super::d", "super::g"]
        );
    }

    #[test]
    fn test_code_is_left_out() {
        for item in [
            "mod tests { use crate::a; mod b { crate::c() } }",
            "use crate::a::{B, C};",
            "pub(crate) use {crate::a, crate::b};",
            "pub(in crate::a) fn f<A, B>(x: crate::a::B) -> [u8; 3] { crate::c() }",
            "const fn f() { crate::a() }",
            "const A: B = crate::B { c: crate::d() };",
            "struct A(crate::b::C);",
            "impl A for crate::b::C { fn d() { crate::e() } }",
            "let a = crate::b { c };",
            "a: crate::b::C,",
            "A => { crate::b() }",
            "A => crate::b(),",
            "{ crate::a() }",
            "crate::a(b, c);",
        ] {
            for attribute in [
                "#[cfg(test)]",
                "#[cfg(all(unix, not(loom), test))]",
                "#[x] #[cfg(test)] #[y(z)]",
            ] {
                assert_eq!(
                    shown(&format!("{{ {attribute} {item} crate::z }}")),
                    ["crate::z"],
                    "{item}"
                );
            }
        }
        assert_eq!(
            shown("struct A { #[cfg(test)] a: crate::b::C } use crate::z;"),
            ["crate::z"]
        );
        assert_eq!(
            shown("mod a { #![cfg(test)] use crate::b; fn f() {} } use crate::z;"),
            ["crate::z"]
        );
        assert_eq!(
            shown("#![cfg(test)] use crate::b; fn f() {} use crate::z;"),
            [""; 0]
        );
    }

    #[test]
    fn code_that_is_not_for_tests_alone_stays() {
        for predicate in [
            "not(test)",
            "any(test, feature = \"x\")",
            "feature = \"test\"",
            "testing",
            "any()",
        ] {
            assert_eq!(
                shown(&format!("#[cfg({predicate})] use crate::a;")),
                ["crate::a"],
                "{predicate}"
            );
        }
        assert_eq!(shown("#[cfg_attr(test, x)] use crate::a;"), ["crate::a"]);
    }

    #[test]
    fn test_modules_are_recognised() {
        let text = "#[cfg(test)] mod a; mod b; mod c { #[cfg(any(test, all(test, loom)))] pub(crate) mod d; }";
        let expected: [&[&str]; 2] = [&["a"], &["c", "d"]];
        assert_eq!(Paths::of(text).for_tests, expected);
    }
}
