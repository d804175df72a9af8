//! Rights from claims, tested through a manager.

use serde_json::{Value, json};
use sse_access::ClaimsAccess;
use sse_core::{
    Caller, ConnectErrorKind, Handshake, Manager, Target, Topic, UserId, access::Access as _,
};

fn access() -> ClaimsAccess {
    let access = ClaimsAccess::new()
        .join("news")
        .unwrap()
        .join("orders/{sub}/*")
        .unwrap();
    let access = access
        .join_anonymously("status/*")
        .unwrap()
        .publish("chat/{teams}")
        .unwrap();
    access.admin("role", "admin").backend("backend", true)
}

fn caller(user: Option<&str>, claims: Value) -> Caller {
    let Value::Object(claims) = claims else {
        panic!("claims are an object")
    };
    let mut caller = Caller::anonymous();
    caller.user = user.map(|user| UserId::new(user).unwrap());
    caller.claims = claims;
    caller
}

fn ada(claims: Value) -> Caller {
    let mut caller = caller(Some("ada"), claims);
    caller.claims.insert("sub".into(), "ada".into());
    caller
}

fn topic(name: &str) -> Target {
    Target::Topic(Topic::new(name).unwrap())
}

fn user(name: &str) -> Target {
    Target::User(UserId::new(name).unwrap())
}

#[test]
fn patterns_open_topics_to_matching_callers() {
    let may = |caller: &Caller, name: &str| access().may_join(caller, &Topic::new(name).unwrap());
    let (ada, nobody) = (ada(json!({})), Caller::anonymous());
    for (name, user, anonymous) in [
        ("news", true, false),
        ("orders/ada/7", true, false),
        ("orders/bob/7", false, false),
        ("status/eu", true, true),
        ("chat/red", false, false),
        ("other", false, false),
    ] {
        assert_eq!(
            (may(&ada, name), may(&nobody, name)),
            (user, anonymous),
            "{name}"
        );
    }
}

#[test]
fn users_publish_to_themselves_and_their_topics() {
    let access = access();
    let ada = ada(json!({ "teams": ["red", "blue"] }));
    for (target, allowed) in [
        (user("ada"), true),
        (user("bob"), false),
        (topic("chat/red"), true),
        (topic("chat/green"), false),
        (topic("news"), false),
        (Target::All, false),
    ] {
        assert_eq!(access.may_publish(&ada, &target), allowed, "{target:?}");
        assert!(
            !access.may_publish(&Caller::anonymous(), &target),
            "{target:?}"
        );
    }
    assert!(!access.may_manage(&ada));
}

#[test]
fn admins_and_backends_have_all_rights() {
    for caller in [
        ada(json!({ "role": "admin" })),
        ada(json!({ "role": ["editor", "admin"] })),
        caller(None, json!({ "backend": true })),
    ] {
        let access = access();
        assert!(access.may_manage(&caller), "{caller:?}");
        assert!(
            access.may_publish(&caller, &Target::All) && access.may_publish(&caller, &user("bob"))
        );
        assert!(access.may_join(&caller, &Topic::new("anything").unwrap()));
    }
}

#[test]
fn user_token_cannot_claim_backend_or_admin() {
    for caller in [
        ada(json!({ "backend": true })),
        ada(json!({ "role": "Admin" })),
        ada(json!({ "role": true })),
        ada(json!({ "role": { "admin": true } })),
        ada(json!({ "role": "admin " })),
        ada(json!({ "admin": "role" })),
        caller(None, json!({ "backend": "true" })),
        caller(None, json!({ "backend": 1 })),
        Caller::anonymous(),
    ] {
        assert!(!access().may_manage(&caller), "{caller:?}");
    }
}

#[test]
fn manager_checks_requested_topics_only() {
    let sse = Manager::builder().access(access()).build().unwrap();
    let handshake = || Handshake::new().caller(ada(json!({})));
    let refused = sse
        .connect(
            handshake()
                .requested_topic("news")
                .requested_topic("orders/bob/7"),
        )
        .unwrap_err();
    assert_eq!(
        refused.cause(),
        &ConnectErrorKind::Forbidden(Topic::new("orders/bob/7").unwrap())
    );
    assert!(
        sse.connect(
            handshake()
                .requested_topic("orders/ada/7")
                .topic("orders/bob/7")
        )
        .is_ok()
    );
}
