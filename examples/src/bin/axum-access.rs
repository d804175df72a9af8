//! Access control: authentication of streams by tokens, topics by claims, and an existing rate
//! limiter of the app.
//!
//! ```sh
//! JWT_SECRET="an example's secret of 32 bytes or more" cargo run -p examples --bin axum-access
//! curl -N -H "authorization: Bearer $TOKEN" 'http://127.0.0.1:3000/api/sse?topics=orders/alice/7'
//! ```
//!
//! `examples/README.md` has a token of Alice that is signed with this secret.

use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::any,
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sse_access::{Authentication, ClaimsAccess};
use sse_auth::{Algorithm, Jwt, Key};
use sse_axum::{PeerAddr, Rejection, SseHandshake, SseResponse};
use sse_core::Manager;
use tokio::net::TcpListener;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Opens a stream for the caller that the gate authenticated. Responds with 401 if the gate
/// rejected the caller.
async fn events(
    handshake: SseHandshake,
    State(sse): State<Manager>,
) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

/// Limits the requests a minute from one address; already part of the app.
async fn limit(
    limiter: Arc<DefaultKeyedRateLimiter<IpAddr>>,
    request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<PeerAddr>();
    match peer.map(|PeerAddr(address)| limiter.check_key(&address.ip())) {
        Some(Ok(())) => next.run(request).await,
        _ => StatusCode::TOO_MANY_REQUESTS.into_response(),
    }
}

fn app(sse: Manager, gate: Authentication, per_minute: NonZeroU32) -> Router {
    let limiter = Arc::new(RateLimiter::keyed(Quota::per_minute(per_minute)));
    Router::new()
        .route("/api/sse", any(events))
        .layer(from_fn_with_state(gate, sse_axum::authenticate))
        // Runs before the gate, so that the limiter also limits guesses of tokens.
        .layer(from_fn(move |request, next| {
            limit(Arc::clone(&limiter), request, next)
        }))
        .with_state(sse)
}

fn manager() -> Result<Manager, BoxError> {
    let access = ClaimsAccess::new()
        .join("news")?
        .join("orders/{sub}/*")?
        .admin("role", "admin");
    Ok(Manager::builder().access(access).build()?)
}

fn gate(secret: &str) -> Result<Authentication, BoxError> {
    Ok(Authentication::new(
        Jwt::builder()
            .key(Key::secret(Algorithm::HS256, secret)?)
            .build()?,
    ))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let (sse, gate) = (manager()?, gate(&std::env::var("JWT_SECRET")?)?);
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = app(sse.clone(), gate, NonZeroU32::MIN.saturating_add(59));
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    sse_axum::serve(listener, app)
        .manager(&sse)
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use examples::{ALICE, SECRET};
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[tokio::test]
    async fn topics_are_per_user_and_requests_are_limited() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sse = manager().unwrap();
        let app = app(
            sse.clone(),
            gate(SECRET).unwrap(),
            NonZeroU32::new(4).unwrap(),
        );
        tokio::spawn(sse_axum::serve(listener, app).into_future());

        let bearer = [("authorization", ALICE)];
        let get = async |path: &str, headers: &[(&str, &str)]| {
            request(address, "GET", path, headers, "").await
        };
        let path = "/api/sse?topics=orders/alice/7";
        let mut alice = RawRequest::get(address, path)
            .header("authorization", ALICE)
            .open()
            .await
            .unwrap();
        assert!(
            alice
                .next_event()
                .await
                .unwrap()
                .data
                .contains(r#""userId":"alice""#)
        );
        assert_eq!(get("/api/sse", &[]).await.unwrap().status, 401);
        assert_eq!(
            get("/api/sse?topics=orders/bob/7", &bearer)
                .await
                .unwrap()
                .status,
            403
        );
        assert_eq!(
            get("/api/sse", &[("authorization", "Bearer guess")])
                .await
                .unwrap()
                .status,
            401
        );
        assert_eq!(
            get("/api/sse", &[("authorization", "Bearer guess")])
                .await
                .unwrap()
                .status,
            429
        );
        sse.topic("orders/alice/7")
            .publish(sse_core::Event::text("shipped"))
            .await
            .unwrap();
        assert_eq!(
            alice.next_event().await.unwrap().data,
            "shipped",
            "open streams stay open"
        );
    }
}
