//! Variables that platforms derive from the names of services.
//!
//! Kubernetes sets such variables in every container of a namespace, for each of the services
//! there. Docker sets them for each link of a container. The variables of a service called
//! `sse-hub`, or `sse-hub-redis`, have the same prefix as the hub's settings.

/// Schemes that begin the value of a `…_PORT` variable.
const SCHEMES: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// Parts that can follow a port and its protocol. Docker joins adjacent ports to a range with a
/// start and an end.
const PORT_PARTS: [&str; 8] = [
    "",
    "_PROTO",
    "_PORT",
    "_ADDR",
    "_START",
    "_END",
    "_PORT_START",
    "_PORT_END",
];

/// Returns whether a platform set this variable for a service. The name reveals most such
/// variables. The others have values that no setting has.
pub(crate) fn is_service_link(name: &str, value: &str) -> bool {
    let Some(name) = name
        .strip_prefix("SSE_HUB")
        .filter(|rest| rest.starts_with('_'))
    else {
        return false;
    };
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || after(name, "_SERVICE_PORT_").any(|port| !port.is_empty())
        || after(name, "_ENV_").any(|variable| !variable.is_empty())
        || after(name, "_PORT_").any(is_port)
        || name.ends_with("_PORT") && SCHEMES.iter().any(|scheme| value.starts_with(scheme))
        || name.ends_with("_NAME") && value.starts_with('/')
}

/// Returns the text after each occurrence of a part in a name. Occurrences can overlap.
fn after<'a>(name: &'a str, part: &'a str) -> impl Iterator<Item = &'a str> {
    let rests = name.char_indices().map(|(at, _)| &name[at..]);
    rests.filter_map(move |rest| rest.strip_prefix(part))
}

/// Returns whether a text has the form `8080_TCP`.
fn is_port(text: &str) -> bool {
    let Some((port, rest)) = text.split_once('_') else {
        return false;
    };
    let protocols = ["TCP", "UDP", "SCTP"];
    port.parse::<u16>().is_ok()
        && protocols.iter().any(|it| {
            rest.strip_prefix(it)
                .is_some_and(|part| PORT_PARTS.contains(&part))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::cli::Cli;

    /// Variables that Kubernetes 1.30 and Docker 27 set for any service or link.
    const LINKS: [(&str, &str); 21] = [
        ("SERVICE_HOST", "10.96.0.7"),
        ("SERVICE_HOST", "fd00::7"),
        ("SERVICE_PORT", "6379"),
        ("SERVICE_PORT_HTTP", "80"),
        ("SERVICE_PORT_HTTP_METRICS", "9090"),
        ("PORT", "tcp://10.96.0.7:6379"),
        ("PORT", "udp://10.96.0.7:53"),
        ("PORT", "sctp://[fd00::7]:99"),
        ("PORT_6379_TCP", "tcp://10.96.0.7:6379"),
        ("PORT_6379_TCP_PROTO", "tcp"),
        ("PORT_6379_TCP_PORT", "6379"),
        ("PORT_6379_TCP_ADDR", "10.96.0.7"),
        ("PORT_53_UDP_ADDR", "10.96.0.7"),
        ("PORT_99_SCTP", "sctp://10.96.0.7:99"),
        ("PORT_7000_TCP_START", "tcp://172.17.0.2:7000"),
        ("PORT_7000_TCP_PORT_START", "7000"),
        ("PORT_7009_TCP_END", "tcp://172.17.0.2:7009"),
        ("PORT_7009_TCP_PORT_END", "7009"),
        ("NAME", "/hub/redis"),
        ("ENV_REDIS_VERSION", "7.4"),
        ("ENV_SSE_HUB_LISTEN", "0.0.0.0:80"),
    ];

    #[test]
    fn links_of_any_service_are_known() {
        let services = [
            "",
            "REDIS_",
            "NATS_",
            "LISTEN_",
            "NODE_",
            "DRAIN_",
            "TLS_CERT_",
            "PORT_",
            "A_1_B2_",
            "SERVICE_",
        ];
        for service in services {
            for (link, value) in LINKS {
                let name = format!("SSE_HUB_{service}{link}");
                assert!(is_service_link(&name, value), "{name}={value}");
            }
        }
    }

    #[test]
    fn misspelt_settings_are_not_links() {
        for (name, value) in [
            ("SSE_HUB_LISTENN", "127.0.0.1:1"),
            ("SSE_HUB_PORT", "8080"),
            ("SSE_HUB_LISTEN_PORT", "8080"),
            ("SSE_HUB_PORTS", "tcp://10.0.0.1:1"),
            ("SSE_HUB_PORT_", "1"),
            ("SSE_HUB_PORT_TCP", "1"),
            ("SSE_HUB_PORT_99999_TCP", "1"),
            ("SSE_HUB_PORT_80_HTTP", "1"),
            ("SSE_HUB_PORT_80_TCP_", "1"),
            ("SSE_HUB_PORT_80_TCPS", "1"),
            ("SSE_HUB_HOST", "10.0.0.1"),
            ("SSE_HUB_NODENAME", "a"),
            ("SSE_HUB_NAME", "a"),
            ("SSE_HUB_NODE_NAMES", "/a/b"),
            ("SSE_HUB_SERVICE", "a"),
            ("SSE_HUB_SERVICE_PORT_", "1"),
            ("SSE_HUB_ENV", "production"),
            ("SSE_HUB_ENV_", "production"),
            ("SSE_HUBS_SERVICE_HOST", "10.0.0.1"),
            ("SSE_HUB_MAX_CONNEXIONS", "5"),
            ("SSE_HUB_DRAIN-DELAY", "5"),
            ("SSE_HUB_\u{e4}_PORT\u{e4}", "tcp://"),
        ] {
            assert!(!is_service_link(name, value), "{name}={value}");
        }
    }

    #[test]
    fn no_setting_looks_like_a_link() {
        for arg in Cli::shape().get_arguments() {
            let Some(name) = arg.get_env().and_then(|name| name.to_str()) else {
                continue;
            };
            assert!(!is_service_link(name, "value"), "{name}");
        }
    }
}
