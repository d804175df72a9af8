//! The server: its address, TLS and login.

use std::time::Duration;

use redis::{ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisError};
use sse_core::backplane::BackplaneError;

use crate::connection::{
    address::Address,
    connector::{Connected, Connector, Purpose},
    sentinels::Sentinels,
    tls::{self, Certificates},
};

/// A server, and the login for it. Debug output shows no password.
pub(crate) struct RedisServer {
    pub(crate) discovery: Discovery,
    connector: Connector,
    login: RedisConnectionInfo,
}

/// The way in which a server is found.
#[derive(Debug)]
pub(crate) enum Discovery {
    At(Address),
    By(Sentinels),
}

impl RedisServer {
    /// Parses a URL; see [`RedisBackplane::connect`](crate::RedisBackplane::connect).
    pub(crate) fn parse(url: &str, certificates: Certificates<'_>) -> Result<Self, BackplaneError> {
        let (plain, secure) = without_tls(url);
        if secure && url.contains('#') {
            return Err(BackplaneError::rejected(
                "the Redis URL has a fragment: certificates are always verified",
            ));
        }
        let (discovery, login) = find(&plain)?;
        let tls = match secure {
            true => Some(tls::connector(certificates)?),
            false if certificates.is_some() => {
                return Err(BackplaneError::rejected(
                    "certificates require a URL with TLS, such as rediss://",
                ));
            }
            false => None,
        };
        Ok(Self {
            discovery,
            connector: Connector { tls },
            login,
        })
    }

    pub(crate) fn database(&self) -> i64 {
        self.login.db()
    }

    /// Returns the current address of the server.
    pub(crate) async fn address(
        &self,
        response_timeout: Duration,
    ) -> Result<Address, BackplaneError> {
        match &self.discovery {
            Discovery::At(address) => Ok(address.clone()),
            Discovery::By(sentinels) => sentinels.ask(&self.connector, response_timeout).await,
        }
    }

    /// Connects and logs in. Has no time limit of its own.
    pub(crate) async fn connect(
        &self,
        address: &Address,
        purpose: &Purpose,
        response_timeout: Duration,
    ) -> Result<Connected, RedisError> {
        self.connector
            .log_in(address, &self.login, purpose, response_timeout)
            .await
    }
}

/// Returns the URL for a connection without TLS, and `true` if the URL requests TLS. The driver's
/// own TLS uses the cryptography provider of the process, and panics if that is ambiguous.
fn without_tls(url: &str) -> (String, bool) {
    for (secure, plain) in [
        ("rediss://", "redis://"),
        ("valkeys://", "valkey://"),
        ("rediss+sentinel://", "redis+sentinel://"),
        ("valkeys+sentinel://", "valkey+sentinel://"),
    ] {
        if let Some(rest) = url.strip_prefix(secure) {
            return (format!("{plain}{rest}"), true);
        }
    }
    (url.to_owned(), false)
}

/// Parses a URL into the way to find the server, and the login for it.
fn find(url: &str) -> Result<(Discovery, RedisConnectionInfo), BackplaneError> {
    for scheme in ["redis+sentinel://", "valkey+sentinel://"] {
        if let Some(rest) = url.strip_prefix(scheme) {
            let (sentinels, login) = Sentinels::parse(rest)?;
            return Ok((Discovery::By(sentinels), login));
        }
    }
    let info = url
        .into_connection_info()
        .map_err(|error| unusable(&error))?;
    let address = match info.addr() {
        ConnectionAddr::Tcp(host, port) => Address::Tcp {
            host: host.clone(),
            port: *port,
        },
        ConnectionAddr::Unix(path) => Address::Unix(path.clone()),
        _ => {
            return Err(BackplaneError::rejected(
                "the kind of the Redis URL is not supported",
            ));
        }
    };
    Ok((Discovery::At(address), info.redis_settings().clone()))
}

fn unusable(error: &RedisError) -> BackplaneError {
    // The driver's error names parts of a URL, and never the password.
    BackplaneError::rejected(format!("invalid Redis URL: {}", error.category()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_parse() {
        let server = RedisServer::parse(
            "redis://user:p%40ss@example.org:7000/3",
            Certificates::default(),
        )
        .unwrap();
        let Discovery::At(address) = &server.discovery else {
            panic!("the URL names sentinels")
        };
        assert_eq!(address.to_string(), "example.org:7000");
        assert_eq!(
            (server.database(), server.login.password()),
            (3, Some("p@ss"))
        );
        assert!(server.connector.tls.is_none());
        let server = RedisServer::parse("unix:///run/redis.sock", Certificates::default()).unwrap();
        assert!(
            matches!(server.discovery, Discovery::At(Address::Unix(path)) if path.ends_with("redis.sock"))
        );
    }

    #[test]
    fn bad_url_error_hides_password() {
        for url in [
            "",
            "http://:secret@example.org",
            "redis://:secret@",
            "redis://:secret@example.org/x",
            "rediss://:secret@example.org/#insecure",
            "redis://:secret@0.0.0.0",
        ] {
            let error = RedisServer::parse(url, Certificates::default())
                .err()
                .unwrap();
            assert!(matches!(error, BackplaneError::Rejected { .. }), "{url}");
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn sentinel_urls_parse_with_and_without_tls() {
        let authority = rcgen::generate_simple_self_signed(["a".to_owned()])
            .unwrap()
            .cert
            .pem();
        let certificates = Certificates {
            authorities: Some(authority.as_bytes()),
            client: None,
        };
        for (url, certificates) in [
            ("redis+sentinel://:secret@a,b/p/3", Certificates::default()),
            ("valkey+sentinel://:secret@a,b/p/3", Certificates::default()),
            ("rediss+sentinel://:secret@a,b/p/3", certificates),
            ("valkeys+sentinel://:secret@a,b/p/3", certificates),
        ] {
            let server = RedisServer::parse(url, certificates).unwrap();
            assert_eq!(
                (server.database(), server.login.password()),
                (3, Some("secret"))
            );
            assert!(matches!(server.discovery, Discovery::By(_)));
            assert_eq!(server.connector.tls.is_some(), certificates.is_some());
        }
    }

    #[test]
    fn certificates_require_tls() {
        let certificates = Certificates {
            authorities: Some(b""),
            client: None,
        };
        for url in ["redis://a", "unix:///a", "redis+sentinel://a/p"] {
            let error = RedisServer::parse(url, certificates).err().unwrap();
            assert!(error.to_string().contains("rediss://"), "{error}");
        }
    }
}
