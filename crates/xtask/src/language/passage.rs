//! The prose in a file: comments, Markdown, log messages and errors.

/// A line of prose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passage<'a> {
    /// Line number in the file, from 1.
    pub(crate) line: usize,
    pub(crate) kind: PassageKind,
    /// The prose without its marker.
    pub(crate) text: &'a str,
    /// Columns of the whole line; zero if the length has no limit: tables, lines with links, and
    /// messages.
    pub(crate) columns: usize,
}

/// The kind of a line of prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PassageKind {
    /// First line of the documentation of an item.
    ItemDoc,
    /// Another comment, or a line of Markdown.
    Prose,
    /// A log message or the text of an error.
    Message,
}

/// Macros and attributes whose texts people read.
const MESSAGES: [&str; 6] = [
    "trace!(", "debug!(", "info!(", "warn!(", "error!(", "#[error(",
];

/// Returns the prose of a file, by its extension.
pub(crate) fn passages<'a>(path: &str, text: &'a str) -> Vec<Passage<'a>> {
    let mut found = if path.ends_with(".md") {
        markdown(text)
    } else {
        comments(text)
    };
    if path.ends_with(".rs") {
        found.extend(messages(text));
    }
    found
}

/// Returns the lines of Markdown without code blocks, tables and link lines.
fn markdown(text: &str) -> Vec<Passage<'_>> {
    let mut fence = false;
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        if start.starts_with("```") || start.starts_with("~~~") {
            fence = !fence;
        } else if !fence && !start.is_empty() {
            let is_free = start.starts_with('|') || start.contains("://");
            let columns = if is_free { 0 } else { line.chars().count() };
            found.push(Passage {
                line: index + 1,
                kind: PassageKind::Prose,
                text: start,
                columns,
            });
        }
    }
    found
}

/// Returns the comment lines of Rust and JavaScript, without code in them.
fn comments(text: &str) -> Vec<Passage<'_>> {
    let mut found = Vec::new();
    let (mut fence, mut was_doc, mut block) = (false, false, false);
    for (index, line) in text.lines().enumerate() {
        let start = line.trim_start();
        let is_doc = start.starts_with("///") && !start.starts_with("////");
        let starts_block = start.starts_with("/*");
        let inner = match () {
            () if is_doc => Some(&start[3..]),
            () if start.starts_with("//") => Some(start[2..].trim_start_matches(['!', '/'])),
            () if starts_block => Some(start.trim_start_matches("/*").trim_start_matches('*')),
            () if block => Some(start.trim_start_matches("*/").trim_start_matches('*')),
            () => None,
        };
        block = (block || starts_block) && !start.contains("*/");
        let first = is_doc && !was_doc;
        was_doc = is_doc;
        let Some(inner) = inner.map(str::trim) else {
            fence = false;
            continue;
        };
        if inner.starts_with("```") {
            fence = !fence;
        } else if !fence && !inner.is_empty() {
            let kind = if first {
                PassageKind::ItemDoc
            } else {
                PassageKind::Prose
            };
            let is_free = inner.starts_with('|') || inner.contains("://");
            let columns = if is_free { 0 } else { line.chars().count() };
            found.push(Passage {
                line: index + 1,
                kind,
                text: inner,
                columns,
            });
        }
    }
    found
}

/// Returns the texts of log messages and errors.
fn messages(text: &str) -> Vec<Passage<'_>> {
    let mut found = Vec::new();
    for marker in MESSAGES {
        for (at, _) in text.match_indices(marker) {
            let is_word =
                text[..at].ends_with(|before: char| before.is_alphanumeric() || before == '_');
            if !is_word {
                strings(text, at + marker.len(), &mut found);
            }
        }
    }
    found
}

/// Collects string literals from a position to the closing parenthesis.
fn strings<'a>(text: &'a str, from: usize, found: &mut Vec<Passage<'a>>) {
    let (mut depth, mut start, mut is_escaped) = (1, None, false);
    for (at, character) in text[from..].char_indices() {
        let at = from + at;
        match (start, character) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some(_), '\\') => is_escaped = true,
            (Some(first), '"') => {
                let line = text[..first].matches('\n').count() + 1;
                found.push(Passage {
                    line,
                    kind: PassageKind::Message,
                    text: &text[first..at],
                    columns: 0,
                });
                start = None;
            }
            (None, '"') => start = Some(at + 1),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str, text: &str) -> Vec<(usize, PassageKind, String)> {
        let found = passages(path, text);
        found
            .into_iter()
            .map(|it| (it.line, it.kind, it.text.to_owned()))
            .collect()
    }

    #[test]
    fn comments_are_found_and_code_is_not() {
        let text = "//! A file.\n\n/// An item.\n///\n/// ```\n/// what();\n/// ```\n/// More.\nfn a() {\n    // Why.\n    let b = \"what\";\n}\n";
        assert_eq!(
            texts("a.rs", text),
            [
                (1, PassageKind::Prose, "A file.".into()),
                (3, PassageKind::ItemDoc, "An item.".into()),
                (8, PassageKind::Prose, "More.".into()),
                (10, PassageKind::Prose, "Why.".into()),
            ]
        );
    }

    #[test]
    fn markdown_has_no_code_and_free_tables() {
        let text = "# Title\n\n```sh\nwhat\n```\n| a | b |\nSee https://example.com/x\nProse.\n";
        let found = passages("a.md", text);
        assert_eq!(
            found.iter().map(|it| it.line).collect::<Vec<_>>(),
            [1, 6, 7, 8]
        );
        assert_eq!(
            found.iter().map(|it| it.columns).collect::<Vec<_>>(),
            [7, 0, 0, 6]
        );
    }

    #[test]
    fn messages_of_logs_and_errors_are_found() {
        let text = "fn a() {\n    warn!(error = f(\"x\"), \"it \\\"is\\\" gone\");\n}\n#[error(\"no {0}\")]\nstruct B;\nlet c = \"gone\";\n";
        assert_eq!(
            texts("a.rs", text),
            [
                (2, PassageKind::Message, "x".into()),
                (2, PassageKind::Message, "it \\\"is\\\" gone".into()),
                (4, PassageKind::Message, "no {0}".into()),
            ]
        );
    }

    #[test]
    fn blocks_of_javascript_are_comments() {
        assert_eq!(
            texts(
                "a.js",
                "/**\n * A client.\n */\nconst what = 1; // not read\n// Why.\n"
            ),
            [
                (2, PassageKind::Prose, "A client.".into()),
                (5, PassageKind::Prose, "Why.".into())
            ]
        );
    }
}
