//! TLS of a hub with its own certificate.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use sse_axum::rustls::{
    ServerConfig,
    crypto::{self, CryptoProvider},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version,
};

use crate::{
    error::Error,
    settings::{
        key_file::{self, Holds},
        source::Sources,
    },
};

/// TLS with a certificate that can be reloaded.
#[derive(Debug)]
pub(crate) struct ReloadableTls {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) certificate: Arc<Certificate>,
}

/// The certificate of the hub: its files, and their content when they were last read.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: Named,
    key: Named,
    sources: Sources,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

/// A file, and the setting that names it.
#[derive(Debug)]
struct Named {
    setting: String,
    path: PathBuf,
}

/// Creates the TLS configuration, if both a certificate and its key are given.
pub(crate) fn config(
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    sources: &Sources,
) -> Result<Option<ReloadableTls>, Error> {
    let named = |flag: &str, path| Named {
        setting: sources.name(flag),
        path,
    };
    let (chain, key) = match (cert, key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (named("tls-cert", cert), named("tls-key", key)),
        (Some(cert), None) => return Err(named("tls-cert", cert).wrong("needs --tls-key")),
        (None, Some(key)) => return Err(named("tls-key", key).wrong("needs --tls-cert")),
    };
    let provider = Arc::new(crypto::ring::default_provider());
    let sources = sources.clone();
    let current = RwLock::new(read(&chain, &key, &provider, &sources)?);
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])
        .map_err(|error| chain.wrong(&format!("cannot be used: {error}")))?;
    let certificate = Arc::new(Certificate {
        chain,
        key,
        sources,
        provider,
        current,
    });
    let config = config
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(&certificate) as _);
    Ok(Some(ReloadableTls {
        config: Arc::new(config),
        certificate,
    }))
}

/// Reads a certificate chain and its key. The key must belong to the certificate.
fn read(
    chain: &Named,
    key: &Named,
    provider: &CryptoProvider,
    sources: &Sources,
) -> Result<Arc<CertifiedKey>, Error> {
    let certificates =
        chain.read(|path| CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>())?;
    let pem = key_file::read(&key.path, Holds::Secret, sources);
    let pem = pem.map_err(|error| key.wrong(&format!("cannot be used: {error}")))?;
    let private_key = key.read(|_| PrivateKeyDer::from_pem_slice(&pem))?;
    let certified = CertifiedKey::from_der(certificates, private_key, provider);
    certified
        .map(Arc::new)
        .map_err(|error| chain.wrong(&format!("cannot be used: {error}")))
}

impl Named {
    fn read<T, E: std::fmt::Display>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, E>,
    ) -> Result<T, Error> {
        read(&self.path).map_err(|error| self.wrong(&format!("cannot be read: {error}")))
    }

    fn wrong(&self, problem: &str) -> Error {
        Error::Setting {
            name: self.setting.clone(),
            problem: problem.to_owned(),
        }
    }
}

impl Certificate {
    /// Reads the files again. New connections receive the new certificate. If a file is wrong, they
    /// still receive the old one.
    pub(crate) fn reload(&self) -> Result<(), Error> {
        let read = read(&self.chain, &self.key, &self.provider, &self.sources);
        self.sources.log_notes();
        let read = read?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(
            &self.current.read().unwrap_or_else(PoisonError::into_inner),
        ))
    }
}
