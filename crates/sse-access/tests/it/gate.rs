//! Who comes in.

use async_trait::async_trait;
use serde_json::json;
use sse_access::{Gate, caller};
use sse_auth::{AuthError, Authenticator, Credential, Identity, Origins, RequestView, Tickets};
use sse_core::{Caller, Cause, LoginId};

/// Whoever says `user=…` in a cookie or as a bearer token is that user.
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
        Ok(request.cookie("user").map(|user| identity(&user, Credential::Cookie)))
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
async fn who_is_recognised_comes_in_with_what_is_known() {
    let gate = Gate::new(Said);
    let caller = gate.admit(&get().header("authorization", "Bearer user=ada")).await.unwrap();
    assert_eq!((name(&caller), caller.expires_at), ("ada", Some(4_000_000_000_000)));
    assert_eq!(name(&gate.admit_token("user=ben").await.unwrap()), "ben");
    assert_eq!(gate.admit_token("ben").await.unwrap_err(), Cause::Unauthenticated);
}

#[tokio::test]
async fn who_presents_nothing_comes_in_only_where_that_is_said() {
    assert_eq!(Gate::new(Said).admit(&get()).await.unwrap_err(), Cause::Unauthenticated);
    let open = Gate::new(Said).let_anonymous_in();
    assert_eq!(open.admit(&get()).await.unwrap(), Caller::anonymous());
    let bad = get().header("authorization", "Bearer x");
    assert_eq!(
        open.admit(&bad).await.unwrap_err(),
        Cause::Unauthenticated,
        "who presents something bad is not nobody"
    );
}

#[tokio::test]
async fn what_cannot_be_checked_is_the_server_s_affair() {
    let broken = get().header("x-broken", "1");
    assert_eq!(Gate::new(Said).let_anonymous_in().admit(&broken).await.unwrap_err(), Cause::Unavailable);
}

#[tokio::test]
async fn a_name_that_no_stream_can_have_is_nobody_s() {
    for user in ["", "a\nb", &"x".repeat(5000)] {
        let identity = Identity::new(user, Credential::Bearer);
        assert!(caller(&identity).is_err(), "{user:?}");
    }
    let cookie = get().header("cookie", "user=a%0Ab").header("sec-fetch-site", "same-origin");
    assert_eq!(Gate::new(Said).admit(&cookie).await.unwrap_err(), Cause::Unauthenticated);
}

#[tokio::test]
async fn cookies_count_from_pages_of_allowed_origins_alone() {
    let gate = Gate::new(Said).origins(Origins::new(["https://app.example.com"]).unwrap());
    let cookie = || get().header("cookie", "user=ada");
    for (request, comes_in) in [
        (cookie().header("sec-fetch-site", "same-origin"), true),
        (cookie().header("origin", "https://app.example.com").header("sec-fetch-site", "cross-site"), true),
        (cookie().header("origin", "https://evil.example.com"), false),
        (cookie().header("sec-fetch-site", "same-site"), false),
        (cookie().header("origin", "null"), false),
        (get().header("authorization", "Bearer user=ada").header("origin", "https://evil.example.com"), true),
    ] {
        let admitted = gate.admit(&request).await;
        assert_eq!(admitted.is_ok(), comes_in, "{admitted:?}");
        assert!(comes_in || admitted == Err(Cause::CrossSite));
    }
}

#[tokio::test]
async fn a_ticket_opens_once_and_only_where_tickets_are_taken() {
    let tickets = Tickets::new();
    let calls = Gate::new(Said);
    let streams = calls.clone().tickets(&tickets);
    let issue = || tickets.issue(&identity("ada", Credential::Bearer)).unwrap();
    let ticket = issue();
    let query = format!("ticket={}", ticket.as_str());
    assert_eq!(calls.admit_ticket(ticket.as_str()).unwrap_err(), Cause::Unauthenticated);
    let caller = streams.admit(&get().query(query.as_str())).await.unwrap();
    assert_eq!((name(&caller), caller.expires_at), ("ada", Some(4_000_000_000_000)));
    assert_eq!(streams.admit(&get().query(query.as_str())).await.unwrap_err(), Cause::Unauthenticated);

    let ticket = issue();
    assert_eq!(name(&streams.admit_ticket(ticket.as_str()).unwrap()), "ada");
    assert_eq!(streams.admit_ticket(ticket.as_str()).unwrap_err(), Cause::Unauthenticated);
    assert_eq!(json!(streams.admit_ticket("x").unwrap_err().as_str()), "unauthenticated");
}

#[tokio::test]
async fn a_caller_has_the_login_that_authentication_found() {
    let login = |identity: &Identity| caller(identity).unwrap().login;
    let laptop = identity("ada", Credential::Bearer).login("laptop");
    assert_eq!(login(&laptop).map(LoginId::to_bytes), laptop.login);
    assert_ne!(login(&laptop), None);
    assert_eq!(login(&identity("ada", Credential::Bearer)), None);
}
