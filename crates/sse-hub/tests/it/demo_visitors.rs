//! The demo page for each kind of visitor, and on each size of screen, in a real browser.
#![cfg(unix)]

use serde_json::json;

use crate::{
    access::with_jwt,
    browser::{choose, click, close, demo, fill, open, shown, text_is},
    cdp::Page,
    hub::Hub,
    tokens::token,
};

/// Signs in with a token, like a visitor who pastes it.
async fn sign_in(page: &mut Page, token: &str) {
    page.run(&(fill("token", token) + "document.querySelector('#sign-in button').click()"))
        .await;
    page.wait_for(&text_is("status-text", "Connected")).await;
}

/// Number of requests for statistics so far.
const CALLS: &str =
    "performance.getEntriesByType('resource').filter(it => it.name.includes('getStats')).length";

/// Script that causes the page to ask for everything again, several times.
const LOOK_AGAIN: &str =
    "for (let time = 0; time < 3; time++) document.dispatchEvent(new Event('visibilitychange'))";

#[tokio::test]
async fn strangers_and_users_are_told_what_they_need() {
    let hub = Hub::spawn(with_jwt(&[])).await;
    let Some(mut page) = open(&hub, "").await else {
        return;
    };
    // A stranger.
    page.wait_for(
        "document.getElementById('error-text')?.textContent.includes('asks who you are')",
    )
    .await;
    page.wait_for("!document.getElementById('sign-in').hidden")
        .await;
    page.wait_for("document.getElementById('nobody').textContent.includes('administrators')")
        .await;
    let calls = page.run(CALLS).await;
    page.run(LOOK_AGAIN).await;
    assert_eq!(
        page.run(CALLS).await,
        calls,
        "a refused call is not repeated"
    );

    // A user who is no administrator.
    sign_in(&mut page, &token("ada", 600, &json!({}))).await;
    page.wait_for(&text_is("user-id", "ada")).await;
    page.wait_for("document.getElementById('error').hidden")
        .await;
    page.wait_for(&format!("{CALLS} > {calls}")).await;
    page.wait_for("[...document.querySelectorAll('[data-overview]')].every(it => it.hidden)")
        .await;
    page.run(&click("submit")).await;
    page.wait_for(&shown("notification", "Your export is ready"))
        .await;
    let everyone = "document.getElementById('to').value = 'all';";
    page.run(&(everyone.to_owned() + &click("submit"))).await;
    page.wait_for(
        "document.getElementById('error-text').textContent.includes('does not allow it')",
    )
    .await;

    // An administrator.
    sign_in(&mut page, &token("root", 600, &json!({ "role": "admin" }))).await;
    page.wait_for(&text_is("user-id", "root")).await;
    page.wait_for(&text_is("connections", "1")).await;
    page.wait_for("document.querySelector('#people .you') !== null")
        .await;
    close(page).await;
}

/// Sets the width and height of the page, in CSS pixels.
async fn resize(page: &mut Page, width: u32, height: u32) {
    let metrics =
        json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
    page.call("Emulation.setDeviceMetricsOverride", metrics)
        .await;
}

/// Returns the value of an edge of an element.
fn edge(selector: &str, edge: &str) -> String {
    format!("document.querySelector('{selector}').getBoundingClientRect().{edge}")
}

#[tokio::test]
async fn layout_fits_every_screen() {
    let hub = Hub::start(&[]).await;
    let Some(mut page) = demo(&hub, "user=alice&topics=news").await else {
        return;
    };
    page.run(&click("submit")).await;
    page.wait_for("document.querySelector('.toast') !== null")
        .await;
    for width in [320, 375, 600, 768, 900, 1100, 1280, 1920] {
        resize(&mut page, width, 800).await;
        assert_eq!(
            page.run("document.documentElement.scrollWidth <= innerWidth")
                .await,
            true,
            "{width}: nothing is cut off"
        );
        for figure in ["connections", "latency"] {
            let lines = format!(
                "document.getElementById('{figure}').parentElement.getClientRects()[0].height \
                 < 2 * parseFloat(getComputedStyle(document.getElementById('{figure}')).lineHeight)"
            );
            assert_eq!(
                page.run(&lines).await,
                true,
                "{width}: {figure} has one line"
            );
        }
    }
    resize(&mut page, 1280, 800).await;
    let is_free = format!(
        "{} <= {}",
        edge(".toast", "right"),
        edge("#messages", "left")
    );
    assert_eq!(
        page.run(&is_free).await,
        true,
        "toasts leave the messages visible"
    );
    // On a phone, what was sent appears directly after the button.
    resize(&mut page, 375, 800).await;
    let distance = format!("{} - {}", edge("#messages", "top"), edge("#send", "bottom"));
    assert!(page.run(&distance).await.as_f64().unwrap() < 100.0);
    // No row of a tablet's layout is empty where the other column goes on.
    resize(&mut page, 900, 800).await;
    let hole = format!(
        "{} - {}",
        edge(".people", "top"),
        edge("#messages", "bottom")
    );
    assert!(page.run(&hole).await.as_f64().unwrap() < 40.0);
    close(page).await;
}

#[tokio::test]
async fn figures_agree_and_own_events_have_a_latency() {
    let hub = Hub::start(&["--retry", "100ms"]).await;
    let Some(mut page) = demo(&hub, "user=alice").await else {
        return;
    };
    let bob = hub.stream("user=bob").await;
    page.wait_for(&text_is("connections", "2")).await;
    // Whenever the page changes, the two counts are equal.
    page.run(
        "window.unequal = 0; new MutationObserver(() => { \
         const [one, other] = ['connections', 'people-count'].map(id => document.getElementById(id).textContent); \
         if (one !== other) unequal++; \
         }).observe(document.querySelector('main'), { subtree: true, childList: true, characterData: true })",
    )
    .await;
    page.run(
        "[...document.querySelectorAll('#people li')].find(it => it.textContent.includes('bob')).querySelector('.kick').click()",
    )
    .await;
    drop(bob);
    page.wait_for(&text_is("connections", "1")).await;
    assert_eq!(page.run("unequal").await, 0);

    page.run(&(choose("what", "own") + &click("submit"))).await;
    page.wait_for(
        "/^[0-9]+ ms$/.test(document.querySelector('#history [data-type=order_shipped] .latency')?.textContent)",
    )
    .await;
    close(page).await;
}
