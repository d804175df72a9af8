//! Rust source as tokens: names and signs, without comments, strings, characters and lifetimes.

use std::iter;

/// One token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An identifier, keyword or number; for a raw identifier, the part after `r#`.
    Name(&'a str),
    /// `::`.
    Separator,
    /// Any other character.
    Sign(char),
}

/// Reads the tokens of a file that compiles.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut rest = text;
    iter::from_fn(|| next(&mut rest)).collect()
}

fn next<'a>(rest: &mut &'a str) -> Option<Token<'a>> {
    loop {
        *rest = rest.trim_start();
        let first = rest.chars().next()?;
        if rest.starts_with("//") {
            *rest = &rest[rest.find('\n').unwrap_or(rest.len())..];
        } else if rest.starts_with("/*") {
            *rest = after_comment(rest);
        } else if let Some(string) = rest.strip_prefix('"') {
            *rest = after_quoted(string, '"');
        } else if let Some(quoted) = rest.strip_prefix('\'') {
            *rest = after_character_or_lifetime(quoted);
        } else if is_word(first) {
            let (word, after) = split_word(rest);
            *rest = after;
            match word {
                "r" | "br" | "cr" => match after_raw_string(after) {
                    Some(after) => *rest = after,
                    None if word == "r" && after.starts_with('#') => *rest = &after[1..],
                    None => return Some(Token::Name(word)),
                },
                _ => return Some(Token::Name(word)),
            }
        } else if let Some(after) = rest.strip_prefix("::") {
            *rest = after;
            return Some(Token::Separator);
        } else {
            *rest = &rest[first.len_utf8()..];
            return Some(Token::Sign(first));
        }
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn split_word(text: &str) -> (&str, &str) {
    text.split_at(
        text.find(|character| !is_word(character))
            .unwrap_or(text.len()),
    )
}

/// Skips a block comment, which can contain nested comments.
fn after_comment(mut text: &str) -> &str {
    let mut depth = 0_usize;
    while !text.is_empty() {
        let (step, change) = match text.as_bytes() {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (text.chars().next().map_or(1, char::len_utf8), 0),
        };
        depth = depth.saturating_add_signed(change);
        text = &text[step..];
        if depth == 0 {
            break;
        }
    }
    text
}

/// Skips up to an unescaped end.
fn after_quoted(text: &str, end: char) -> &str {
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            _ if character == end => break,
            _ => {}
        }
    }
    characters.as_str()
}

/// Skips a character literal or a lifetime: `'a'` is a character and `'a` a lifetime, so the text
/// after the letter decides.
fn after_character_or_lifetime(text: &str) -> &str {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => after_quoted(text, '\''),
        _ => split_word(text).1,
    }
}

/// Skips the rest of a raw string whose prefix was read; `None` if there is no raw string.
fn after_raw_string(text: &str) -> Option<&str> {
    let inner = text.trim_start_matches('#');
    let fence = &text[..text.len() - inner.len()];
    let inner = inner.strip_prefix('"')?;
    let end = format!("\"{fence}");
    Some(
        inner
            .find(&end)
            .map_or("", |place| &inner[place + end.len()..]),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the tokens with spaces in between.
    fn shown(text: &str) -> String {
        let shown = |token: &Token<'_>| match token {
            Token::Name(name) => (*name).to_owned(),
            Token::Separator => "::".to_owned(),
            Token::Sign(sign) => sign.to_string(),
        };
        tokens(text).iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn names_and_signs_are_distinguished() {
        assert_eq!(
            shown("use crate::a::{b, c as d};"),
            "use crate :: a :: { b , c as d } ;"
        );
        assert_eq!(
            shown("a::<T>()[1..2]: r#type"),
            "a :: < T > ( ) [ 1 . . 2 ] : type"
        );
        assert_eq!(shown("größe::x"), "größe :: x");
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(
            shown("a // crate::b \" '\nc /* d /* e */ \" ü */ f //"),
            "a c f"
        );
        assert_eq!(shown("/// \"\n//! '\na /**/ b /* never ended"), "a b");
    }

    #[test]
    fn strings_are_left_out() {
        assert_eq!(
            shown(r#"a "crate::b // \" {" c b"\\" d c"}" e"#),
            "a c b d c e"
        );
        assert_eq!(
            shown("a r\"\\\" b r#\"\"{\"# c br##\"\"#\"## d r\"never"),
            "a b c d"
        );
        assert_eq!(shown("r b br"), "r b br");
    }

    #[test]
    fn characters_and_lifetimes_are_left_out() {
        assert_eq!(
            shown(r#"a '{' b '\'' c '\u{7b}' d '\\' e 'ü' f b'"' g"#),
            "a b c d e f b g"
        );
        assert_eq!(
            shown("&'a str, 'static {} <'_> 'l: loop"),
            "& str , { } < > : loop"
        );
    }
}
