//! The words and forms that documentation avoids, because a reader has to guess their subject.

use super::passage::{Passage, PassageKind};

/// Maximum number of columns of a line of prose.
const COLUMNS: usize = 100;

/// Words with which an item doc does not open.
const OPENINGS: [&str; 12] = [
    "What", "Who", "Whose", "Whom", "Whether", "How", "Where", "When", "Why", "Which", "Of",
    "Whoever",
];

/// Openings of several words.
const OPENING_PHRASES: [&str; 4] = ["So many", "So much", "So long", "After so"];

/// Phrases that documentation, log messages and errors avoid.
const WORDS: [&str; 29] = [
    "is told",
    "are told",
    "was told",
    "were told",
    "hears of",
    "is away",
    "is gone",
    "are gone",
    "is back",
    "sees to it",
    "gives",
    "a look",
    "looks",
    "patience",
    "comes back",
    "come back",
    "whoever",
    "under way",
    "is meant by",
    "are meant by",
    "none of ours",
    "by itself",
    "by themselves",
    "so long",
    "so many",
    "wanted",
    "the seed",
    "behind",
    "beside",
];

/// A violation of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Finding {
    Word(&'static str),
    LongLine(usize),
    Opening(&'static str),
}

/// Returns all violations in a line.
pub(crate) fn findings(passage: &Passage<'_>) -> Vec<Finding> {
    let prose = without_code(passage.text).to_lowercase();
    let mut found: Vec<_> = WORDS
        .into_iter()
        .filter(|word| has(&prose, word))
        .map(Finding::Word)
        .collect();
    if passage.columns > COLUMNS {
        found.push(Finding::LongLine(passage.columns));
    }
    if passage.kind == PassageKind::ItemDoc {
        found.extend(opening(passage.text).map(Finding::Opening));
    }
    found
}

/// Returns the forbidden opening of an item doc.
pub(crate) fn opening(text: &str) -> Option<&'static str> {
    let first = text
        .split(|character: char| !character.is_alphanumeric())
        .next()?;
    let word = OPENINGS.into_iter().find(|word| *word == first);
    word.or_else(|| {
        OPENING_PHRASES
            .into_iter()
            .find(|phrase| text.starts_with(phrase))
    })
}

/// Returns `true` if a text contains a phrase as whole words.
fn has(text: &str, phrase: &str) -> bool {
    text.match_indices(phrase).any(|(at, _)| {
        let is_word = |character: char| character.is_alphanumeric() || character == '_';
        !text[..at].ends_with(is_word) && !text[at + phrase.len()..].starts_with(is_word)
    })
}

/// Returns a line without the text in backticks.
fn without_code(text: &str) -> String {
    text.split('`').step_by(2).collect::<Vec<_>>().join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(kind: PassageKind, text: &str) -> Vec<Finding> {
        findings(&Passage {
            line: 1,
            kind,
            text,
            columns: text.chars().count(),
        })
    }

    #[test]
    fn phrases_are_whole_words_outside_code() {
        assert_eq!(
            found(PassageKind::Prose, "The log is away."),
            [Finding::Word("is away")]
        );
        assert_eq!(
            found(PassageKind::Message, "The Log Is Away"),
            [Finding::Word("is away")]
        );
        assert_eq!(
            found(PassageKind::Prose, "It forgives; `gives` is a name."),
            []
        );
        assert_eq!(found(PassageKind::Prose, "unwanted"), []);
    }

    #[test]
    fn only_item_docs_have_openings() {
        assert_eq!(
            found(PassageKind::ItemDoc, "What it is."),
            [Finding::Opening("What")]
        );
        assert_eq!(
            found(PassageKind::ItemDoc, "So much of it."),
            [Finding::Opening("So much")]
        );
        assert_eq!(found(PassageKind::ItemDoc, "Whatever comes."), []);
        assert_eq!(found(PassageKind::Prose, "What it is."), []);
    }

    #[test]
    fn lines_have_at_most_100_columns() {
        assert_eq!(found(PassageKind::Prose, &"x".repeat(100)), []);
        assert_eq!(
            found(PassageKind::Prose, &"x".repeat(101)),
            [Finding::LongLine(101)]
        );
    }
}
