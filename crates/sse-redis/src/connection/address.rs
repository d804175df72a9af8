//! Addresses of servers.

use std::{fmt, path::PathBuf};

/// The address of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// Reads `host`, `host:port`, `[IPv6]` and `[IPv6]:port`.
    pub(crate) fn parse(text: &str, default_port: u16) -> Option<Self> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => rest.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port != 0)?,
            None if port.is_empty() => default_port,
            None => return None,
        };
        let fits =
            !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || c.is_control());
        fits.then(|| Self::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    /// Returns the address that a cluster's redirection names: `host:port`, without a host if it is
    /// the redirecting server's own.
    pub(crate) fn moved_to(&self, node: &str) -> Option<Self> {
        let (host, port) = node.rsplit_once(':')?;
        let port = port.parse().ok()?;
        match self {
            Self::Tcp { host: own, .. } if host.is_empty() => Some(Self::Tcp {
                host: own.clone(),
                port,
            }),
            _ => Some(Self::Tcp {
                host: host.trim_matches(['[', ']']).to_owned(),
                port,
            }),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Option<Address> {
        Some(Address::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    #[test]
    fn hosts_parse_with_and_without_port() {
        for (text, host, port) in [
            ("a", "a", 7),
            ("a:1", "a", 1),
            ("::1", "", 0),
            ("[::1]", "::1", 7),
            ("[::1]:2", "::1", 2),
        ] {
            let expected = if host.is_empty() {
                None
            } else {
                tcp(host, port)
            };
            assert_eq!(Address::parse(text, 7), expected, "{text}");
        }
        for text in [
            "", ":1", "a:", "a:0", "a:65536", "a b", "[::1", "[::1]2", "[]:1", "a\n",
        ] {
            assert_eq!(Address::parse(text, 7), None, "{text}");
        }
    }

    #[test]
    fn addresses_round_trip() {
        for text in ["a:1", "[::1]:2"] {
            assert_eq!(Address::parse(text, 7).unwrap().to_string(), text);
        }
    }

    #[test]
    fn cluster_redirect_keeps_or_replaces_host() {
        let own = tcp("a", 1).unwrap();
        assert_eq!(own.moved_to("127.0.0.1:7001"), tcp("127.0.0.1", 7001));
        assert_eq!(own.moved_to("::1:7001"), tcp("::1", 7001));
        assert_eq!(own.moved_to(":7001"), tcp("a", 7001));
        assert_eq!(own.moved_to("nowhere"), None);
    }
}
