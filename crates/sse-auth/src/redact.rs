//! Query strings without their secrets, for logs.

use std::borrow::Cow;

/// Parameters whose values are secrets. `connectionParams` is where tRPC's clients put tokens of subscriptions, and `code` an authorisation code.
const SECRETS: [&str; 8] =
    ["ticket", "token", "access_token", "id_token", "refresh_token", "jwt", "code", "connectionParams"];

/// A query string as it may be logged: the values of secrets are replaced, however their names are spelled; everything else stays as it came.
///
/// ```
/// use sse_auth::redacted_query;
///
/// assert_eq!(redacted_query("topics=news&ticket=abc"), "topics=news&ticket=[redacted]");
/// ```
#[must_use]
pub fn redacted_query(query: &str) -> Cow<'_, str> {
    if !query.split('&').any(is_secret) {
        return Cow::Borrowed(query);
    }
    let pairs = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if is_secret(pair) => Cow::Owned(format!("{name}=[redacted]")),
        _ => Cow::Borrowed(pair),
    });
    Cow::Owned(pairs.collect::<Vec<_>>().join("&"))
}

/// Whether a pair is a secret with a value, however its name is escaped.
fn is_secret(pair: &str) -> bool {
    form_urlencoded::parse(pair.as_bytes()).any(|(name, value)| {
        !value.is_empty() && SECRETS.iter().any(|secret| name.eq_ignore_ascii_case(secret))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_replaced() {
        for (query, logged) in [
            ("ticket=abc", "ticket=[redacted]"),
            ("user=a&token=x.y.z&topics=b", "user=a&token=[redacted]&topics=b"),
            ("access_token=1&access_token=2", "access_token=[redacted]&access_token=[redacted]"),
            ("TOKEN=x", "TOKEN=[redacted]"),
            ("tok%65n=x=y", "tok%65n=[redacted]"),
            ("connectionparams=%7B%22token%22%3A1%7D", "connectionparams=[redacted]"),
            ("a&&token=%26x&", "a&&token=[redacted]&"),
        ] {
            assert_eq!(redacted_query(query), logged);
        }
    }

    #[test]
    fn everything_else_stays_as_it_came() {
        for query in
            ["", "user=a%20b&topics=c,d", "tokens=1&my_ticket=2", "ticket", "token=", "=token", "user=token"]
        {
            assert!(matches!(redacted_query(query), Cow::Borrowed(same) if same == query), "{query}");
        }
    }
}
