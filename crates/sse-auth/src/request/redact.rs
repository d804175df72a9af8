//! Query strings without their secrets, for logs.

use std::borrow::Cow;

/// Known parameters that can hold secrets. Their names are shown, their values are not.
const NAMES: [&str; 5] = [
    "ticket",
    "token",
    "access_token",
    "input",
    "connectionParams",
];

/// Maximum length of a value that is shown.
const LONGEST: usize = 200;

/// Returns a query string in a form that can be logged. Values are shown only for parameters that
/// are known to be harmless (`topics`, `topic`, `batch`, `last`, `since`, `lastEventId`), and only
/// in the form that the parameter requires. The other parameters of streams and calls are shown by
/// name alone. Unknown parameters are not shown at all, because a secret can be anywhere.
///
/// ```
/// use sse_auth::redacted_query;
///
/// assert_eq!(redacted_query("topics=news&ticket=abc&x=y"), "topics=news&ticket=…&…");
/// ```
#[must_use]
pub fn redacted_query(query: &str) -> Cow<'_, str> {
    if query.split('&').all(is_harmless) {
        return Cow::Borrowed(query);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        _ if is_harmless(pair) => Cow::Borrowed(pair),
        Some((name, _)) if NAMES.contains(&name) => Cow::Owned(format!("{name}=…")),
        _ => Cow::Borrowed("…"),
    });
    Cow::Owned(pairs.collect::<Vec<_>>().join("&"))
}

/// Returns `true` if a pair is known to hold no secret: by its name and, if values of that name
/// have a form, by the form of its value.
fn is_harmless(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else {
        return pair.is_empty();
    };
    let digits = || value.len() <= 9 && value.bytes().all(|byte| byte.is_ascii_digit());
    match name {
        "topics" | "topic" => {
            value.len() <= LONGEST && value.bytes().all(|byte| byte.is_ascii_graphic())
        }
        "batch" | "last" => digits(),
        "since" | "lastEventId" => value.is_empty() || value == "start" || is_event_id(value),
        _ => false,
    }
}

/// Returns `true` for an id of the event log: letters and digits, a hyphen, and a position of one
/// or two numbers.
fn is_event_id(text: &str) -> bool {
    let Some((epoch, position)) = text.split_once('-') else {
        return false;
    };
    let is_number = |text: &str| {
        (1..=20).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let (major, minor) = position.split_once('.').unwrap_or((position, "0"));
    let is_epoch = epoch.len() <= 32 && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_epoch && is_number(major) && is_number(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_parameters_are_shown() {
        for (query, logged) in [
            ("ticket=abc", "ticket=…"),
            ("ticket=", "ticket=…"),
            ("topics=b&user=a&token=x.y.z", "topics=b&…&token=…"),
            (
                "access_token=1&access_token=2",
                "access_token=…&access_token=…",
            ),
            ("input=%7B%22token%22%3A1%7D&batch=1", "input=…&batch=1"),
            (
                "connectionParams=%7B%22token%22%3A1%7D",
                "connectionParams=…",
            ),
            ("session_token=x&api_key=y&jwt=z&code=w", "…&…&…&…"),
            ("TOKEN=x&tok%65n=y&secret", "…&…&…"),
            (
                "last=secret&since=secret&lastEventId=secret&batch=secret",
                "…&…&…&…",
            ),
            ("a=b;topics=news", "…"),
            ("topics=a b", "…"),
            ("=x", "…"),
        ] {
            assert_eq!(redacted_query(query), logged);
        }
        let long = format!("topics={}", "a".repeat(1000));
        assert_eq!(redacted_query(&long), "…");
    }

    #[test]
    fn harmless_queries_stay_unchanged() {
        for query in [
            "",
            "topics=c,d",
            "topic=orders%2C7&topic=+c",
            "topics=",
            "&&topics=a%20b&",
            "last=10&since=start",
            "lastEventId=0a1b2c3d-42",
            "since=7f3a-1732312345678.0",
            "batch=1",
        ] {
            assert!(
                matches!(redacted_query(query), Cow::Borrowed(same) if same == query),
                "{query}"
            );
        }
    }
}
