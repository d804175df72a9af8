//! Bans of users and of sign-ins.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::{
    hub::{Hub, next},
    tokens::{BACKEND, token},
};

use crate::access::{bearer, refused, with_jwt};

#[tokio::test]
async fn banned_user_is_rejected_until_the_ban_ends() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let ada = [bearer(&token("ada", 600, &json!({})))];
    let (mut stream, _) = hub.connect("", &ada).await.unwrap();
    let input = json!({ "target": { "user": "ada" }, "reason": "spam", "stayAwayMs": 60_000 });
    assert_eq!(
        hub.call("disconnect", &[bearer(BACKEND)], input).await.0,
        200
    );
    assert_eq!(
        next(&mut stream).await.1["data"],
        json!({ "reason": "spam", "reconnect": false })
    );
    assert_eq!(refused(&hub, "", &ada).await, 204);
}

#[tokio::test]
async fn ban_of_a_client_spares_other_browsers() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let browser = |sid: &str| [bearer(&token("ada", 600, &json!({ "sid": sid })))];
    let (mut kicked, hello) = hub.connect("", &browser("laptop")).await.unwrap();
    let (_phone, _) = hub.connect("", &browser("phone")).await.unwrap();
    let backend = [bearer(BACKEND)];
    let listed = hub
        .ask("GET", "/api/trpc/sse.getConnections", &backend, "")
        .await;
    let listed: Value = serde_json::from_slice(&listed.body).unwrap();
    let items = listed["result"]["data"]["items"].as_array().unwrap();
    let logins: HashSet<_> = items
        .iter()
        .map(|item| item["loginId"].as_str().unwrap())
        .collect();
    assert_eq!(logins.len(), 2, "{listed}");
    assert!(!listed.to_string().contains("laptop"));

    let input = json!({ "target": { "client": hello["clientId"] }, "stayAwayMs": 60_000 });
    assert_eq!(hub.call("disconnect", &backend, input).await.0, 200);
    assert_eq!(
        next(&mut kicked).await.1["data"],
        json!({ "reason": "kicked", "reconnect": false })
    );
    // The ban also covers another token of the same sign-in, and a ticket created with that token.
    let renewed = [bearer(&token(
        "ada",
        900,
        &json!({ "sid": "laptop", "jti": "2" }),
    ))];
    assert_eq!(refused(&hub, "", &renewed).await, 204);
    let ticket = hub.call("createTicket", &renewed, json!({})).await.1;
    let ticket = ticket["result"]["data"]["ticket"].as_str().unwrap();
    assert_eq!(refused(&hub, &format!("ticket={ticket}"), &[]).await, 204);
    assert!(hub.connect("", &browser("phone")).await.is_ok());
}

#[tokio::test]
async fn client_without_a_login_cannot_be_banned() {
    let hub = Hub::spawn(with_jwt(&["--auth-anonymous"])).await;
    let (_stream, hello) = hub.connect("", &[]).await.unwrap();
    let target = json!({ "client": hello["clientId"] });
    let input = json!({ "target": target, "stayAwayMs": 60_000 });
    let (status, answer) = hub.call("disconnect", &[bearer(BACKEND)], input).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer.to_string().contains("connected without a login"),
        "{answer}"
    );
    assert_eq!(
        hub.call(
            "disconnect",
            &[bearer(BACKEND)],
            json!({ "target": target })
        )
        .await
        .0,
        200
    );
}
