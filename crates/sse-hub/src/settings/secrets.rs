//! Secrets from variables and files. They never come from the command line, and are never printed.

use std::{env, fmt, path::Path, str};

use zeroize::Zeroizing;

use crate::{
    error::Error,
    settings::{
        access_args::AuthKind,
        key_file::{self, Holds},
        source::Sources,
    },
};

/// Variable with the key of backends.
pub(crate) const BACKEND_KEY: &str = "SSE_HUB_BACKEND_KEY";

/// Variables with secrets, in the order of Auth.js: it encrypts with the secret of the highest
/// number, and decrypts with any. NextAuth v4 uses the last variable.
const NEXT_AUTH: [&str; 5] = [
    "AUTH_SECRET_3",
    "AUTH_SECRET_2",
    "AUTH_SECRET_1",
    "AUTH_SECRET",
    "NEXTAUTH_SECRET",
];
const JWT: [&str; 1] = ["JWT_SECRET"];

/// A text that must not be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SecretSetting {
    /// Variable or file that holds the secret.
    pub(crate) source: String,
    text: Zeroizing<String>,
}

impl SecretSetting {
    /// Returns the secret in a variable, if the variable is set. An empty secret is an error.
    pub(crate) fn variable(name: &str) -> Result<Option<Self>, Error> {
        let Some(text) = env::var_os(name) else {
            return Ok(None);
        };
        let text = text
            .into_string()
            .map_err(|_| wrong(name, "is not UTF-8"))?;
        Self::new(name, text).map(Some)
    }

    /// Reads the secret in a file, without the line end that editors add.
    pub(crate) fn file(path: &Path, sources: &Sources) -> Result<Self, Error> {
        let name = path.display().to_string();
        let bytes = key_file::read(path, Holds::Secret, sources)?;
        if bytes.starts_with(b"\xef\xbb\xbf") {
            return Err(wrong(
                &name,
                "begins with a byte order mark, which would be part of the secret; save the file without the mark",
            ));
        }
        let text = str::from_utf8(&bytes).map_err(|_| wrong(&name, "is not UTF-8"))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.contains(['\r', '\n']) {
            return Err(wrong(&name, "has several lines; a file holds one secret"));
        }
        Self::new(&name, text.to_owned())
    }

    pub(crate) fn new(source: &str, text: String) -> Result<Self, Error> {
        let text = Zeroizing::new(text);
        match text.as_str() {
            "" => Err(wrong(source, "is empty")),
            blank if blank.trim().is_empty() => Err(wrong(source, "is blank")),
            nul if nul.contains('\0') => Err(wrong(source, "contains a NUL byte")),
            _ => Ok(Self {
                source: source.to_owned(),
                text,
            }),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl AuthKind {
    /// Returns the variables that can hold secrets of this method, in the order in which they are
    /// tried.
    pub(crate) fn variables(self) -> &'static [&'static str] {
        match self {
            Self::None => &[],
            Self::NextAuth => &NEXT_AUTH,
            Self::Jwt => &JWT,
        }
    }

    /// Returns the secrets of this method; those in variables come first.
    pub(crate) fn secrets<'a>(
        self,
        files: impl IntoIterator<Item = &'a Path>,
        sources: &Sources,
    ) -> Result<Vec<SecretSetting>, Error> {
        let mut secrets = Vec::<SecretSetting>::new();
        let variables = self
            .variables()
            .iter()
            .map(|name| SecretSetting::variable(name));
        let files = files
            .into_iter()
            .map(|path| SecretSetting::file(path, sources).map(Some));
        for secret in variables.chain(files) {
            // Sites that moved from v4 to v5 have the same secret under two names.
            secrets
                .extend(secret?.filter(|new| secrets.iter().all(|known| known.text != new.text)));
        }
        Ok(secrets)
    }
}

fn wrong(name: &str, problem: &str) -> Error {
    Error::Setting {
        name: name.to_owned(),
        problem: problem.to_owned(),
    }
}

impl fmt::Debug for SecretSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Secret").field(&self.source).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        file
    }

    fn read(text: &[u8]) -> Result<SecretSetting, Error> {
        SecretSetting::file(file(text).path(), &Sources::default())
    }

    #[test]
    fn line_end_of_a_file_is_not_part_of_the_secret() {
        for (text, secret) in [
            (&b" one two \r\n"[..], " one two "),
            (b"one", "one"),
            (b"one\n", "one"),
            (b"one\r\n\n\n", "one"),
            ("ünï".as_bytes(), "ünï"),
        ] {
            assert_eq!(read(text).unwrap().text(), secret);
        }
    }

    #[test]
    fn invalid_secrets_are_rejected_but_not_shown() {
        for (text, said) in [
            (&b""[..], "is empty"),
            (b"\n", "is empty"),
            (b"\r\n\r\n", "is empty"),
            (b" \t\n", "is blank"),
            (b"hunter2\xff", "is not UTF-8"),
            (b"\xef\xbb\xbfhunter2", "byte order mark"),
            (b"\xff\xfeh\0u\0", "is not UTF-8"),
            (b"hunter2\0", "NUL byte"),
            (b"hunter2\nhunter3\n", "several lines"),
            (b"\nhunter2", "several lines"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(
                error.contains(said) && !error.contains("hunter"),
                "{text:?}: {error}"
            );
        }
        let error = SecretSetting::file(Path::new("no/such/file"), &Sources::default())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("no/such/file cannot be read"), "{error}");
    }

    #[test]
    fn duplicate_secrets_are_one_and_not_shown() {
        let files = [file(b"alpha"), file(b"beta"), file(b"alpha\n")];
        let paths = files.iter().map(tempfile::NamedTempFile::path);
        let secrets = AuthKind::None.secrets(paths, &Sources::default()).unwrap();
        assert_eq!(
            secrets.iter().map(SecretSetting::text).collect::<Vec<_>>(),
            ["alpha", "beta"]
        );
        assert!(!format!("{secrets:?}").contains("alpha"));
    }
}
