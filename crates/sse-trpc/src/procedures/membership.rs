//! `join` and `leave`.

use serde::Deserialize;
use sse_cluster::Located;
use sse_core::{ClientId, Topic, connections::Connection};

use super::Done;
use crate::{context::Context, error::Error, error_code::Code, validation};

#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS), ts(rename = "MembershipInput", optional_fields = nullable))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Input {
    #[cfg_attr(test, ts(type = "string"))]
    client_id: ClientId,
    #[cfg_attr(test, ts(type = "Array<string>"))]
    topics: Vec<Topic>,
}

/// The stream that a caller wants to change.
enum Stream {
    /// A stream that the caller may change.
    Open(Connection),
    /// A stream that does not exist, and the output in that case.
    Gone(Done),
}

pub(crate) async fn join(context: Context, input: Input) -> Result<Done, Error> {
    validation::topics(&context, &input.topics)?;
    let stream = match find(&context, input.client_id).await? {
        Stream::Open(stream) => stream,
        Stream::Gone(done) => return Ok(done),
    };
    let access = context.manager().access();
    if !access.may_manage(context.caller()) {
        let forbidden = input
            .topics
            .iter()
            .find(|topic| !access.may_join(context.caller(), topic));
        if let Some(topic) = forbidden {
            let message = format!("topics: \"{topic}\" is not for this caller");
            return Err(Error::new(Code::Forbidden, message));
        }
    }
    let mut all = stream.topics;
    all.extend(input.topics.iter().cloned());
    all.sort_unstable();
    all.dedup();
    let most = context.manager().config().limits.topics;
    if all.len() > most {
        let problem = format_args!("the stream would be in {}, more than {most}", all.len());
        return Err(Error::field("topics", problem));
    }
    Ok(done(
        context.cluster().join(input.client_id, &input.topics).await,
    ))
}

pub(crate) async fn leave(context: Context, input: Input) -> Result<Done, Error> {
    validation::topics(&context, &input.topics)?;
    if let Stream::Gone(done) = find(&context, input.client_id).await? {
        return Ok(done);
    }
    Ok(done(
        context
            .cluster()
            .leave(input.client_id, &input.topics)
            .await,
    ))
}

/// Finds a stream. Callers may change their own streams, and managers may change all. For an
/// unknown stream, other callers get the same error as for a stream of another user.
async fn find(context: &Context, client: ClientId) -> Result<Stream, Error> {
    let found = context.cluster().connection(client).await;
    let stream = &found.value;
    let user = context.caller().user.as_ref();
    let is_own = user.is_some()
        && stream
            .as_ref()
            .is_some_and(|stream| stream.user_id.as_ref() == user);
    if !is_own {
        context.require_manage()?;
    }
    Ok(match found.value {
        Some(stream) => Stream::Open(stream),
        None => Stream::Gone(done(found)),
    })
}

fn done<T>(found: Located<T>) -> Done {
    Done::matched(found.value.iter().len()).unless(found.complete, found.unanswered)
}
