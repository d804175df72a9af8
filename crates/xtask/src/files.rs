//! File reads whose errors name the file.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// Reads a file as text.
pub(crate) fn read(file: &Path) -> Result<String, Error> {
    fs::read_to_string(file)
        .map_err(|error| Error::new(format!("failed to read {}: {error}", file.display())))
}
