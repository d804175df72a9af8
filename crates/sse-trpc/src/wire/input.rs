//! Deserialization of inputs.

use std::borrow::Cow;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, error::Category};

use crate::{
    error::Error,
    error_code::Code,
    limits::CallLimits,
    wire::members::{self, RawMembers},
};

/// Maximum length of an error message about an input, because the message quotes the caller's text.
const LONGEST_MESSAGE: usize = 512;

/// Reads an input. A missing input and `null`, which some clients send instead, read as an object
/// without fields.
pub(crate) fn read<I: DeserializeOwned>(json: &[u8], limits: &CallLimits) -> Result<I, Error> {
    let text = match text(json)? {
        "" | "null" => "{}",
        text => text,
    };
    check_depth(text, limits.depth)?;
    // Most inputs are valid, so the cause of an error is determined only after a failure.
    if text.starts_with('{')
        && let Ok(input) = serde_json::from_str(text)
    {
        return Ok(input);
    }
    // JSON is checked separately, because the typed parser's message about invalid JSON depends on
    // the type.
    check_json(text)?;
    // serde also deserializes a struct from an array.
    if !text.starts_with('{') {
        return Err(refused("the input must be an object".into()));
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| in_words(&better::<I>(text, &error).unwrap_or(error)))
}

/// Returns the text without surrounding white space.
pub(crate) fn text(json: &[u8]) -> Result<&str, Error> {
    let text = std::str::from_utf8(json)
        .map_err(|error| refused(format!("the input is not UTF-8: {error}")))?;
    Ok(text.trim_ascii())
}

pub(crate) fn check_json(text: &str) -> Result<(), Error> {
    serde_json::from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| not_json(&error))
}

pub(crate) fn not_json(error: &serde_json::Error) -> Error {
    refused(format!("the input is not JSON: {error}"))
}

/// Removes `lastEventId` from an input. tRPC's client puts it there when it reconnects.
pub(crate) fn take_last_event_id(json: &[u8]) -> Result<(Option<String>, Cow<'_, [u8]>), Error> {
    const NAME: &str = "lastEventId";
    let text = text(json)?;
    if !text.contains(NAME) || !text.starts_with('{') {
        return Ok((None, json.into()));
    }
    let RawMembers(members) = serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let (mut found, mut rest) = (None, Vec::with_capacity(members.len()));
    for member in members {
        let name = member.name().map_err(|error| not_json(&error))?;
        if name == NAME {
            // The last of several members counts, as in JavaScript.
            found = Some(member.value);
        } else {
            rest.push(member.with(member.value.get()));
        }
    }
    let Some(id) = found else {
        return Ok((None, json.into()));
    };
    let id: Option<String> =
        serde_json::from_str(id.get()).map_err(|_| Error::field(NAME, "is not a string"))?;
    let rest = members::object(&rest).into_bytes();
    Ok((id.filter(|id| !id.is_empty()), rest.into()))
}

/// Returns the error in tRPC's words.
pub(crate) fn too_large() -> Error {
    Error::new(Code::PayloadTooLarge, Code::PayloadTooLarge.as_str())
}

pub(crate) fn too_slow() -> Error {
    Error::new(Code::Timeout, "the body did not arrive in time")
}

type InputError = serde_path_to_error::Error<serde_json::Error>;

/// Returns a better error for valid JSON that does not have the form of the type. The parser of
/// text can report only an expected character; the parser of values reports more.
fn better<I: DeserializeOwned>(text: &str, problem: &InputError) -> Option<InputError> {
    if problem.inner().classify() != Category::Syntax {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    serde_path_to_error::deserialize::<_, I>(value).err()
}

fn in_words(problem: &InputError) -> Error {
    let (path, error) = (problem.path().to_string(), problem.inner());
    // The path already reports the position.
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let problem = message.strip_suffix(&position).unwrap_or(&message);
    refused(if path == "." {
        problem.into()
    } else {
        format!("{path}: {problem}")
    })
}

fn refused(mut message: String) -> Error {
    if message.len() > LONGEST_MESSAGE {
        message.truncate(message.floor_char_boundary(LONGEST_MESSAGE));
        message.push('…');
    }
    Error::new(Code::BadRequest, message)
}

fn check_depth(json: &str, most: usize) -> Result<(), Error> {
    let mut bytes = json.bytes();
    let mut depth = 0_usize;
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
        if depth > most {
            return Err(refused(format!(
                "the input nests deeper than {most} levels"
            )));
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}
