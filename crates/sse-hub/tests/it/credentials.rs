//! Requests with several credentials, and with foreign credentials.

use serde_json::{Value, json};
use sse_testkit::RawRequest;

use crate::{
    access::{Header, bearer, params, with_jwt, with_sessions},
    hub::{Hub, TIMEOUT, command, next, until},
    tokens::{BACKEND, SECRET, session, signed, token, unix},
};

/// Returns the user of a stream that is opened with these headers, or the status of the rejection.
async fn who(hub: &Hub, query: &str, headers: &[Header<'_>]) -> String {
    match hub.connect(query, headers).await {
        Ok((_, hello)) => hello["userId"].as_str().unwrap_or("nobody").to_owned(),
        Err(status) => status.to_string(),
    }
}

fn cookie(text: &str) -> Header<'static> {
    ("cookie", text.to_owned())
}

fn expired(user: &str) -> String {
    signed(
        r#"{"alg":"HS256"}"#,
        &json!({ "sub": user, "exp": unix() - 600 }),
        SECRET,
    )
}

#[tokio::test]
async fn position_of_credentials_does_not_matter() {
    let hub = Hub::spawn(with_jwt(&["--auth-cookie", "__Secure-s,s"])).await;
    let (ada, other, bob) = (
        token("ada", 600, &json!({})),
        token("ada", 900, &json!({})),
        token("bob", 600, &json!({})),
    );
    let (stale, own) = (expired("eve"), ("sec-fetch-site", "same-origin".to_owned()));
    // Each pair of places, with a valid credential of ada and with another valid one, an invalid
    // one, or one of bob.
    let place = |place: &str, token: &str| match place {
        "bearer" => ("authorization", format!("Bearer {token}")),
        name => ("cookie", format!("{name}={token}")),
    };
    for one in ["s", "__Secure-s", "bearer"] {
        for two in ["s", "__Secure-s", "bearer"] {
            for (tokens, expected) in [
                ([&ada, &other], "ada"),
                ([&ada, &bob], "401"),
                ([&ada, &stale], "ada"),
                ([&ada, &"a.b.c".to_owned()], "ada"),
                ([&stale, &"a.b.c".to_owned()], "401"),
            ] {
                for [first, second] in [tokens, [tokens[1], tokens[0]]] {
                    let headers = [place(one, first), place(two, second), own.clone()];
                    assert_eq!(
                        who(&hub, "", &headers).await,
                        expected,
                        "{one} {two} {expected}"
                    );
                    if one != "bearer" && two != "bearer" {
                        let joined = cookie(&format!("{one}={first}; theme=dark; {two}={second}"));
                        assert_eq!(
                            who(&hub, "", &[joined, own.clone()]).await,
                            expected,
                            "{one} {two}"
                        );
                    }
                }
            }
        }
    }
    // A page of another site cannot add a bearer token. A bearer token next to the cookie therefore
    // shows that the request does not come from such a page.
    let evil = ("origin", "https://evil.example".to_owned());
    assert_eq!(
        who(&hub, "", &[cookie(&format!("s={ada}")), evil.clone()]).await,
        "403"
    );
    assert_eq!(
        who(
            &hub,
            "",
            &[cookie(&format!("s={ada}")), bearer(&ada), evil.clone()]
        )
        .await,
        "ada"
    );
    assert_eq!(
        who(
            &hub,
            "",
            &[cookie(&format!("s={ada}")), bearer("a.b.c"), evil]
        )
        .await,
        "403"
    );
}

#[tokio::test]
async fn sessions_of_v4_and_v5_and_stale_ones_coexist() {
    let (secret, v4, user) = session("v4", "v4 default salt");
    let (_, v5, _) = session("v5", "v5 __Secure-authjs.session-token");
    let (_, chunked, _) = session("v5", "v5 chunked cookie");
    let hub = Hub::spawn(with_sessions(&secret, &[])).await;
    let own = ("sec-fetch-site", "same-origin".to_owned());
    let (name, value) = v4.split_once('=').unwrap();
    let (v5_name, value_5) = chunked.split_once('=').unwrap();
    let half = value_5.len() / 2;
    let chunks = format!(
        "{v5_name}.1={}; {v5_name}.0={}",
        &value_5[half..],
        &value_5[..half]
    );
    let opaque = "8f7a1f9e-6f6b-4f0a-9b57-4c1d3a0c9d11";
    for cookies in [
        vec![v4.clone(), v5.clone()],
        vec![format!("{name}=stale"), v4.clone()],
        vec![format!("{name}={opaque}"), v5.clone()],
        vec![
            format!("{name}={}x", &value[..value.len() - 1]),
            format!("{}={value}", name.trim_start_matches("__Secure-")),
        ],
        vec![format!("{v5_name}=stale"), chunks.clone()],
        vec![
            format!("{v5_name}.2=stale; {v5_name}.0=a..b"),
            chunks.clone(),
        ],
        vec![chunks, v4.clone()],
    ] {
        let reversed: Vec<_> = cookies.iter().rev().cloned().collect();
        for cookies in [cookies, reversed] {
            let one = [cookie(&cookies.join("; ")), own.clone()];
            assert_eq!(who(&hub, "", &one).await, user, "{cookies:?}");
            let lines: Vec<_> = cookies
                .iter()
                .map(|it| cookie(it))
                .chain([own.clone()])
                .collect();
            assert_eq!(who(&hub, "", &lines).await, user, "{cookies:?}");
        }
    }
    // The hub rejects an opaque id alone, and logs what to do.
    assert_eq!(
        who(&hub, "", &[cookie(&format!("{name}={opaque}")), own]).await,
        "401"
    );
    until(async || hub.0.output().contains("sse.createTicket")).await;
    let log = hub.0.output();
    assert!(
        log.contains("sse_hub::auth") && log.contains("database") && !log.contains(opaque),
        "{log}"
    );
}

#[tokio::test]
async fn tickets_and_params_must_be_of_the_same_user() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let ticket = async |user: &str| {
        let input = json!({ "userId": user });
        let (_, answer) = hub.call("createTicket", &[bearer(BACKEND)], input).await;
        answer["result"]["data"]["ticket"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let ada = token("ada", 600, &json!({}));
    let fresh = async |user: &str| format!("ticket={}", ticket(user).await);
    assert_eq!(
        who(&hub, &format!("ticket=used&{}", fresh("ada").await), &[]).await,
        "ada"
    );
    assert_eq!(
        who(&hub, &format!("{}&ticket=used", fresh("ada").await), &[]).await,
        "ada"
    );
    assert_eq!(
        who(
            &hub,
            &format!("{}&{}", fresh("ada").await, fresh("bob").await),
            &[]
        )
        .await,
        "401"
    );
    assert_eq!(who(&hub, &fresh("ada").await, &[bearer(&ada)]).await, "ada");
    assert_eq!(who(&hub, &fresh("bob").await, &[bearer(&ada)]).await, "401");
    assert_eq!(who(&hub, "ticket=used", &[bearer(&ada)]).await, "ada");

    let subscribed = async |query: String, headers: &[Header<'_>]| -> String {
        let request = RawRequest::get(hub.address(), format!("/api/trpc/sse.events?{query}"));
        let request = request.header("accept", "text/event-stream");
        let request = headers.iter().fold(request, |request, (name, value)| {
            request.header(name, value)
        });
        let mut events = request.open().await.unwrap();
        if events.head().await.unwrap().status != 200 {
            return events.head().await.unwrap().status.to_string();
        }
        loop {
            let data = events.next_event_within(TIMEOUT).await.unwrap().data;
            if let Some((_, rest)) = data.split_once("\"userId\":\"") {
                return rest.split('"').next().unwrap().to_owned();
            }
            if data.contains("UNAUTHORIZED") {
                return "401".to_owned();
            }
        }
    };
    for (input, headers, expected) in [
        (json!({ "token": ada }), vec![], "ada"),
        (json!({ "token": ada }), vec![bearer(&ada)], "ada"),
        (
            json!({ "token": token("bob", 600, &json!({})) }),
            vec![bearer(&ada)],
            "401",
        ),
        (json!({ "token": "a.b.c" }), vec![bearer(&ada)], "ada"),
        (json!({ "token": ada }), vec![bearer("a.b.c")], "ada"),
        (json!({ "token": "a.b.c" }), vec![], "401"),
        (
            json!({ "token": ada, "ticket": ticket("ada").await }),
            vec![],
            "ada",
        ),
        (
            json!({ "token": ada, "ticket": ticket("bob").await }),
            vec![],
            "401",
        ),
        (json!({ "token": ada, "ticket": "used" }), vec![], "ada"),
    ] {
        assert_eq!(
            subscribed(params(&input), &headers).await,
            expected,
            "{input} {headers:?}"
        );
    }
    // If a token occurs twice in the query, or twice in the object, its meaning is ambiguous.
    let twice = format!(
        "{}&{}",
        params(&json!({ "token": ada })),
        params(&json!({ "token": "x" }))
    );
    assert_eq!(subscribed(twice, &[]).await, "400");
    let text = format!(r#"{{"token":"x","token":{}}}"#, json!(ada));
    let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
    assert_eq!(
        subscribed(format!("connectionParams={text}"), &[]).await,
        "400"
    );
}

#[tokio::test]
async fn other_schemes_are_ignored() {
    let anonymous = Hub::spawn(with_jwt(&["--auth-anonymous", "--auth-cookie", "s"])).await;
    let closed = Hub::spawn(with_jwt(&["--auth-cookie", "s"])).await;
    let ada = token("ada", 600, &json!({}));
    let own = ("sec-fetch-site", "same-origin".to_owned());
    for value in [
        "Basic eDp5",
        "basic eDp5",
        "Basic",
        "Digest username=\"x\", nc=1",
        "Negotiate YII=",
        "NTLM x",
        "DPoP x",
        "x",
        "",
    ] {
        let header = ("authorization", value.to_owned());
        assert_eq!(
            who(&anonymous, "", std::slice::from_ref(&header)).await,
            "nobody",
            "{value}"
        );
        assert_eq!(
            who(&closed, "", std::slice::from_ref(&header)).await,
            "401",
            "{value}"
        );
        let with_cookie = [header.clone(), cookie(&format!("s={ada}")), own.clone()];
        assert_eq!(who(&closed, "", &with_cookie).await, "ada", "{value}");
        let with_bearer = [header.clone(), bearer(&ada)];
        assert_eq!(who(&closed, "", &with_bearer).await, "ada", "{value}");
        let backend = [header, bearer(BACKEND)];
        assert_eq!(
            closed.ask("GET", "/metrics", &backend, "").await.status,
            200,
            "{value}"
        );
    }
    for value in ["Bearer", "Bearer a b", "bearer x", "Bearer a.b.c"] {
        let header = ("authorization", value.to_owned());
        assert_eq!(who(&anonymous, "", &[header]).await, "401", "{value}");
    }
}

#[tokio::test]
async fn with_a_backend_key_alone_streams_need_a_ticket() {
    let mut command = command();
    command
        .args(["--join", "orders/{sub}/*,teams/{team}"])
        .env("SSE_HUB_BACKEND_KEY", BACKEND);
    let hub = Hub::spawn(command).await;
    assert_eq!(who(&hub, "", &[]).await, "401");
    assert_eq!(
        who(
            &hub,
            "",
            &[cookie("authjs.session-token=8f7a1f9e-6f6b-4f0a")]
        )
        .await,
        "401"
    );
    assert_eq!(
        who(&hub, "", &[bearer(&token("ada", 600, &json!({})))]).await,
        "401"
    );
    assert_eq!(
        hub.call("createTicket", &[], json!({ "userId": "ada" }))
            .await
            .0,
        401
    );
    let ticket = async |input: Value| {
        let (status, answer) = hub.call("createTicket", &[bearer(BACKEND)], input).await;
        assert_eq!(status, 200, "{answer}");
        format!(
            "ticket={}",
            answer["result"]["data"]["ticket"].as_str().unwrap()
        )
    };
    let query = ticket(json!({ "userId": "ada", "claims": { "team": "red" } })).await;
    let (mut stream, hello) = hub
        .connect(&format!("{query}&topics=orders/ada/7,teams/red"), &[])
        .await
        .unwrap();
    assert_eq!(hello["userId"], "ada");
    assert_eq!(who(&hub, &query, &[]).await, "401", "a second time");
    let other = ticket(json!({ "userId": "ada" })).await;
    assert_eq!(
        who(&hub, &format!("{other}&topics=orders/bob/7"), &[]).await,
        "403"
    );
    let input = json!({ "userId": "ada", "message": "m" });
    assert_eq!(hub.call("sendInfo", &[bearer(BACKEND)], input).await.0, 200);
    assert_eq!(next(&mut stream).await.1["message"], "m");
    until(async || hub.0.output().contains("orders/bob/7")).await;
    let log = hub.0.output();
    for said in [
        "restricted streams to tickets",
        "let a backend call sse.createTicket",
        "--join",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
