//! Certificates for the connection to a broker.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sse_nats::NatsConfig;
use sse_redis::RedisConfig;
use zeroize::Zeroizing;

use crate::error::Error;

/// PEM files for the connection to a broker.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BrokerTls {
    /// Authorities that the hub trusts to sign the broker's certificate.
    pub(crate) authorities: Option<PathBuf>,
    /// Certificate that the hub presents, and its key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

impl BrokerTls {
    /// Returns the name of a setting that was given on the command line or in the file.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let authorities = self.authorities.as_ref().map(|_| "backplane-ca");
        authorities.or(self.client.as_ref().map(|_| "backplane-cert"))
    }

    /// Adds the certificates to the configuration of Redis.
    pub(crate) fn for_redis(&self, mut config: RedisConfig) -> Result<RedisConfig, Error> {
        if let Some(authorities) = &self.authorities {
            config = config.authorities(read(authorities)?);
        }
        if let Some((certificate, key)) = &self.client {
            let key = Zeroizing::new(read(key)?);
            config = config.client_certificate(read(certificate)?, key.as_slice());
        }
        Ok(config)
    }

    /// Adds the certificates to the configuration of NATS, whose driver reads the files.
    pub(crate) fn for_nats(&self, mut config: NatsConfig) -> Result<NatsConfig, Error> {
        if let Some(authorities) = &self.authorities {
            read(authorities)?;
            config = config.root_certificates(authorities);
        }
        if let Some((certificate, key)) = &self.client {
            for file in [certificate, key] {
                drop(Zeroizing::new(read(file)?));
            }
            config = config.client_certificate(certificate, key);
        }
        Ok(config)
    }
}

fn read(file: &Path) -> Result<Vec<u8>, Error> {
    fs::read(file).map_err(|error| Error::Setting {
        name: file.display().to_string(),
        problem: format!("cannot be read: {error}"),
    })
}
