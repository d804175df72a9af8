//! Translates errors of the driver.

use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerErrorKind};
use sse_core::backplane::BackplaneError;

/// Delay before a retry of a call that failed on a working connection.
pub(crate) const SOON: Duration = Duration::from_millis(50);

/// The error text for a server that replicates another one. Its data may be outdated, and nobody
/// would notice.
pub(crate) const REPLICA: &str = "the server is a replica";

/// The meaning of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The connection is of no use now: another server is in charge, or this one recovers in a
    /// moment.
    Unavailable,
    /// The server temporarily executes no commands of this kind.
    Blocked(ConnectionFate),
    /// The server executes no commands of this kind until an operator changes something.
    Refused(ConnectionFate),
}

/// The fate of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ConnectionFate {
    Stays,
    /// A new connection may lead to another server, or have other rights.
    Ends,
}

use ConnectionFate::{Ends, Stays};
use Meaning::{Blocked, Refused, Unavailable};

/// Replies by their first word, and the operator's remedy. Any other word means [`Unavailable`].
const WORDS: &[(&str, Meaning, &str)] = &[
    ("LOADING", Unavailable, "the server is loading its files"),
    (
        "READONLY",
        Unavailable,
        "the server is a replica; connect to the primary",
    ),
    (
        "MASTERDOWN",
        Unavailable,
        "the server is a replica without its primary",
    ),
    (
        "CLUSTERDOWN",
        Unavailable,
        "the cluster lacks slots; see CLUSTER INFO",
    ),
    (
        "TRYAGAIN",
        Unavailable,
        "the cluster is moving the slot of the log",
    ),
    (
        "MOVED",
        Unavailable,
        "the cluster moved the slot of the log",
    ),
    (
        "ASK",
        Unavailable,
        "the cluster is moving the slot of the log",
    ),
    ("UNBLOCKED", Unavailable, "the server ended a wait"),
    (
        "NOSCRIPT",
        Unavailable,
        "the server lost the loaded scripts",
    ),
    (
        "MISCONF",
        Blocked(Stays),
        "Redis cannot write to its disk: free space or repair the disk (see the log of Redis), or accept \
         writes anyway with CONFIG SET stop-writes-on-bgsave-error no",
    ),
    (
        "OOM",
        Blocked(Stays),
        "Redis is at maxmemory: free memory, raise it with CONFIG SET maxmemory, or keep less of the log",
    ),
    (
        "BUSY",
        Blocked(Stays),
        "a script or a function keeps Redis busy: SCRIPT KILL or FUNCTION KILL ends it",
    ),
    (
        "NOREPLICAS",
        Blocked(Ends),
        "fewer replicas are connected than min-replicas-to-write: start them, or lower it with CONFIG SET",
    ),
    (
        "NOPERM",
        Refused(Stays),
        "the ACL user lacks a right: grant the rights that the README of sse-redis lists (ACL SETUSER)",
    ),
    (
        "NOAUTH",
        Refused(Ends),
        "Redis requires a password: put the password into the URL",
    ),
    (
        "WRONGPASS",
        Refused(Ends),
        "the user name or the password is wrong, or the ACL user is disabled",
    ),
    (
        "DENIED",
        Refused(Ends),
        "Redis is in protected mode: set a password or bind an address",
    ),
    (
        "WRONGTYPE",
        Refused(Stays),
        "a foreign key has the configured prefix: delete the key or choose another prefix",
    ),
    (
        "FOREIGN",
        Refused(Stays),
        "a foreign key has the configured prefix: delete the key or choose another prefix",
    ),
    (
        "CROSSSLOT",
        Refused(Stays),
        "the keys of the prefix are in several hash slots",
    ),
];

/// Replies that begin with `ERR` and that recur until an operator changes something, by a part of
/// their text, and the cause.
const ERRORS: &[(&str, &str)] = &[
    (
        "unknown command",
        "the server lacks or has renamed a command",
    ),
    ("unknown subcommand", "the server lacks a command"),
    ("Unknown subcommand", "the server lacks a command"),
    (
        "wrong number of arguments",
        "the server is not a supported version of Redis or Valkey",
    ),
    (
        "syntax error",
        "the server is not a supported version of Redis or Valkey",
    ),
    (
        "DB index is out of range",
        "the database in the URL does not exist",
    ),
    ("invalid DB index", "the database in the URL does not exist"),
    (
        "SELECT is not allowed in cluster mode",
        "a cluster has only database 0: remove the database from the URL",
    ),
    (
        "without any password configured",
        "the URL has a password, but Redis has none",
    ),
    (
        "Client sent AUTH",
        "the URL has a password, but Redis has none",
    ),
];

/// Replies that mean [`Unavailable`] whatever their first word, by a part of their text, and the
/// operator's remedy.
const FOR_NOW: &[(&str, &str)] = &[
    (
        "max number of clients",
        "raise it with CONFIG SET maxclients, or close other clients",
    ),
    (
        "max clients",
        "raise it with CONFIG SET maxclients, or close other clients",
    ),
];

/// Translates an error of the driver into an error of sse-core.
pub(crate) fn translate(error: RedisError) -> BackplaneError {
    let (meaning, remedy) = meaning(&error);
    let reason = || {
        if remedy.is_empty() {
            error.to_string()
        } else {
            format!("{error}; {remedy}")
        }
    };
    match meaning {
        Unavailable if remedy.is_empty() => BackplaneError::unavailable(SOON, error),
        Unavailable => BackplaneError::unavailable(SOON, reason()),
        Blocked(_) => BackplaneError::Blocked {
            reason: reason(),
            source: Some(Box::new(error)),
        },
        Refused(_) => BackplaneError::Rejected {
            reason: reason(),
            source: Some(Box::new(error)),
        },
    }
}

/// Returns `true` if the connection is of no more use after the error.
pub(crate) fn ends_connection(error: &RedisError) -> bool {
    !matches!(meaning(error).0, Blocked(Stays) | Refused(Stays))
}

/// Returns `true` if the server temporarily executes no commands of this kind.
pub(crate) fn is_blocked(error: &RedisError) -> bool {
    matches!(meaning(error).0, Blocked(_))
}

/// Returns `true` if the server has lost the scripts that were loaded.
pub(crate) fn lacks_script(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
}

fn meaning(error: &RedisError) -> (Meaning, &'static str) {
    let text = error.to_string();
    if let Some((_, remedy)) = FOR_NOW.iter().find(|(part, _)| text.contains(part)) {
        return (Unavailable, remedy);
    }
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            return (Refused(Ends), "Redis rejects the credentials");
        }
        ErrorKind::RESP3NotSupported => return (Refused(Ends), "Redis 7 or Valkey is required"),
        // The text lists the commands of a transaction that was not executed, each with its own
        // word.
        ErrorKind::Server(ServerErrorKind::ExecAbort) => {
            let found = WORDS.iter().find(|(word, ..)| has_word(&text, word));
            return found.map_or((Unavailable, ""), |(_, meaning, remedy)| (*meaning, remedy));
        }
        _ => {}
    }
    match error.code() {
        // Some versions use a different word for a missing right inside a script.
        Some(_) if text.contains("ACL failure in script") => (Refused(Stays), remedy_of("NOPERM")),
        Some("ERR") => {
            let found = ERRORS.iter().find(|(part, _)| text.contains(part));
            found.map_or((Unavailable, ""), |(_, remedy)| (Refused(Stays), remedy))
        }
        Some(code) => {
            let found = WORDS.iter().find(|(word, ..)| *word == code);
            found.map_or((Unavailable, ""), |(_, meaning, remedy)| (*meaning, remedy))
        }
        None => (Unavailable, ""),
    }
}

fn remedy_of(word: &str) -> &'static str {
    WORDS
        .iter()
        .find(|(found, ..)| *found == word)
        .map_or("", |(.., remedy)| remedy)
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !c.is_ascii_uppercase())
        .any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use redis::parse_redis_value;

    use super::*;

    /// Creates an error from a reply as the server writes it.
    fn reply(text: &str) -> RedisError {
        crate::reply::checked(parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap())
            .unwrap_err()
    }

    /// All known error replies, and whether the connection survives them.
    #[test]
    fn every_error_reply_is_classified() {
        let unavailable = [
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
            "CLUSTERDOWN The cluster is down",
            "CLUSTERDOWN Hash slot not served",
            "TRYAGAIN Multiple keys request during rehashing of slot",
            "MOVED 3999 127.0.0.1:6381",
            "ASK 3999 127.0.0.1:6381",
            "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
            "NOSCRIPT No matching script. Please use EVAL.",
            "ERR max number of clients reached",
            "ERR max clients reached",
            "EXECABORT Transaction discarded because of previous errors.",
            // Replies of proxies, and of servers that do not exist yet.
            "ERR upstream failure",
            "ERR server closed connection",
            "ERR Error running script",
            "NEWWORD whatever it means",
            "UNKNOWN",
        ];
        let blocked = [
            (
                "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
                true,
            ),
            (
                "MISCONF Errors writing to the AOF file: No space left on device",
                true,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'.",
                true,
            ),
            (
                "OOM command not allowed when used memory > 'maxmemory'. script: ab, on @user_script:1.",
                true,
            ),
            (
                "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                true,
            ),
            ("NOREPLICAS Not enough good replicas to write.", false),
        ];
        let refused = [
            (
                "NOPERM User hub has no permissions to run the 'xadd' command",
                true,
            ),
            ("NOPERM No permissions to access a key", true),
            ("NOPERM No permissions to access a channel", true),
            (
                "ERR ACL failure in script: User hub has no permissions to run the 'xadd' command",
                true,
            ),
            ("NOAUTH Authentication required.", false),
            (
                "WRONGPASS invalid username-password pair or user is disabled.",
                false,
            ),
            ("DENIED Redis is running in protected mode", false),
            (
                "WRONGTYPE Operation against a key holding the wrong kind of value",
                true,
            ),
            ("FOREIGN the key is not a log of this library", true),
            (
                "CROSSSLOT Keys in request don't hash to the same slot",
                true,
            ),
            (
                "ERR unknown command 'XADD', with args beginning with: ",
                true,
            ),
            ("ERR DB index is out of range", true),
            ("ERR SELECT is not allowed in cluster mode", true),
        ];
        for text in unavailable {
            assert!(
                matches!(translate(reply(text)), BackplaneError::Unavailable { .. }),
                "{text}"
            );
            assert!(ends_connection(&reply(text)), "{text}");
        }
        for (text, stays) in blocked {
            let error = translate(reply(text));
            assert!(
                matches!(error, BackplaneError::Blocked { .. }),
                "{text}: {error:?}"
            );
            assert_eq!(ends_connection(&reply(text)), !stays, "{text}");
            assert!(error.to_string().contains("; "), "no remedy: {error}");
        }
        for (text, stays) in refused {
            let error = translate(reply(text));
            assert!(
                matches!(error, BackplaneError::Rejected { .. }),
                "{text}: {error:?}"
            );
            assert_eq!(ends_connection(&reply(text)), !stays, "{text}");
            assert!(error.to_string().contains("; "), "no remedy: {error}");
        }
    }

    #[test]
    fn aborted_transaction_reports_command_error() {
        for (text, is_blocked) in [
            ("OOM command not allowed", true),
            ("NOPERM no permissions", false),
        ] {
            let aborted = vec![
                parse_redis_value(b"+OK\r\n").unwrap(),
                parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap(),
                parse_redis_value(
                    b"-EXECABORT Transaction discarded because of previous errors.\r\n",
                )
                .unwrap(),
            ];
            let error = translate(crate::reply::of_transaction(aborted, 1).unwrap_err());
            assert_eq!(
                matches!(error, BackplaneError::Blocked { .. }),
                is_blocked,
                "{error:?}"
            );
            assert_eq!(
                matches!(error, BackplaneError::Rejected { .. }),
                !is_blocked,
                "{error:?}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn unknown_error_reply_is_temporary(word in "[A-Z]{2,12}", text in "[a-z ]{0,20}") {
            let known = WORDS.iter().any(|(known, ..)| *known == word) || word == "ERR";
            proptest::prop_assume!(!known);
            let error = translate(reply(&format!("{word} {text}")));
            let passes = matches!(error, BackplaneError::Unavailable { .. });
            proptest::prop_assert!(passes, "{:?}", error);
        }
    }
}
