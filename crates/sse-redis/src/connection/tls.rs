//! Trusted authorities and the client certificate.

use std::{fmt::Display, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use sse_core::backplane::BackplaneError;
use tokio_rustls::TlsConnector;

use crate::config::ClientCertificate;

/// The certificates of a configuration.
#[derive(Clone, Copy, Default)]
pub(crate) struct Certificates<'a> {
    /// Authorities, as PEM. If `None`, those that the system trusts.
    pub(crate) authorities: Option<&'a [u8]>,
    pub(crate) client: Option<&'a ClientCertificate>,
}

impl Certificates<'_> {
    pub(crate) fn is_some(&self) -> bool {
        self.authorities.is_some() || self.client.is_some()
    }
}

pub(crate) fn connector(certificates: Certificates<'_>) -> Result<TlsConnector, BackplaneError> {
    let roots = roots(certificates.authorities)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(unusable)?.with_root_certificates(roots);
    let config = match certificates.client {
        None => config.with_no_client_auth(),
        Some(ClientCertificate { certificate, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key).map_err(unusable)?;
            config
                .with_client_auth_cert(chain(certificate)?, key)
                .map_err(unusable)?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(authorities: Option<&[u8]>) -> Result<RootCertStore, BackplaneError> {
    let mut roots = RootCertStore::empty();
    match authorities {
        Some(pem) => {
            for authority in chain(pem)? {
                roots.add(authority).map_err(unusable)?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    if roots.is_empty() {
        return Err(BackplaneError::rejected(
            "no certificate authority to verify the Redis server",
        ));
    }
    Ok(roots)
}

fn chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, BackplaneError> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(unusable)
}

fn unusable(error: impl Display) -> BackplaneError {
    BackplaneError::rejected(format!("invalid certificate or key: {error}"))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

    use super::*;

    #[test]
    fn authorities_must_be_certificates() {
        for pem in [
            "",
            "no certificate",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            let certificates = Certificates {
                authorities: Some(pem.as_bytes()),
                client: None,
            };
            assert!(connector(certificates).is_err(), "{pem}");
        }
    }

    #[test]
    fn client_certificate_must_match_key() {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["a".to_owned()]).unwrap();
        let (pem, key) = (cert.pem(), signing_key.serialize_pem());
        let other = KeyPair::generate().unwrap().serialize_pem();
        for (certificate, key, fits) in [
            (pem.as_str(), key.as_str(), true),
            (&pem, &other, false),
            (&pem, "", false),
            (&pem, &pem, false),
            ("", &key, false),
            (&key, &key, false),
        ] {
            let client = ClientCertificate {
                certificate: certificate.into(),
                key: key.into(),
            };
            let certificates = Certificates {
                authorities: Some(pem.as_bytes()),
                client: Some(&client),
            };
            assert_eq!(connector(certificates).is_ok(), fits, "{certificate} {key}");
            assert!(!format!("{client:?}").contains("PRIVATE"));
        }
    }
}
