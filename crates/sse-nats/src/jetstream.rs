//! Requests to JetStream, in the JSON of its API (NATS ADR-1).

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Subject};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sse_core::backplane::BackplaneError;
use thiserror::Error;

use crate::{
    error::{blocked, refused, unavailable},
    request_reply::{RequestError, Requests},
};

/// JetStream's API.
#[derive(Debug)]
pub(crate) struct JetStream {
    requests: Arc<Requests>,
    /// The prefix of subjects, with a dot at the end.
    prefix: String,
}

/// The reason why a request was not executed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// The stream, consumer or message does not exist.
    Missing,
    /// Another client was first.
    Conflict,
    /// The server lost the files of the stream, and will not find them again.
    Broken(ServerError),
    /// The message is larger than the stream accepts.
    TooLarge,
    /// Any other error.
    Failed(BackplaneError),
}

/// The server's error for a request that it does not execute.
#[derive(Debug, Error, Deserialize)]
#[error("{description} ({err_code})")]
pub(crate) struct ServerError {
    code: u16,
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct JetStreamInfo {
    pub(crate) config: Value,
    /// Time when the stream was created: no two streams of a name share it.
    pub(crate) created: String,
    pub(crate) state: JetStreamState,
}

#[derive(Debug, Deserialize)]
pub(crate) struct JetStreamState {
    messages: u64,
    first_seq: u64,
    pub(crate) last_seq: u64,
    /// Number of missing sequences between the first and the last.
    #[serde(default)]
    pub(crate) num_deleted: u64,
}

impl JetStreamState {
    /// Returns the sequence up to which all messages were removed.
    pub(crate) fn trimmed(&self) -> u64 {
        if self.messages == 0 {
            self.last_seq
        } else {
            self.first_seq.saturating_sub(1)
        }
    }
}

/// A message that was requested.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The block of headers, as it was sent.
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// The reply that contains a message.
#[derive(Debug, Deserialize)]
struct FoundMessage {
    message: Raw,
}

/// A message in base64.
#[derive(Debug, Deserialize)]
struct Raw {
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

impl Raw {
    fn decode(&self) -> Result<Stored, ApiError> {
        let decoded = |text: &str| {
            Base64::decode_vec(text).map_err(|error| ApiError::Failed(unavailable(error)))
        };
        Ok(Stored {
            headers: decoded(&self.hdrs)?,
            payload: decoded(&self.data)?,
        })
    }
}

/// An acknowledgement, or the error instead.
#[derive(Debug, Deserialize)]
pub(crate) struct Ack {
    error: Option<ServerError>,
    #[serde(default)]
    pub(crate) stream: String,
    #[serde(default)]
    pub(crate) seq: u64,
    #[serde(default)]
    pub(crate) duplicate: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct ConsumerInfo {
    pub(crate) num_pending: u64,
}

/// A reply: the result, or an error in its place.
#[derive(Debug, Deserialize)]
struct ApiResponse<T> {
    error: Option<ServerError>,
    #[serde(flatten)]
    content: Option<T>,
}

/// Timeout for a reply.
pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

impl JetStream {
    pub(crate) fn new(requests: Arc<Requests>, domain: Option<&str>) -> Self {
        let prefix = domain.map_or_else(
            || "$JS.API.".to_owned(),
            |domain| format!("$JS.{domain}.API."),
        );
        Self { requests, prefix }
    }

    pub(crate) fn subject(&self, rest: &str) -> Subject {
        format!("{}{rest}", self.prefix).into()
    }

    pub(crate) async fn stream_info(&self, stream: &str) -> Result<JetStreamInfo, ApiError> {
        self.call(&format!("STREAM.INFO.{stream}"), &json!({}))
            .await
    }

    pub(crate) async fn create_stream(
        &self,
        stream: &str,
        config: &Value,
    ) -> Result<JetStreamInfo, ApiError> {
        self.call(&format!("STREAM.CREATE.{stream}"), config).await
    }

    pub(crate) async fn update_stream(
        &self,
        stream: &str,
        config: &Value,
    ) -> Result<JetStreamInfo, ApiError> {
        self.call(&format!("STREAM.UPDATE.{stream}"), config).await
    }

    pub(crate) async fn delete_stream(&self, stream: &str) -> Result<(), ApiError> {
        let answer: Result<Value, _> = self
            .call(&format!("STREAM.DELETE.{stream}"), &json!({}))
            .await;
        answer.map(drop)
    }

    /// Removes the messages of a subject from a stream.
    pub(crate) async fn purge(&self, stream: &str, subject: &str) -> Result<(), ApiError> {
        let answer: Result<Value, _> = self
            .call(
                &format!("STREAM.PURGE.{stream}"),
                &json!({ "filter": subject }),
            )
            .await;
        answer.map(drop)
    }

    /// Removes one message.
    pub(crate) async fn delete(&self, stream: &str, sequence: u64) -> Result<(), ApiError> {
        let request = json!({ "seq": sequence, "no_erase": true });
        let answer: Result<Value, _> = self
            .call(&format!("STREAM.MSG.DELETE.{stream}"), &request)
            .await;
        answer.map(drop)
    }

    /// Returns a message from the stream's leader, which has every acknowledged message.
    pub(crate) async fn message(&self, stream: &str, sequence: u64) -> Result<Stored, ApiError> {
        let found: FoundMessage = self
            .call(
                &format!("STREAM.MSG.GET.{stream}"),
                &json!({ "seq": sequence }),
            )
            .await?;
        found.message.decode()
    }

    pub(crate) async fn create_consumer(
        &self,
        stream: &str,
        name: &str,
        config: &Value,
    ) -> Result<ConsumerInfo, ApiError> {
        let request = json!({ "stream_name": stream, "config": config });
        self.call(&format!("CONSUMER.CREATE.{stream}.{name}"), &request)
            .await
    }

    async fn call<T: DeserializeOwned>(&self, rest: &str, request: &Value) -> Result<T, ApiError> {
        let request = Bytes::from(request.to_string());
        let answer = self
            .requests
            .request(
                &self.subject(rest),
                HeaderMap::new(),
                request,
                RESPONSE_TIMEOUT,
            )
            .await;
        match answer {
            Ok(message) => read(&message.payload),
            Err(RequestError::NoResponders) => {
                Err(unavailable("JetStream does not reply; enable JetStream in the server").into())
            }
            Err(RequestError::Failed(error)) => Err(error.into()),
        }
    }
}

/// Parses an acknowledgement. It contains a stream and a sequence; some servers omit them for a
/// message that they have not finished storing.
pub(crate) fn read_ack(answer: &[u8]) -> Result<Ack, ApiError> {
    match serde_json::from_slice::<Ack>(answer) {
        Ok(Ack {
            error: Some(error), ..
        }) => Err(error.into()),
        Ok(Ack { seq: 0, .. }) => Err(unavailable("an acknowledgement without a sequence").into()),
        Ok(ack) => Ok(ack),
        Err(error) => Err(unavailable(error).into()),
    }
}

/// Parses the reply that contains a message.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_message(answer: &[u8]) -> Result<Stored, ApiError> {
    read::<FoundMessage>(answer)?.message.decode()
}

/// Parses a reply.
pub(crate) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, ApiError> {
    match serde_json::from_slice::<ApiResponse<T>>(answer) {
        Ok(ApiResponse {
            error: Some(error), ..
        }) => Err(error.into()),
        Ok(ApiResponse {
            content: Some(content),
            ..
        }) => Ok(content),
        Ok(_) => Err(unavailable("a reply from JetStream lacks the requested content").into()),
        Err(error) => Err(unavailable(error).into()),
    }
}

/// A stream of this name exists with other settings.
const STREAM_NAME_IN_USE: u32 = 10058;

/// An append with the same key is in flight on another server.
const DUPLICATE_UNDER_WAY: u32 = 10158;

/// A message is larger than the stream's `max_msg_size`.
const MESSAGE_TOO_LARGE: u32 = 10054;

/// A write failed; the description contains the reason.
const STORE_FAILED: u32 = 10077;

/// Part of the description if the server does not find a file.
const NO_FILE: &str = "no such file or directory";

/// Errors that pass once an operator, or the server automatically, makes room, and the remedy.
const NO_ROOM: &[(u32, &str)] = &[
    (
        10002,
        "the account's JetStream limits are reached: raise them, or remove what fills the account",
    ),
    (
        10005,
        "no server has room for the stream: start the missing servers or make room on them",
    ),
    (
        10023,
        "JetStream is at max_memory_store or max_file_store: raise them, or remove streams",
    ),
    (
        10026,
        "the account has the maximum number of consumers: raise max_consumers",
    ),
    (
        10027,
        "the account has the maximum number of streams: raise max_streams",
    ),
    (
        10028,
        "JetStream has no memory left: raise max_memory_store, or remove streams",
    ),
    (10039, "JetStream is not enabled for the account: enable it"),
    (
        10047,
        "JetStream has no disk left: raise max_file_store, or remove streams",
    ),
    (
        10076,
        "JetStream is not enabled in the server: enable it; a server whose disk was full requires a restart",
    ),
    (
        STORE_FAILED,
        "the server cannot write to its store: see its log, and make room on its disk",
    ),
];

/// Errors of a configuration that the server will never accept.
const PERMANENT: &[u32] = &[
    // The server does not understand the request.
    10003, 10025, //
    // The server or the account's limits reject the configuration of the stream.
    10052, 10113, 10122, //
    // Another stream takes our subject.
    10060, 10065, //
    // More replicas than servers.
    10074,
];

impl From<ServerError> for ApiError {
    fn from(error: ServerError) -> Self {
        let no_room = NO_ROOM.iter().find(|(code, _)| *code == error.err_code);
        match error {
            ServerError {
                err_code: STREAM_NAME_IN_USE,
                ..
            } => Self::Conflict,
            ServerError {
                err_code: MESSAGE_TOO_LARGE,
                ..
            } => Self::TooLarge,
            ServerError {
                err_code: DUPLICATE_UNDER_WAY,
                ..
            } => Self::Failed(unavailable(error)),
            ServerError {
                err_code: STORE_FAILED,
                ..
            } if error.description.contains(NO_FILE) => Self::Broken(error),
            ServerError { err_code, .. } if PERMANENT.contains(&err_code) => Self::Failed(refused(
                format!("JetStream rejects the request: {error}"),
                error,
            )),
            ServerError { .. } if let Some((_, remedy)) = no_room => {
                Self::Failed(blocked(format!("{error}; {remedy}"), error))
            }
            ServerError { code: 404, .. } => Self::Missing,
            // Any other error can be temporary.
            error => Self::Failed(unavailable(error)),
        }
    }
}

impl From<BackplaneError> for ApiError {
    fn from(error: BackplaneError) -> Self {
        Self::Failed(error)
    }
}

impl From<ApiError> for BackplaneError {
    fn from(error: ApiError) -> Self {
        match error {
            ApiError::Missing => unavailable("a stream or consumer does not exist any more"),
            ApiError::Conflict => unavailable("another node changed the stream first"),
            ApiError::Broken(error) => blocked(
                format!(
                    "{error}; the server lost the files of a stream: delete the stream, and it is created again"
                ),
                error,
            ),
            ApiError::TooLarge => {
                BackplaneError::rejected("a message is larger than the stream accepts")
            }
            ApiError::Failed(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_parse() {
        let ack = read_ack(br#"{"stream":"s","seq":7}"#).unwrap();
        assert_eq!((&*ack.stream, ack.seq, ack.duplicate), ("s", 7, false));
        let ack = read_ack(br#"{"stream":"s","domain":"d","seq":7,"duplicate":true}"#).unwrap();
        assert!(ack.duplicate);
    }

    #[test]
    fn errors_are_classified() {
        let error = |code: u16, err_code: u32| {
            let text = format!(
                r#"{{"type":"t","error":{{"code":{code},"err_code":{err_code},"description":"d"}},"seq":0}}"#
            );
            let failures = [
                read_ack(text.as_bytes()).unwrap_err(),
                read::<Value>(text.as_bytes()).unwrap_err(),
            ];
            assert_eq!(format!("{:?}", failures[0]), format!("{:?}", failures[1]));
            failures
        };
        let error = |code, err_code| {
            let [error, _] = error(code, err_code);
            error
        };
        assert!(matches!(error(404, 10059), ApiError::Missing));
        assert!(matches!(error(400, 10058), ApiError::Conflict));
        assert!(matches!(
            error(503, 10008),
            ApiError::Failed(BackplaneError::Unavailable { .. })
        ));
        for (code, err_code) in [
            (400, 10002),
            (400, 10005),
            (503, 10023),
            (400, 10026),
            (400, 10027),
            (500, 10028),
            (503, 10039),
            (500, 10047),
            (503, 10076),
            (503, 10077),
        ] {
            let error = error(code, err_code);
            let ApiError::Failed(blocked @ BackplaneError::Blocked { .. }) = error else {
                panic!("{err_code}: {error:?}")
            };
            assert!(blocked.to_string().contains("; "), "no remedy: {blocked}");
        }
        for err_code in PERMANENT {
            let error = error(400, *err_code);
            assert!(
                matches!(error, ApiError::Failed(BackplaneError::Rejected { .. })),
                "{error:?}"
            );
        }
        assert!(matches!(error(400, 10054), ApiError::TooLarge));
        // No leader, no quorum, too many requests, offline, and errors of future servers.
        for (code, err_code) in [
            (503, 10004),
            (500, 10006),
            (500, 10007),
            (503, 10008),
            (500, 10009),
            (500, 10061),
            (500, 10069),
            (400, 10158),
            (429, 10167),
            (500, 10194),
            (400, 99_999),
            (500, 0),
            (418, 1),
        ] {
            let error = error(code, err_code);
            assert!(
                matches!(error, ApiError::Failed(BackplaneError::Unavailable { .. })),
                "{error:?}"
            );
        }
        let lost = br#"{"error":{"code":503,"err_code":10077,"description":"open 1.blk: no such file or directory"}}"#;
        assert!(matches!(read_ack(lost), Err(ApiError::Broken(_))));
        for nonsense in [&b"{}"[..], b"\xff"] {
            assert!(matches!(
                read_ack(nonsense),
                Err(ApiError::Failed(BackplaneError::Unavailable { .. }))
            ));
            let answer = read::<ConsumerInfo>(nonsense).map(|info| info.num_pending);
            assert!(
                matches!(
                    answer,
                    Err(ApiError::Failed(BackplaneError::Unavailable { .. }))
                ),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn empty_stream_is_trimmed_to_last_sequence() {
        let state = |messages, first_seq, last_seq| JetStreamState {
            messages,
            first_seq,
            last_seq,
            num_deleted: 0,
        };
        assert_eq!(state(0, 0, 0).trimmed(), 0);
        assert_eq!(state(0, 1, 0).trimmed(), 0);
        assert_eq!(state(0, 8, 7).trimmed(), 7);
        assert_eq!(state(3, 5, 7).trimmed(), 4);
    }
}
