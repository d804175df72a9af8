//! From the bytes of an input to a type.

use std::{borrow::Cow, collections::BTreeMap};

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, error::Category, value::RawValue};

use crate::{error::Error, error_code::Code, limits::Limits};

/// No message about an input is longer: it quotes what the caller wrote.
const LONGEST_MESSAGE: usize = 512;

/// Reads an input. No input and `null` (which is what some clients make of none) read as an object
/// without fields.
pub(crate) fn read<I: DeserializeOwned>(json: &[u8], limits: &Limits) -> Result<I, Error> {
    let text = match text(json)? {
        "" | "null" => "{}",
        text => text,
    };
    check_depth(text, limits.depth)?;
    // Mostly all is well, so what is wrong is looked for only if something is.
    if text.starts_with('{')
        && let Ok(input) = serde_json::from_str(text)
    {
        return Ok(input);
    }
    // In a pass of its own, because what the typed one says of JSON that is broken depends on the
    // type.
    check_json(text)?;
    // serde takes an array for a struct.
    if !text.starts_with('{') {
        return Err(refused("the input must be an object".into()));
    }
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text))
        .map_err(|error| in_words(&better::<I>(text, &error).unwrap_or(error)))
}

/// Without white space around it.
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

/// Takes `lastEventId` out of an input, where tRPC's client puts it when it returns.
pub(crate) fn take_last_event_id(json: &[u8]) -> Result<(Option<String>, Cow<'_, [u8]>), Error> {
    const NAME: &str = "lastEventId";
    let text = text(json)?;
    if !text.contains(NAME) || !text.starts_with('{') {
        return Ok((None, json.into()));
    }
    let mut members: BTreeMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(text).map_err(|error| not_json(&error))?;
    let Some(id) = members.remove(NAME) else {
        return Ok((None, json.into()));
    };
    let id: Option<String> =
        serde_json::from_str(id.get()).map_err(|_| Error::field(NAME, "is not a string"))?;
    let rest = serde_json::to_vec(&members).map_err(|error| not_json(&error))?;
    Ok((id.filter(|id| !id.is_empty()), rest.into()))
}

/// As tRPC words it.
pub(crate) fn too_large() -> Error {
    Error::new(Code::PayloadTooLarge, Code::PayloadTooLarge.as_str())
}

pub(crate) fn too_slow() -> Error {
    Error::new(Code::Timeout, "the body did not come in time")
}

type Problem = serde_path_to_error::Error<serde_json::Error>;

/// Of JSON that is sound but not of the type's form, the reader of text may tell only which
/// character it would have liked to see; the reader of values tells more.
fn better<I: DeserializeOwned>(text: &str, problem: &Problem) -> Option<Problem> {
    if problem.inner().classify() != Category::Syntax {
        return None;
    }
    let value: Value = serde_json::from_str(text).ok()?;
    serde_path_to_error::deserialize::<_, I>(value).err()
}

fn in_words(problem: &Problem) -> Error {
    let (path, error) = (problem.path().to_string(), problem.inner());
    // Where it stands is said by the path.
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
