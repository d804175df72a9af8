//! The suite against adapters: each with one fault fails its rule, and one without a fault passes.

use std::{
    convert::Infallible,
    io,
    net::TcpListener,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Method, Request, Response, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, BodyStream, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use sse_core::Handshake;
use sse_testkit::adapter::{Adapter, Stop, TestApp, check, rules};
use tower::service_fn;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Reply = Response<UnsyncBoxBody<Bytes, BoxError>>;

macro_rules! adapters {
    ($($name:ident: $what:literal),* $(,)?) => {
        /// The fault of an adapter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        enum Fault {
            $(#[doc = $what] $name,)*
        }

        $(
            #[doc = $what]
            struct $name;

            impl Adapter for $name {
                fn serve(listener: TcpListener, app: TestApp, stop: Stop) -> io::Result<()> {
                    serve(Fault::$name, listener, &app, stop)
                }
            }
        )*
    };
}

adapters! {
    Sound: "Nothing.",
    WrongType: "The answer is not `text/event-stream`.",
    Cacheable: "`Cache-Control` is missing.",
    HeadOpensAStream: "HEAD is taken for GET.",
    PostOpensAStream: "Every method is taken for GET.",
    DeafToTheQuery: "The query is ignored.",
    BlindToTheAddress: "The manager does not receive the address of the client.",
    SilentOnReturn: "A refusal has no retry delay.",
    Stuttering: "Every event is sent twice.",
    Curt: "The last block of a stream is dropped.",
    Abrupt: "A stream that ends cleanly looks aborted.",
    Smooth: "An aborted stream looks like a clean end.",
    Stubborn: "A shutdown ends no streams.",
}

fn handshake(fault: Fault, request: &Request<Incoming>) -> Handshake {
    let method = match fault {
        Fault::HeadOpensAStream if request.method() == Method::HEAD => "GET",
        Fault::PostOpensAStream if request.method() != Method::HEAD => "GET",
        _ => request.method().as_str(),
    };
    let query = request
        .uri()
        .query()
        .filter(|_| fault != Fault::DeafToTheQuery);
    let id = request
        .headers()
        .get("last-event-id")
        .map(http::HeaderValue::as_bytes);
    let handshake = Handshake::from_request(method, query, id);
    match request.extensions().get() {
        Some(sse_hyper::PeerAddr(peer)) if fault != Fault::BlindToTheAddress => {
            handshake.address(peer.ip())
        }
        _ => handshake,
    }
}

fn answer(fault: Fault, app: &TestApp, request: &Request<Incoming>) -> Reply {
    let mut reply = match request.uri().path() {
        "/events" => match app.connect(handshake(fault, request), request.uri().query()) {
            Ok(session) => spoiled(fault, sse_hyper::response(session)),
            Err(refused) => boxed(sse_hyper::rejection(&refused)),
        },
        "/tokens" => spoiled(fault, sse_hyper::event_stream(app.tokens())),
        _ => boxed(Response::new(Full::from("pong"))),
    };
    let headers = reply.headers_mut();
    match fault {
        Fault::WrongType => {
            drop(headers.insert(header::CONTENT_TYPE, "text/plain".parse().expect("a type")));
        }
        Fault::Cacheable => drop(headers.remove(header::CACHE_CONTROL)),
        Fault::SilentOnReturn => drop(headers.remove(header::RETRY_AFTER)),
        _ => {}
    }
    reply
}

fn boxed<B>(response: Response<B>) -> Reply
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    response.map(|body| body.map_err(Into::into).boxed_unsync())
}

/// Returns a stream whose body has the fault.
fn spoiled<B>(fault: Fault, response: Response<B>) -> Reply
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let (parts, body) = boxed(response).into_parts();
    let frames = BodyStream::new(body);
    let body = match fault {
        Fault::Stuttering => {
            let twice = |frame: Result<Frame<Bytes>, BoxError>| {
                let copy = frame
                    .as_ref()
                    .ok()
                    .and_then(Frame::data_ref)
                    .cloned()
                    .map(Frame::data)
                    .map(Ok);
                stream::iter(std::iter::once(frame).chain(copy))
            };
            StreamBody::new(frames.flat_map(twice)).boxed_unsync()
        }
        Fault::Curt => {
            let is_last = |frame: &Frame<Bytes>| {
                frame
                    .data_ref()
                    .is_some_and(|data| data.windows(13).any(|it| it == b"event: system"))
            };
            let kept = frames.filter(move |frame| {
                let is_last = frame.as_ref().is_ok_and(is_last);
                async move { !is_last }
            });
            StreamBody::new(kept).boxed_unsync()
        }
        Fault::Abrupt => {
            let broken = stream::iter([Err(BoxError::from("broken"))]);
            StreamBody::new(frames.chain(broken)).boxed_unsync()
        }
        Fault::Smooth => {
            StreamBody::new(frames.take_while(|frame| std::future::ready(frame.is_ok())))
                .boxed_unsync()
        }
        _ => StreamBody::new(frames).boxed_unsync(),
    };
    Response::from_parts(parts, body)
}

fn serve(fault: Fault, listener: TcpListener, app: &TestApp, stop: Stop) -> io::Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let service = service_fn({
            let app = app.clone();
            move |request| {
                let reply = answer(fault, &app, &request);
                async { Ok::<_, Infallible>(reply) }
            }
        });
        let server = sse_hyper::serve(listener, service).shutdown_options(app.drain());
        let server = if fault == Fault::Stubborn {
            server
        } else {
            server.manager(app.manager())
        };
        server.with_graceful_shutdown(stop).await
    })
}

/// Returns the failure message of a rule.
fn complaint(rule: impl FnOnce()) -> Option<String> {
    let panic = catch_unwind(AssertUnwindSafe(rule)).err()?;
    let text = panic.downcast_ref::<String>().cloned();
    Some(
        text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default(),
    )
}

macro_rules! found {
    ($($name:ident: $module:ident::$rule:ident, $fault:ident, $said:literal;)*) => {$(
        #[test]
        fn $name() {
            assert_eq!(complaint(|| check::<Sound, _>(rules::$module::$rule)), None, "the rule fails for a correct implementation");
            let complaint = complaint(|| check::<$fault, _>(rules::$module::$rule)).expect("the rule did not detect the fault");
            assert!(complaint.contains($said), "{complaint}");
        }
    )*};
}

found! {
    a_wrong_type: requests::a_stream_has_its_status_and_headers, WrongType, "text/plain";
    a_missing_field: requests::a_stream_has_its_status_and_headers, Cacheable, "cache-control";
    a_stream_for_head: requests::head_request_gets_headers_and_opens_no_stream, HeadOpensAStream, "(0, 1)";
    a_stream_for_post: requests::other_methods_get_the_allowed_methods, PostOpensAStream, "is answered with a stream";
    a_query_that_is_not_read: requests::last_event_id_is_read_from_header_and_query, DeafToTheQuery, "lastEventId";
    topics_that_are_not_read: requests::topics_can_be_encoded_and_repeated, DeafToTheQuery, "orders/7";
    an_address_that_is_not_passed: refusals::limits_apply_to_the_clients_address, BlindToTheAddress, "is answered with a stream";
    a_refusal_for_ever: refusals::refusals_by_limits_have_a_retry, SilentOnReturn, "content-type";
    events_twice: targets::lines_and_letters_arrive_as_they_were_sent, Stuttering, "connected";
    no_farewell: disconnects::ended_stream_sends_its_reason_and_ends_cleanly, Curt, "the stream ended";
    no_clean_end: disconnects::ended_stream_sends_its_reason_and_ends_cleanly, Abrupt, "in the middle of the body";
    a_false_end: event_streams::a_one_off_stream_that_fails_has_no_clean_end, Smooth, "would be taken for the complete response";
    streams_without_end: shutdown::shutdown_ends_streams_with_a_farewell, Stubborn, "heartbeat";
}
