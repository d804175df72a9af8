//! Sources of published keys.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::app_error::BoxError;

/// Fetches the text of a JWK set from its place of publication.
///
/// ```
/// use async_trait::async_trait;
/// use sse_auth::{BoxError, FetchJwks, RemoteJwks};
///
/// /// Fetches the keys with the HTTP client of the app.
/// struct Fetch;
///
/// #[async_trait]
/// impl FetchJwks for Fetch {
///     async fn fetch(&self) -> Result<Vec<u8>, BoxError> {
///         # async fn get(_: &str) -> Result<Vec<u8>, BoxError> { Ok(Vec::new()) }
///         get("https://issuer.example.com/.well-known/jwks.json").await
///     }
/// }
///
/// let keys = RemoteJwks::new(Fetch);
/// ```
#[async_trait]
pub trait FetchJwks: Send + Sync + 'static {
    /// Returns the text, of at most 256 KiB. At most one call is in flight at a time, in a task of
    /// its own, and is aborted after a timeout (10 s). So an implementation needs neither a cache
    /// nor retries.
    ///
    /// # Errors
    ///
    /// Returns any failure of the fetch. The failure is logged, and keys that are already known
    /// stay in use.
    async fn fetch(&self) -> Result<Vec<u8>, BoxError>;
}

/// A JWK set in a local file, which another program keeps up to date.
#[derive(Debug, Clone)]
pub struct JwksFile(PathBuf);

impl JwksFile {
    /// Creates a source from a path. The file need not exist yet.
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
