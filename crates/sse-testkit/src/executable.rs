//! Executables that some tests need.

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;

use crate::error::Error;

/// Searches `PATH` for an executable that a test needs, such as `curl`.
///
/// `None` means that the test should return at once. If `SSE_TEST_SERVICES` is set, as under `cargo
/// xtask test`, no test may be skipped, and a missing executable is an error.
///
/// # Errors
///
/// [`Error::NoExecutable`] if the executable is missing and `SSE_TEST_SERVICES` is set to anything
/// but `0` or the empty string.
pub fn executable(name: &str) -> Result<Option<PathBuf>, Error> {
    let demanded =
        env::var_os("SSE_TEST_SERVICES").is_some_and(|value| !value.is_empty() && value != "0");
    match find(name, &env::var_os("PATH").unwrap_or_default()) {
        None if demanded => Err(Error::NoExecutable(name.to_owned())),
        found => Ok(found),
    }
}

fn find(name: &str, path: &OsStr) -> Option<PathBuf> {
    env::split_paths(path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_in_the_path_are_found() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let path = env::join_paths(["/no/such/folder", folder]).unwrap();
        assert_eq!(
            find("executable.rs", &path),
            Some(PathBuf::from(folder).join("executable.rs"))
        );
        assert_eq!(find("decoder", &path), None, "a folder");
        assert_eq!(find("no-such-file", &path), None);
    }
}
