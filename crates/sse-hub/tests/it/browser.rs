//! The demo page in a real browser.
#![cfg(unix)]

use serde_json::json;

use crate::{
    cdp::Page,
    hub::{Hub, next},
};

/// The demo page of a hub in a browser, connected; `None` where there is no browser.
async fn demo(hub: &Hub, query: &str) -> Option<Page> {
    let chromium = sse_testkit::executable("chromium").unwrap()?;
    let mut page = Page::open(&chromium, &format!("http://{}/sse-demo?{query}", hub.address())).await;
    page.wait_for("document.getElementById('status')?.textContent === 'Connected'").await;
    page.wait_for("/^[0-9a-f-]{22,}$/.test(document.getElementById('client-id').textContent)").await;
    Some(page)
}

/// Whether an event with these words is shown.
fn shown(event_type: &str, words: &str) -> String {
    let items = format!("document.querySelectorAll('#events li[data-type={event_type}]')");
    format!("[...{items}].some(item => item.textContent.includes({}))", json!(words))
}

#[tokio::test]
async fn events_arrive_in_the_browsers_own_event_source() {
    let hub = Hub::start(&["--heartbeat-interval", "100ms"]).await;
    let Some(mut page) = demo(&hub, "user=J%C3%B6rg&topics=news&types=order_shipped").await else { return };
    assert_eq!(page.run("document.getElementById('user-id').textContent").await, "Jörg");

    let text = "Your <b>export</b> is ready 🎉\nin two lines";
    assert_eq!(hub.send("sendNotification", json!({ "userId": "Jörg", "message": text })).await, 1);
    page.wait_for(&shown("notification", text)).await;
    assert_eq!(page.run("document.querySelector('#events b')").await, json!(null), "data is not markup");

    hub.send("broadcastSystemEvent", json!({ "event": "maintenance" })).await;
    page.wait_for(&shown("system", "maintenance")).await;
    let order = json!({ "target": { "topic": "news" }, "event": "order_shipped", "data": { "order": 7 } });
    assert_eq!(hub.send("publish", order).await, 1);
    page.wait_for(&shown("order_shipped", r#"{"order":7}"#)).await;
    page.wait_for("document.getElementById('heartbeat').textContent !== '–'").await;
    page.wait_for("document.getElementById('connections').textContent === '1'").await;
    page.close().await;
}

#[tokio::test]
async fn the_page_sends_to_oneself_to_others_and_to_everybody() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else { return };
    let mut bob = hub.stream("user=bob").await;

    page.run("$('message').value = 'to myself'; $('title').value = 'Hello'; $('notify').click()").await;
    page.wait_for(&shown("notification", "to myself")).await;
    page.wait_for("$('outcome').textContent === 'Sent to 1 stream.'").await;
    page.run("$('message').value = 'to bob'; $('to').value = 'bob'; $('kind').value = 'error'; $('notify').click()")
        .await;
    let (event_type, data) = next(&mut bob).await;
    assert_eq!(
        (event_type.as_str(), &data["type"], &data["message"]),
        ("notification", &json!("error"), &json!("to bob"))
    );
    page.wait_for("!$('broadcast').disabled").await;
    page.run("$('message').value = 'to everybody'; $('broadcast').click()").await;
    assert_eq!(next(&mut bob).await.1["message"], "to everybody");
    page.wait_for(&shown("notification", "to everybody")).await;
    page.wait_for("$('outcome').textContent === 'Sent to 2 streams.'").await;
    page.close().await;
}

#[tokio::test]
async fn the_page_says_what_is_wrong() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "").await else { return };
    assert_eq!(page.run("$('user-id').textContent").await, "nobody");
    page.run("$('notify').click()").await;
    page.wait_for("!$('error').hidden && $('error').textContent.includes('userId')").await;
    page.run("$('user').value = 'x'.repeat(300); $('connect').click()").await;
    page.wait_for("$('status').dataset.state === 'refused' && $('error').textContent.includes('400: user')")
        .await;
    page.run("$('user').value = 'alice'; $('connect').click()").await;
    page.wait_for("$('error').hidden && $('user-id').textContent === 'alice'").await;
    page.run("$('disconnect').click()").await;
    page.wait_for("$('status').textContent === 'Not connected' && $('disconnect').disabled").await;
    hub.settles_at(0).await;
    page.close().await;
}

#[tokio::test]
async fn the_page_fits_a_phone_and_every_field_has_a_name() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else { return };
    let phone = json!({ "width": 320, "height": 640, "deviceScaleFactor": 1, "mobile": true });
    page.call("Emulation.setDeviceMetricsOverride", phone).await;
    hub.send("broadcastNotification", json!({ "message": "x".repeat(500) })).await;
    page.wait_for(&shown("notification", "xxx")).await;
    assert_eq!(page.run("document.documentElement.scrollWidth <= innerWidth").await, true);
    let nameless = "[...document.querySelectorAll('input, select, textarea')].filter(field => !field.labels.length).length";
    assert_eq!(page.run(nameless).await, 0);
    page.close().await;
}
