//! The sources of settings, for error messages.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use clap::{ArgMatches, parser::ValueSource};
use toml::de::DeTable;
use tracing::warn;

/// The source of each setting.
#[derive(Debug, Default, Clone)]
pub(crate) struct Sources {
    given: Vec<(String, ValueSource)>,
    file: Option<(PathBuf, String)>,
    notes: Arc<Mutex<Vec<String>>>,
}

impl Sources {
    /// Creates the sources of a command line and of a file's text.
    pub(crate) fn new(matches: &ArgMatches, file: Option<(&Path, &str)>) -> Self {
        let given = matches
            .ids()
            .filter_map(|id| Some((id.to_string(), matches.value_source(id.as_str())?)));
        Self {
            given: given.collect(),
            file: file.map(|(path, text)| (path.to_owned(), text.to_owned())),
            notes: Arc::default(),
        }
    }

    /// Records a warning that does not stop the start. The log starts only after all settings are
    /// known.
    pub(crate) fn note(&self, note: String) {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(note);
    }

    /// Logs the warnings since the last call.
    pub(crate) fn log_notes(&self) {
        for note in self.take_notes() {
            warn!("accepted a file with unsafe permissions: {note}");
        }
    }

    /// Returns the warnings since the last call.
    pub(crate) fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns whether a flag or its variable was given.
    pub(crate) fn is_given(&self, flag: &str) -> bool {
        let id = flag.replace('-', "_");
        self.given.iter().any(|(given, _)| *given == id)
    }

    /// Returns the name of a top-level setting at its source: its flag, its variable, or its
    /// position in the file.
    pub(crate) fn name(&self, flag: &str) -> String {
        self.name_of(flag, &[&flag.replace('-', "_")])
    }

    /// Returns the name of a field of the streams' settings, as `limits.topic`, at its source.
    pub(crate) fn name_of_stream(&self, field: &str) -> String {
        let path: Vec<_> = std::iter::once("streams").chain(field.split('.')).collect();
        self.name_of(&field.replace(['_', '.'], "-"), &path)
    }

    /// Returns the name of a field of the table `[management]` at its source.
    pub(crate) fn name_of_management(&self, field: &str) -> String {
        self.name_of(
            &format!("management-{}", field.replace('_', "-")),
            &["management", field],
        )
    }

    /// Returns the name of a setting of the table `[access]` at its source.
    pub(crate) fn name_of_access(&self, flag: &str) -> String {
        self.name_of(flag, &["access", &flag.replace('-', "_")])
    }

    fn name_of(&self, flag: &str, path: &[&str]) -> String {
        let id = flag.replace('-', "_");
        match self.given.iter().find(|(given, _)| *given == id) {
            Some((_, ValueSource::CommandLine)) => format!("--{flag}"),
            Some(_) => format!("SSE_HUB_{} (--{flag})", id.to_uppercase()),
            None => self.place(path),
        }
    }

    fn place(&self, path: &[&str]) -> String {
        let field = path.join(".");
        let Some((file, text)) = &self.file else {
            return field;
        };
        match line_of(text, path) {
            Some(line) => format!("{}, line {line}: {field}", file.display()),
            None => format!("{}: {field}", file.display()),
        }
    }
}

/// Returns the line of a key, counted from 1.
fn line_of(text: &str, path: &[&str]) -> Option<usize> {
    let root = DeTable::parse(text).ok()?;
    let mut table = root.get_ref();
    let (last, groups) = path.split_last()?;
    for group in groups {
        table = table.get(*group)?.get_ref().as_table()?;
    }
    let (key, _) = table.get_key_value(*last)?;
    Some(text.get(..key.span().start)?.matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_every_toml_form() {
        let text = "drain = 3\n\n[streams]\nretry = 1\nlimits.topic = 0\n[streams.more]\nx = 1\n";
        assert_eq!(line_of(text, &["drain"]), Some(1));
        assert_eq!(line_of(text, &["streams", "retry"]), Some(4));
        assert_eq!(line_of(text, &["streams", "limits", "topic"]), Some(5));
        assert_eq!(line_of(text, &["streams", "more", "x"]), Some(7));
        assert_eq!(line_of(text, &["retry"]), None);
        assert_eq!(
            line_of("limits = { topic = 0 }", &["limits", "topic"]),
            Some(1)
        );
    }
}
