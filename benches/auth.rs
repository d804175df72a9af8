//! The cost of identifying the caller, once per connection: the session cookies of NextAuth v4 and
//! Auth.js v5, and signed tokens.
//!
//! Measured from the borrowed headers of a request to an identity with its claims. Tokens have
//! seven claims, as the libraries create them.

use std::{hint::black_box, time::Duration};

use criterion::Criterion;
use serde_json::Value;
use sse_auth::{Algorithm, Authenticator, FirstOf, Jwks, Jwt, Key, NextAuth, RequestView};
use tokio::runtime::{Builder, Runtime};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// A token signed with SECRET that is valid for a hundred years.
const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJuYW1lIjoiQWRhIExvdmVsYWNlIiwiZW1haWwiOiJhZGFAZXhhbXBsZS5jb20iLCJwaWN0dXJlIjoiaHR0cHM6Ly9leGFtcGxlLmNvbS9hLnBuZyIsInN1YiI6InVzZXJfMTIzIiwiaWF0IjoxNzk1MzgxOTk0LCJleHAiOjQ5NDg5ODE5OTQsImp0aSI6ImVjYzk2ZjU0LTNjODAtNDdkZi1hNDUxLTliZGE0ZWExMzJmMiJ9.f1GzGF8HNPmT5PG8zyPUtZSuSxQh-xsIrg_MTG-26FY";

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let sessions: Value = serde_json::from_str(include_str!(
        "../crates/sse-auth/tests/nextauth-vectors.json"
    ))
    .expect("vectors");
    let signed: Value =
        serde_json::from_str(include_str!("../crates/sse-auth/tests/jose-vectors.json"))
            .expect("vectors");
    let runtime = Builder::new_current_thread().build().expect("a runtime");

    for (name, vector, cookie) in [
        (
            "next-auth v4",
            &sessions["v4"][0],
            "next-auth.session-token",
        ),
        ("auth.js v5", &sessions["v5"][0], "authjs.session-token"),
    ] {
        let who = NextAuth::builder()
            .secret(text(&vector["secret"]))
            .build()
            .expect("a secret");
        let header = format!("theme=dark; {cookie}={}", text(&vector["token"]));
        measure(&mut criterion, &runtime, name, &who, ("cookie", &header));
    }
    let hs256 = Jwt::builder()
        .key(Key::secret(Algorithm::HS256, SECRET).expect("a key"))
        .build()
        .expect("a key");
    measure(
        &mut criterion,
        &runtime,
        "HS256",
        &hs256,
        ("authorization", &format!("Bearer {HS256}")),
    );
    for name in ["RS256", "ES256", "EdDSA"] {
        let vector = signed
            .as_array()
            .expect("a list")
            .iter()
            .find(|vector| vector["alg"] == name)
            .expect("a valid configuration");
        let set = format!(r#"{{"keys":[{}]}}"#, vector["jwk"]);
        let jwt = Jwt::builder()
            .jwks(Jwks::from_json(set).expect("a set"))
            .build()
            .expect("a key");
        measure(
            &mut criterion,
            &runtime,
            name,
            &jwt,
            (
                "authorization",
                &format!("Bearer {}", text(&vector["token"])),
            ),
        );
    }
    let none_presented = FirstOf::new().or(hs256).or(NextAuth::builder()
        .secret(SECRET)
        .build()
        .expect("a secret"));
    let request = RequestView::new("GET").header("cookie", "theme=dark");
    criterion.bench_function("nothing presented", |bencher| {
        bencher.iter(|| {
            runtime
                .block_on(none_presented.authenticate(black_box(&request)))
                .expect("no error")
        });
    });
    criterion.final_summary();
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

fn measure(
    criterion: &mut Criterion,
    runtime: &Runtime,
    name: &str,
    who: &impl Authenticator,
    header: (&str, &str),
) {
    let ask = || {
        let request = RequestView::new("GET").header(black_box(header.0), header.1);
        runtime
            .block_on(who.authenticate(&request))
            .expect("a good token")
            .expect("a token")
    };
    assert!(ask().user.is_some());
    criterion.bench_function(name, |bencher| bencher.iter(ask));
}
