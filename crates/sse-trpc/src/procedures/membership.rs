//! `join` and `leave`.

use serde::Deserialize;
use sse_cluster::Located;
use sse_core::{ClientId, Connection, Topic};

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

/// Whose stream a caller wants to change.
enum Stream {
    /// One that it may change.
    Open(Connection),
    /// None that is there, and what is said of that.
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

/// Callers may change their own streams, managers all. Of a stream that is not there others learn
/// what they learn of a stranger's.
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
