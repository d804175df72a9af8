//! Rights of callers.

use serde_json::{Value, json};
use sse_core::{
    Caller, Target, Topic,
    access::{Access, OwnEventsOnly},
};

use crate::api::{Answer, Api, user};

/// The default rules, except that callers with the claim may do everything.
struct Admins;

impl Access for Admins {
    fn may_join(&self, _: &Caller, _: &Topic) -> bool {
        false
    }

    fn may_publish(&self, caller: &Caller, target: &Target) -> bool {
        self.may_manage(caller) || OwnEventsOnly.may_publish(caller, target)
    }

    fn may_manage(&self, caller: &Caller) -> bool {
        caller.claims.contains_key("admin")
    }
}

fn backend(claim: &str) -> Caller {
    let mut caller = Caller::anonymous();
    caller.claims.insert(claim.into(), true.into());
    caller
}

/// Returns calls of every procedure that requires more than a user.
fn calls() -> Vec<(&'static str, Value)> {
    let publish = |target: Value| {
        (
            "sse.publish",
            json!({ "target": target, "event": "e", "data": 1 }),
        )
    };
    vec![
        ("sse.getStats", json!({})),
        ("sse.getConnections", json!({})),
        ("sse.disconnect", json!({ "target": { "user": "ada" } })),
        (
            "sse.sendSuccess",
            json!({ "message": "m", "userId": "ben" }),
        ),
        ("sse.sendInfo", json!({ "message": "m", "userId": "ben" })),
        (
            "sse.sendWarning",
            json!({ "message": "m", "userId": "ben" }),
        ),
        ("sse.sendError", json!({ "message": "m", "userId": "ben" })),
        (
            "sse.sendNotification",
            json!({ "message": "m", "userId": "ben" }),
        ),
        ("sse.broadcastNotification", json!({ "message": "m" })),
        (
            "sse.sendSystemEvent",
            json!({ "event": "e", "userId": "ben" }),
        ),
        ("sse.broadcastSystemEvent", json!({ "event": "e" })),
        publish(json!("all")),
        publish(json!({ "user": "ben" })),
        publish(json!({ "topic": "news" })),
        publish(json!({ "client": "0".repeat(32) })),
    ]
}

async fn call(api: &Api, procedure: &str, input: Value) -> Answer {
    if procedure.starts_with("sse.get") {
        api.query(procedure, input).await
    } else {
        api.mutate(procedure, input).await
    }
}

#[tokio::test]
async fn anonymous_is_unauthorized_and_others_forbidden() {
    for (caller, status, code, who) in [
        (
            Caller::anonymous(),
            401,
            "UNAUTHORIZED",
            "anonymous callers",
        ),
        (user("ada"), 403, "FORBIDDEN", "this caller"),
        (backend("other"), 403, "FORBIDDEN", "this caller"),
    ] {
        let api = Api::with_access(Admins).caller(caller);
        let mut ben = api.listen("ben", &["news"]);
        for (procedure, input) in calls() {
            let answer = call(&api, procedure, input.clone()).await;
            let (_, message) = answer.error();
            answer.refused(status, code, &message);
            assert!(
                message.starts_with(&format!("{who} may not ")),
                "{procedure} {input}: {message}"
            );
        }
        assert_eq!(ben.events(), []);
    }
}

#[tokio::test]
async fn authorized_callers_can_call_everything() {
    let api = Api::with_access(Admins).caller(backend("admin"));
    for (procedure, input) in calls() {
        let answer = call(&api, procedure, input).await;
        assert_eq!(answer.status, 200, "{procedure}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_user_sends_to_itself() {
    let api = Api::with_access(Admins).user("ada");
    let mut ada = api.listen("ada", &[]);
    for (procedure, input) in [
        ("sse.sendSuccess", json!({ "message": "m" })),
        (
            "sse.sendSuccess",
            json!({ "message": "m", "userId": "ada" }),
        ),
        (
            "sse.sendNotification",
            json!({ "message": "m", "userId": "ada" }),
        ),
        (
            "sse.sendSystemEvent",
            json!({ "event": "e", "userId": "ada" }),
        ),
        (
            "sse.publish",
            json!({ "target": { "user": "ada" }, "event": "e", "data": 1 }),
        ),
    ] {
        api.mutate(procedure, input).await.matched(1);
        assert_eq!(ada.events().len(), 1, "{procedure}");
    }
}

#[tokio::test]
async fn sending_to_oneself_is_authorized_too() {
    struct Nobody;
    impl Access for Nobody {
        fn may_join(&self, _: &Caller, _: &Topic) -> bool {
            false
        }
        fn may_publish(&self, _: &Caller, _: &Target) -> bool {
            false
        }
        fn may_manage(&self, _: &Caller) -> bool {
            false
        }
    }
    let answer = Api::with_access(Nobody)
        .user("ada")
        .mutate("sse.sendInfo", json!({ "message": "m" }))
        .await;
    answer.refused(
        403,
        "FORBIDDEN",
        "this caller may not publish to this target",
    );
}

#[tokio::test]
async fn management_is_refused_before_the_input_is_read() {
    let api = Api::with_access(Admins);
    let answer = api
        .request("GET", "sse.getStats?input=%7Bbad", None, "")
        .await;
    assert_eq!(answer.error().0, "UNAUTHORIZED");
    let answer = api.post("sse.disconnect", "{bad".into()).await;
    assert_eq!(answer.error().0, "UNAUTHORIZED");
}
