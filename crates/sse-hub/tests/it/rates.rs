//! Configured mode: rate limits.

use serde_json::json;
use sse_testkit::RawRequest;

use crate::{
    access::{bearer, params, refused, with_jwt},
    hub::{Hub, TIMEOUT},
    tokens::{BACKEND, token},
};

#[tokio::test]
async fn all_paths_share_the_rate_limit() {
    let arguments = ["--rate-calls", "3/1h", "--rate-streams-per-user", "2/1h"];
    let hub = Hub::spawn(with_jwt(&arguments)).await;
    let own = token("ada", 600, &json!({}));
    let ada = [bearer(&own)];
    // Each call of a batch counts.
    let batch = "sendInfo,sse.sendInfo,sse.sendInfo,sse.sendInfo?batch=1";
    let message = json!({ "message": "m" });
    assert_eq!(
        hub.call(
            batch,
            &ada,
            json!({ "0": message, "1": message, "2": message, "3": message })
        )
        .await
        .0,
        429
    );
    let two = json!({ "0": message, "1": message });
    assert_eq!(
        hub.call("sendInfo%2Csse.sendInfo?batch=1", &ada, two.clone())
            .await
            .0,
        200
    );
    assert_eq!(
        hub.call("sendInfo,sse.sendInfo?batch=1", &ada, two).await.0,
        429
    );
    assert_eq!(hub.call("sendInfo", &ada, message.clone()).await.0, 200);
    assert_eq!(hub.call("sendInfo", &ada, message.clone()).await.0, 429);
    let by_params = format!("sendInfo?{}", params(&json!({ "token": own })));
    assert_eq!(
        hub.call(&by_params, &ada, message.clone()).await.0,
        429,
        "a token in the query does not change the caller"
    );
    // Guesses of tokens count as calls too.
    let guess = json!({ "clientId": "0".repeat(32), "token": "guess" });
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(hub.call("renew", &[], guess.clone()).await.0);
    }
    assert_eq!(answers, [401, 401, 401, 429]);
    // A subscription counts as a stream, under any name and with any credentials.
    let by_params = params(&json!({ "token": own }));
    let mut opened = Vec::new();
    for (path, headers) in [
        ("sse.events".to_owned(), &ada[..]),
        (format!("sse%2Eevents?{by_params}"), &[]),
        (format!("sse.events?{by_params}"), &[]),
    ] {
        let request = RawRequest::get(hub.address(), format!("/api/trpc/{path}"));
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let mut stream = request.open().await.unwrap();
        assert_eq!(
            stream.next_event_within(TIMEOUT).await.unwrap().event_type,
            "connected"
        );
        opened.push((
            stream.next_event_within(TIMEOUT).await.unwrap().event_type,
            stream,
        ));
    }
    let types: Vec<_> = opened
        .iter()
        .map(|(event_type, _)| event_type.as_str())
        .collect();
    assert_eq!(types, ["message", "message", "serialized-error"]);
}

#[tokio::test]
async fn frequent_callers_are_limited() {
    let arguments = [
        "--rate-streams-per-user",
        "2/1h",
        "--rate-calls",
        "3/1h",
        "--trusted-proxies",
        "127.0.0.1",
    ];
    let hub = Hub::spawn(with_jwt(
        &[&arguments[..], &["--rate-streams-per-address", "4/1h"]].concat(),
    ))
    .await;
    let from = |address: &str| ("x-forwarded-for", address.to_owned());
    let ada = bearer(&token("ada", 600, &json!({})));
    for expected in [true, true, false] {
        let opened = hub.connect("", &[ada.clone(), from("203.0.113.1")]).await;
        assert_eq!(opened.is_ok(), expected, "{:?}", opened.err());
    }
    let answer = hub
        .ask("GET", "/api/sse", &[ada.clone(), from("203.0.113.9")], "")
        .await;
    assert_eq!(answer.status, 429);
    assert!(answer.headers.get("retry-after").is_some());
    let bob = bearer(&token("bob", 600, &json!({})));
    assert!(
        hub.connect("", &[bob, from("203.0.113.1")]).await.is_ok(),
        "another user at the same address"
    );
    let carol = bearer(&token("carol", 600, &json!({})));
    assert_eq!(
        refused(&hub, "", &[carol.clone(), from("203.0.113.1")]).await,
        429
    );
    assert!(
        hub.connect("", &[carol, from("203.0.113.2")]).await.is_ok(),
        "another address"
    );

    let send = || {
        hub.call(
            "sendInfo",
            std::slice::from_ref(&ada),
            json!({ "message": "m" }),
        )
    };
    assert_eq!(
        [
            send().await.0,
            send().await.0,
            send().await.0,
            send().await.0
        ],
        [200, 200, 200, 429]
    );
    for _ in 0..5 {
        assert_eq!(
            hub.call(
                "sendInfo",
                &[bearer(BACKEND)],
                json!({ "message": "m", "userId": "x" })
            )
            .await
            .0,
            200
        );
    }
    for expected in [401, 401, 401, 429] {
        assert_eq!(
            hub.call("sendInfo", &[bearer("guess")], json!({ "message": "m" }))
                .await
                .0,
            expected
        );
    }
}

#[tokio::test]
async fn forwarded_headers_count_only_from_proxies() {
    let hub = Hub::spawn(with_jwt(&["--rate-streams-per-address", "1/1h"])).await;
    let ada = bearer(&token("ada", 600, &json!({})));
    assert!(
        hub.connect(
            "",
            &[ada.clone(), ("x-forwarded-for", "203.0.113.1".into())]
        )
        .await
        .is_ok()
    );
    assert_eq!(
        refused(&hub, "", &[ada, ("x-forwarded-for", "203.0.113.2".into())]).await,
        429
    );
}
