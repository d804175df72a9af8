//! The sign-in that a caller's credentials identify.

use serde_json::{Value, json};
use sse_auth::{Algorithm, Credential, Identity, Jwt, Key, ManualClock, NextAuth};

use crate::support::{
    NOW, SECRET, V4, V5, ask_bearer, ask_cookie, claims, claims_with, hs256, v4, v5,
};

type Login = Option<[u8; 16]>;

fn of(session: &str) -> Login {
    Identity::new("ada", Credential::Bearer)
        .login(session)
        .login
}

async fn of_token(claims: Value) -> Login {
    let key = Key::secret(Algorithm::HS256, SECRET).unwrap();
    let jwt = Jwt::builder()
        .clock(ManualClock::at(NOW))
        .key(key)
        .build()
        .unwrap();
    let token = hs256(
        &json!({ "alg": "HS256" }),
        claims.to_string(),
        SECRET.as_bytes(),
    );
    ask_bearer(&jwt, &token).await.unwrap().unwrap().login
}

#[tokio::test]
async fn login_of_a_token_is_sid_or_jti_or_token() {
    let both =
        |sid: &str, jti: &str| json!({ "sub": "ada", "exp": NOW + 60, "sid": sid, "jti": jti });
    assert_eq!(of_token(both("laptop", "1")).await, of("laptop"));
    assert_eq!(of_token(both("laptop", "2")).await, of("laptop"));
    assert_eq!(of_token(claims_with("jti", json!("1"))).await, of("1"));
    // A claim that is empty or not text identifies no sign-in.
    for nothing in [json!(""), json!(7), Value::Null] {
        let other = of_token(claims_with("sid", nothing.clone())).await;
        assert!(
            other.is_some_and(|login| Some(login) != of("")),
            "{nothing}"
        );
    }
    let (one, two) = (
        of_token(claims()).await,
        of_token(claims_with("name", json!("B"))).await,
    );
    assert!(one.is_some() && two.is_some() && one != two);
    assert_eq!(one, of_token(claims()).await);
}

#[tokio::test]
async fn login_of_a_session_is_the_same_in_v4_and_v5() {
    let next_auth = NextAuth::builder()
        .secret(SECRET)
        .clock(ManualClock::at(NOW))
        .build()
        .unwrap();
    let header = |enc: &str| json!({ "alg": "dir", "enc": enc });
    let content = claims_with("jti", json!("1")).to_string();
    for (name, session) in [
        (V4, v4(SECRET, &header("A256GCM"), &content)),
        (V5, v5(SECRET, V5, &header("A256CBC-HS512"), &content)),
    ] {
        let identity = ask_cookie(&next_auth, name, &session)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(identity.login, of("1"), "{name}");
    }
    let without = v4(SECRET, &header("A256GCM"), claims().to_string());
    assert!(
        ask_cookie(&next_auth, V4, &without)
            .await
            .unwrap()
            .unwrap()
            .login
            .is_some()
    );
}

#[test]
fn logins_of_two_users_never_collide() {
    let login =
        |user: &str, session: &str| Identity::new(user, Credential::Other).login(session).login;
    assert_ne!(login("ada", "1"), login("ben", "1"));
    assert_ne!(login("ada", "1x"), login("ada1", "x"));
    assert_eq!(Identity::without_user(Credential::Bearer).login, None);
}
