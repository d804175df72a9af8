//! Certificates for the way to a broker.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sse_nats::NatsConfig;
use sse_redis::RedisConfig;
use zeroize::Zeroizing;

use crate::error::Error;

/// PEM files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct BrokerTls {
    /// The authorities that may vouch for the broker.
    pub(crate) authorities: Option<PathBuf>,
    /// What it is shown, and the key.
    pub(crate) client: Option<(PathBuf, PathBuf)>,
}

impl BrokerTls {
    /// A flag that was given, or stands in the file.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let authorities = self.authorities.as_ref().map(|_| "backplane-ca");
        authorities.or(self.client.as_ref().map(|_| "backplane-cert"))
    }

    /// Puts them into the configuration.
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

    /// The same for NATS, whose driver reads them itself.
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
