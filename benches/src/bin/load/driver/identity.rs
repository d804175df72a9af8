//! A certificate for a server under test, and a client that trusts no other certificate.

use std::fs;
use std::sync::Arc;

use anyhow::Context;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio_rustls::TlsConnector;

/// The name in the certificate.
pub(crate) const NAME: &str = "localhost";

/// A self-signed certificate, in files that exist as long as this value.
pub(crate) struct Identity {
    certified: CertifiedKey<KeyPair>,
    folder: TempDir,
}

impl Identity {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let certified =
            generate_simple_self_signed([NAME.to_owned()]).context("making a certificate")?;
        let folder = tempfile::tempdir().context("making a folder for a certificate")?;
        fs::write(folder.path().join("cert.pem"), certified.cert.pem())?;
        fs::write(
            folder.path().join("key.pem"),
            certified.signing_key.serialize_pem(),
        )?;
        Ok(Self { certified, folder })
    }

    /// Returns the arguments that configure the hub with the certificate.
    pub(crate) fn arguments(&self) -> [String; 4] {
        let path = |name| self.folder.path().join(name).to_string_lossy().into_owned();
        [
            "--tls-cert".to_owned(),
            path("cert.pem"),
            "--tls-key".to_owned(),
            path("key.pem"),
        ]
    }

    /// Creates a client that requests this application protocol (RFC 7301).
    pub(crate) fn connector(&self, protocol: &[u8]) -> anyhow::Result<TlsConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certified.cert.der().clone())?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.to_vec()];
        // A returning browser would spare the server the larger part of a handshake; these clients
        // are all new to the server.
        config.resumption = rustls::client::Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}
