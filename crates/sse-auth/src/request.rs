//! The parts of a request that authentication reads.

pub(crate) mod bearer;
pub(crate) mod candidates;
pub(crate) mod chunks;
pub(crate) mod cookies;
pub(crate) mod redact;

use std::{borrow::Cow, fmt};

use crate::{error::AuthError, own_origin::OwnOrigin, request::cookies::Cookies};

/// The parts of a request that authentication reads, independent of a framework: method, query and
/// headers.
///
/// `http` (Axum, Hyper, Tonic) and Actix both convert in a few lines:
///
/// ```
/// use sse_auth::RequestView;
///
/// fn from_http<'a>(method: &'a http::Method, uri: &'a http::Uri, headers: &'a http::HeaderMap) -> RequestView<'a> {
///     let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
///     RequestView::new(method.as_str()).authority(uri.authority().map(|it| it.as_str())).query(uri.query()).headers(headers)
/// }
///
/// fn from_actix(request: &actix_web::HttpRequest) -> RequestView<'_> {
///     let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
///     RequestView::new(request.method().as_str()).query(request.uri().query()).headers(headers)
/// }
/// # let request = http::Request::get("/api/sse?ticket=x").header("cookie", "a=b").body(()).unwrap();
/// # let view = from_http(request.method(), request.uri(), request.headers());
/// # assert_eq!(view.cookie("a").unwrap().as_deref(), Some("b"));
/// # let request = actix_web::test::TestRequest::with_uri("/?ticket=x").insert_header(("cookie", "a=b")).to_http_request();
/// # assert_eq!(from_actix(&request).query_value("ticket").unwrap().as_deref(), Some("x"));
/// ```
#[derive(Clone)]
pub struct RequestView<'a> {
    method: &'a str,
    authority: Option<&'a str>,
    own_origin: Option<OwnOrigin>,
    query: Option<&'a str>,
    headers: Vec<(&'a str, Cow<'a, [u8]>)>,
}

impl<'a> RequestView<'a> {
    /// Creates a view of a request with a method, without query and headers.
    #[must_use]
    pub fn new(method: &'a str) -> Self {
        Self {
            method,
            authority: None,
            own_origin: None,
            query: None,
            headers: Vec::new(),
        }
    }

    /// Creates a view of a request with only a token in `Authorization: Bearer`, for a token that
    /// arrives elsewhere, such as in the body of a call.
    #[must_use]
    pub fn with_bearer(token: &str) -> RequestView<'static> {
        let value = Cow::Owned(format!("Bearer {token}").into_bytes());
        RequestView {
            headers: vec![("authorization", value)],
            ..RequestView::new("GET")
        }
    }

    /// Sets the authority in the request's target: HTTP/2's `:authority`. The authority takes
    /// precedence over the header `Host` (RFC 9112, section 3.2.2).
    #[must_use]
    pub fn authority(mut self, authority: impl Into<Option<&'a str>>) -> Self {
        self.authority = authority.into();
        self
    }

    /// Sets the origin under which the client reached the server, if a better source than
    /// [`authority`](Self::authority) and `Host` is available: one with the scheme, or the headers
    /// of a trusted proxy.
    #[must_use]
    pub fn served_as(mut self, origin: impl Into<Option<OwnOrigin>>) -> Self {
        self.own_origin = origin.into();
        self
    }

    /// Sets the query string, unchanged and without `?`.
    #[must_use]
    pub fn query(mut self, query: impl Into<Option<&'a str>>) -> Self {
        self.query = query.into();
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        self.headers.push((name, Cow::Borrowed(value.as_ref())));
        self
    }

    /// Adds headers, in the order of the request; names in any case.
    #[must_use]
    pub fn headers(mut self, headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        self.headers.extend(
            headers
                .into_iter()
                .map(|(name, value)| (name, Cow::Borrowed(value))),
        );
        self
    }

    /// Returns the method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// Returns the values of a header, in the order of the request.
    pub fn header_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    /// Returns the value of a header that must occur at most once.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::Repeated`] if the header occurs several times: a server in front may
    /// have checked another of its values.
    pub fn header_value<'s>(&'s self, name: &'static str) -> Result<Option<&'s [u8]>, AuthError> {
        only(self.header_values(name), name)
    }

    /// Returns the authority that the client requested, from the request's target or the header
    /// `Host`. Returns `None` if the authority is missing, or occurs several times with different
    /// values.
    #[must_use]
    pub fn requested_authority(&self) -> Option<&str> {
        if self.authority.is_some() {
            return self.authority;
        }
        let mut values = self.header_values("host");
        let host = values.next()?;
        let is_one = values.all(|other| other == host);
        std::str::from_utf8(host).ok().filter(|_| is_one)
    }

    /// Returns the origin under which the client reached the server, without a scheme unless
    /// [`served_as`](Self::served_as) set one.
    #[must_use]
    pub fn own_origin(&self) -> Option<Cow<'_, OwnOrigin>> {
        match &self.own_origin {
            Some(origin) => Some(Cow::Borrowed(origin)),
            None => OwnOrigin::new(None, self.requested_authority()?).map(Cow::Owned),
        }
    }

    /// Returns the values of a query parameter, decoded, in the order of the request.
    pub fn query_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> {
        let pairs = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
        pairs
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value)
    }

    /// Returns the value of a query parameter that must occur at most once, decoded.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::Repeated`] if the parameter occurs several times.
    pub fn query_value(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, AuthError> {
        only(self.query_values(name), name)
    }

    /// Returns the value of a cookie, without surrounding quotes and percent-decoded, as npm's
    /// `cookie` reads it.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::Repeated`] if several cookies of this name have different values, such
    /// as those of different paths or domains. A credential must not be chosen by its position
    /// among them: check all [`cookie_values`](Self::cookie_values), with a
    /// [`Verdict`](crate::Verdict).
    pub fn cookie(&self, name: &str) -> Result<Option<Cow<'_, str>>, AuthError> {
        let mut values = self.cookies().all(name);
        let first = values.next();
        match values.all(|other| Some(&other) == first.as_ref()) {
            true => Ok(first),
            false => Err(AuthError::Repeated("a cookie")),
        }
    }

    /// Returns the values of all cookies of a name, in the order of the request.
    pub fn cookie_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> {
        self.cookies().all(name)
    }

    /// Returns the token in `Authorization: Bearer`; `None` without the header, and with other
    /// schemes.
    ///
    /// # Errors
    ///
    /// Returns [`AuthError::Repeated`] if the request has several different tokens, and
    /// [`AuthError::Malformed`] if no token follows `Bearer`.
    pub fn bearer_token(&self) -> Result<Option<&str>, AuthError> {
        let mut tokens = self.bearer_tokens();
        let first = tokens.next().transpose()?;
        match tokens.all(|other| other.ok() == first) {
            true => Ok(first),
            false => Err(AuthError::Repeated("`authorization`")),
        }
    }

    /// Returns the tokens of all headers `Authorization: Bearer`. Other schemes are ignored.
    pub fn bearer_tokens(&self) -> impl Iterator<Item = Result<&str, AuthError>> {
        bearer::tokens(self.header_values("authorization"))
    }

    pub(crate) fn cookies(&self) -> Cookies<'_> {
        Cookies::parse(self.header_values("cookie"))
    }
}

fn only<T>(
    mut values: impl Iterator<Item = T>,
    name: &'static str,
) -> Result<Option<T>, AuthError> {
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        (_, Some(_)) => Err(AuthError::Repeated(name)),
    }
}

/// Omits values, which hold secrets.
impl fmt::Debug for RequestView<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        f.debug_struct("RequestView")
            .field("method", &self.method)
            .field("headers", &headers)
            .finish_non_exhaustive()
    }
}
