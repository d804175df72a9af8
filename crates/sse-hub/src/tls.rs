//! TLS, where the hub has a certificate of its own.

use std::{path::PathBuf, sync::Arc};

use sse_axum::rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    version,
};

use crate::{error::Error, source::Sources};

/// The configuration of TLS, where both a certificate and its key are given.
pub(crate) fn config(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    sources: &Sources,
) -> Result<Option<Arc<ServerConfig>>, Error> {
    let wrong = |flag: &str, problem: String| Error::Setting { name: sources.name(flag), problem };
    let (cert, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => return Err(wrong("tls-cert", "needs --tls-key".to_owned())),
        (None, Some(_)) => return Err(wrong("tls-key", "needs --tls-cert".to_owned())),
    };
    let chain = CertificateDer::pem_file_iter(&cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| wrong("tls-cert", format!("cannot be read: {error}")))?;
    let key = PrivateKeyDer::from_pem_file(&key)
        .map_err(|error| wrong("tls-key", format!("cannot be read: {error}")))?;
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key));
    config
        .map(|config| Some(Arc::new(config)))
        .map_err(|error| wrong("tls-cert", format!("does not serve: {error}")))
}
