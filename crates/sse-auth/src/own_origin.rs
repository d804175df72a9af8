//! The origin under which clients reach the server.

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

/// The origin under which a client reached the server: scheme, host and port.
///
/// ```
/// use sse_auth::OwnOrigin;
///
/// let own = OwnOrigin::new(Some("http"), "Hub.example:80").unwrap();
/// assert!(own.is("http://hub.example"));
/// assert!(!own.is("https://hub.example") && !own.is("http://hub.example:8080"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnOrigin {
    scheme: Option<String>,
    authority: Authority,
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The host, in lower case; an IPv6 address in brackets and in its one canonical spelling.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl OwnOrigin {
    /// Parses the value of `Host` or `:authority`. Without a scheme, every scheme counts as the
    /// server's own. Returns `None` unless the value is a host with an optional port; a value with
    /// user information is also refused.
    #[must_use]
    pub fn new(scheme: Option<&str>, authority: &str) -> Option<Self> {
        // "Port" can be empty in an authority (RFC 3986, section 3.2.3), but not in an origin.
        let authority = authority.strip_suffix(':').unwrap_or(authority);
        Some(Self {
            scheme: scheme.map(str::to_ascii_lowercase),
            authority: Authority::parse(authority)?,
        })
    }

    /// Returns `true` if the value of a header `Origin` is this origin.
    #[must_use]
    pub fn is(&self, origin: &str) -> bool {
        let Some((scheme, authority)) = parse(origin) else {
            return false;
        };
        let own_scheme = self.scheme.as_deref().unwrap_or(&scheme);
        own_scheme == scheme
            && self.authority.host == authority.host
            && self.authority.port.or(usual_port(own_scheme))
                == authority.port.or(usual_port(&scheme))
    }

    /// Returns the host: a name or an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority.host
    }

    /// Returns `true` if the host is this machine for every client: `localhost`, a name below
    /// `localhost`, or a loopback address. The DNS cannot assign these hosts to another machine
    /// (RFC 6761, section 6.3), so no page of another site has such an origin.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.host().strip_suffix('.').unwrap_or(self.host());
        if let Some(address) = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            return address
                .parse::<Ipv6Addr>()
                .is_ok_and(|address| address.to_canonical().is_loopback());
        }
        host == "localhost"
            || host.ends_with(".localhost")
            || host
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl Authority {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.to_ascii_lowercase();
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
                (host, Some(port.parse().ok().filter(|_| digits)?))
            }
            _ => (text.as_str(), None),
        };
        if let Some(address) = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            let address: Ipv6Addr = address.parse().ok()?;
            return Some(Self {
                host: format!("[{address}]"),
                port,
            });
        }
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        let good = !host.is_empty() && host.bytes().all(is_name);
        good.then(|| Self {
            host: host.to_owned(),
            port,
        })
    }
}

/// Splits an origin in the form of browsers into its parts; `None` for every other text.
pub(crate) fn parse(origin: &str) -> Option<(String, Authority)> {
    let (scheme, authority) = origin.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let good = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(is_scheme);
    Some((scheme, Authority::parse(authority)?)).filter(|_| good)
}

/// Returns the default port of a scheme, which an origin omits.
pub(crate) fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

impl fmt::Display for OwnOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(scheme) = &self.scheme {
            write!(f, "{scheme}://")?;
        }
        f.write_str(&self.authority.host)?;
        match self.authority.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_origin_matches_scheme_host_and_port() {
        for (scheme, authority, origin, own) in [
            (Some("http"), "hub.example", "http://hub.example", true),
            (Some("http"), "HUB.Example:80", "http://hub.example", true),
            (Some("http"), "hub.example:", "http://hub.example", true),
            (Some("http"), "hub.example", "http://hub.example:80", true),
            (
                Some("https"),
                "hub.example",
                "https://hub.example:443",
                true,
            ),
            (
                Some("HTTPS"),
                "hub.example:443",
                "https://HUB.example",
                true,
            ),
            (
                Some("http"),
                "hub.example:8080",
                "http://hub.example:8080",
                true,
            ),
            (Some("http"), "10.0.0.5:8080", "http://10.0.0.5:8080", true),
            (
                Some("http"),
                "[2001:DB8::1]:8080",
                "http://[2001:db8:0::1]:8080",
                true,
            ),
            (Some("http"), "[::1]", "http://[::1]", true),
            (None, "hub.example", "https://hub.example", true),
            (None, "hub.example", "http://hub.example", true),
            (None, "hub.example:8080", "http://hub.example:8080", true),
            (None, "hub.example:443", "http://hub.example", false),
            (Some("http"), "hub.example", "https://hub.example", false),
            (
                Some("http"),
                "hub.example:443",
                "https://hub.example",
                false,
            ),
            (
                Some("https"),
                "hub.example",
                "https://hub.example:80",
                false,
            ),
            (
                Some("http"),
                "hub.example:8080",
                "http://hub.example",
                false,
            ),
            (
                Some("http"),
                "hub.example:8080",
                "http://hub.example:8081",
                false,
            ),
            (Some("http"), "hub.example", "http://evil.example", false),
            (Some("http"), "hub.example", "http://x.hub.example", false),
            (
                Some("http"),
                "hub.example",
                "http://hub.example.evil.example",
                false,
            ),
            (Some("http"), "hub.example", "http://hub.example.", false),
            (Some("http"), "hub.example.", "http://hub.example.", true),
            (Some("http"), "hub.example", "http://u@hub.example", false),
            (Some("http"), "hub.example", "http://hub.example/", false),
            (Some("http"), "hub.example", "null", false),
            (Some("http"), "hub.example", "", false),
        ] {
            let known = OwnOrigin::new(scheme, authority).unwrap();
            assert_eq!(known.is(origin), own, "{scheme:?} {authority} {origin}");
        }
        for bad in [
            "",
            ":80",
            "u@hub.example",
            "u:p@hub.example",
            "a b",
            "a/b",
            "[::1",
            "[zz]",
            "a:99999",
            "a:+1",
            "ä",
        ] {
            assert_eq!(OwnOrigin::new(None, bad), None, "{bad}");
        }
    }

    #[test]
    fn loopback_names_are_recognised() {
        for (authority, loopback) in [
            ("localhost", true),
            ("LOCALHOST:8080", true),
            ("localhost.", true),
            ("app.localhost:3000", true),
            ("127.0.0.1:8080", true),
            ("127.255.0.9", true),
            ("[::1]:8080", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.1", false),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("[::]", false),
            ("evil.example", false),
        ] {
            assert_eq!(
                OwnOrigin::new(None, authority).unwrap().is_loopback(),
                loopback,
                "{authority}"
            );
        }
    }
}
