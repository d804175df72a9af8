//! Data that passes through with its own text.

use futures_util::{FutureExt, StreamExt};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sse_core::{Handshake, Manager};
use sse_notify::{JsonObject, Notification, Notifier};
use sse_testkit::Decoder;
use tokio::runtime;

#[derive(Deserialize)]
struct WithData<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// A type of the app, with a value from another system inside.
#[derive(Serialize)]
struct Order<'a> {
    total: &'a RawValue,
    id: u32,
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

/// Sends data through every method, and returns the texts that arrive.
async fn sent(json: &str) -> Vec<String> {
    let manager = Manager::builder().build().unwrap();
    let mut session = manager.connect(Handshake::new().user("42")).unwrap();
    let notify = Notifier::new(manager);
    let user = || notify.user("42");
    let data = raw(json);
    user().success("m").data(&data).await.unwrap();
    user().info("m").data(&data).await.unwrap();
    user().warning("m").data(&data).await.unwrap();
    user().error("m").data(&data).await.unwrap();
    let read: Notification =
        serde_json::from_str(&format!(r#"{{"message":"m","data":{json}}}"#)).unwrap();
    user().notification(read).await.unwrap();
    let made = Notification::new(sse_notify::Kind::Info, "m").data(JsonObject::new(&data).unwrap());
    user().notification(made).await.unwrap();
    user().system("e").data(&data).await.unwrap();

    let mut decoder = Decoder::new();
    let mut texts = Vec::new();
    while let Some(Some(bytes)) = session.next().now_or_never() {
        for event in decoder.feed(&bytes) {
            if event.event_type != "connection" {
                let WithData { data } = serde_json::from_str(&event.data).unwrap();
                texts.push(data.get().to_owned());
            }
        }
    }
    texts
}

proptest! {
    #[test]
    fn data_arrives_with_its_own_text(
        number in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,24})?([eE][+-]?[0-9]{1,3})?",
        string in "([a-c é]|\\\\u0041|\\\\/|\\\\ud83d\\\\ude00){0,6}",
    ) {
        let json = format!(r#"{{"b":{number},"a": [{number}, "{string}"],"{string}":1,"b":"{string}"}}"#);
        let runtime = runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let texts = runtime.block_on(sent(&json));
        prop_assert_eq!(texts, vec![json; 7]);
    }
}

#[tokio::test]
async fn lines_and_halves_of_pairs_are_cleaned() {
    let texts = sent("{\"a\":\r\n\"\\ud83d\",\n\"b\":1.10}").await;
    assert_eq!(texts, vec![r#"{"a":  "\ufffd", "b":1.10}"#; 7]);
}

#[test]
fn members_keep_the_order_of_the_type() {
    let order = Order {
        total: &raw("1.10"),
        id: 7,
    };
    let object = JsonObject::new(&order).unwrap();
    assert_eq!(object.as_str(), r#"{"total":1.10,"id":7}"#);
}
