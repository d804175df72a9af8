//! Variables that Kubernetes and Docker derive from the names of services.

use std::process::Command;

use crate::hub::{Hub, command, refusal};

/// Sets the variables that a platform sets in the hub's container for a service, or a link, of this
/// name.
fn link(command: &mut Command, service: &str) {
    let start = service.to_uppercase().replace('-', "_");
    for (name, value) in [
        // Kubernetes.
        ("SERVICE_HOST", "10.96.0.7"),
        ("SERVICE_PORT", "6379"),
        ("SERVICE_PORT_HTTP", "6379"),
        ("PORT", "tcp://10.96.0.7:6379"),
        ("PORT_6379_TCP", "tcp://10.96.0.7:6379"),
        ("PORT_6379_TCP_PROTO", "tcp"),
        ("PORT_6379_TCP_PORT", "6379"),
        ("PORT_6379_TCP_ADDR", "10.96.0.7"),
        ("PORT_53_UDP_ADDR", "10.96.0.7"),
        // Docker.
        ("NAME", "/hub/redis"),
        ("ENV_REDIS_VERSION", "7.4"),
        ("ENV_SSE_HUB_LISTEN", "0.0.0.0:80"),
        ("PORT_7000_TCP_START", "tcp://172.17.0.2:7000"),
        ("PORT_7009_TCP_PORT_END", "7009"),
    ] {
        command.env(format!("{start}_{name}"), value);
    }
}

#[tokio::test]
async fn hub_starts_with_links_of_any_service() {
    let services = [
        "sse-hub",
        "sse-hub-redis",
        "sse-hub-nats",
        // Names that match settings.
        "sse-hub-listen",
        "sse-hub-node",
        "sse-hub-backplane",
        "sse-hub-drain",
        "sse-hub-max-connections",
        "sse-hub-tls-cert",
        "sse-hub-port",
    ];
    for service in services {
        let mut hub = command();
        link(&mut hub, service);
        Hub::spawn(hub).await;
    }
    let mut hub = command();
    services.iter().for_each(|service| link(&mut hub, service));
    // A log on a broker makes `SSE_HUB_NODE_NAME` a valid setting, but a variable of a link is
    // still not a setting.
    hub.args(["--backplane", "redis://127.0.0.1:1"]);
    Hub::spawn(hub).await;
}

#[tokio::test]
async fn misspelt_settings_still_end_the_start() {
    for (name, value) in [
        ("SSE_HUB_LISTENN", "127.0.0.1:1"),
        ("SSE_HUB_PORT", "8080"),
        ("SSE_HUB_LISTEN_PORT", "8080"),
        ("SSE_HUB_HOST", "0.0.0.0"),
        ("SSE_HUB_NAME", "a"),
        ("SSE_HUB_ENV", "production"),
        ("SSE_HUB_REDIS_URL", "redis://10.0.0.1"),
        ("SSE_HUB_MAX_CONNEXIONS", "5"),
    ] {
        let mut hub = command();
        hub.env(name, value);
        link(&mut hub, "sse-hub-redis");
        let text = refusal(hub).await;
        assert!(
            text.contains("(exit status: 2)") && text.contains(&format!("{name} is not a setting")),
            "{text}"
        );
    }
}
