//! Finds the primary by asking sentinels.

use std::{fmt, pin::pin, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use redis::{IntoConnectionInfo, RedisConnectionInfo, Value};
use sse_core::backplane::BackplaneError;
use tokio::time::sleep;

use crate::{
    connection::{
        address::Address,
        connector::{Connector, Purpose},
    },
    error,
    reply::{self, unexpected},
};

/// Sentinels, and the name of the primary.
pub(crate) struct Sentinels {
    addresses: Vec<Address>,
    primary: String,
    /// The login for sentinels.
    login: RedisConnectionInfo,
}

/// Default port of sentinels.
const PORT: u16 = 26_379;

/// Timeout for a majority of the sentinels to agree. Afterwards the replies that arrived decide.
const VOTE_TIMEOUT: Duration = Duration::from_secs(1);

const FORM: &str = "a URL of sentinels is redis+sentinel://[[user]:password@]host[:port][,host[:port]…]/primary[/database]\
    [?sentinel_user=…&sentinel_password=…]";

impl Sentinels {
    /// Parses the part of the URL that follows the scheme. Also returns the login for the primary.
    pub(crate) fn parse(rest: &str) -> Result<(Self, RedisConnectionInfo), BackplaneError> {
        let wrong = || BackplaneError::rejected(FORM);
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (user, rest) = match rest.rsplit_once('@') {
            Some((user, rest)) => (format!("{user}@"), rest),
            None => (String::new(), rest),
        };
        let (hosts, path) = rest.split_once('/').ok_or_else(wrong)?;
        let (primary, database) = path.split_once('/').unwrap_or((path, ""));
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if primary.is_empty() || !primary.chars().all(is_name) {
            return Err(wrong());
        }
        let addresses: Option<Vec<_>> = hosts
            .split(',')
            .map(|host| Address::parse(host, PORT))
            .collect();
        let addresses = addresses.ok_or_else(wrong)?;
        // The driver parses the parts that are common to all URLs.
        let info = format!("redis://{user}localhost/{database}").into_connection_info();
        let server = info.map_err(|_| wrong())?.redis_settings().clone();
        let login = login(query).ok_or_else(wrong)?;
        Ok((
            Self {
                addresses,
                primary: primary.to_owned(),
                login,
            },
            server,
        ))
    }

    /// Returns the address of the primary: the one that more than half of the sentinels name, or,
    /// without such a majority in time, the most frequent reply.
    ///
    /// A sentinel that was cut off may still name the primary from before a failover.
    pub(crate) async fn ask(
        &self,
        connector: &Connector,
        timeout: Duration,
    ) -> Result<Address, BackplaneError> {
        let mut asked: FuturesUnordered<_> = self
            .addresses
            .iter()
            .map(|sentinel| self.ask_one(connector, sentinel, timeout))
            .collect();
        let mut vote_timeout = pin!(sleep(VOTE_TIMEOUT));
        let mut votes = Vec::<(Address, usize)>::new();
        let mut errors = Vec::new();
        loop {
            let answer = tokio::select! {
                biased;
                answer = asked.next() => answer,
                () = &mut vote_timeout, if !votes.is_empty() => None,
            };
            match answer {
                None => break,
                Some(Err(error)) => errors.push(error),
                Some(Ok(address)) if vote(&mut votes, &address) > self.addresses.len() / 2 => {
                    return Ok(address);
                }
                Some(Ok(_)) => {}
            }
        }
        match votes.into_iter().max_by_key(|(_, count)| *count) {
            Some((address, _)) => Ok(address),
            None => Err(summary(errors)),
        }
    }

    async fn ask_one(
        &self,
        connector: &Connector,
        sentinel: &Address,
        timeout: Duration,
    ) -> Result<Address, BackplaneError> {
        let connected = connector
            .log_in(sentinel, &self.login, &Purpose::Questions, timeout)
            .await;
        let mut connected = connected.map_err(error::translate)?;
        let mut question = redis::cmd("SENTINEL");
        question.arg("GET-MASTER-ADDR-BY-NAME").arg(&self.primary);
        let answer = connected
            .connection
            .send_packed_command(&question)
            .await
            .and_then(reply::checked);
        match answer.map_err(error::translate)? {
            Value::Nil => Err(BackplaneError::rejected(format!(
                "the sentinel knows no primary named {}",
                self.primary
            ))),
            answer => address(&answer).ok_or_else(|| {
                error::translate(unexpected(
                    "invalid address of the primary in the reply of a sentinel",
                ))
            }),
        }
    }
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses: Vec<_> = self.addresses.iter().map(ToString::to_string).collect();
        f.debug_struct("Sentinels")
            .field("addresses", &addresses)
            .field("primary", &self.primary)
            .finish()
    }
}

/// Returns the login for sentinels, or `None` if the query has any other parameter.
fn login(query: &str) -> Option<RedisConnectionInfo> {
    let mut login = RedisConnectionInfo::default();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        login = match &*name {
            "sentinel_user" => login.set_username(value),
            "sentinel_password" => login.set_password(value),
            _ => return None,
        };
    }
    Some(login)
}

/// Counts a vote. Returns the number of votes for the address.
fn vote(votes: &mut Vec<(Address, usize)>, address: &Address) -> usize {
    match votes.iter_mut().find(|(named, _)| named == address) {
        Some((_, count)) => {
            *count += 1;
            *count
        }
        None => {
            votes.push((address.clone(), 1));
            1
        }
    }
}

/// Returns the host and the port.
pub(crate) fn address(answer: &Value) -> Option<Address> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [host, port] = parts.as_slice() else {
        return None;
    };
    Some(Address::Tcp {
        host: reply::text(host)?.to_owned(),
        port: reply::text(port)?.parse().ok()?,
    })
}

/// Selects one of the errors of all sentinels. The result is a rejection only if every error is
/// one: only then would another attempt also be rejected.
fn summary(errors: Vec<BackplaneError>) -> BackplaneError {
    let is_refused = |error: &BackplaneError| matches!(error, BackplaneError::Rejected { .. });
    let last = errors.into_iter().max_by_key(|error| !is_refused(error));
    last.unwrap_or_else(|| BackplaneError::unavailable(error::SOON, "no sentinel replied"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_parse() {
        let (sentinels, login) = Sentinels::parse(
            "hub:p%40ss@a,b:1,[::1]:2/my-primary/3?sentinel_user=s&sentinel_password=x%26y",
        )
        .unwrap();
        assert_eq!(
            sentinels
                .addresses
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>(),
            ["a:26379", "b:1", "[::1]:2"]
        );
        assert_eq!(sentinels.primary, "my-primary");
        assert_eq!(
            (login.username(), login.password(), login.db()),
            (Some("hub"), Some("p@ss"), 3)
        );
        assert_eq!(
            (sentinels.login.username(), sentinels.login.password()),
            (Some("s"), Some("x&y"))
        );
        let shown = format!("{sentinels:?}");
        assert!(shown.contains("b:1") && !shown.contains("x&y"), "{shown}");
        let (sentinels, login) = Sentinels::parse(":secret@a/p").unwrap();
        assert_eq!(
            (login.username(), login.password(), login.db()),
            (None, Some("secret"), 0)
        );
        assert_eq!(sentinels.login.password(), None);
    }

    #[test]
    fn bad_url_error_hides_passwords() {
        for rest in [
            "",
            ":secret@a",
            ":secret@a/",
            ":secret@/p",
            ":secret@a,,b/p",
            ":secret@a:x/p",
            ":secret@a/p/x",
            ":secret@a/p q",
            "a/p?sentinel_pass=secret",
            "a/p?sentinel_password=secret&timeout=1",
        ] {
            let error = Sentinels::parse(rest).err().unwrap();
            assert!(matches!(error, BackplaneError::Rejected { .. }), "{rest}");
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn unreachable_sentinel_outweighs_rejection() {
        let refused = || BackplaneError::rejected("no");
        let unreachable = || BackplaneError::unavailable(error::SOON, "unreachable");
        for errors in [
            vec![unreachable(), refused()],
            vec![refused(), unreachable()],
            vec![],
        ] {
            assert!(matches!(
                summary(errors),
                BackplaneError::Unavailable { .. }
            ));
        }
        assert!(matches!(
            summary(vec![refused(), refused()]),
            BackplaneError::Rejected { .. }
        ));
    }
}
