//! What a field or a name may not contain.

use thiserror::Error;

/// Why a text cannot become an event type, an event id, a topic or a user id.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FieldError {
    /// It has no bytes.
    #[error("is empty")]
    Empty,
    /// It contains a character that would end the field (CR, LF) or make clients ignore it (NUL).
    #[error("contains {character:?} at byte {at}")]
    Character {
        /// The character.
        character: char,
        /// Its byte offset.
        at: usize,
    },
    /// It is longer than the limit in force.
    #[error("is {length} bytes long, more than {limit}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl From<std::convert::Infallible> for FieldError {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

/// Which characters a text may not contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forbidden {
    /// CR and LF: they end a field.
    LineBreaks,
    /// CR, LF and NUL: clients ignore an `id` with NUL (WHATWG HTML, section 9.2.6).
    LineBreaksAndNul,
    /// Every control character: names also stand in logs and in query strings.
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
            Some((at, character)) => Err(Self::Character { character, at }),
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

    pub(crate) fn check_length(text: &str, limit: usize) -> Result<(), Self> {
        if text.len() > limit {
            return Err(Self::TooLong {
                length: text.len(),
                limit,
            });
        }
        Ok(())
    }
}
