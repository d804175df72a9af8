//! The host names under which the hub responds.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse, Response},
};
use sse_auth::{OwnOrigin, RequestView};
use sse_axum::request_view;

use crate::{app::auth_log, error::Error};

/// The host names under which the hub responds.
///
/// A page of any site can point its own name at this machine (DNS rebinding). The page then has the
/// hub's origin. A hub that trusts every client that reaches it must therefore know its names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hosts {
    /// Any name.
    Any,
    /// Names of this machine, and these names in lower case.
    Known(Vec<String>),
}

impl Hosts {
    /// Creates the list from these names. If the list is empty, a hub for this machine alone still
    /// accepts only the names of this machine.
    pub(crate) fn new(
        names: &[String],
        is_for_this_machine: bool,
        setting: &str,
    ) -> Result<Self, Error> {
        let read = |name: &String| {
            let host = OwnOrigin::new(None, name).filter(|host| host.to_string() == host.host());
            host.map(|host| without_dot(host.host()).to_owned())
                .ok_or_else(|| Error::Setting {
                    name: setting.to_owned(),
                    problem: format!(
                        "{name:?} is not a host name or address; write it without scheme and port"
                    ),
                })
        };
        match names.iter().map(read).collect::<Result<Vec<_>, _>>()? {
            names if names.is_empty() && !is_for_this_machine => Ok(Self::Any),
            names => Ok(Self::Known(names)),
        }
    }

    /// Checks whether the hub has the host name of a request. Returns the problem as an error if
    /// not.
    fn admit(&self, request: &RequestView<'_>) -> Result<(), String> {
        let Self::Known(names) = self else {
            return Ok(());
        };
        let Some(authority) = request.requested_authority() else {
            return Err("the host is missing or repeated".to_owned());
        };
        let known = |host: &OwnOrigin| {
            host.is_loopback() || names.iter().any(|name| name == without_dot(host.host()))
        };
        match OwnOrigin::new(None, authority) {
            Some(host) if known(&host) => Ok(()),
            _ => Err(format!(
                "host {:?} is not a name of this hub",
                authority.chars().take(128).collect::<String>()
            )),
        }
    }
}

fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Rejects requests for foreign host names. Health checks are exempt, because load balancers send
/// them to addresses.
pub(crate) async fn check(
    State(hosts): State<Arc<Hosts>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let admitted = hosts.admit(&request_view(&parts));
    match admitted {
        Err(problem) if !parts.uri.path().starts_with("/health/") => {
            let remedy = "if the name belongs to this hub, list it in --hosts";
            auth_log::refused("host", &problem, remedy);
            let text = format!("{problem}; {remedy}\n");
            (StatusCode::MISDIRECTED_REQUEST, text).into_response()
        }
        _ => next.run(Request::from_parts(parts, body)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(names: &[&str], is_for_this_machine: bool) -> Result<Hosts, String> {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        Hosts::new(&names, is_for_this_machine, "--hosts").map_err(|error| error.to_string())
    }

    fn answers(hosts: &Hosts, host: &str) -> bool {
        let by_header = hosts
            .admit(&RequestView::new("GET").header("host", host))
            .is_ok();
        let by_authority = hosts
            .admit(
                &RequestView::new("GET")
                    .authority(host)
                    .header("host", "localhost"),
            )
            .is_ok();
        assert_eq!(by_header, by_authority, "{host}");
        by_header
    }

    #[test]
    fn loopback_hub_accepts_names_of_this_machine() {
        let own = hosts(&[], true).unwrap();
        for host in [
            "localhost",
            "LocalHost:8080",
            "app.localhost:3",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "localhost.",
        ] {
            assert!(answers(&own, host), "{host}");
        }
        let strange = [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.nip.io",
            "10.0.0.5:8080",
            "0.0.0.0",
            "a@localhost",
            "",
        ];
        for host in strange {
            assert!(!answers(&own, host), "{host}");
        }
        assert!(own.admit(&RequestView::new("GET")).is_err());
        assert!(
            own.admit(
                &RequestView::new("GET")
                    .header("host", "localhost")
                    .header("host", "a")
            )
            .is_err()
        );
        let named = hosts(&["Hub.test", "10.0.0.5", "[fd00::0:1]"], true).unwrap();
        for host in [
            "hub.test",
            "HUB.TEST:8080",
            "hub.test.",
            "10.0.0.5:80",
            "[fd00::1]",
            "localhost",
        ] {
            assert!(answers(&named, host), "{host}");
        }
        assert!(!answers(&named, "x.hub.test") && !answers(&named, "evil.example"));
    }

    #[test]
    fn public_hub_accepts_any_name_unless_configured() {
        assert_eq!(hosts(&[], false), Ok(Hosts::Any));
        assert!(
            answers(&Hosts::Any, "evil.example")
                && Hosts::Any.admit(&RequestView::new("GET")).is_ok()
        );
        assert!(!answers(
            &hosts(&["hub.test"], false).unwrap(),
            "evil.example"
        ));
    }

    #[test]
    fn invalid_names_are_rejected() {
        for name in ["", "a:80", "http://a", "*", "*.a", "a/b", "a@b", "[::1"] {
            let error = hosts(&[name], true).unwrap_err();
            assert!(
                error.starts_with("--hosts") && error.contains("without scheme and port"),
                "{error}"
            );
        }
    }
}
