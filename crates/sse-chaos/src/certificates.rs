//! A certificate authority, and the certificates of all servers.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::error::Error;

/// Files that servers with TLS and their clients need.
pub(crate) struct CertificateFiles {
    /// Certificate of the authority that signs the servers' certificates.
    pub(crate) authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl CertificateFiles {
    /// Creates the authority and the certificates.
    pub(crate) fn write(folder: &Path) -> Result<Self, Error> {
        let failed = |error: rcgen::Error| Error::new(error.to_string());
        let mut params = CertificateParams::new([]).map_err(failed)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "chaos");
        let authority =
            KeyPair::generate().and_then(|key| CertifiedIssuer::self_signed(params, key));
        let authority = authority.map_err(failed)?;
        let key = KeyPair::generate().map_err(failed)?;
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).map_err(failed)?;
        let certificate = params.signed_by(&key, &authority).map_err(failed)?;
        let file = |name: &str, text: &str| -> Result<PathBuf, Error> {
            let path = folder.join(name);
            fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            authority: file("authority.pem", &authority.pem())?,
            certificate: file("server.pem", &certificate.pem())?,
            key: file("server.key", &key.serialize_pem())?,
        })
    }

    /// Returns the TLS settings of a Redis server.
    pub(crate) fn arguments(&self) -> [(&'static str, String); 5] {
        let path = |path: &Path| path.display().to_string();
        [
            ("tls-cert-file", path(&self.certificate)),
            ("tls-key-file", path(&self.key)),
            ("tls-ca-cert-file", path(&self.authority)),
            ("tls-auth-clients", "no".to_owned()),
            ("tls-replication", "yes".to_owned()),
        ]
    }
}
