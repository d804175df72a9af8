//! Topic patterns that contain the caller's claims.

use std::{borrow::Cow, fmt, str::FromStr};

use serde_json::{Map, Value};
use thiserror::Error;

/// A pattern for topics, which can contain the caller's claims: `orders/{sub}/*`.
///
/// A pattern and a topic are compared segment by segment. Segments are separated by slashes:
///
/// | segment | stands for |
/// |---|---|
/// | `news` | itself |
/// | `*` | any one segment |
/// | `**`, at the end | any number of segments, but at least one |
/// | `{sub}`, `team-{teams}` | the value of a claim, with text around it if there is some |
///
/// A claim can be a text or a whole number; of a list of them, every element matches. `{org.id}` is
/// the member `id` of the claim `org`, unless a claim has the whole name `org.id`. A claim that is
/// missing, empty or of another type matches nothing. A value is compared literally: a star in a
/// value is a star. A value with a slash matches nothing, so no user's name reaches further than
/// the pattern.
///
/// ```
/// use sse_access::TopicPattern;
///
/// let pattern = TopicPattern::new("orders/{sub}/*")?;
/// let claims: serde_json::Map<_, _> = serde_json::from_str(r#"{"sub":"42"}"#)?;
/// assert!(pattern.matches("orders/42/7", &claims));
/// assert!(!pattern.matches("orders/43/7", &claims));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TopicPattern {
    text: Box<str>,
    segments: Box<[PatternSegment]>,
    /// Set if the pattern ends with `**`.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternSegment {
    Literal(Box<str>),
    Any,
    Claim {
        before: Box<str>,
        name: Box<str>,
        after: Box<str>,
    },
}

/// The reason for which a text is not a valid pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The pattern is empty, or one of its segments is.
    #[error("pattern {0:?} has an empty segment")]
    Empty(String),
    /// A star is only part of a segment, or `**` is not at the end.
    #[error("pattern {0:?}: `*` stands for a whole segment, and `**` for the whole end")]
    Star(String),
    /// A brace has no counterpart, a pair of braces contains no name, or a segment has two claims.
    #[error("pattern {0:?}: a segment may have one claim, as `{{sub}}`")]
    Claim(String),
}

impl TopicPattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// Returns [`PatternError`], with the text, if the text is not a valid pattern.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let (inner, open) = match text.strip_suffix("/**") {
            Some(inner) => (Some(inner), true),
            None if text == "**" => (None, true),
            None => (Some(text), false),
        };
        let segments = inner.into_iter().flat_map(|inner| inner.split('/'));
        let segments = segments
            .map(|segment| PatternSegment::parse(segment, text))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: text.into(),
            segments,
            open,
        })
    }

    /// Returns `true` if the pattern matches a topic for a caller with these claims.
    #[must_use]
    pub fn matches(&self, topic: &str, claims: &Map<String, Value>) -> bool {
        let mut parts = topic.split('/');
        let all = self.segments.iter().all(|segment| {
            parts
                .next()
                .is_some_and(|part| segment.matches(part, claims))
        });
        all && parts.next().is_some() == self.open
    }
}

impl PatternSegment {
    fn parse(segment: &str, text: &str) -> Result<Self, PatternError> {
        if segment.is_empty() {
            return Err(PatternError::Empty(text.into()));
        }
        if segment == "*" {
            return Ok(Self::Any);
        }
        if segment.contains('*') {
            return Err(PatternError::Star(text.into()));
        }
        let Some((before, rest)) = segment.split_once('{') else {
            let is_literal = !segment.contains('}');
            return if is_literal {
                Ok(Self::Literal(segment.into()))
            } else {
                Err(PatternError::Claim(text.into()))
            };
        };
        match rest.split_once('}') {
            Some((name, after))
                if !name.is_empty()
                    && ![before, name, after]
                        .iter()
                        .any(|it| it.contains(['{', '}'])) =>
            {
                Ok(Self::Claim {
                    before: before.into(),
                    name: name.into(),
                    after: after.into(),
                })
            }
            _ => Err(PatternError::Claim(text.into())),
        }
    }

    fn matches(&self, part: &str, claims: &Map<String, Value>) -> bool {
        match self {
            Self::Literal(literal) => **literal == *part,
            Self::Any => !part.is_empty(),
            Self::Claim {
                before,
                name,
                after,
            } => {
                let middle = part
                    .strip_prefix(&**before)
                    .and_then(|part| part.strip_suffix(&**after));
                middle.is_some_and(|middle| {
                    !middle.is_empty() && has_value(claim(claims, name), middle)
                })
            }
        }
    }
}

/// Returns the claim with a name, or else the member that the dots in the name lead to.
pub(crate) fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    if let Some(value) = claims.get(name) {
        return Some(value);
    }
    let (first, rest) = name.split_once('.')?;
    rest.split('.')
        .try_fold(claims.get(first)?, |value, name| value.get(name))
}

/// Returns `true` if a claim, or an element of a list, equals this text.
fn has_value(claim: Option<&Value>, text: &str) -> bool {
    let is = |value: &Value| as_text(value).is_some_and(|value| value == text);
    match claim {
        Some(Value::Array(values)) => values.iter().any(is),
        Some(value) => is(value),
        None => false,
    }
}

fn as_text(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            Some(number.to_string().into())
        }
        _ => None,
    }
}

impl FromStr for TopicPattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(pattern: &str, topic: &str, claims: Value) -> bool {
        let Value::Object(claims) = claims else {
            panic!("claims are an object")
        };
        TopicPattern::new(pattern).unwrap().matches(topic, &claims)
    }

    #[test]
    fn segments_are_compared_one_by_one() {
        for (pattern, topic, expected) in [
            ("news", "news", true),
            ("news", "news/today", false),
            ("news/today", "news", false),
            ("news/*", "news/today", true),
            ("news/*", "news/", false),
            ("news/*", "news", false),
            ("news/*", "news/a/b", false),
            ("*/a", "b/a", true),
            ("news/**", "news/a/b", true),
            ("news/**", "news", false),
            ("**", "anything/at/all", true),
            ("*", "one", true),
            ("News", "news", false),
        ] {
            assert_eq!(
                matches(pattern, topic, json!({})),
                expected,
                "{pattern} {topic}"
            );
        }
    }

    #[test]
    fn claims_stand_for_their_values() {
        for (pattern, topic, claims, expected) in [
            ("orders/{sub}/*", "orders/42/7", json!({"sub": "42"}), true),
            ("orders/{sub}/*", "orders/43/7", json!({"sub": "42"}), false),
            ("orders/{sub}", "orders/42", json!({"sub": 42}), true),
            (
                "team-{teams}-chat",
                "team-red-chat",
                json!({"teams": ["blue", "red"]}),
                true,
            ),
            (
                "team-{teams}-chat",
                "team--chat",
                json!({"teams": ["", "red"]}),
                false,
            ),
            ("{org.id}", "o1", json!({"org": {"id": "o1"}}), true),
            (
                "{org.id}",
                "o2",
                json!({"org": {"id": "o1"}, "org.id": "o2"}),
                true,
            ),
            ("{sub}", "42", json!({}), false),
            ("{sub}", "true", json!({"sub": true}), false),
            ("{sub}", "null", json!({"sub": null}), false),
            ("{sub}", "1.5", json!({"sub": 1.5}), false),
        ] {
            assert_eq!(
                matches(pattern, topic, claims.clone()),
                expected,
                "{pattern} {topic} {claims}"
            );
        }
    }

    #[test]
    fn claim_values_match_no_more_than_the_pattern() {
        for (sub, topic) in [
            ("*", "orders/42/7"),
            ("**", "orders/42/7"),
            ("42/7", "orders/42/7"),
            ("{sub}", "orders/42/7"),
        ] {
            assert!(
                !matches("orders/{sub}/*", topic, json!({"sub": sub})),
                "{sub}"
            );
        }
        assert!(!matches(
            "orders/{sub}",
            "orders/a/b",
            json!({"sub": "a/b"})
        ));
        assert!(
            matches("orders/{sub}/*", "orders/*/7", json!({"sub": "*"})),
            "a star in a value matches a star"
        );
    }

    #[test]
    fn invalid_patterns_are_rejected() {
        let error = |text: &str| TopicPattern::new(text).unwrap_err();
        for text in ["", "/", "a//b", "a/", "/a"] {
            assert!(matches!(error(text), PatternError::Empty(_)), "{text}");
        }
        for text in ["a*", "**/a", "a/**/b", "***"] {
            assert!(matches!(error(text), PatternError::Star(_)), "{text}");
        }
        for text in ["{", "}", "{}", "a{b", "a}b", "{a}{b}", "{{a}}", "}{"] {
            assert!(matches!(error(text), PatternError::Claim(_)), "{text}");
        }
    }
}
