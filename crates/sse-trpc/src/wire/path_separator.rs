//! Separators between the parts of a procedure's name in a URL.

use std::borrow::Cow;

/// The separator between the parts of a procedure's name in a URL; names keep their dots everywhere
/// else. Clients must use the same separator (tRPC 11.2, `http/pathSeparator.ts`), but clients that
/// send dots are accepted as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PathSeparator {
    /// `sse.getStats`
    #[default]
    Dot,
    /// `sse_getStats`
    Underscore,
    /// `sse~getStats`
    Tilde,
    /// `sse-getStats`
    Hyphen,
}

impl PathSeparator {
    pub(crate) fn decode(self, path: Cow<'_, str>) -> Cow<'_, str> {
        match self.as_char() {
            '.' => path,
            separator => path.replace(separator, ".").into(),
        }
    }

    const fn as_char(self) -> char {
        match self {
            Self::Dot => '.',
            Self::Underscore => '_',
            Self::Tilde => '~',
            Self::Hyphen => '-',
        }
    }
}
