//! Patterns and proxies with random input.

use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Map, Value};
use sse_access::{TopicPattern, TrustedProxies};
use sse_auth::RequestView;

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c*{}]{0,3}",
        "\\PC{0,6}",
        Just("{sub}".to_owned()),
        Just("**".to_owned())
    ]
}

proptest! {
    /// A claim's value never matches a topic other than the pattern with the value inserted
    /// literally.
    #[test]
    fn claim_matches_only_its_value(sub in word(), topic in proptest::collection::vec(word(), 1..4)) {
        let topic = topic.join("/");
        let claims = Map::from_iter([("sub".to_owned(), Value::from(sub.clone()))]);
        let pattern = TopicPattern::new("orders/{sub}").unwrap();
        prop_assert_eq!(pattern.matches(&topic, &claims), !sub.is_empty() && !sub.contains('/') && topic == format!("orders/{sub}"));
    }

    /// A pattern without claims and stars matches only itself.
    #[test]
    fn any_text_is_a_pattern_or_an_error(text in proptest::collection::vec(word(), 0..4), topic in "\\PC{0,12}") {
        let text = text.join("/");
        if let Ok(pattern) = TopicPattern::new(&text) {
            let matches = pattern.matches(&topic, &Map::new());
            if !text.contains(['*', '{']) {
                prop_assert_eq!(matches, topic == text);
            }
        }
    }

    /// Header values that a client writes do not change the result once the nearest proxy has
    /// appended its own.
    #[test]
    fn clients_cannot_forge_an_address(made_up in "\\PC{0,40}", client in any::<[u8; 4]>()) {
        let client = IpAddr::from(client);
        let proxies = TrustedProxies::new(["10.0.0.0/8"]).unwrap();
        prop_assume!(!matches!(client, IpAddr::V4(v4) if v4.octets()[0] == 10));
        let value = format!("{made_up}, {client}");
        let request = RequestView::new("GET").header("x-forwarded-for", value.as_bytes());
        prop_assert_eq!(proxies.client([10, 0, 0, 1].into(), &request), client);
        prop_assert_eq!(proxies.client([198, 51, 100, 1].into(), &request), IpAddr::from([198, 51, 100, 1]));
    }
}
