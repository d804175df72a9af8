//! The demo page in a real browser.
#![cfg(unix)]

use serde_json::{Value, json};

use crate::{
    cdp::Page,
    hub::{Hub, next},
};

/// Script that records the errors of a page: errors of scripts, and resources that the policy
/// blocked.
const WATCH: &str = "window.wrong = []; \
    addEventListener('error', event => wrong.push(event.message)); \
    addEventListener('unhandledrejection', event => wrong.push(String(event.reason))); \
    addEventListener('securitypolicyviolation', event => wrong.push(event.violatedDirective))";

/// Opens the connected demo page of a hub in a browser, or returns `None` if no browser is
/// installed.
pub(crate) async fn demo(hub: &Hub, query: &str) -> Option<Page> {
    let mut page = open(hub, query).await?;
    page.wait_for(&text_is("status-text", "Connected")).await;
    page.wait_for("/^[0-9a-f-]{22,}$/.test(document.getElementById('client-id').textContent)")
        .await;
    Some(page)
}

/// Opens the demo page, whether or not it can connect.
pub(crate) async fn open(hub: &Hub, query: &str) -> Option<Page> {
    let chromium = sse_testkit::executable("chromium").unwrap()?;
    let mut page = Page::open(&chromium, "about:blank").await;
    page.call("Page.enable", json!({})).await;
    page.call(
        "Page.addScriptToEvaluateOnNewDocument",
        json!({ "source": WATCH }),
    )
    .await;
    let url = format!("http://{}/sse-demo?{query}", hub.address());
    page.call("Page.navigate", json!({ "url": url })).await;
    Some(page)
}

/// Closes a page. The page must have no errors.
pub(crate) async fn close(mut page: Page) {
    assert_eq!(page.run("window.wrong").await, json!([]));
    page.close().await;
}

pub(crate) fn text_is(id: &str, text: &str) -> String {
    format!(
        "document.getElementById('{id}')?.textContent === {}",
        json!(text)
    )
}

/// Returns a condition: a message with these words is visible.
pub(crate) fn shown(event_type: &str, words: &str) -> String {
    let items =
        format!("document.querySelectorAll('#history li[data-type={event_type}]:not([hidden])')");
    format!(
        "[...{items}].some(item => item.textContent.includes({}))",
        json!(words)
    )
}

/// Returns a script that fills in a field, like a user who types.
pub(crate) fn fill(id: &str, value: &str) -> String {
    format!("document.getElementById('{id}').value = {};", json!(value))
}

pub(crate) fn choose(group: &str, value: &str) -> String {
    format!("document.querySelector('input[name={group}][value={value}]').click();")
}

/// Returns a script that selects the target of a message.
fn to(kind: &str, whom: &str) -> String {
    let change =
        "document.getElementById('to').dispatchEvent(new Event('change', { bubbles: true }));";
    fill("to", kind) + change + &fill("whom", whom)
}

/// Condition that is true once the previous message was sent.
const READY: &str = "!document.getElementById('submit').disabled";

pub(crate) fn click(id: &str) -> String {
    format!("document.getElementById('{id}').click();")
}

#[tokio::test]
async fn events_are_shown_with_their_wire_text() {
    // After two and a half intervals the page considers a stream dead, so the interval must be long
    // enough for a busy machine.
    let hub = Hub::start(&["--heartbeat-interval", "2s"]).await;
    let Some(mut page) = demo(&hub, "user=J%C3%B6rg&topics=news").await else {
        return;
    };
    page.wait_for(&text_is("user-id", "Jörg")).await;

    let text = "Your <b>export</b> is ready 🎉\nin two lines";
    assert_eq!(
        hub.send(
            "sendNotification",
            json!({ "userId": "Jörg", "message": text })
        )
        .await,
        1
    );
    page.wait_for(&shown("notification", text)).await;
    assert_eq!(
        page.run("document.querySelector('#history .text > b')")
            .await,
        Value::Null,
        "data is not interpreted as markup"
    );
    page.wait_for("document.querySelector('.toast p')?.textContent.includes('export')")
        .await;
    page.wait_for("/^[0-9]+ ms$/.test(document.querySelector('#history .latency').textContent)")
        .await;

    hub.send("broadcastSystemEvent", json!({ "event": "maintenance" }))
        .await;
    page.wait_for(&shown("system", "maintenance")).await;
    let order =
        json!({ "target": { "topic": "news" }, "event": "order_shipped", "data": { "order": 7 } });
    assert_eq!(hub.send("publish", order).await, 1);
    page.wait_for(&shown(
        "order_shipped",
        "event: order_shipped\ndata: {\"order\":7}\n",
    ))
    .await;
    page.wait_for("document.getElementById('heartbeat').textContent !== '–'")
        .await;
    page.wait_for(&text_is("connections", "1")).await;
    page.wait_for(
        "document.querySelector('#connections-chart .line').getAttribute('d')?.startsWith('M')",
    )
    .await;

    page.run("document.querySelector('#types [value=system]').click()")
        .await;
    assert_eq!(page.run(&shown("system", "maintenance")).await, false);
    page.run(
        &(fill("search", "ORDER_shipped")
            + "document.getElementById('search').dispatchEvent(new Event('input'))"),
    )
    .await;
    assert_eq!(
        page.run("document.querySelectorAll('#history li:not([hidden])').length")
            .await,
        1
    );
    page.run(&click("clear")).await;
    page.wait_for("!document.getElementById('nothing').hidden")
        .await;
    close(page).await;
}

#[tokio::test]
async fn page_sends_to_every_target() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    let mut bob = hub.stream("user=bob&topics=news").await;

    page.run(&(fill("message", "to myself") + &fill("title", "Hello") + &click("submit")))
        .await;
    page.wait_for(&shown("notification", "to myself")).await;
    page.wait_for(&text_is("outcome", "Reached 1 stream."))
        .await;
    page.wait_for(READY).await;
    for (kind, whom, words) in [
        ("user", "bob", "to bob"),
        ("topic", "news", "to a topic"),
        ("all", "", "to everybody"),
    ] {
        page.run(
            &(choose("kind", "error")
                + &to(kind, whom)
                + &fill("message", words)
                + &click("submit")),
        )
        .await;
        let (event_type, data) = next(&mut bob).await;
        assert_eq!(
            (
                event_type.as_str(),
                &data["type"],
                &data["title"],
                &data["message"]
            ),
            (
                "notification",
                &json!("error"),
                &json!("Hello"),
                &json!(words)
            )
        );
        page.wait_for(READY).await;
    }
    page.wait_for(&text_is("outcome", "Reached 2 streams."))
        .await;
    page.wait_for(READY).await;

    page.run(&(choose("what", "system") + &click("submit")))
        .await;
    let (event_type, data) = next(&mut bob).await;
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("user_profile_updated"))
    );
    page.wait_for(&shown("system", "user_profile_updated"))
        .await;
    page.wait_for(READY).await;
    page.run(&(choose("what", "own") + &fill("data", "[1, 2]") + &click("submit")))
        .await;
    assert_eq!(
        next(&mut bob).await,
        ("order_shipped".into(), json!([1, 2]))
    );
    page.wait_for(READY).await;
    page.run(&click("burst")).await;
    for _ in 0..50 {
        assert_eq!(next(&mut bob).await.0, "order_shipped");
    }
    close(page).await;
}

#[tokio::test]
async fn topics_change_on_an_open_stream() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    let client = page
        .run("document.getElementById('client-id').textContent")
        .await;
    page.run(
        &(fill("topic", "news, orders/7") + "document.querySelector('#topic-form button').click()"),
    )
    .await;
    page.wait_for("document.querySelectorAll('#topics button').length === 2")
        .await;
    let order = json!({ "target": { "topic": "orders/7" }, "event": "order_shipped", "data": 7 });
    assert_eq!(hub.send("publish", order.clone()).await, 1);
    page.wait_for(&shown("order_shipped", "7")).await;
    page.run(
        "[...document.querySelectorAll('#topics button')].find(it => it.textContent === 'orders/7').click()",
    )
    .await;
    page.wait_for("document.querySelectorAll('#topics button').length === 1")
        .await;
    assert_eq!(hub.send("publish", order).await, 0);
    assert_eq!(
        page.run("document.getElementById('client-id').textContent")
            .await,
        client,
        "the same stream"
    );

    page.run(&click("reconnect")).await;
    page.wait_for(&format!(
        "document.getElementById('client-id').textContent !== {client} && {}",
        text_is("status-text", "Connected")
    ))
    .await;
    assert_eq!(
        hub.send(
            "publish",
            json!({ "target": { "topic": "news" }, "event": "x", "data": 1 })
        )
        .await,
        1
    );
    close(page).await;
}

#[tokio::test]
async fn page_reconnects_after_going_offline() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    page.run(&click("offline")).await;
    page.wait_for(&text_is("status-text", "Offline")).await;
    hub.settles_at(0).await;
    page.wait_for(
        "document.getElementById('status-detail').textContent.startsWith('next attempt in')",
    )
    .await;
    page.run(&click("offline")).await;
    page.wait_for(&text_is("status-text", "Connected")).await;
    hub.settles_at(1).await;
    page.run(&click("toggle")).await;
    page.wait_for(&text_is("status-text", "Not connected"))
        .await;
    hub.settles_at(0).await;
    page.run(&click("toggle")).await;
    page.wait_for(&text_is("status-text", "Connected")).await;
    close(page).await;
}

#[tokio::test]
async fn connected_users_can_be_kicked() {
    let hub = Hub::start(&["--retry", "100ms"]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    let mut bob = hub.stream("user=bob").await;
    page.wait_for(
        "document.querySelector('#people .you')?.closest('li').textContent.includes('alice')",
    )
    .await;
    let row = |name: &str| {
        format!(
            "[...document.querySelectorAll('#people li')].find(it => it.textContent.includes('{name}'))"
        )
    };
    page.wait_for(&format!("{} !== undefined", row("bob")))
        .await;
    page.run(&format!("{}.querySelector('.kick').click()", row("bob")))
        .await;
    let (event_type, data) = next(&mut bob).await;
    assert_eq!(
        (event_type.as_str(), &data["event"]),
        ("system", &json!("disconnected"))
    );

    page.run(&format!("{}.querySelector('.kick').click()", row("alice")))
        .await;
    page.wait_for(&shown("system", "kicked from the demo page"))
        .await;
    page.wait_for(&text_is("status-text", "Connected")).await;
    page.wait_for("document.querySelector('#people .you') !== null")
        .await;
    page.run(&format!("{}.querySelector('.away').click()", row("alice")))
        .await;
    page.wait_for(&text_is("status-text", "Not connected"))
        .await;
    page.wait_for("document.getElementById('error').textContent.includes('banned for 30 seconds')")
        .await;
    page.run(&click("toggle")).await;
    page.wait_for("document.getElementById('error').textContent.includes('forbids reconnecting')")
        .await;
    close(page).await;
}

#[tokio::test]
async fn tabs_of_one_user_share_a_stream() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    page.wait_for(&text_is("role", "has the stream for all tabs"))
        .await;
    let open = json!({ "expression": "window.other = window.open(location.href); 1", "userGesture": true });
    page.call("Runtime.evaluate", open).await;
    page.wait_for(
        "other.document.getElementById('role')?.textContent === 'listens to another tab'",
    )
    .await;
    assert_eq!(hub.stats().await["totalConnections"], 1);
    assert_eq!(
        hub.send(
            "sendNotification",
            json!({ "userId": "alice", "message": "once" })
        )
        .await,
        1
    );
    page.wait_for(&shown("notification", "once")).await;
    page.wait_for("other.document.querySelector('#history').textContent.includes('once')")
        .await;
    close(page).await;
}

#[tokio::test]
async fn page_shows_errors() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "").await else {
        return;
    };
    page.wait_for(&text_is("user-id", "anonymous")).await;
    page.run(&click("submit")).await;
    page.wait_for(&text_is("outcome", "Reached 1 stream."))
        .await;
    page.wait_for(READY).await;
    page.run(&(to("user", "") + &click("submit"))).await;
    page.wait_for("!document.getElementById('error').hidden && document.getElementById('error-text').textContent.includes('userId')")
        .await;
    page.wait_for(READY).await;
    page.run(&(choose("what", "own") + &to("all", "") + &fill("data", "{") + &click("submit")))
        .await;
    page.wait_for("document.getElementById('error-text').textContent.includes('not JSON')")
        .await;
    let apply = "document.querySelector('#stream button').click()";
    page.run(&(fill("user", &"x".repeat(300)) + apply)).await;
    page.wait_for("document.getElementById('status').dataset.state === 'failed'")
        .await;
    page.wait_for("document.getElementById('error-text').textContent.includes('400: user')")
        .await;
    page.run(&(fill("user", "alice") + apply)).await;
    page.wait_for(&format!(
        "document.getElementById('error').hidden && {}",
        text_is("user-id", "alice")
    ))
    .await;
    close(page).await;
}

#[tokio::test]
async fn page_uses_superjson_of_the_hub() {
    let hub = Hub::start(&["--trpc-transformer", "superjson"]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    page.run(&click("submit")).await;
    page.wait_for(&text_is("outcome", "Reached 1 stream."))
        .await;
    page.wait_for(&text_is("connections", "1")).await;
    close(page).await;
}

#[tokio::test]
async fn page_fits_a_phone_and_controls_have_names() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice&topics=news").await else {
        return;
    };
    hub.send(
        "broadcastNotification",
        json!({ "message": "x".repeat(500), "title": "y".repeat(100) }),
    )
    .await;
    page.wait_for(&shown("notification", "xxx")).await;
    for width in [320, 390, 768, 1280, 1440] {
        let size =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
        page.call("Emulation.setDeviceMetricsOverride", size).await;
        assert_eq!(
            page.run("document.documentElement.scrollWidth <= innerWidth")
                .await,
            true,
            "{width}"
        );
    }
    let tree = page.call("Accessibility.getFullAXTree", json!({})).await;
    let controls = [
        "button",
        "textbox",
        "searchbox",
        "combobox",
        "checkbox",
        "radio",
        "link",
        "image",
    ];
    let nameless: Vec<_> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|node| node["ignored"] != true)
        .filter(|node| controls.contains(&node["role"]["value"].as_str().unwrap_or_default()))
        .filter(|node| node["name"]["value"].as_str().is_none_or(str::is_empty))
        .collect();
    assert!(nameless.is_empty(), "{nameless:?}");
    close(page).await;
}

/// WCAG 2.2, 1.4.3: a contrast of 4.5 to 1 for every visible text, in both colour schemes.
#[tokio::test]
async fn texts_have_contrast() {
    const CONTRAST: &str = include_str!("contrast.js");
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice&topics=news").await else {
        return;
    };
    for kind in ["info", "success", "warning", "error"] {
        hub.send(
            "sendNotification",
            json!({ "userId": "alice", "type": kind, "title": kind, "message": "text" }),
        )
        .await;
    }
    hub.send(
        "broadcastSystemEvent",
        json!({ "event": "maintenance", "data": { "a": 1 } }),
    )
    .await;
    page.wait_for(&shown("system", "maintenance")).await;
    page.run("document.querySelector('#history summary').click()")
        .await;
    let still = json!([{ "name": "prefers-reduced-motion", "value": "reduce" }]);
    for scheme in ["light", "dark"] {
        let mut features = still.clone();
        features
            .as_array_mut()
            .unwrap()
            .push(json!({ "name": "prefers-color-scheme", "value": scheme }));
        page.call(
            "Emulation.setEmulatedMedia",
            json!({ "features": features }),
        )
        .await;
        assert_eq!(page.run(CONTRAST).await, json!([]), "{scheme}");
    }
    close(page).await;
}
