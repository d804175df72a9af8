//! Validation of fields and names.

use thiserror::Error;

/// The error for text that cannot become an event type, an event id, a topic or a user id.
///
/// ```
/// use sse_core::{Topic, id::FieldError};
///
/// let error = Topic::new("two\nlines").unwrap_err();
/// let value = "two\nlines".to_owned();
/// assert_eq!(error, FieldError::Character { character: '\n', at: 3, value });
/// assert_eq!(error.to_string(), r#"contains '\n' at byte 3: "two\nlines""#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// The text has no bytes.
    #[error("is empty")]
    Empty,
    /// The text contains a forbidden character: CR and LF would end the field, NUL makes clients
    /// ignore the field, and names have no control characters.
    #[error("contains {character:?} at byte {at}: {value:?}")]
    Character {
        /// The forbidden character.
        character: char,
        /// Byte offset of the character.
        at: usize,
        /// The text, shortened.
        value: String,
    },
    /// The text is longer than the limit in force.
    #[error("is {length} bytes long, more than {limit}: {value:?}")]
    TooLong {
        /// Length of the text in bytes.
        length: usize,
        /// Limit in bytes.
        limit: usize,
        /// The text, shortened.
        value: String,
    },
}

impl From<std::convert::Infallible> for FieldError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// The characters that a text must not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// CR and LF, which end a field.
    LineBreaks,
    /// CR, LF and NUL. Clients ignore an `id` with NUL (WHATWG HTML, section 9.2.6).
    LineBreaksAndNul,
    /// Every control character, because names also appear in logs and in query strings.
    Controls,
}

impl Forbidden {
    fn covers(self, character: char) -> bool {
        match self {
            Self::LineBreaks => matches!(character, '\r' | '\n'),
            Self::LineBreaksAndNul => matches!(character, '\r' | '\n' | '\0'),
            Self::Controls => character.is_control(),
        }
    }
}

impl FieldError {
    pub(crate) fn check(text: &str, forbidden: Forbidden) -> Result<(), Self> {
        match text
            .char_indices()
            .find(|(_, character)| forbidden.covers(*character))
        {
            Some((at, character)) => Err(Self::Character {
                character,
                at,
                value: shortened(text),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn check_name(text: &str, limit: usize) -> Result<(), Self> {
        if text.is_empty() {
            return Err(Self::Empty);
        }
        Self::check_length(text, limit)?;
        Self::check(text, Forbidden::Controls)
    }

    /// Checks the length of a text in bytes.
    ///
    /// # Errors
    /// [`FieldError::TooLong`] if the text is longer than the limit.
    pub fn check_length(text: &str, limit: usize) -> Result<(), Self> {
        if text.len() > limit {
            return Err(Self::TooLong {
                length: text.len(),
                limit,
                value: shortened(text),
            });
        }
        Ok(())
    }
}

/// Returns the first bytes of a value, for quoting in an error.
pub(crate) fn shortened(value: &str) -> String {
    const MOST: usize = 64;
    let end = value
        .char_indices()
        .map(|(at, _)| at)
        .find(|at| *at >= MOST)
        .unwrap_or(value.len());
    let mut short = String::from(&value[..end]);
    if end < value.len() {
        short.push('…');
    }
    short
}
