//! Protection against requests that a foreign page makes with a browser's cookies.

use thiserror::Error;

use crate::{
    identity::Credential,
    own_origin::{Authority, parse, usual_port},
    request::RequestView,
};

/// The sites from which a browser's cookies are taken as credentials.
///
/// A browser sends cookies with every request, whichever page causes the request. `SameSite=Lax`,
/// which session cookies have, excludes foreign sites, but not a sibling subdomain. A page cannot
/// forge the headers in which a browser reports the origin of a request: `Origin` and
/// `Sec-Fetch-Site`.
///
/// | request | |
/// |---|---|
/// | credential other than a cookie | passes: a foreign page does not have it |
/// | `Sec-Fetch-Site: same-origin`, or `none` (typed by the user) | passes |
/// | `Origin` in the list | passes |
/// | `Origin` is the server's own ([`RequestView::own_origin`]), without `Sec-Fetch-Site`, which browsers do not send over plain HTTP | passes |
/// | any other `Origin`, also `null`; `same-site` or `cross-site` without `Origin` | is refused |
/// | neither header | `GET` and `HEAD` pass: browsers before 2023 send no more, and a foreign page cannot read the answer without CORS. Everything else is refused. [`OriginsBuilder::strict`] refuses both |
///
/// The same list serves for CORS ([`contains`](Self::contains)).
///
/// ```
/// use sse_auth::{Credential, Origins, RequestView};
///
/// let origins = Origins::new(["https://app.example.com"])?;
///
/// let own = RequestView::new("GET").header("origin", "https://app.example.com");
/// assert!(origins.check(&own, Credential::Cookie).is_ok());
/// let foreign = RequestView::new("GET").header("origin", "https://other.example.org");
/// assert!(origins.check(&foreign, Credential::Cookie).is_err());
/// assert!(origins.check(&foreign, Credential::Bearer).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<String>,
    strict: bool,
}

/// A builder for [`Origins`], created by [`Origins::builder`].
#[derive(Debug, Clone, Default)]
pub struct OriginsBuilder {
    origins: Origins,
}

/// The page that made a request, for requests that are not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOrigin {
    /// The server's own page, or one of an origin in the list.
    Known,
    /// An unknown page. The request does not name its origin: a program made it, or an old browser
    /// that reads.
    Unknown,
}

/// Maximum number of characters of a refused origin that are repeated.
const LONGEST_SHOWN: usize = 128;

/// A text that is not an origin. An origin is `https://app.example.com`, with a port unless it is
/// the default port, without a path or wildcard, and not `null`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not an origin (scheme://host, with a port unless it is the default port)")]
pub struct OriginError(String);

/// The reason for which a request with a cookie is refused, for logs. The client receives the
/// status 403.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum CrossSite {
    /// The request comes from a site that is not in the list.
    #[error("a page of {0:?}, which is not in the list of origins, made this request")]
    Origin(String),
    /// The request comes from a page without an origin: a sandboxed frame, a file, a redirect.
    #[error("a page without an origin made this request")]
    NullOrigin,
    /// The browser reports that another site made the request, without naming the site.
    #[error("another site made this request")]
    OtherSite,
    /// The request does not name its origin.
    #[error("the request does not name the site that made it")]
    Unknown,
    /// A header that browsers send once occurs several times, or is not text.
    #[error("the header `{0}` is malformed")]
    Malformed(&'static str),
}

impl Origins {
    /// Allows the server's own pages alone.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Allows these sites, and the server's own pages.
    ///
    /// # Errors
    ///
    /// Returns [`OriginError`] for the first text that is not an origin.
    pub fn new<T: AsRef<str>>(origins: impl IntoIterator<Item = T>) -> Result<Self, OriginError> {
        origins
            .into_iter()
            .try_fold(Self::builder(), |builder, origin| {
                builder.allow(origin.as_ref())
            })
            .map(OriginsBuilder::build)
    }

    /// Returns a builder for further options.
    #[must_use]
    pub fn builder() -> OriginsBuilder {
        OriginsBuilder::default()
    }

    /// Returns `true` if a site, given by the value of its header `Origin`, is in the list.
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.allowed.iter().any(|allowed| allowed == origin)
    }

    /// Returns the origins in the list.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.allowed.iter().map(String::as_str)
    }

    /// Checks that a caller that was recognised by this credential may make this request.
    ///
    /// # Errors
    ///
    /// Returns an error if the request came with a cookie and may have been made by a page of
    /// another site.
    pub fn check(
        &self,
        request: &RequestView<'_>,
        credential: Credential,
    ) -> Result<(), CrossSite> {
        if !credential.is_ambient() {
            return Ok(());
        }
        match self.check_page(request)? {
            PageOrigin::Known => Ok(()),
            PageOrigin::Unknown if !self.strict && matches!(request.method(), "GET" | "HEAD") => {
                Ok(())
            }
            PageOrigin::Unknown => Err(CrossSite::Unknown),
        }
    }

    /// Checks that the page that made this request may make it, whatever credentials the request
    /// has. This check is for servers without credentials, which every page of every site could use
    /// otherwise.
    ///
    /// # Errors
    ///
    /// Returns an error if a page of another site made the request.
    pub fn check_page(&self, request: &RequestView<'_>) -> Result<PageOrigin, CrossSite> {
        let (origin, site) = (text(request, "origin")?, text(request, "sec-fetch-site")?);
        match (site, origin) {
            (Some("same-origin" | "none"), _) => Ok(PageOrigin::Known),
            (_, Some("null")) => Err(CrossSite::NullOrigin),
            (_, Some(origin)) if self.contains(origin) => Ok(PageOrigin::Known),
            (None, Some(origin)) if request.own_origin().is_some_and(|own| own.is(origin)) => {
                Ok(PageOrigin::Known)
            }
            (_, Some(origin)) => Err(CrossSite::Origin(
                origin.chars().take(LONGEST_SHOWN).collect(),
            )),
            (Some(_), None) => Err(CrossSite::OtherSite),
            (None, None) => Ok(PageOrigin::Unknown),
        }
    }
}

impl CrossSite {
    /// Returns a word for the variant, for metrics and for limits on how often the reason is
    /// logged.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Origin(_) => "origin",
            Self::NullOrigin => "null_origin",
            Self::OtherSite => "other_site",
            Self::Unknown => "unknown_site",
            Self::Malformed(_) => "malformed_origin",
        }
    }

    /// Returns a description of the page that its developer may read.
    #[must_use]
    pub fn page(&self) -> String {
        match self {
            Self::Origin(origin) => format!("{origin:?}"),
            Self::NullOrigin => "an opaque origin (null)".to_owned(),
            Self::OtherSite => "another site".to_owned(),
            Self::Unknown => "an unknown origin".to_owned(),
            Self::Malformed(header) => format!("a malformed `{header}`"),
        }
    }
}

impl OriginsBuilder {
    /// Adds a site, as browsers write it in `Origin`.
    ///
    /// # Errors
    ///
    /// Returns an error if the text is not an origin.
    pub fn allow(mut self, origin: &str) -> Result<Self, OriginError> {
        self.origins
            .allowed
            .push(normal(origin).ok_or_else(|| OriginError(origin.to_owned()))?);
        Ok(self)
    }

    /// Refuses requests that do not name their origin, including `GET` and `HEAD`.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.origins.strict = true;
        self
    }

    /// Creates the list.
    #[must_use]
    pub fn build(self) -> Origins {
        self.origins
    }
}

fn text<'r>(
    request: &'r RequestView<'_>,
    name: &'static str,
) -> Result<Option<&'r str>, CrossSite> {
    let value = request
        .header_value(name)
        .map_err(|_| CrossSite::Malformed(name))?;
    value
        .map(std::str::from_utf8)
        .transpose()
        .map_err(|_| CrossSite::Malformed(name))
}

/// Normalises an origin to the form of browsers: lower case, without the default port (HTML,
/// "serialization of an origin").
fn normal(origin: &str) -> Option<String> {
    let (scheme, Authority { host, port }) = parse(origin)?;
    match port.filter(|port| Some(*port) != usual_port(&scheme)) {
        Some(port) => Some(format!("{scheme}://{host}:{port}")),
        None => Some(format!("{scheme}://{host}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_normalised_as_in_browsers() {
        for (given, written) in [
            ("https://app.example.com", "https://app.example.com"),
            ("HTTPS://App.Example.com:443", "https://app.example.com"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:80", "http://localhost"),
            ("http://[::1]:3000", "http://[::1]:3000"),
            ("http://[::1]", "http://[::1]"),
            ("capacitor://localhost", "capacitor://localhost"),
        ] {
            assert_eq!(normal(given).as_deref(), Some(written));
        }
    }

    #[test]
    fn invalid_origins_are_rejected() {
        for bad in [
            "",
            "*",
            "null",
            "app.example.com",
            "https://",
            "https://*.example.com",
            "https://a/",
            "https://a/b",
            "https://a b",
            "https://a:b",
            "https://a:99999",
            "https://u@a",
            "https://ä.example",
            "://a",
            "https://a,https://b",
            "https://[]",
            "https://a:",
            "https://a?b",
            "https://a\0",
        ] {
            assert_eq!(
                Origins::new([bad]).unwrap_err(),
                OriginError(bad.to_owned())
            );
        }
    }
}
