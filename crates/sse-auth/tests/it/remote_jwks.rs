//! Published keys: changes, failures and recovery.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sse_auth::{
    AuthRejection, BoxError, FetchJwks, JwksError, JwksFile, Jwt, ManualClock, RemoteJwks,
};

use crate::support::{Es256, NOW, SECRET, accepted, ask_bearer, b64, claims, hs256, refused};

/// An issuer that counts requests, and fails on demand.
#[derive(Clone, Default)]
struct Issuer {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    under_way: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
enum Answer {
    Keys(Value),
    #[default]
    Error,
    Text(Vec<u8>),
    Never,
    Panic,
}

#[async_trait]
impl FetchJwks for Issuer {
    async fn fetch(&self) -> Result<Vec<u8>, BoxError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        assert_eq!(
            self.under_way.fetch_add(1, Ordering::SeqCst),
            0,
            "one load at a time"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
        let answer = self.answer.lock().clone();
        let never = matches!(answer, Answer::Never);
        if !never {
            self.under_way.fetch_sub(1, Ordering::SeqCst);
        }
        match answer {
            Answer::Keys(keys) => Ok(json!({ "keys": keys }).to_string().into_bytes()),
            Answer::Text(text) => Ok(text),
            Answer::Error => Err("it rained".into()),
            Answer::Never => std::future::pending().await,
            Answer::Panic => panic!("a fetcher of an app panics"),
        }
    }
}

impl Issuer {
    fn set(&self, answer: Answer) {
        self.under_way.store(0, Ordering::SeqCst);
        *self.answer.lock() = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Setup {
    issuer: Issuer,
    clock: ManualClock,
    keys: RemoteJwks,
    jwt: Arc<Jwt>,
}

fn setup(answer: Answer) -> Setup {
    let (issuer, clock) = (Issuer::default(), ManualClock::at(NOW));
    issuer.set(answer);
    let keys = RemoteJwks::builder(issuer.clone())
        .clock(clock.clone())
        .build();
    let jwt = Arc::new(
        Jwt::builder()
            .remote(keys.clone())
            .clock(ManualClock::at(NOW))
            .build()
            .unwrap(),
    );
    Setup {
        issuer,
        clock,
        keys,
        jwt,
    }
}

/// Lets a background load complete.
async fn settle() {
    tokio::time::sleep(Duration::from_secs(1)).await;
}

#[tokio::test(start_paused = true)]
async fn keys_are_loaded_once_when_first_needed() {
    let key = Es256::new();
    let Setup { issuer, jwt, .. } = setup(Answer::Keys(json!([key.jwk("a")])));
    assert_eq!(issuer.asked(), 0);
    let callers = (0..20).map(|_| {
        let (jwt, token) = (jwt.clone(), key.sign("a", &claims()));
        tokio::spawn(async move { accepted(ask_bearer(&*jwt, &token).await).0 })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), "ada");
    }
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn unknown_key_id_reloads_after_cooldown() {
    let (old, new) = (Es256::new(), Es256::new());
    let Setup {
        issuer, clock, jwt, ..
    } = setup(Answer::Keys(json!([old.jwk("old")])));
    accepted(ask_bearer(&*jwt, &old.sign("old", &claims())).await);
    issuer.set(Answer::Keys(json!([old.jwk("old"), new.jwk("new")])));
    for n in 0..50 {
        assert_eq!(
            refused(ask_bearer(&*jwt, &new.sign(&format!("forged {n}"), &claims())).await),
            "UnknownKey"
        );
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        accepted(ask_bearer(&*jwt, &new.sign("new", &claims())).await).0,
        "ada"
    );
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test(start_paused = true)]
async fn old_keys_stay_in_use_during_a_load() {
    let key = Es256::new();
    let Setup {
        issuer, clock, jwt, ..
    } = setup(Answer::Keys(json!([key.jwk("a")])));
    let token = key.sign("a", &claims());
    accepted(ask_bearer(&*jwt, &token).await);
    issuer.set(Answer::Keys(json!([Es256::new().jwk("b")])));
    clock.advance(Duration::from_secs(600));
    // The caller that starts the load does not wait.
    assert_eq!(accepted(ask_bearer(&*jwt, &token).await).0, "ada");
    settle().await;
    assert_eq!(issuer.asked(), 2);
    assert_eq!(refused(ask_bearer(&*jwt, &token).await), "UnknownKey");
}

#[tokio::test(start_paused = true)]
async fn keys_survive_an_unavailable_issuer_for_max_age() {
    let key = Es256::new();
    let Setup {
        issuer, clock, jwt, ..
    } = setup(Answer::Keys(json!([key.jwk("a")])));
    let token = key.sign("a", &claims());
    accepted(ask_bearer(&*jwt, &token).await);
    issuer.set(Answer::Error);
    for _ in 0..23 {
        clock.advance(Duration::from_secs(3600));
        assert_eq!(accepted(ask_bearer(&*jwt, &token).await).0, "ada");
        settle().await;
    }
    clock.advance(Duration::from_secs(3600));
    let error = ask_bearer(&*jwt, &token).await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.rejection()),
        ("failed to load the keys", AuthRejection::Unavailable)
    );
    issuer.set(Answer::Keys(json!([key.jwk("a")])));
    clock.advance(Duration::from_secs(300));
    assert_eq!(accepted(ask_bearer(&*jwt, &token).await).0, "ada");
}

#[tokio::test(start_paused = true)]
async fn delay_doubles_after_each_failure() {
    let key = Es256::new();
    let Setup {
        issuer, clock, jwt, ..
    } = setup(Answer::Error);
    let token = key.sign("a", &claims());
    let mut asked = Vec::new();
    for _ in 0..64 {
        assert_eq!(
            ask_bearer(&*jwt, &token).await.unwrap_err().rejection(),
            AuthRejection::Unavailable
        );
        asked.push(issuer.asked());
        clock.advance(Duration::from_secs(1));
    }
    // The issuer is asked at 0, 1, 3, 7, 15, 31 and 63 s.
    let at: Vec<_> = (0..64)
        .filter(|second| *second == 0 || asked[*second] > asked[*second - 1])
        .collect();
    assert_eq!(at, [0, 1, 3, 7, 15, 31, 63]);
    issuer.set(Answer::Keys(json!([key.jwk("a")])));
    clock.advance(Duration::from_secs(300));
    assert_eq!(accepted(ask_bearer(&*jwt, &token).await).0, "ada");
}

#[tokio::test(start_paused = true)]
async fn failing_fetchers_are_errors() {
    let key = Es256::new();
    let Setup {
        issuer,
        clock,
        keys,
        jwt,
    } = setup(Answer::Error);
    let secret = json!({ "kty": "oct", "k": b64(SECRET), "kid": "s" });
    for answer in [
        Answer::Error,
        Answer::Never,
        Answer::Panic,
        Answer::Text(vec![]),
        Answer::Text(b"<html>".to_vec()),
        Answer::Text(vec![b' '; 300 * 1024]),
        Answer::Keys(json!([])),
        Answer::Keys(json!([secret])),
        Answer::Keys(json!(vec![key.jwk("a"); 65])),
    ] {
        issuer.set(answer);
        clock.advance(Duration::from_secs(300));
        let error = ask_bearer(&*jwt, &key.sign("a", &claims()))
            .await
            .unwrap_err();
        assert_eq!(error.rejection(), AuthRejection::Unavailable);
        assert!(keys.load().await.is_err());
    }
    issuer.set(Answer::Never);
    assert!(
        matches!(*keys.load().await.unwrap_err(), JwksError::Timeout(limit) if limit == Duration::from_secs(10))
    );
    issuer.set(Answer::Panic);
    assert!(matches!(
        *keys.load().await.unwrap_err(),
        JwksError::BrokenOff
    ));
    issuer.set(Answer::Keys(json!([key.jwk("a")])));
    keys.load().await.unwrap();
    assert_eq!(
        accepted(ask_bearer(&*jwt, &key.sign("a", &claims())).await).0,
        "ada"
    );
}

#[tokio::test(start_paused = true)]
async fn published_secrets_are_ignored() {
    let key = Es256::new();
    let secret = json!({ "kty": "oct", "k": b64(SECRET), "kid": "s" });
    let Setup { issuer, jwt, .. } = setup(Answer::Keys(json!([key.jwk("a"), secret])));
    let forged = hs256(
        &json!({ "alg": "HS256", "kid": "s" }),
        claims().to_string(),
        SECRET.as_bytes(),
    );
    assert_eq!(
        refused(ask_bearer(&*jwt, &forged).await),
        r#"Algorithm("HS256")"#
    );
    assert_eq!(issuer.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn departed_caller_does_not_cancel_the_load() {
    let key = Es256::new();
    let Setup { issuer, jwt, .. } = setup(Answer::Keys(json!([key.jwk("a")])));
    let token = key.sign("a", &claims());
    let gone = tokio::time::timeout(Duration::from_millis(10), ask_bearer(&*jwt, &token)).await;
    assert!(gone.is_err());
    settle().await;
    assert_eq!(accepted(ask_bearer(&*jwt, &token).await).0, "ada");
    assert_eq!(issuer.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn configured_keys_and_several_issuers_combine() {
    let (one, two, own) = (Es256::new(), Es256::new(), Es256::new());
    let first = setup(Answer::Keys(json!([one.jwk("1")])));
    let second = setup(Answer::Keys(json!([two.jwk("2")])));
    let set = sse_auth::Jwks::from_json(json!({ "keys": [own.jwk("3")] }).to_string()).unwrap();
    let jwt = Jwt::builder()
        .jwks(set)
        .remote(first.keys)
        .remote(second.keys)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    for (key, kid) in [(&own, "3"), (&one, "1"), (&two, "2")] {
        assert_eq!(
            accepted(ask_bearer(&jwt, &key.sign(kid, &claims())).await).0,
            "ada",
            "{kid}"
        );
    }
    assert_eq!(
        refused(ask_bearer(&jwt, &one.sign("2", &claims())).await),
        "Signature"
    );
    assert_eq!(
        refused(ask_bearer(&jwt, &one.sign("4", &claims())).await),
        "UnknownKey"
    );
    // The failure of one issuer does not affect the others.
    first.issuer.set(Answer::Error);
    first.clock.advance(Duration::from_secs(30));
    assert_eq!(
        accepted(ask_bearer(&jwt, &two.sign("2", &claims())).await).0,
        "ada"
    );
}

#[tokio::test]
async fn a_file_is_read_again() {
    let (old, new) = (Es256::new(), Es256::new());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let keys = RemoteJwks::new(JwksFile::new(&path));
    let jwt = Jwt::builder()
        .remote(keys.clone())
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    assert!(matches!(
        *keys.load().await.unwrap_err(),
        JwksError::Fetch(_)
    ));
    for (key, kid) in [(old, "old"), (new, "new")] {
        std::fs::write(&path, json!({ "keys": [key.jwk(kid)] }).to_string()).unwrap();
        keys.load().await.unwrap();
        assert_eq!(
            accepted(ask_bearer(&jwt, &key.sign(kid, &claims())).await).0,
            "ada"
        );
    }
}
