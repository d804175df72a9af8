//! The addresses of the streams and of the publish route.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use http::Uri;

/// The routes of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Layout {
    /// The hub: streams at `/api/sse`, the tRPC procedure `sse.publish` beneath `/api/trpc`.
    Hub,
    /// The servers of this program: streams at `/sse`; the body of `POST /publish` becomes the
    /// `data`.
    Plain,
}

impl Layout {
    fn stream_path(self) -> &'static str {
        match self {
            Self::Hub => "/api/sse?user=load-{i}",
            Self::Plain => "/sse",
        }
    }

    fn publish_path(self) -> &'static str {
        match self {
            Self::Hub => "/api/trpc/sse.publish",
            Self::Plain => "/publish",
        }
    }

    fn publish_body(self, payload: &str) -> String {
        match self {
            Self::Hub => format!(r#"{{"target":"all","event":"tick","data":{payload}}}"#),
            Self::Plain => payload.to_owned(),
        }
    }
}

/// A server under test.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    layout: Layout,
    address: SocketAddr,
    authority: String,
    stream_path: String,
    publish_address: SocketAddr,
    publish_path: String,
    fields: String,
}

impl Target {
    /// Creates the target whose streams are at `url`; without a path, at the layout's default path.
    /// `{i}` in `url` becomes the number of the stream. `fields` are further request header fields,
    /// each `Name: value`.
    ///
    /// # Errors
    ///
    /// If a URL is not plain HTTP, does not resolve, or leads off this machine.
    pub(crate) fn new(
        layout: Layout,
        url: &str,
        publish_url: Option<&str>,
        fields: &[String],
    ) -> anyhow::Result<Self> {
        let (address, authority, path) = locate(url)?;
        let stream_path = path.unwrap_or_else(|| layout.stream_path().to_owned());
        let (publish_address, publish_path) = match publish_url {
            Some(url) => {
                let (address, _, path) = locate(url)?;
                (
                    address,
                    path.unwrap_or_else(|| layout.publish_path().to_owned()),
                )
            }
            None => (address, layout.publish_path().to_owned()),
        };
        let fields = fields
            .iter()
            .map(|field| field_line(field))
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            layout,
            address,
            authority,
            stream_path,
            publish_address,
            publish_path,
            fields,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn publish_address(&self) -> SocketAddr {
        self.publish_address
    }

    /// Returns the source address of stream `index`: a thousand streams share a loopback address,
    /// so that ports do not run out.
    ///
    /// `run` keeps consecutive runs apart, because the kernel holds back the ports of the previous
    /// run for a minute.
    pub(crate) fn source(&self, run: u32, index: usize) -> SocketAddr {
        match self.address.ip() {
            IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0)),
            IpAddr::V4(_) => {
                let group = u32::try_from(index / 1000).unwrap_or(0) & 0xff;
                let [_, _, high, low] = run.to_be_bytes();
                let [_, _, _, group] = group.to_be_bytes();
                SocketAddr::from((
                    Ipv4Addr::new(
                        127,
                        16 + (high & 0x7f),
                        low.clamp(1, 254),
                        group.clamp(1, 254),
                    ),
                    0,
                ))
            }
        }
    }

    pub(crate) fn stream_request(&self, index: usize) -> String {
        let Self {
            authority, fields, ..
        } = self;
        let path = self.stream_path.replace("{i}", &index.to_string());
        format!(
            "GET {path} HTTP/1.1\r\nHost: {authority}\r\nAccept: text/event-stream\r\n{fields}\r\n"
        )
    }

    pub(crate) fn publish_request(&self, payload: &str) -> String {
        let Self {
            authority,
            publish_path,
            fields,
            ..
        } = self;
        let body = self.layout.publish_body(payload);
        let length = body.len();
        format!(
            "POST {publish_path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{fields}\r\n{body}"
        )
    }
}

/// Returns the address, the authority and, if there is more than `/`, the path of a URL.
fn locate(url: &str) -> anyhow::Result<(SocketAddr, String, Option<String>)> {
    let (base, braced) = url
        .split_once('{')
        .map_or((url, String::new()), |(base, rest)| {
            (base, format!("{{{rest}"))
        });
    let uri: Uri = base
        .parse()
        .with_context(|| format!("invalid URL: {url}"))?;
    ensure!(
        uri.scheme_str() == Some("http"),
        "the URL is not an http:// URL: {url}"
    );
    let authority = uri
        .authority()
        .with_context(|| format!("the URL has no host: {url}"))?;
    let host = authority.host().trim_matches(['[', ']']);
    let addresses = (host, authority.port_u16().unwrap_or(80)).to_socket_addrs();
    let addresses: Vec<_> = addresses
        .with_context(|| format!("failed to resolve {host}"))?
        .collect();
    let Some(address) = addresses
        .iter()
        .find(|address| address.is_ipv4())
        .or(addresses.first())
    else {
        bail!("{host} has no address");
    };
    ensure!(
        address.ip().is_loopback(),
        "{url} is not a loopback address"
    );
    let path = uri
        .path_and_query()
        .map(ToString::to_string)
        .filter(|path| path != "/" || !braced.is_empty());
    Ok((
        *address,
        authority.to_string(),
        path.map(|path| path + &braced),
    ))
}

fn field_line(field: &str) -> anyhow::Result<String> {
    let well_formed = field.contains(':') && !field.contains(['\r', '\n']);
    ensure!(
        well_formed,
        "a header field is written `Name: value`, not {field:?}"
    );
    Ok(format!("{field}\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_url_gets_the_paths_of_its_layout() {
        let hub = Target::new(Layout::Hub, "http://127.0.0.1:80", None, &[]).unwrap();
        assert!(
            hub.stream_request(7)
                .starts_with("GET /api/sse?user=load-7 HTTP/1.1\r\nHost: 127.0.0.1:80\r\n")
        );
        let publish = hub.publish_request("{}");
        assert!(publish.starts_with("POST /api/trpc/sse.publish HTTP/1.1\r\n"));
        assert!(publish.ends_with("\r\n\r\n{\"target\":\"all\",\"event\":\"tick\",\"data\":{}}"));
    }

    #[test]
    fn paths_and_fields_given_are_used() {
        let fields = ["Cookie: a=b".to_owned()];
        let target = Target::new(
            Layout::Plain,
            "http://127.0.0.1:1/x?u={i}&y",
            Some("http://127.0.0.1:2/p"),
            &fields,
        );
        let target = target.unwrap();
        let request = target.stream_request(3);
        assert!(request.starts_with("GET /x?u=3&y HTTP/1.1\r\n"));
        assert!(request.ends_with("Cookie: a=b\r\n\r\n"));
        assert!(target.publish_request("z").starts_with("POST /p "));
        assert_eq!(target.publish_address().port(), 2);
    }

    #[test]
    fn stays_on_this_machine() {
        assert!(Target::new(Layout::Plain, "http://192.0.2.1/", None, &[]).is_err());
        assert!(Target::new(Layout::Plain, "https://127.0.0.1/", None, &[]).is_err());
        let target = Target::new(Layout::Plain, "http://127.0.0.1:1", None, &[]).unwrap();
        let sources: Vec<_> = (0..19_000)
            .step_by(1000)
            .map(|index| target.source(u32::MAX, index).ip())
            .collect();
        assert!(sources.iter().all(IpAddr::is_loopback));
    }
}
