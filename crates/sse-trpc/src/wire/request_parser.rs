//! Parsing of requests.

use std::{borrow::Cow, collections::HashMap};

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;
use sse_core::event::replace_lone_surrogates;

use crate::{
    error::Error,
    error_code::Code,
    limits::CallLimits,
    wire::{
        connection_params::{self, ConnectionParams},
        input,
        path_separator::PathSeparator,
        query_string::Query,
        request::Request,
    },
};

/// The calls of a request, in order.
#[derive(Debug)]
pub(crate) struct ParsedCalls<'a> {
    pub(crate) form: ResponseForm,
    /// Names of the procedures.
    pub(crate) paths: Vec<String>,
    pub(crate) connection_params: Option<ConnectionParams>,
    /// Last event id from outside the inputs.
    pub(crate) last_event_id: Option<Cow<'a, str>>,
    input: InputSource,
}

/// The form of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseForm {
    Single,
    Batch,
    /// Results as they complete, one line each (tRPC 11, `stream/jsonl.ts`).
    Lines,
    /// Results as they complete: one object in pieces (tRPC 10).
    Pieces,
}

/// The place of the inputs of all calls.
#[derive(Debug)]
enum InputSource {
    /// The input, with halves of surrogate pairs replaced as in a body.
    Query(Vec<u8>),
    Body,
}

/// The inputs of the single calls.
#[derive(Debug)]
pub(crate) enum Separated<'a> {
    One(&'a [u8]),
    Many(HashMap<Cow<'a, str>, &'a RawValue>),
}

impl<'a> ParsedCalls<'a> {
    /// Parses the calls of a request.
    ///
    /// An invalid input is reported when the input is read, so that an unknown procedure is
    /// reported first.
    pub(crate) fn parse(
        request: &'a Request<'_>,
        limits: &CallLimits,
        separator: PathSeparator,
    ) -> Result<Self, Error> {
        let path = separator.decode(decode(request.path)?);
        check_content_type(request)?;
        let query = Query::parse(request.query);
        let form = ResponseForm::of(request, &query);
        let paths = if form == ResponseForm::Single {
            vec![path.into_owned()]
        } else {
            separate_paths(&path, limits)?
        };
        if query.repeats_connection_params {
            return Err(Error::new(
                Code::BadRequest,
                "connectionParams are given more than once",
            ));
        }
        let connection_params = match &query.connection_params {
            Some(text) => connection_params::parse(text)?,
            None => None,
        };
        if form == ResponseForm::Single && request.headers.accepts_lines() {
            let message = "Streaming requests must be batched (you can do a batch of 1)";
            return Err(Error::new(Code::BadRequest, message));
        }
        let last_event_id = request.headers.last_event_id().or(query.last_event_id);
        let last_event_id = last_event_id.filter(|id| !id.is_empty());
        let input = InputSource::of(request, query.input);
        Ok(Self {
            form,
            paths,
            connection_params,
            last_event_id,
            input,
        })
    }

    /// Returns `true` if the inputs are in the body, which must then be read.
    pub(crate) fn need_body(&self) -> bool {
        matches!(self.input, InputSource::Body)
    }

    /// Returns the inputs of the single calls. If they are invalid, each call reports the error.
    pub(crate) fn inputs<'b>(
        &'b self,
        body: &'b Result<Bytes, Error>,
        limits: &CallLimits,
    ) -> Result<Separated<'b>, Error> {
        let bytes: &[u8] = match &self.input {
            InputSource::Query(bytes) if bytes.len() <= limits.body => bytes,
            InputSource::Query(_) => return Err(input::too_large()),
            InputSource::Body => body.as_ref().map_err(Clone::clone)?,
        };
        if self.form == ResponseForm::Single {
            return Ok(Separated::One(bytes));
        }
        let text = input::text(bytes)?;
        if text.is_empty() {
            return Ok(Separated::Many(HashMap::new()));
        }
        if !text.starts_with('{') {
            input::check_json(text)?;
            let message = "\"input\" needs to be an object when doing a batch call";
            return Err(Error::new(Code::BadRequest, message));
        }
        serde_json::from_str(text)
            .map(Separated::Many)
            .map_err(|error| input::not_json(&error))
    }
}

impl Separated<'_> {
    /// Returns the bytes of the input of a call; empty for a missing input.
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        match self {
            Self::One(bytes) => bytes,
            Self::Many(inputs) => inputs
                .get(&*index.to_string())
                .map_or(&[], |input| input.get().as_bytes()),
        }
    }
}

impl ResponseForm {
    fn of(request: &Request<'_>, query: &Query<'_>) -> Self {
        if !query.is_batch() {
            Self::Single
        } else if request.headers.accepts_lines() {
            Self::Lines
        } else if request.headers.asks_for_pieces() {
            Self::Pieces
        } else {
            Self::Batch
        }
    }
}

impl InputSource {
    fn of(request: &Request<'_>, in_query: Option<Cow<'_, str>>) -> Self {
        if request.method != "GET" {
            return Self::Body;
        }
        let mut input = in_query.map_or_else(Vec::new, |input| input.into_owned().into_bytes());
        replace_lone_surrogates(&mut input);
        Self::Query(input)
    }
}

fn separate_paths(path: &str, limits: &CallLimits) -> Result<Vec<String>, Error> {
    if limits.batch == 0 {
        return Err(Error::new(
            Code::BadRequest,
            "Batching is not enabled on the server",
        ));
    }
    if path.split(',').take(limits.batch + 1).count() > limits.batch {
        return Err(Error::new(
            Code::BadRequest,
            "Batch call exceeds maximum size",
        ));
    }
    Ok(path.split(',').map(str::to_owned).collect())
}

/// Decodes a path like `decodeURIComponent`: invalid escapes, and escapes that are not UTF-8, are
/// errors.
fn decode(path: &str) -> Result<Cow<'_, str>, Error> {
    let invalid = || {
        Error::new(
            Code::BadRequest,
            format!("Invalid URL-encoding in path \"{path}\""),
        )
    };
    let is_escape =
        |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !path.split('%').skip(1).all(is_escape) {
        return Err(invalid());
    }
    percent_decode_str(path)
        .decode_utf8()
        .map_err(|_| invalid())
}

/// Checks the content type. Only the media type counts. A `GET` has no body, so its content type is
/// ignored.
fn check_content_type(request: &Request<'_>) -> Result<(), Error> {
    if request.method == "GET" {
        return Ok(());
    }
    let unsupported = |message: String| Err(Error::new(Code::UnsupportedMediaType, message));
    let Some(content_type) = request.headers.content_type() else {
        return unsupported("Missing content-type header".into());
    };
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    // tRPC omits the second quote, and clients can compare the message.
    unsupported(format!("Unsupported content-type \"{content_type}"))
}
