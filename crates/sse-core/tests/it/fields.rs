//! Values that fields and names reject.

use proptest::prelude::*;
use sse_core::{
    ClientId, EventType, Topic, UserId,
    event::EventId,
    id::{FieldError, MAX_NAME_BYTES},
};

use crate::support::text;

fn has(text: &str, forbidden: impl Fn(char) -> bool) -> Option<(char, usize)> {
    text.char_indices()
        .find(|(_, character)| forbidden(*character))
        .map(|(at, character)| (character, at))
}

/// Returns a value as errors quote it: a text that is longer than 64 bytes ends there.
fn shortened(text: &str) -> String {
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= 64);
    match end {
        Some(end) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

proptest! {
    #[test]
    fn types_ids_and_names_reject_invalid_text(text in text()) {
        let line_break = |character| matches!(character, '\r' | '\n');
        let type_is_bad = text.is_empty() || has(&text, line_break).is_some();
        prop_assert_eq!(EventType::new(text.as_str()).is_err(), type_is_bad);
        let id_is_bad = has(&text, |character| line_break(character) || character == '\0');
        prop_assert_eq!(
            EventId::new(text.as_str()).err(),
            id_is_bad.map(|(character, at)| FieldError::Character { character, at, value: shortened(&text) })
        );
        let name_is_bad = text.is_empty() || text.len() > MAX_NAME_BYTES || has(&text, char::is_control).is_some();
        prop_assert_eq!(Topic::new(text.as_str()).is_err(), name_is_bad);
        prop_assert_eq!(UserId::new(text.as_str()).is_err(), name_is_bad);
        prop_assert_eq!(text.parse::<Topic>().is_err(), name_is_bad);
        prop_assert_eq!(UserId::try_from(text.clone()).is_err(), name_is_bad);
        let json = serde_json::to_string(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Topic>(&json).is_err(), name_is_bad);
    }

    #[test]
    fn client_ids_are_32_lower_case_hexadecimal_digits(text in text(), number in any::<u128>()) {
        prop_assert!(text.len() == 32 || text.parse::<ClientId>().is_err());
        let text = format!("{number:032x}");
        prop_assert_eq!(text.parse::<ClientId>().unwrap().to_string(), text);
    }
}

#[test]
fn errors_name_the_problem() {
    assert_eq!(EventType::new(""), Err(FieldError::Empty));
    assert_eq!(
        EventType::new("a\nb"),
        Err(FieldError::Character {
            character: '\n',
            at: 1,
            value: "a\nb".into(),
        })
    );
    assert_eq!(
        EventType::new("é\r"),
        Err(FieldError::Character {
            character: '\r',
            at: 2,
            value: "é\r".into(),
        })
    );
    assert_eq!(
        EventId::new("\0"),
        Err(FieldError::Character {
            character: '\0',
            at: 0,
            value: "\0".into(),
        })
    );
    assert_eq!(UserId::new(""), Err(FieldError::Empty));
    let long = "x".repeat(MAX_NAME_BYTES + 1);
    assert_eq!(
        Topic::new(long.as_str()),
        Err(FieldError::TooLong {
            length: 1025,
            limit: 1024,
            value: shortened(&long),
        })
    );
    assert!(Topic::new(&long[1..]).is_ok());
    assert_eq!(
        Topic::new("a\u{85}"),
        Err(FieldError::Character {
            character: '\u{85}',
            at: 1,
            value: "a\u{85}".into(),
        })
    );
}

#[test]
#[should_panic(expected = "no line break")]
fn literal_with_a_line_break_is_rejected() {
    let _ = EventType::from_static("a\n");
}
