//! `createTicket` and `renew`, with an authentication of the test's own.

use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use sse_core::{
    Caller, ConnectErrorKind, Handshake, Manager, access::OwnEventsOnly, backplane::unix_ms,
};
use sse_trpc::{Code, Credentials, Error, StreamTicket};

use crate::api::{Api, user};

/// An authentication whose tokens name a user and a lifetime in minutes, and whose tickets name a
/// user.
struct Said;

#[async_trait]
impl Credentials for Said {
    async fn caller_of(&self, token: &str) -> Result<Caller, ConnectErrorKind> {
        let (name, minutes) = token
            .split_once(' ')
            .ok_or(ConnectErrorKind::Unauthenticated)?;
        let mut caller = user(name);
        caller.expires_at = Some(unix_ms() + 60_000 * minutes.parse::<u64>().unwrap());
        Ok(caller)
    }

    fn ticket_for(&self, caller: &Caller) -> Result<StreamTicket, Error> {
        let Some(user) = &caller.user else {
            return Err(Error::new(Code::Forbidden, "no user"));
        };
        let text = format!("{user} {}", serde_json::Value::from(caller.claims.clone()));
        Ok(StreamTicket {
            text,
            lifetime: Duration::from_secs(30),
        })
    }
}

struct AdminsAreCalledRoot;

impl sse_core::access::Access for AdminsAreCalledRoot {
    fn may_join(&self, _: &Caller, _: &sse_core::Topic) -> bool {
        false
    }

    fn may_publish(&self, caller: &Caller, target: &sse_core::Target) -> bool {
        OwnEventsOnly.may_publish(caller, target)
    }

    fn may_manage(&self, caller: &Caller) -> bool {
        caller
            .user
            .as_ref()
            .is_some_and(|user| user.as_str() == "root")
    }
}

fn api() -> Api {
    let mut api = Api::with_access(AdminsAreCalledRoot);
    api.management = api.management.credentials(Said);
    api
}

#[tokio::test]
async fn only_a_manager_gets_tickets_for_others() {
    let api = api().user("ada");
    let answer = api.mutate("sse.createTicket", json!({})).await;
    assert_eq!(
        answer.data(),
        json!({ "ticket": "ada {}", "expiresInMs": 30_000 })
    );
    assert_eq!(
        api.request("POST", "sse.createTicket", Some("application/json"), "")
            .await
            .data(),
        answer.data()
    );
    let others = json!({ "userId": "ben", "claims": { "team": "red" } });
    let answer = api.mutate("sse.createTicket", others.clone()).await;
    answer.refused(403, "FORBIDDEN", "this caller may not manage streams");
    api.mutate("sse.createTicket", json!({ "claims": {} }))
        .await
        .bad_request("claims: require `userId`");

    let api = api.user("root");
    let answer = api.mutate("sse.createTicket", others).await;
    assert_eq!(answer.data()["ticket"], r#"ben {"sub":"ben","team":"red"}"#);
    let named = json!({ "userId": "ben", "claims": { "sub": "Ben" } });
    assert_eq!(
        api.mutate("sse.createTicket", named).await.data()["ticket"],
        r#"ben {"sub":"Ben"}"#
    );
    let answer = api
        .mutate("sse.createTicket", json!({ "userId": "x".repeat(257) }))
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn caller_without_user_gets_no_own_ticket() {
    let api = api();
    let answer = api.mutate("sse.createTicket", json!({})).await;
    answer.refused(401, "UNAUTHORIZED", "anonymous callers may not get tickets");
    let mut backend = Caller::anonymous();
    backend.claims.insert("backend".into(), true.into());
    let answer = api
        .caller(backend.clone())
        .mutate("sse.createTicket", json!({}))
        .await;
    answer.refused(403, "FORBIDDEN", "this caller may not get tickets");
    let answer = Api::open()
        .caller(backend)
        .mutate("sse.createTicket", json!({}))
        .await;
    answer.bad_request("userId: is required if the caller is not a user");
}

#[tokio::test(start_paused = true)]
async fn token_renews_a_stream_of_a_refused_call() {
    let api = api();
    let mut ada = user("ada");
    ada.expires_at = Some(unix_ms() + 60_000);
    let session = api.manager.connect(Handshake::new().caller(ada)).unwrap();
    let id = session.client_id();

    let api = api.refusing(ConnectErrorKind::Unauthenticated);
    let renew = |token: &str| json!({ "clientId": id, "token": token });
    api.mutate("sse.renew", renew("ada 60")).await.matched(1);
    tokio::time::sleep(Duration::from_secs(70)).await;
    assert_eq!(
        api.manager.stats().total_connections,
        1,
        "the stream stays open"
    );

    api.mutate("sse.renew", renew("ben 60")).await.refused(
        403,
        "FORBIDDEN",
        "the stream belongs to another user",
    );
    api.mutate("sse.renew", renew("ada 0")).await.refused(
        401,
        "UNAUTHORIZED",
        "the authentication of the caller has expired",
    );
    api.mutate("sse.renew", renew("garbage")).await.refused(
        401,
        "UNAUTHORIZED",
        "not authenticated",
    );
    api.mutate("sse.renew", json!({ "clientId": id }))
        .await
        .refused(401, "UNAUTHORIZED", "not authenticated");
    let api = api.caller(user("ada"));
    api.mutate("sse.renew", json!({ "clientId": id }))
        .await
        .matched(1);
    drop(session);
    api.mutate("sse.renew", renew("ada 60")).await.matched(0);
}

#[tokio::test]
async fn refusal_has_the_form_of_the_calls() {
    for (cause, status, code) in [
        (ConnectErrorKind::Unauthenticated, 401, "UNAUTHORIZED"),
        (
            ConnectErrorKind::CrossSite("\"https://a.example\"".to_owned()),
            403,
            "FORBIDDEN",
        ),
        (ConnectErrorKind::RateLimit, 429, "TOO_MANY_REQUESTS"),
        (ConnectErrorKind::Unavailable, 503, "SERVICE_UNAVAILABLE"),
    ] {
        let message = cause.to_string();
        let api = Api::open().refusing(cause);
        api.query("sse.getStats", json!({}))
            .await
            .refused(status, code, &message);
        api.mutate("sse.sendInfo", json!({ "message": "m", "userId": "ada" }))
            .await
            .refused(status, code, &message);
        let batch = api
            .request("GET", "sse.getStats,sse.getConnections?batch=1", None, "")
            .await;
        assert_eq!(
            (batch.status, batch.json().as_array().unwrap().len()),
            (status, 2)
        );
        let accept = [("accept", "text/event-stream")];
        let stream = api.ask("GET", "sse.events", &accept, "").await;
        assert_eq!(stream.status, 200);
        assert!(
            stream.text.contains("event: serialized-error") && stream.text.contains(code),
            "{}",
            stream.text
        );
        assert_eq!(api.manager.stats().total_connections, 0);
    }
}

#[tokio::test]
async fn tickets_and_tokens_require_authentication() {
    let api = Api::of(Manager::builder().build().unwrap()).user("ada");
    let message = "this server accepts no tokens or tickets";
    api.mutate("sse.createTicket", json!({}))
        .await
        .refused(501, "NOT_IMPLEMENTED", message);
    let input = json!({ "clientId": "0".repeat(32), "token": "t" });
    api.mutate("sse.renew", input)
        .await
        .refused(501, "NOT_IMPLEMENTED", message);
}
