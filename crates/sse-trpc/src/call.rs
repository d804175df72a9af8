//! What a request asks for.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use crate::{
    code::Code,
    error::Error,
    input,
    request::{Body, Request},
};

/// One call of a procedure.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// The procedure's name.
    pub(crate) path: Cow<'a, str>,
    input: Input<'a>,
}

#[derive(Debug)]
enum Input<'a> {
    Bytes(Cow<'a, [u8]>),
    TooLarge,
}

impl<'a> Call<'a> {
    /// Finds the call in a request.
    ///
    /// What is wrong with the input is told when it is read, so that an unknown procedure is told before it.
    pub(crate) fn parse(request: &'a Request<'_>) -> Result<Self, Error> {
        let path = decode(request.path)?;
        check_content_type(request)?;
        if parameter(request.query, "batch").is_some_and(|batch| batch == "1") {
            return Err(Error::new(Code::BadRequest, "Batching is not enabled on the server"));
        }
        Ok(Self { path, input: Input::of(request) })
    }

    /// The bytes of the input; none for no input.
    pub(crate) fn input(&self) -> Result<&[u8], Error> {
        match &self.input {
            Input::Bytes(bytes) => Ok(bytes),
            Input::TooLarge => Err(input::too_large()),
        }
    }
}

impl<'a> Input<'a> {
    fn of(request: &'a Request<'_>) -> Self {
        if request.method == "GET" {
            let text = parameter(request.query, "input").unwrap_or_default();
            return Self::Bytes(match text {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            });
        }
        match &request.body {
            Body::Read(bytes) => Self::Bytes(Cow::Borrowed(bytes)),
            Body::TooLarge => Self::TooLarge,
        }
    }
}

/// As `decodeURIComponent` does it: what is not an escape, or not UTF-8 then, is an error.
fn decode(path: &str) -> Result<Cow<'_, str>, Error> {
    let invalid = || Error::new(Code::BadRequest, format!("Invalid URL-encoding in path \"{path}\""));
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !path.split('%').skip(1).all(is_escape) {
        return Err(invalid());
    }
    percent_decode_str(path).decode_utf8().map_err(|_| invalid())
}

/// Only the media type counts. A `GET` has no body, so whatever type it claims is nothing to us.
fn check_content_type(request: &Request<'_>) -> Result<(), Error> {
    if request.method == "GET" {
        return Ok(());
    }
    let unsupported = |message: String| Err(Error::new(Code::UnsupportedMediaType, message));
    let Some(content_type) = request.content_type else {
        return unsupported("Missing content-type header".into());
    };
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    // tRPC forgets the second quote, and somebody may compare.
    unsupported(format!("Unsupported content-type \"{content_type}"))
}

/// The first parameter of a name.
fn parameter<'a>(query: Option<&'a str>, name: &str) -> Option<Cow<'a, str>> {
    let mut pairs = form_urlencoded::parse(query?.as_bytes());
    pairs.find(|(known, _)| known == name).map(|(_, value)| value)
}
