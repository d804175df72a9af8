//! JWK sets from URLs.

use std::{fmt, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use thiserror::Error;

use crate::{
    app_error::BoxError,
    jwt::{fetch::FetchJwks, jwks},
};

/// A JWK set at an HTTPS URL, fetched with the certificates that the system trusts. Redirects are
/// not followed: the URL must be that of the set itself.
pub struct HttpFetch {
    uri: Uri,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// The reason for which a URL cannot be fetched from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HttpFetchError {
    /// The text is not a URL.
    #[error("the text is not a URL")]
    Url,
    /// The URL is neither an HTTPS URL nor one of this machine.
    #[error("keys are fetched over HTTPS only, except from loopback")]
    NotHttps,
    /// The certificates of the system cannot be loaded.
    #[error("failed to load the system's certificates")]
    Certificates(#[source] std::io::Error),
}

/// The response was not the set.
#[derive(Debug, Error)]
#[error("the response has status {0}")]
struct UnexpectedStatus(u16);

impl HttpFetch {
    /// Creates a source from a URL. Nothing is fetched yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL is not an HTTPS URL (HTTP is for loopback only), or if the
    /// certificates of the system cannot be loaded.
    pub fn new(url: &str) -> Result<Self, HttpFetchError> {
        let uri: Uri = url.parse().map_err(|_| HttpFetchError::Url)?;
        let host = uri.host().ok_or(HttpFetchError::Url)?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if ["localhost", "127.0.0.1", "[::1]"].contains(&host) => {}
            _ => return Err(HttpFetchError::NotHttps),
        }
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(HttpFetchError::Certificates)?
            .https_or_http()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(Duration::from_secs(10))
            .build(connector);
        Ok(Self { uri, client })
    }
}

#[async_trait]
impl FetchJwks for HttpFetch {
    async fn fetch(&self) -> Result<Vec<u8>, BoxError> {
        let request = Request::get(&self.uri)
            .header(header::ACCEPT, "application/jwk-set+json, application/json")
            .header(
                header::USER_AGENT,
                concat!("sse-auth/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::new())?;
        let response = self.client.request(request).await?;
        if response.status() != 200 {
            return Err(UnexpectedStatus(response.status().as_u16()).into());
        }
        Ok(Limited::new(response.into_body(), jwks::MAX_BYTES)
            .collect()
            .await?
            .to_bytes()
            .to_vec())
    }
}

impl fmt::Debug for HttpFetch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetch")
            .field("host", &self.uri.host())
            .finish_non_exhaustive()
    }
}
