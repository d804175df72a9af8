//! Addresses of clients that connect through proxies.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use rfc7239::{NodeIdentifier, NodeName};
use sse_auth::{OwnOrigin, RequestView};
use thiserror::Error;

/// Maximum number of addresses of a header that are checked, from its end.
const MAX_HOPS: usize = 32;

/// The proxies in front of the server, which alone are trusted to report the address of a client.
///
/// Proxies report the address in one header: `X-Forwarded-For`, unless [`header`](Self::header)
/// sets another. The header is read from its end, which the nearest proxy wrote. The client is the
/// first address that is not a proxy's. Addresses further from the end are ignored, because the
/// client can forge them. Reading also stops at an entry that is not an address, and after 32
/// entries; the client is then the last address read. The other header is ignored too: proxies that
/// do not write it forward it unchanged.
///
/// ```
/// use sse_access::TrustedProxies;
/// use sse_auth::RequestView;
///
/// let proxies = TrustedProxies::new(["10.0.0.0/8", "::1"])?;
/// let request = RequestView::new("GET").header("x-forwarded-for", "6.6.6.6, 203.0.113.9, 10.0.0.2");
/// assert_eq!(proxies.client("10.0.0.1".parse()?, &request).to_string(), "203.0.113.9");
/// // Headers of a client that is not a proxy are ignored.
/// assert_eq!(proxies.client("198.51.100.1".parse()?, &request).to_string(), "198.51.100.1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    header: ProxyHeader,
}

/// The header in which proxies report the address of a client.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// `X-Forwarded-For`, which most proxies write.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// A text that is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is neither an address nor a network such as 10.0.0.0/8")]
pub struct ProxyError(String);

impl TrustedProxies {
    /// Trusts no proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Creates a list of trusted proxies from addresses and networks.
    ///
    /// # Errors
    /// Returns [`ProxyError`] for the first text that is neither an address nor a network.
    pub fn new<T: AsRef<str>>(networks: impl IntoIterator<Item = T>) -> Result<Self, ProxyError> {
        let networks = networks
            .into_iter()
            .map(|network| parse(network.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            networks,
            header: ProxyHeader::default(),
        })
    }

    /// Sets the header in which the proxies report the address.
    #[must_use]
    pub fn header(mut self, header: ProxyHeader) -> Self {
        self.header = header;
        self
    }

    /// Returns the address of the client that made a request over a connection from `peer`.
    #[must_use]
    pub fn client(&self, peer: IpAddr, request: &RequestView<'_>) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contain(peer) {
            return peer;
        }
        let mut client = peer;
        for hop in self.hops(request) {
            // An unreadable entry hides all entries before it. The proxy that wrote the entry is
            // the last known address.
            let Some(address) = hop else { return client };
            client = address;
            if !self.contain(address) {
                break;
            }
        }
        client
    }

    /// Returns the origin that the client requested, as the nearest proxy reports it. `peer` is the
    /// address at the other end of the connection. If `peer` is not a proxy, or does not report the
    /// host or the scheme, the host is that of the request, and the scheme is `scheme`, which this
    /// server itself speaks. Returns `None` if the host is missing or invalid.
    ///
    /// Proxies report the origin in `X-Forwarded-Host` and `X-Forwarded-Proto`, or in `host=` and
    /// `proto=` of `Forwarded`. The last of several values counts, which the nearest proxy wrote.
    #[must_use]
    pub fn own_origin(
        &self,
        peer: IpAddr,
        request: &RequestView<'_>,
        scheme: &str,
    ) -> Option<OwnOrigin> {
        let (host, proto) = match self.header {
            _ if !self.contain(peer.to_canonical()) => (None, None),
            ProxyHeader::XForwardedFor => (
                last_value(request, "x-forwarded-host"),
                last_value(request, "x-forwarded-proto"),
            ),
            ProxyHeader::Forwarded => last_element(request),
        };
        let authority = host.as_deref().or(request.requested_authority())?;
        OwnOrigin::new(Some(proto.as_deref().unwrap_or(scheme)), authority)
    }

    /// Returns `true` if an address is that of a proxy.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.contain(address.to_canonical())
    }

    /// Returns the addresses that the proxies report, the nearest first; `None` for an entry that
    /// is not an address.
    fn hops(&self, request: &RequestView<'_>) -> Vec<Option<IpAddr>> {
        match self.header {
            ProxyHeader::Forwarded => {
                last(joined(request, "forwarded").iter().rev().flat_map(|value| {
                    let nodes: Vec<_> = rfc7239::parse(value)
                        .map(|node| {
                            node.ok()
                                .and_then(|node| node.forwarded_for)
                                .and_then(|node| address_of(&node))
                        })
                        .collect();
                    nodes.into_iter().rev()
                }))
            }
            ProxyHeader::XForwardedFor => {
                let values = joined(request, "x-forwarded-for");
                last(
                    values
                        .iter()
                        .rev()
                        .flat_map(|value| value.rsplit(',').map(|text| address_in(text.trim()))),
                )
            }
        }
    }

    fn contain(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

fn parse(text: &str) -> Result<IpNet, ProxyError> {
    let address = || IpAddr::from_str(text).map(|address| IpNet::from(address.to_canonical()));
    IpNet::from_str(text)
        .or_else(|_| address())
        .map_err(|_| ProxyError(text.to_owned()))
}

fn last(hops: impl Iterator<Item = Option<IpAddr>>) -> Vec<Option<IpAddr>> {
    hops.take(MAX_HOPS).collect()
}

fn joined(request: &RequestView<'_>, name: &str) -> Vec<String> {
    request
        .header_values(name)
        .map(|value| String::from_utf8_lossy(value).into_owned())
        .collect()
}

fn last_value(request: &RequestView<'_>, name: &str) -> Option<String> {
    let values = joined(request, name);
    let last = values.last()?.rsplit(',').next()?.trim();
    (!last.is_empty()).then(|| last.to_owned())
}

/// Returns host and protocol of the last element of `Forwarded`.
fn last_element(request: &RequestView<'_>) -> (Option<String>, Option<String>) {
    let values = joined(request, "forwarded");
    let last = values.last().and_then(|value| rfc7239::parse(value).last());
    let Some(Ok(element)) = last else {
        return (None, None);
    };
    // A port makes the host a quoted string (RFC 7239, section 4).
    let text = |value: &str| value.trim_matches('"').to_owned();
    (element.host.map(text), element.protocol.map(text))
}

fn address_of(node: &NodeIdentifier<'_>) -> Option<IpAddr> {
    match node.name {
        NodeName::Ip(address) => Some(address.to_canonical()),
        _ => None,
    }
}

/// Parses an address as proxies write it in `X-Forwarded-For`. Some proxies append a port.
fn address_in(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'))
        .unwrap_or(text);
    let address = IpAddr::from_str(bare)
        .or_else(|_| text.parse().map(|socket: std::net::SocketAddr| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, headers: &[(&str, &str)]) -> String {
        client_by(ProxyHeader::XForwardedFor, peer, headers)
    }

    fn client_by(header: ProxyHeader, peer: &str, headers: &[(&str, &str)]) -> String {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "192.168.1.1", "fd00::/8"])
            .unwrap()
            .header(header);
        let request = headers
            .iter()
            .fold(RequestView::new("GET"), |request, (name, value)| {
                request.header(name, *value)
            });
        proxies.client(peer.parse().unwrap(), &request).to_string()
    }

    #[test]
    fn proxies_are_recognised_by_address() {
        let proxies = TrustedProxies::new(["10.0.0.0/8", "::1"]).unwrap();
        for (address, is_proxy) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("::1", true),
            ("11.0.0.1", false),
            ("::2", false),
        ] {
            assert_eq!(
                proxies.contains(address.parse().unwrap()),
                is_proxy,
                "{address}"
            );
        }
        assert!(!TrustedProxies::none().contains("10.0.0.1".parse().unwrap()));
    }

    #[test]
    fn headers_count_only_from_proxies() {
        let headers = [
            ("x-forwarded-for", "203.0.113.9"),
            ("forwarded", "for=203.0.113.8"),
        ];
        assert_eq!(client("198.51.100.1", &headers), "198.51.100.1");
        assert_eq!(client("10.1.2.3", &headers[..1]), "203.0.113.9");
        assert_eq!(
            client("10.1.2.3", &headers),
            "203.0.113.9",
            "a header that the proxies do not write can be forged"
        );
        assert_eq!(
            client_by(ProxyHeader::Forwarded, "10.1.2.3", &headers),
            "203.0.113.8"
        );
        assert_eq!(
            client_by(ProxyHeader::Forwarded, "10.1.2.3", &headers[..1]),
            "10.1.2.3"
        );
        assert_eq!(client("::ffff:10.1.2.3", &headers[..1]), "203.0.113.9");
        assert_eq!(client("fd00::1", &[]), "fd00::1");
    }

    #[test]
    fn forged_entries_are_ignored() {
        for (value, expected) in [
            ("6.6.6.6, 203.0.113.9", "203.0.113.9"),
            ("6.6.6.6,203.0.113.9, 10.0.0.2 ,192.168.1.1", "203.0.113.9"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("203.0.113.9:4711", "203.0.113.9"),
            ("[2001:db8::9]:4711", "2001:db8::9"),
            ("2001:db8::9", "2001:db8::9"),
            ("203.0.113.9, garbage, 10.0.0.2", "10.0.0.2"),
            ("garbage", "10.0.0.1"),
            ("", "10.0.0.1"),
        ] {
            assert_eq!(
                client("10.0.0.1", &[("x-forwarded-for", value)]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn forwarded_is_parsed_by_rfc_7239() {
        for (value, expected) in [
            ("for=203.0.113.9;proto=https;by=10.0.0.2", "203.0.113.9"),
            ("for=6.6.6.6, for=\"[2001:db8::9]:4711\"", "2001:db8::9"),
            ("for=203.0.113.9, for=10.0.0.7", "203.0.113.9"),
            ("for=unknown", "10.0.0.1"),
            ("for=_hidden, for=10.0.0.7", "10.0.0.7"),
            ("proto=https", "10.0.0.1"),
        ] {
            assert_eq!(
                client_by(ProxyHeader::Forwarded, "10.0.0.1", &[("forwarded", value)]),
                expected,
                "{value}"
            );
        }
    }

    #[test]
    fn nearest_proxy_reports_the_origin() {
        let own = |header, peer: &str, headers: &[(&str, &str)]| {
            let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap().header(header);
            let headers = headers
                .iter()
                .map(|(name, value)| (*name, value.as_bytes()));
            let request = RequestView::new("GET").headers(headers);
            let own = proxies.own_origin(peer.parse().unwrap(), &request, "http");
            own.map_or_else(|| "none".to_owned(), |own| own.to_string())
        };
        use ProxyHeader::{Forwarded, XForwardedFor};
        let host = ("host", "hub:8080");
        let (name, proto) = (
            ("x-forwarded-host", "App.example.com"),
            ("x-forwarded-proto", "https"),
        );
        let standard = (
            "forwarded",
            "for=1.2.3.4;host=\"app.example.com:444\";proto=https",
        );
        for (header, peer, headers, expected) in [
            (XForwardedFor, "10.0.0.1", &[host][..], "http://hub:8080"),
            (
                XForwardedFor,
                "10.0.0.1",
                &[host, name],
                "http://app.example.com",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[host, proto],
                "https://hub:8080",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[host, name, proto],
                "https://app.example.com",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[name, proto],
                "https://app.example.com",
            ),
            (
                XForwardedFor,
                "6.6.6.6",
                &[host, name, proto],
                "http://hub:8080",
            ),
            (XForwardedFor, "6.6.6.6", &[name, proto], "none"),
            (
                XForwardedFor,
                "10.0.0.1",
                &[host, standard],
                "http://hub:8080",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[("x-forwarded-host", "evil.example"), name, host],
                "http://app.example.com",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[("x-forwarded-host", "evil.example, app.example.com")],
                "http://app.example.com",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-proto", "http"),
                    host,
                ],
                "http://hub:8080",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[("x-forwarded-host", ""), host],
                "http://hub:8080",
            ),
            (
                XForwardedFor,
                "10.0.0.1",
                &[("x-forwarded-host", "u@evil"), host],
                "none",
            ),
            (
                Forwarded,
                "10.0.0.1",
                &[host, standard, name],
                "https://app.example.com:444",
            ),
            (
                Forwarded,
                "10.0.0.1",
                &[
                    host,
                    ("forwarded", "host=evil.example, host=app.example.com"),
                ],
                "http://app.example.com",
            ),
            (
                Forwarded,
                "10.0.0.1",
                &[host, ("forwarded", "host=evil.example, for=10.0.0.9")],
                "http://hub:8080",
            ),
            (Forwarded, "6.6.6.6", &[host, standard], "http://hub:8080"),
        ] {
            assert_eq!(
                own(header, peer, headers),
                expected,
                "{header:?} {peer} {headers:?}"
            );
        }
    }

    #[test]
    fn repeated_headers_form_one_list() {
        let headers = [
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "203.0.113.9, 10.0.0.2"),
        ];
        assert_eq!(client("10.0.0.1", &headers), "203.0.113.9");
    }

    #[test]
    fn invalid_networks_are_rejected() {
        for text in ["", "10.0.0.0/33", "ten", "10.0.0.1:80", "*"] {
            assert_eq!(
                TrustedProxies::new([text]).unwrap_err(),
                ProxyError(text.to_owned())
            );
        }
    }
}
