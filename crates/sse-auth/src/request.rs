//! A request, as far as authentication looks at it.

pub(crate) mod bearer;
pub(crate) mod candidates;
pub(crate) mod chunks;
pub(crate) mod cookies;
pub(crate) mod redact;

use std::{borrow::Cow, fmt};

use crate::{error::AuthError, own_origin::OwnOrigin, request::cookies::Cookies};

/// What authentication sees of a request, in no framework's terms: method, query and headers.
///
/// From `http` (Axum, Hyper, Tonic) and from Actix alike:
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
    /// A request with a method, and nothing else yet.
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

    /// A request with nothing but a token in `Authorization: Bearer`: for a token that arrives in
    /// another way, as in the body of a call.
    #[must_use]
    pub fn with_bearer(token: &str) -> RequestView<'static> {
        let value = Cow::Owned(format!("Bearer {token}").into_bytes());
        RequestView {
            headers: vec![("authorization", value)],
            ..RequestView::new("GET")
        }
    }

    /// The authority in the request's target: HTTP/2's `:authority`. It goes before the header
    /// `Host` (RFC 9112, section 3.2.2).
    #[must_use]
    pub fn authority(mut self, authority: impl Into<Option<&'a str>>) -> Self {
        self.authority = authority.into();
        self
    }

    /// Says under which origin the client reached the server, where that is known better than by
    /// [`authority`](Self::authority) and `Host`: with the scheme, or from the headers of a proxy
    /// that is trusted.
    #[must_use]
    pub fn served_as(mut self, origin: impl Into<Option<OwnOrigin>>) -> Self {
        self.own_origin = origin.into();
        self
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
        self.headers.extend(
            headers
                .into_iter()
                .map(|(name, value)| (name, Cow::Borrowed(value))),
        );
        self
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.method
    }

    /// The values of a header, in the order of the request.
    pub fn header_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s [u8]> {
        self.headers
            .iter()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| &**value)
    }

    /// The value of a header that may be given once.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when it is given several times: whoever stands in front might have
    /// looked at the other one.
    pub fn header_value<'s>(&'s self, name: &'static str) -> Result<Option<&'s [u8]>, AuthError> {
        only(self.header_values(name), name)
    }

    /// The authority that the client asked for, of the request's target or the header `Host`;
    /// `None` where it is missing, or given several times with different values.
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

    /// The origin under which the client reached the server; without a scheme where
    /// [`served_as`](Self::served_as) did not say it.
    #[must_use]
    pub fn own_origin(&self) -> Option<Cow<'_, OwnOrigin>> {
        match &self.own_origin {
            Some(origin) => Some(Cow::Borrowed(origin)),
            None => OwnOrigin::new(None, self.requested_authority()?).map(Cow::Owned),
        }
    }

    /// The values of a query parameter, decoded, in the order of the request.
    pub fn query_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> {
        let pairs = form_urlencoded::parse(self.query.unwrap_or_default().as_bytes());
        pairs
            .filter(move |(other, _)| other == name)
            .map(|(_, value)| value)
    }

    /// The value of a query parameter that may be given once, decoded.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when it is given several times.
    pub fn query_value(&self, name: &'static str) -> Result<Option<Cow<'_, str>>, AuthError> {
        only(self.query_values(name), name)
    }

    /// The value of a cookie, without quotes around it and percent-decoded, as npm's `cookie` reads
    /// it.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when there are several of this name with different values, as of
    /// different paths or domains. A credential must not be chosen by its place among them: check
    /// all [`cookie_values`](Self::cookie_values), with a [`Verdict`](crate::Verdict).
    pub fn cookie(&self, name: &str) -> Result<Option<Cow<'_, str>>, AuthError> {
        let mut values = self.cookies().all(name);
        let first = values.next();
        match values.all(|other| Some(&other) == first.as_ref()) {
            true => Ok(first),
            false => Err(AuthError::Repeated("a cookie")),
        }
    }

    /// The values of all cookies of a name, in the order of the request.
    pub fn cookie_values<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Cow<'s, str>> {
        self.cookies().all(name)
    }

    /// The token in `Authorization: Bearer`; `None` without the header, and with other schemes.
    ///
    /// # Errors
    ///
    /// [`AuthError::Repeated`] when there are several different ones, [`AuthError::Malformed`] when
    /// there is none behind `Bearer`.
    pub fn bearer_token(&self) -> Result<Option<&str>, AuthError> {
        let mut tokens = self.bearer_tokens();
        let first = tokens.next().transpose()?;
        match tokens.all(|other| other.ok() == first) {
            true => Ok(first),
            false => Err(AuthError::Repeated("`authorization`")),
        }
    }

    /// The tokens of all headers `Authorization: Bearer`. Other schemes are as if they were absent.
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
