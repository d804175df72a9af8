//! Access control: authentication of streams by tokens, topics by claims, and an existing rate
//! limiter of the service.
//!
//! ```sh
//! JWT_SECRET="an example's secret of 32 bytes or more" cargo run -p examples --bin hyper-access
//! curl -N -H "authorization: Bearer $TOKEN" 'http://127.0.0.1:3000/api/sse?topics=orders/alice/7'
//! ```
//!
//! `examples/README.md` has a token of Alice that is signed with this secret.

use std::{convert::Infallible, net::IpAddr, num::NonZeroU32, sync::Arc};

use bytes::Bytes;
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty, combinators::BoxBody};
use hyper::body::Incoming;
use sse_access::{Authentication, ClaimsAccess};
use sse_auth::{Algorithm, Jwt, Key};
use sse_core::Manager;
use sse_hyper::PeerAddr;
use tokio::net::TcpListener;
use tower::Service;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Answer = Response<BoxBody<Bytes, Infallible>>;

struct App {
    sse: Manager,
    gate: Authentication,
    limiter: DefaultKeyedRateLimiter<IpAddr>,
}

impl App {
    /// Limits the requests a minute from one address; already part of the service.
    fn is_too_often(&self, request: &Request<Incoming>) -> bool {
        let peer = request.extensions().get::<PeerAddr>();
        peer.is_none_or(|PeerAddr(address)| self.limiter.check_key(&address.ip()).is_err())
    }

    /// Opens a stream for the caller that the gate authenticates. Responds with 401 if the gate
    /// rejects the caller.
    async fn events(&self, request: Request<Incoming>) -> Answer {
        let (mut parts, _) = request.into_parts();
        sse_hyper::authenticate(&self.gate, &mut parts).await;
        match self.sse.connect(sse_hyper::handshake(&parts)) {
            Ok(session) => sse_hyper::response(session).map(BodyExt::boxed),
            Err(refused) => sse_hyper::rejection(&refused).map(BodyExt::boxed),
        }
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Infallible> {
        // The limiter runs before the gate, so that it also limits guesses of tokens.
        Ok(match request.uri().path() {
            _ if self.is_too_often(&request) => empty(StatusCode::TOO_MANY_REQUESTS),
            "/api/sse" => self.events(request).await,
            _ => empty(StatusCode::NOT_FOUND),
        })
    }
}

fn empty(status: StatusCode) -> Answer {
    let mut response = Response::new(Empty::new().boxed());
    *response.status_mut() = status;
    response
}

fn app(
    sse: Manager,
    gate: Authentication,
    per_minute: NonZeroU32,
) -> impl Service<Request<Incoming>, Response = Answer, Error = Infallible, Future: Send> + Clone + Send
{
    let app = Arc::new(App {
        sse,
        gate,
        limiter: RateLimiter::keyed(Quota::per_minute(per_minute)),
    });
    tower::service_fn(move |request| Arc::clone(&app).answer(request))
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
    sse_hyper::serve(listener, app)
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
        let app = app(
            manager().unwrap(),
            gate(SECRET).unwrap(),
            NonZeroU32::new(4).unwrap(),
        );
        tokio::spawn(sse_hyper::serve(listener, app).into_future());

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
    }
}
