//! Settings: ranges, files.

use std::time::Duration;

use sse_core::{
    Config, Manager,
    config::{CollapseBy, HeartbeatKind, LimitPolicy, Overflow, RejectionStyle},
};

#[test]
fn every_invalid_field_is_reported_at_once() {
    let mut config = Config::default();
    config.heartbeat_interval = Duration::from_millis(99);
    config.connection_timeout = Duration::MAX;
    config.max_age = Some(Duration::ZERO);
    config.retry = Duration::from_secs(3601);
    config.max_connections = 0;
    config.max_connections_per_user = Some(0);
    config.max_connections_per_address = Some(usize::MAX);
    config.max_anonymous_connections_per_address = Some(0);
    config.queue_frames = 0;
    config.queue_bytes = 1023;
    config.limits.event_type = 0;
    config.limits.topic = 1025;
    config.limits.user = 0;
    config.limits.topics = 4097;
    let error = Manager::builder().config(config).build().unwrap_err();
    let fields: Vec<_> = error.problems.iter().map(|problem| problem.field).collect();
    let expected = [
        "heartbeat_interval",
        "connection_timeout",
        "max_age",
        "retry",
        "max_connections",
        "max_connections_per_user",
        "max_connections_per_address",
        "max_anonymous_connections_per_address",
        "queue_frames",
        "queue_bytes",
        "limits.event_type",
        "limits.topic",
        "limits.user",
        "limits.topics",
    ];
    assert_eq!(fields, expected);
    let text = error.to_string();
    assert!(expected.iter().all(|field| text.contains(field)), "{text}");
    assert!(
        text.contains("heartbeat_interval must be 100ms to 1day, not 99ms"),
        "{text}"
    );
}

#[test]
fn defaults_match_the_contract_and_are_valid() {
    let config = Manager::builder().build().unwrap().config().clone();
    assert_eq!(config, Config::default());
    assert_eq!(
        (config.max_connections, config.heartbeat),
        (1000, HeartbeatKind::Event)
    );
    assert_eq!(
        (
            config.heartbeat_interval.as_secs(),
            config.connection_timeout.as_secs()
        ),
        (30, 60)
    );
    assert_eq!(
        (config.overflow, config.when_full),
        (Overflow::Disconnect, LimitPolicy::Refuse)
    );
    assert_eq!(
        (
            config.limits.event_type,
            config.limits.topic,
            config.limits.topics
        ),
        (128, 256, 64)
    );
}

#[test]
fn config_is_read_from_toml() {
    let text = r#"
        heartbeat = "comment"
        heartbeat_interval = "1m 30s"
        connection_timeout = 5000
        max_age = "2h"
        when_user_full = "replace_oldest"
        max_connections_per_user = 3
        refusal = "soft"
        overflow = { keep_latest = "key" }
        limits.topics = 5
    "#;
    let config: Config = toml::from_str(text).unwrap();
    let mut expected = Config::default();
    expected.heartbeat = HeartbeatKind::Comment;
    expected.heartbeat_interval = Duration::from_secs(90);
    expected.connection_timeout = Duration::from_secs(5);
    expected.max_age = Some(Duration::from_secs(7200));
    expected.when_user_full = LimitPolicy::ReplaceOldest;
    expected.max_connections_per_user = Some(3);
    expected.refusal = RejectionStyle::Soft;
    expected.overflow = Overflow::KeepLatest(CollapseBy::Key);
    expected.limits.topics = 5;
    assert_eq!(config, expected);
    for config in [config, Config::default()] {
        let written = toml::to_string(&config).unwrap();
        assert_eq!(
            toml::from_str::<Config>(&written).unwrap(),
            config,
            "{written}"
        );
        let written = serde_json::to_string(&config).unwrap();
        assert_eq!(
            serde_json::from_str::<Config>(&written).unwrap(),
            config,
            "{written}"
        );
    }
    assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
}

#[test]
fn mistakes_in_a_file_are_named() {
    let error = |text: &str| toml::from_str::<Config>(text).unwrap_err().to_string();
    assert!(error("heartbeat_intervall = 5").contains("unknown field `heartbeat_intervall`"));
    assert!(error("[limits]\ntopic_bytes = 5").contains("unknown field `topic_bytes`"));
    assert!(error("heartbeat = \"loud\"").contains("unknown variant `loud`"));
    assert!(error("retry = \"soon\"").contains("retry"));
    assert!(error("retry = -1").contains("a duration"));
    assert!(error("overflow = \"drop\"").contains("unknown variant `drop`"));
}
