//! Addresses of servers, and the credentials in URLs.

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

use crate::config::NatsCredentials;

/// The content of a URL, or of several URLs separated by commas.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Addresses without user and password: the driver writes addresses to its log.
    pub(crate) servers: Vec<ServerAddr>,
    pub(crate) credentials: Option<NatsCredentials>,
}

impl Addresses {
    pub(crate) fn parse(urls: &str) -> Result<Self, String> {
        let mut addresses = Self {
            servers: Vec::new(),
            credentials: None,
        };
        for (index, url) in urls.split(',').map(str::trim).enumerate() {
            // The error does not quote the text of the URL, which can contain a password.
            let wrong = |what: &str| format!("NATS URL {} {what}", index + 1);
            let parsed: ServerAddr = url
                .parse()
                .map_err(|_| wrong("is not nats://HOST:PORT or tls://HOST:PORT"))?;
            if !["nats", "tls"].contains(&parsed.scheme()) {
                return Err(wrong("does not have the scheme nats or tls"));
            }
            if parsed.host().is_empty() {
                return Err(wrong("has no host"));
            }
            let found = credentials(&parsed)
                .map_err(|()| wrong("has a user or password that is not percent-encoded UTF-8"))?;
            addresses.credentials = addresses.credentials.or(found);
            addresses
                .servers
                .push(bare(parsed).ok_or_else(|| wrong("is not supported"))?);
        }
        Ok(addresses)
    }
}

fn credentials(address: &ServerAddr) -> Result<Option<NatsCredentials>, ()> {
    let decoded = |text: &str| {
        percent_decode_str(text)
            .decode_utf8()
            .map(String::from)
            .map_err(|_| ())
    };
    let Some(user) = address.username() else {
        return Ok(None);
    };
    let user = decoded(user)?;
    Ok(Some(match address.password() {
        Some(password) => NatsCredentials::Password {
            user,
            password: decoded(password)?,
        },
        None => NatsCredentials::Token(user),
    }))
}

fn bare(address: ServerAddr) -> Option<ServerAddr> {
    let mut url = address.into_inner();
    url.set_username("").ok()?;
    url.set_password(None).ok()?;
    ServerAddr::from_url(url).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_removed_from_urls() {
        let addresses = Addresses::parse("nats://us%40er:p%3Aw@one:4000, tls://two").unwrap();
        assert_eq!(
            addresses
                .servers
                .iter()
                .map(ServerAddr::as_url_str)
                .collect::<Vec<_>>(),
            ["nats://one:4000", "tls://two"]
        );
        let Some(NatsCredentials::Password { user, password }) = addresses.credentials else {
            panic!()
        };
        assert_eq!((&*user, &*password), ("us@er", "p:w"));
        let token = Addresses::parse("nats://s3cret@one").unwrap();
        assert!(
            matches!(token.credentials, Some(NatsCredentials::Token(token)) if token == "s3cret")
        );
        assert!(
            Addresses::parse("one,two:4223")
                .unwrap()
                .credentials
                .is_none()
        );
    }

    #[test]
    fn bad_url_error_hides_password() {
        for url in [
            "http://u:hunter2@one",
            "nats://u:hunter2@one:port",
            "",
            "nats://u:hunter2@",
            "ws://u:hunter2@a",
        ] {
            let error = Addresses::parse(url).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
