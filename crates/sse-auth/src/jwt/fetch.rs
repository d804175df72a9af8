//! Where published keys come from.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::app_error::BoxError;

/// Brings the text of a JWK set, from wherever it is published.
#[async_trait]
pub trait FetchJwks: Send + Sync + 'static {
    /// Brings the text, at most 256 KiB of it. Called once at a time, in a task of its own, and
    /// given up after a timeout (10 s); so neither caching nor retrying is needed here.
    ///
    /// # Errors
    ///
    /// Whatever goes wrong; it is logged, and keys that are already known stay in use.
    async fn fetch(&self) -> Result<Vec<u8>, BoxError>;
}

/// A JWK set in a local file, which something else keeps up to date.
#[derive(Debug, Clone)]
pub struct JwksFile(PathBuf);

impl JwksFile {
    /// The file need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

#[async_trait]
impl FetchJwks for JwksFile {
    async fn fetch(&self) -> Result<Vec<u8>, BoxError> {
        let path = self.0.clone();
        Ok(tokio::task::spawn_blocking(move || std::fs::read(path)).await??)
    }
}
