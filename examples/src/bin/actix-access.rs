//! Access control: authentication of streams by tokens, topics by claims, and an existing rate
//! limiter of the app.
//!
//! ```sh
//! JWT_SECRET="an example's secret of 32 bytes or more" cargo run -p examples --bin actix-access
//! curl -N -H "authorization: Bearer $TOKEN" 'http://127.0.0.1:3000/api/sse?topics=orders/alice/7'
//! ```
//!
//! `examples/README.md` has a token of Alice that is signed with this secret.

use std::{
    net::{IpAddr, TcpListener},
    num::NonZeroU32,
};

use actix_web::{
    App, Error, HttpServer,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::ErrorTooManyRequests,
    middleware::{Next, from_fn},
    web::{self, Data, ServiceConfig},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use sse_access::{Authentication, ClaimsAccess};
use sse_actix::{Rejection, SseHandshake, SseResponse};
use sse_auth::{Algorithm, Jwt, Key};
use sse_core::Manager;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Limiter = DefaultKeyedRateLimiter<IpAddr>;

/// Opens a stream for the caller that the gate authenticated. Responds with 401 if the gate
/// rejected the caller.
async fn events(handshake: SseHandshake, sse: Data<Manager>) -> Result<SseResponse, Rejection> {
    Ok(sse.connect(handshake)?.into())
}

/// Limits the requests a minute from one address; already part of the app.
async fn limit(
    limiter: Data<Limiter>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    match request
        .peer_addr()
        .map(|address| limiter.check_key(&address.ip()))
    {
        Some(Ok(())) => next.call(request).await,
        _ => Err(ErrorTooManyRequests("too many requests")),
    }
}

fn app(
    sse: Manager,
    gate: Authentication,
    per_minute: NonZeroU32,
) -> impl Fn(&mut ServiceConfig) + Clone + Send + 'static {
    // All workers share the limiter.
    let limiter: Data<Limiter> = Data::new(RateLimiter::keyed(Quota::per_minute(per_minute)));
    let (sse, gate) = (Data::new(sse), Data::new(gate));
    move |app| {
        // The outermost layer runs first, so the limiter also limits guesses of tokens.
        let streams = web::scope("/api").route("/sse", web::to(events));
        let streams = streams
            .wrap(from_fn(sse_actix::authenticate))
            .wrap(from_fn(limit));
        app.app_data(limiter.clone())
            .app_data(sse.clone())
            .app_data(gate.clone())
            .service(streams);
    }
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

#[actix_web::main]
async fn main() -> Result<(), BoxError> {
    let (sse, gate) = (manager()?, gate(&std::env::var("JWT_SECRET")?)?);
    let app = app(sse.clone(), gate, NonZeroU32::MIN.saturating_add(59));
    let listener = TcpListener::bind("127.0.0.1:3000")?;
    println!("listening on http://{}", listener.local_addr()?);
    let server = HttpServer::new(move || App::new().configure(&app));
    sse_actix::serve(listener, server).manager(&sse).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use examples::{ALICE, SECRET};
    use sse_testkit::{RawRequest, request};

    use super::*;

    #[actix_web::test]
    async fn topics_are_per_user_and_requests_are_limited() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sse = manager().unwrap();
        let app = app(
            sse.clone(),
            gate(SECRET).unwrap(),
            NonZeroU32::new(4).unwrap(),
        );
        let server = HttpServer::new(move || App::new().configure(&app)).workers(2);
        actix_web::rt::spawn(sse_actix::serve(listener, server).into_future());

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
