//! What JetStream is asked, in the JSON of its API (NATS ADR-1).

use std::{sync::Arc, time::Duration};

use async_nats::{HeaderMap, Subject};
use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use sse_core::BackplaneError;
use thiserror::Error;

use crate::{
    error::{refused, unavailable},
    replies::{Replies, Unanswered},
};

/// JetStream's API.
#[derive(Debug)]
pub(crate) struct Api {
    replies: Arc<Replies>,
    /// With a dot at the end.
    prefix: String,
}

/// Why a request was not carried out.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// What it is about is not there.
    Missing,
    /// Somebody else was first.
    Conflict,
    /// Something else.
    Failed(BackplaneError),
}

/// What the server says of a request that it does not carry out.
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
pub(crate) struct StreamInfo {
    pub(crate) config: Value,
    /// When it was made: no two streams of a name share it.
    pub(crate) created: String,
    pub(crate) state: StreamState,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StreamState {
    messages: u64,
    first_seq: u64,
    pub(crate) last_seq: u64,
    /// Sequences between the first and the last that are not there.
    #[serde(default)]
    pub(crate) num_deleted: u64,
}

impl StreamState {
    /// Everything up to here is gone.
    pub(crate) fn trimmed(&self) -> u64 {
        if self.messages == 0 { self.last_seq } else { self.first_seq.saturating_sub(1) }
    }
}

/// A message that was asked for.
#[derive(Debug)]
pub(crate) struct Stored {
    /// The block of headers, as it was sent.
    pub(crate) headers: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

/// The answer with a message.
#[derive(Debug, Deserialize)]
struct Found {
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
        let decoded =
            |text: &str| Base64::decode_vec(text).map_err(|error| ApiError::Failed(unavailable(error)));
        Ok(Stored { headers: decoded(&self.hdrs)?, payload: decoded(&self.data)? })
    }
}

/// An acknowledgement, or what went wrong instead.
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

/// An answer: what was asked for, or an error beside it.
#[derive(Debug, Deserialize)]
struct Answer<T> {
    error: Option<ServerError>,
    #[serde(flatten)]
    content: Option<T>,
}

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Api {
    pub(crate) fn new(replies: Arc<Replies>, domain: Option<&str>) -> Self {
        let prefix = domain.map_or_else(|| "$JS.API.".to_owned(), |domain| format!("$JS.{domain}.API."));
        Self { replies, prefix }
    }

    pub(crate) fn subject(&self, rest: &str) -> Subject {
        format!("{}{rest}", self.prefix).into()
    }

    pub(crate) async fn stream_info(&self, stream: &str) -> Result<StreamInfo, ApiError> {
        self.call(&format!("STREAM.INFO.{stream}"), &json!({})).await
    }

    pub(crate) async fn create_stream(&self, stream: &str, config: &Value) -> Result<StreamInfo, ApiError> {
        self.call(&format!("STREAM.CREATE.{stream}"), config).await
    }

    pub(crate) async fn update_stream(&self, stream: &str, config: &Value) -> Result<StreamInfo, ApiError> {
        self.call(&format!("STREAM.UPDATE.{stream}"), config).await
    }

    /// Removes what a subject has in a stream.
    pub(crate) async fn purge(&self, stream: &str, subject: &str) -> Result<(), ApiError> {
        let answer: Result<Value, _> =
            self.call(&format!("STREAM.PURGE.{stream}"), &json!({ "filter": subject })).await;
        answer.map(drop)
    }

    /// Removes one message.
    pub(crate) async fn delete(&self, stream: &str, sequence: u64) -> Result<(), ApiError> {
        let request = json!({ "seq": sequence, "no_erase": true });
        let answer: Result<Value, _> = self.call(&format!("STREAM.MSG.DELETE.{stream}"), &request).await;
        answer.map(drop)
    }

    /// A message, from the stream's leader, which knows of every acknowledged one.
    pub(crate) async fn message(&self, stream: &str, sequence: u64) -> Result<Stored, ApiError> {
        let found: Found =
            self.call(&format!("STREAM.MSG.GET.{stream}"), &json!({ "seq": sequence })).await?;
        found.message.decode()
    }

    pub(crate) async fn create_consumer(
        &self,
        stream: &str,
        name: &str,
        config: &Value,
    ) -> Result<ConsumerInfo, ApiError> {
        let request = json!({ "stream_name": stream, "config": config });
        self.call(&format!("CONSUMER.CREATE.{stream}.{name}"), &request).await
    }

    async fn call<T: DeserializeOwned>(&self, rest: &str, request: &Value) -> Result<T, ApiError> {
        let request = Bytes::from(request.to_string());
        let answer = self.replies.request(&self.subject(rest), HeaderMap::new(), request, PATIENCE).await;
        match answer {
            Ok(message) => read(&message.payload),
            Err(Unanswered::NobodyThere) => {
                Err(unavailable("nobody answers for JetStream; is it switched on in the server?").into())
            }
            Err(Unanswered::Failed(error)) => Err(error.into()),
        }
    }
}

/// What an acknowledgement says: a stream and a sequence, which some servers leave out of one that they are not done with.
pub(crate) fn read_ack(answer: &[u8]) -> Result<Ack, ApiError> {
    match serde_json::from_slice::<Ack>(answer) {
        Ok(Ack { error: Some(error), .. }) => Err(error.into()),
        Ok(Ack { seq: 0, .. }) => Err(unavailable("an acknowledgement without a sequence").into()),
        Ok(ack) => Ok(ack),
        Err(error) => Err(unavailable(error).into()),
    }
}

/// Reads the answer with a message.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_message(answer: &[u8]) -> Result<Stored, ApiError> {
    read::<Found>(answer)?.message.decode()
}

/// What an answer says.
pub(crate) fn read<T: DeserializeOwned>(answer: &[u8]) -> Result<T, ApiError> {
    match serde_json::from_slice::<Answer<T>>(answer) {
        Ok(Answer { error: Some(error), .. }) => Err(error.into()),
        Ok(Answer { content: Some(content), .. }) => Ok(content),
        Ok(_) => Err(unavailable("an answer from JetStream lacks what was asked for").into()),
        Err(error) => Err(unavailable(error).into()),
    }
}

/// A stream of this name is there, with other settings.
const STREAM_NAME_IN_USE: u32 = 10058;

/// An append with the same key is under way on another server.
const DUPLICATE_UNDER_WAY: u32 = 10158;

/// Not enough memory or disk, and a failed write, which come as codes for what passes.
const NO_ROOM: [u32; 3] = [10023, 10047, 10077];

impl From<ServerError> for ApiError {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError { err_code: STREAM_NAME_IN_USE, .. } => Self::Conflict,
            ServerError { err_code: DUPLICATE_UNDER_WAY, .. } => Self::Failed(unavailable(error)),
            ServerError { err_code, .. } if NO_ROOM.contains(&err_code) => {
                Self::Failed(refused("the server has no room for the log", error))
            }
            ServerError { code: 404, .. } => Self::Missing,
            ServerError { code: 503, .. } => Self::Failed(unavailable(error)),
            error => Self::Failed(refused("JetStream does not do what it was asked", error)),
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
            ApiError::Missing => unavailable("a stream or consumer went away"),
            ApiError::Conflict => unavailable("another node was first"),
            ApiError::Failed(error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let ack = read_ack(br#"{"stream":"s","seq":7}"#).unwrap();
        assert_eq!((&*ack.stream, ack.seq, ack.duplicate), ("s", 7, false));
        let ack = read_ack(br#"{"stream":"s","domain":"d","seq":7,"duplicate":true}"#).unwrap();
        assert!(ack.duplicate);
    }

    #[test]
    fn errors_are_told_apart() {
        let error = |code: u16, err_code: u32| {
            let text = format!(
                r#"{{"type":"t","error":{{"code":{code},"err_code":{err_code},"description":"d"}},"seq":0}}"#
            );
            let failures =
                [read_ack(text.as_bytes()).unwrap_err(), read::<Value>(text.as_bytes()).unwrap_err()];
            assert_eq!(format!("{:?}", failures[0]), format!("{:?}", failures[1]));
            failures
        };
        let error = |code, err_code| {
            let [error, _] = error(code, err_code);
            error
        };
        assert!(matches!(error(404, 10059), ApiError::Missing));
        assert!(matches!(error(400, 10058), ApiError::Conflict));
        assert!(matches!(error(503, 10008), ApiError::Failed(BackplaneError::Unavailable { .. })));
        assert!(matches!(error(503, 10077), ApiError::Failed(BackplaneError::Refused { .. })));
        assert!(matches!(error(400, 10060), ApiError::Failed(BackplaneError::Refused { .. })));
        for nonsense in [&b"{}"[..], b"\xff"] {
            assert!(matches!(read_ack(nonsense), Err(ApiError::Failed(BackplaneError::Unavailable { .. }))));
            let answer = read::<ConsumerInfo>(nonsense).map(|info| info.num_pending);
            assert!(
                matches!(answer, Err(ApiError::Failed(BackplaneError::Unavailable { .. }))),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn an_empty_stream_is_trimmed_up_to_its_last_sequence() {
        let state =
            |messages, first_seq, last_seq| StreamState { messages, first_seq, last_seq, num_deleted: 0 };
        assert_eq!(state(0, 0, 0).trimmed(), 0);
        assert_eq!(state(0, 1, 0).trimmed(), 0);
        assert_eq!(state(0, 8, 7).trimmed(), 7);
        assert_eq!(state(3, 5, 7).trimmed(), 4);
    }
}
