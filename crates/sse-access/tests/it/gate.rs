//! Authentication of requests.

use async_trait::async_trait;
use serde_json::json;
use sse_access::{Authentication, caller};
use sse_auth::{AuthError, Authenticator, Credential, Identity, Origins, RequestView, Tickets};
use sse_core::{Caller, ConnectErrorKind, LoginId};

/// An authenticator for which `user=…`, in a cookie or as a bearer token, names the user.
struct Said;

#[async_trait]
impl Authenticator for Said {
    async fn authenticate(&self, request: &RequestView<'_>) -> Result<Option<Identity>, AuthError> {
        if request.header_value("x-broken")?.is_some() {
            return Err(AuthError::unavailable("the database is away"));
        }
        if let Some(user) = request.bearer_token()? {
            let bad = || AuthError::refused("no such user");
            return user
                .strip_prefix("user=")
                .ok_or_else(bad)
                .map(|user| Some(identity(user, Credential::Bearer)));
        }
        Ok(request
            .cookie("user")?
            .map(|user| identity(&user, Credential::Cookie)))
    }
}

fn identity(user: &str, credential: Credential) -> Identity {
    Identity::new(user, credential).expires_at(4_000_000_000)
}

fn get() -> RequestView<'static> {
    RequestView::new("GET")
}

fn name(caller: &Caller) -> &str {
    caller.user.as_ref().unwrap().as_str()
}

#[tokio::test]
async fn recognised_caller_has_user_and_claims() {
    let gate = Authentication::new(Said);
    let caller = gate
        .admit(&get().header("authorization", "Bearer user=ada"))
        .await
        .unwrap();
    assert_eq!(
        (name(&caller), caller.expires_at),
        ("ada", Some(4_000_000_000_000))
    );
    assert_eq!(name(&gate.admit_token("user=ben").await.unwrap()), "ben");
    assert_eq!(
        gate.admit_token("ben").await.unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );
}

#[tokio::test]
async fn anonymous_callers_need_allow_anonymous() {
    assert_eq!(
        Authentication::new(Said).admit(&get()).await.unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );
    let open = Authentication::new(Said).allow_anonymous();
    assert_eq!(open.admit(&get()).await.unwrap(), Caller::anonymous());
    let bad = get().header("authorization", "Bearer x");
    assert_eq!(
        open.admit(&bad).await.unwrap_err(),
        ConnectErrorKind::Unauthenticated,
        "invalid credentials are not anonymous"
    );
}

#[tokio::test]
async fn failed_checks_are_unavailable() {
    let broken = get().header("x-broken", "1");
    assert_eq!(
        Authentication::new(Said)
            .allow_anonymous()
            .admit(&broken)
            .await
            .unwrap_err(),
        ConnectErrorKind::Unavailable
    );
}

#[tokio::test]
async fn invalid_user_id_is_rejected() {
    for user in ["", "a\nb", &"x".repeat(5000)] {
        let identity = Identity::new(user, Credential::Bearer);
        assert!(caller(&identity).is_err(), "{user:?}");
    }
    let cookie = get()
        .header("cookie", "user=a%0Ab")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(
        Authentication::new(Said).admit(&cookie).await.unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );
}

#[tokio::test]
async fn cookies_count_only_from_allowed_origins() {
    let gate =
        Authentication::new(Said).origins(Origins::new(["https://app.example.com"]).unwrap());
    let cookie = || get().header("cookie", "user=ada");
    for (request, comes_in) in [
        (cookie().header("sec-fetch-site", "same-origin"), true),
        (
            cookie()
                .header("origin", "https://app.example.com")
                .header("sec-fetch-site", "cross-site"),
            true,
        ),
        (cookie().header("origin", "https://evil.example.com"), false),
        (cookie().header("sec-fetch-site", "same-site"), false),
        (cookie().header("origin", "null"), false),
        (
            get()
                .header("authorization", "Bearer user=ada")
                .header("origin", "https://evil.example.com"),
            true,
        ),
    ] {
        let admitted = gate.admit(&request).await;
        assert_eq!(admitted.is_ok(), comes_in, "{admitted:?}");
        assert!(comes_in || matches!(admitted, Err(ConnectErrorKind::CrossSite(_))));
    }
}

#[tokio::test]
async fn ticket_opens_one_stream_if_tickets_are_accepted() {
    let tickets = Tickets::new();
    let calls = Authentication::new(Said);
    let streams = calls.clone().tickets(&tickets);
    let issue = || tickets.issue(&identity("ada", Credential::Bearer)).unwrap();
    let ticket = issue();
    let query = format!("ticket={}", ticket.as_str());
    assert_eq!(
        calls.admit_ticket(ticket.as_str()).unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );
    let caller = streams.admit(&get().query(query.as_str())).await.unwrap();
    assert_eq!(
        (name(&caller), caller.expires_at),
        ("ada", Some(4_000_000_000_000))
    );
    assert_eq!(
        streams
            .admit(&get().query(query.as_str()))
            .await
            .unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );

    let ticket = issue();
    assert_eq!(name(&streams.admit_ticket(ticket.as_str()).unwrap()), "ada");
    assert_eq!(
        streams.admit_ticket(ticket.as_str()).unwrap_err(),
        ConnectErrorKind::Unauthenticated
    );
    assert_eq!(
        json!(streams.admit_ticket("x").unwrap_err().as_str()),
        "unauthenticated"
    );
}

#[tokio::test]
async fn caller_has_login_of_authentication() {
    let login = |identity: &Identity| caller(identity).unwrap().login;
    let laptop = identity("ada", Credential::Bearer).login("laptop");
    assert_eq!(login(&laptop).map(LoginId::to_bytes), laptop.login);
    assert_ne!(login(&laptop), None);
    assert_eq!(login(&identity("ada", Credential::Bearer)), None);
}

#[tokio::test]
async fn parts_in_any_order_agree_on_one_caller() {
    let gate = Authentication::new(Said);
    let user = |name: &str, end: u64| {
        let mut caller = Caller::user(name.parse().unwrap());
        caller.expires_at = Some(end);
        Ok(caller)
    };
    let backend = || {
        let mut caller = Caller::anonymous();
        caller.claims.insert("backend".to_owned(), json!(true));
        Ok(caller)
    };
    let nobody = || Ok(Caller::anonymous());
    let bad = || Err(ConnectErrorKind::Unauthenticated);
    type Parts = Vec<Result<Caller, ConnectErrorKind>>;
    let table: Vec<(Parts, Result<Caller, ConnectErrorKind>)> = vec![
        (vec![], bad()),
        (vec![nobody()], nobody()),
        (vec![nobody(), bad()], bad()),
        (
            vec![nobody(), bad(), Err(ConnectErrorKind::Unavailable)],
            Err(ConnectErrorKind::Unavailable),
        ),
        (vec![bad(), user("ada", 5)], user("ada", 5)),
        (vec![nobody(), user("ada", 5), bad()], user("ada", 5)),
        (vec![user("ada", 5), user("ada", 9)], user("ada", 9)),
        (vec![user("ada", 5), user("bob", 9)], bad()),
        (vec![user("ada", 5), backend()], backend()),
    ];
    for (parts, expected) in table {
        let reversed: Vec<_> = parts.iter().rev().cloned().collect();
        assert_eq!(gate.agree(parts), expected);
        assert_eq!(gate.agree(reversed), expected);
    }
}

#[tokio::test]
async fn observer_receives_reasons_of_denials() {
    use std::sync::{Arc, Mutex};

    let denials = Arc::new(Mutex::new(Vec::new()));
    let observed = Arc::clone(&denials);
    let gate = Authentication::new(Said)
        .observe(move |denial| observed.lock().unwrap().push(denial.code()));
    let (cookie, evil) = (("cookie", "user=ada"), ("origin", "https://evil.example"));
    for headers in [
        &[][..],
        &[("authorization", "Bearer x")],
        &[cookie, evil],
        &[("x-broken", "1")],
    ] {
        let headers = headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()));
        assert!(gate.admit(&get().headers(headers)).await.is_err());
    }
    assert!(gate.admit_ticket("x").is_err());
    assert_eq!(
        *denials.lock().unwrap(),
        [
            "missing",
            "refused",
            "origin",
            "unavailable",
            "unrecognized"
        ]
    );
    // The cause names the page, for the developer of the page.
    let refused = gate
        .admit(
            &get()
                .header("cookie", "user=ada")
                .header("origin", "https://evil.example"),
        )
        .await;
    assert_eq!(
        refused.unwrap_err().to_string(),
        "not allowed for pages of \"https://evil.example\""
    );
}
