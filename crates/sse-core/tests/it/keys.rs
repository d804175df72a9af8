//! Idempotency keys: their scopes, their maximum numbers, and their lifetimes.

use std::time::Duration;

use proptest::prelude::*;
use sse_core::{
    Caller, Event, Manager, PublishError, Receipt, Retention, UserId,
    access::{AllowAll, KeyScope, OwnEventsOnly},
    backplane::{KEY_WINDOW, MemoryBackplane},
    config::{KeyBound, KeyLimits},
};
use sse_testkit::backplane::ScriptedBackplane;
use tokio::time::advance;

/// Creates a manager with its own log, and a manager on a shared log.
async fn managers(limits: KeyLimits) -> [Manager; 2] {
    let builder = || Manager::builder().log(Retention::default()).keys(limits);
    let shared = builder()
        .backplane(MemoryBackplane::new(Retention::default()))
        .build()
        .unwrap();
    [builder().build().unwrap(), shared]
}

fn user(name: &str) -> KeyScope {
    KeyScope::User(UserId::new(name).unwrap())
}

async fn publish(manager: &Manager, scope: &KeyScope, key: &str) -> Result<Receipt, PublishError> {
    manager
        .all()
        .publish(
            Event::text("x")
                .with_idempotency_key(key)
                .with_key_scope(scope.clone()),
        )
        .await
}

fn bound(result: Result<Receipt, PublishError>) -> KeyBound {
    match result {
        Err(PublishError::KeysFull(full)) => full.bound,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn key_counts_for_its_caller_alone() {
    for manager in managers(KeyLimits::default()).await {
        let scopes = [
            user("mallory"),
            user("43"),
            KeyScope::Anonymous,
            KeyScope::App,
        ];
        for scope in &scopes {
            assert!(
                !publish(&manager, scope, "order-7-paid")
                    .await
                    .unwrap()
                    .duplicate,
                "{scope:?}"
            );
        }
        for scope in &scopes {
            assert!(
                publish(&manager, scope, "order-7-paid")
                    .await
                    .unwrap()
                    .duplicate,
                "{scope:?}"
            );
        }
        let ours = Event::text("x").with_idempotency_key("order-7-paid");
        assert!(
            manager.user("43").publish(ours).await.unwrap().duplicate,
            "the app's scope is the default"
        );
    }
}

#[test]
fn key_scope_follows_from_the_caller() {
    let claims = |mut caller: Caller| {
        caller.claims.insert("role".to_owned(), "admin".into());
        caller
    };
    let ada = || Caller::user(UserId::new("ada").unwrap());
    let open = Manager::builder().access(AllowAll).build().unwrap();
    let own = Manager::builder().access(OwnEventsOnly).build().unwrap();
    for manager in [&open, &own] {
        assert_eq!(manager.key_scope(&ada()), user("ada"));
        assert_eq!(
            manager.key_scope(&claims(ada())),
            user("ada"),
            "an admin is a user as well"
        );
    }
    for caller in [Caller::anonymous(), claims(Caller::anonymous())] {
        assert_eq!(
            open.key_scope(&caller),
            KeyScope::App,
            "an anonymous caller that may do everything is the app"
        );
        assert_eq!(
            own.key_scope(&caller),
            KeyScope::Anonymous,
            "claims alone make no backend"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn key_lasts_two_minutes_whatever_others_publish() {
    for manager in managers(
        KeyLimits::default()
            .per_user(50)
            .of_users(200)
            .of_backends(300),
    )
    .await
    {
        let first = publish(&manager, &KeyScope::App, "order-7-paid")
            .await
            .unwrap();
        // More keys of every kind than the limits allow.
        for name in 0..10 {
            for key in 0..60 {
                publish(&manager, &user(&name.to_string()), &key.to_string())
                    .await
                    .ok();
            }
        }
        for key in 0..400 {
            publish(&manager, &KeyScope::App, &key.to_string())
                .await
                .ok();
        }
        advance(KEY_WINDOW - Duration::from_millis(1)).await;
        let again = publish(&manager, &KeyScope::App, "order-7-paid")
            .await
            .unwrap();
        assert!(again.duplicate && again.id == first.id);
        assert_eq!(
            manager.log_stats().unwrap().keys_refused,
            4 * 10 + 6 * 60 + 101
        );
        advance(Duration::from_millis(1)).await;
        assert!(
            !publish(&manager, &KeyScope::App, "order-7-paid")
                .await
                .unwrap()
                .duplicate
        );
    }
}

#[tokio::test(start_paused = true)]
async fn user_at_its_limit_is_rejected_until_a_key_expires() {
    for manager in managers(KeyLimits::default().per_user(3)).await {
        let ada = user("ada");
        for key in ["0", "1", "2"] {
            publish(&manager, &ada, key).await.unwrap();
            advance(Duration::from_secs(10)).await;
        }
        let before = manager.log_stats().unwrap();
        let Err(PublishError::KeysFull(full)) = publish(&manager, &ada, "3").await else {
            panic!()
        };
        assert_eq!((full.bound, full.limit), (KeyBound::PerUser, 3));
        assert_eq!(full.retry_after, Duration::from_secs(90));
        // Requests that need no new key still work: known keys, publishes without a key, other
        // callers.
        assert!(publish(&manager, &ada, "0").await.unwrap().duplicate);
        manager
            .user("ada")
            .publish(Event::text("x").with_key_scope(ada.clone()))
            .await
            .unwrap();
        for other in [user("ben"), KeyScope::Anonymous, KeyScope::App] {
            publish(&manager, &other, "3").await.unwrap();
        }
        let after = manager.log_stats().unwrap();
        assert_eq!(after.keys_refused, before.keys_refused + 1);
        assert_eq!(
            after.append_failures, before.append_failures,
            "a rejected key is not an append failure"
        );
        advance(full.retry_after).await;
        assert!(!publish(&manager, &ada, "3").await.unwrap().duplicate);
        assert_eq!(bound(publish(&manager, &ada, "4").await), KeyBound::PerUser);
    }
}

#[tokio::test(start_paused = true)]
async fn users_and_backends_have_separate_limits() {
    for manager in managers(
        KeyLimits::default()
            .per_user(10)
            .of_users(20)
            .of_backends(5),
    )
    .await
    {
        for name in ["a", "b"] {
            for key in 0..10 {
                publish(&manager, &user(name), &key.to_string())
                    .await
                    .unwrap();
            }
        }
        assert_eq!(
            bound(publish(&manager, &user("c"), "0").await),
            KeyBound::OfUsers
        );
        assert_eq!(
            bound(publish(&manager, &KeyScope::Anonymous, "0").await),
            KeyBound::OfUsers
        );
        for key in 0..5 {
            publish(&manager, &KeyScope::App, &key.to_string())
                .await
                .unwrap();
        }
        assert_eq!(
            bound(publish(&manager, &KeyScope::App, "5").await),
            KeyBound::OfBackends
        );
        manager
            .all()
            .publish(Event::text("without a key"))
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn patient_publish_uses_a_key_and_fails_at_the_limit() {
    let backplane = ScriptedBackplane::new(MemoryBackplane::new(Retention::default()));
    let limits = KeyLimits::default().per_user(2);
    let manager = Manager::builder()
        .log(Retention::default())
        .keys(limits)
        .backplane(backplane.clone())
        .build()
        .unwrap();
    let patient = |scope: KeyScope| {
        manager.all().publish(
            Event::text("x")
                .with_retry_for(Duration::from_secs(30))
                .with_key_scope(scope),
        )
    };
    for _ in 0..2 {
        // After a lost response the publish is retried, and appended once.
        backplane.lose_answers(1);
        assert!(!patient(user("ada")).await.unwrap().duplicate);
    }
    let start = tokio::time::Instant::now();
    assert_eq!(bound(patient(user("ada")).await), KeyBound::PerUser);
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(
        bound(publish(&manager, &user("ada"), "k").await),
        KeyBound::PerUser
    );
    for scope in [user("ben"), KeyScope::App] {
        assert!(!patient(scope).await.unwrap().duplicate);
    }
    assert_eq!(manager.log_stats().unwrap().head.position.minor(), 4);
}

#[tokio::test]
async fn first_publish_under_a_key_counts() {
    for manager in managers(KeyLimits::default()).await {
        let keyed = |text: &str| Event::text(text).with_idempotency_key("order-7");
        let first = manager.user("42").publish(keyed("paid")).await.unwrap();
        for (target, text) in [("42", "sent"), ("43", "paid")] {
            let again = manager.user(target).publish(keyed(text)).await.unwrap();
            assert!(again.duplicate && again.id == first.id);
        }
    }
}

#[test]
fn limits_out_of_range_are_named() {
    let refused = |limits: KeyLimits| {
        Manager::builder()
            .keys(limits)
            .build()
            .unwrap_err()
            .to_string()
    };
    let limits = KeyLimits::default;
    assert_eq!(
        refused(limits().per_user(0)),
        "keys.per_user must be 1 to 10000000, not 0"
    );
    assert_eq!(
        refused(limits().of_users(10_000_001)),
        "keys.of_users must be 1 to 10000000, not 10000001"
    );
    assert_eq!(
        refused(limits().of_backends(0)),
        "keys.of_backends must be 1 to 10000000, not 0"
    );
}

fn scope() -> impl Strategy<Value = KeyScope> {
    let name = prop_oneof!["[ab@:/]{1,2}", "[^\\p{Cc}]{1,8}"];
    prop_oneof![
        Just(KeyScope::App),
        Just(KeyScope::Anonymous),
        name.prop_map(|name| user(&name))
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof!["[ab@:/\\x00]{1,2}", "\\PC{1,8}", "[ -~]{128}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The model: a set of pairs.
    #[test]
    fn publish_is_a_duplicate_if_its_caller_used_the_key(
        publishes in proptest::collection::vec((scope(), key()), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            for manager in managers(KeyLimits::default()).await {
                let mut used = std::collections::HashSet::new();
                for (scope, key) in &publishes {
                    let receipt = publish(&manager, scope, key).await.unwrap();
                    prop_assert_eq!(receipt.duplicate, !used.insert((scope, key)), "{:?} {:?}", scope, key);
                }
            }
            Ok(())
        })?;
    }
}
