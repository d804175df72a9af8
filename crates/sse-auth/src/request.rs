//! A request, as far as authentication looks at it.

use std::{borrow::Cow, fmt};

use crate::{bearer, cookies::Cookies, error::AuthError};

/// What authentication sees of a request, in no framework's terms: method, query and headers.
///
/// From `http` (Axum, Hyper, Tonic) and from Actix alike:
///
/// ```
/// use sse_auth::RequestView;
///
/// fn from_http<'a>(method: &'a http::Method, uri: &'a http::Uri, headers: &'a http::HeaderMap) -> RequestView<'a> {
///     let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
///     RequestView::new(method.as_str()).query(uri.query()).headers(headers)
/// }
///
/// fn from_actix(request: &actix_web::HttpRequest) -> RequestView<'_> {
///     let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
///     RequestView::new(request.method().as_str()).query(request.uri().query()).headers(headers)
/// }
/// # let request = http::Request::get("/api/sse?ticket=x").header("cookie", "a=b").body(()).unwrap();
/// # let view = from_http(request.method(), request.uri(), request.headers());
/// # assert_eq!(view.cookie("a").as_deref(), Some("b"));
/// # let request = actix_web::test::TestRequest::with_uri("/?ticket=x").insert_header(("cookie", "a=b")).to_http_request();
/// # assert_eq!(from_actix(&request).query_value("ticket").unwrap().as_deref(), Some("x"));
/// ```
#[derive(Clone)]
pub struct RequestView<'a> {
    method: &'a str,
    query: Option<&'a str>,
    headers: Vec<(&'a str, Cow<'a, [u8]>)>,
}

impl<'a> RequestView<'a> {
    /// A request with a method, and nothing else yet.
    #[must_use]
    pub fn new(method: &'a str) -> Self {
        Self { method, query: None, headers: Vec::new() }
    }

    /// A request with nothing but a token in `Authorization: Bearer`: for a token that arrives in another way, as in the body of a call.
    #[must_use]
    pub fn with_bearer(token: &str) -> RequestView<'static> {
        let value = Cow::Owned(format!("Bearer {token}").into_bytes());
        RequestView { method: "GET", query: None, headers: vec![("authorization", value)] }
    }

    /// The query string as it came, without `?`.
    #[must_use]
    pub fn query(mut self, query: impl Into<Option<&'a str>>) -> Self {
        self.query = query.into();
        self
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.headers.push((name, Cow::Borrowed(value.as_ref())));
        self
    }

    /// More headers, in the order of the request; names in any case.
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        self.headers.extend(headers.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))));
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// The values of a header, in the order of the request.
    pub fn header_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The value of a header that may be given once.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when it is given several times: whoever stands in front might have looked at the other one.
    pub fn header_value<'s>(&'s self, name: &'static str) -> Result<Option<&'s [u8]>, AuthError> {
        only(self.header_values(name), name)
    }

    /// The value of a query parameter that may be given once, decoded.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when it is given several times.
    pub fn query_value(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, AuthError> {
        let pairs = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
        only(pairs.filter(|(other, _)| other == name).map(|(_, value)| value), name)
    }

    /// The value of a cookie, without quotes around it and percent-decoded, as npm's `cookie` reads it. Of several with one name the first counts, which
    /// is the one with the most specific path (RFC 6265, section 5.4).
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<Cow<'_, str>> {
        self.cookies().get(name)
    }

    /// The token in `Authorization: Bearer`; `None` without the header or with another scheme.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when the header is given several times, [`AuthError::Malformed`] when it has no token.
    pub fn bearer_token(&self) -> Result<Option<&str>, AuthError> {
        bearer::token(self.header_value("authorization")?)
    }

    pub(crate) fn cookies(&self) -> Cookies<'_> {
        Cookies::parse(self.header_values("cookie"))
    }
}

fn only<T>(mut values: impl Iterator<Item = T>, name: &'static str) -> Result<Option<T>, AuthError> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(AuthError::Repeated(name)),
    }
}

/// Without values: they hold secrets.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("RequestView")
            .field("method", &self.method)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}
