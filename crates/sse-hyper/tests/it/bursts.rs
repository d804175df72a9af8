//! Bursts of cancelled streams by one client of HTTP/2, which do not end other streams.

use http::Request;
use sse_core::{Event, Manager};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    app::{App, TIMEOUT},
    phases::{PREFACE, SETTINGS, get},
};

/// RST_STREAM with the code CANCEL (RFC 9113, section 6.4).
fn cancel(stream: u32) -> Vec<u8> {
    let mut frame = b"\0\0\x04\x03\0".to_vec();
    frame.extend_from_slice(&stream.to_be_bytes());
    frame.extend_from_slice(&8_u32.to_be_bytes());
    frame
}

/// Returns the numbers of the streams after the first of a connection.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (1..=count).map(|number| 2 * number + 1)
}

/// Opens a connection with a stream of events.
async fn living(app: &App) -> TcpStream {
    let mut socket = TcpStream::connect(app.address).await.unwrap();
    socket
        .write_all(&[PREFACE, SETTINGS, &get(1, "/events")].concat())
        .await
        .unwrap();
    app.until(|app| app.manager.stats().total_connections == 1)
        .await;
    socket
}

/// Reads until an event arrives. Returns `false` at the end of the connection.
async fn receives(app: &App, socket: &mut TcpStream, text: &str) -> bool {
    app.manager.all().publish(Event::text(text)).await.unwrap();
    let mut read = Vec::new();
    while !read
        .windows(text.len())
        .any(|window| window == text.as_bytes())
    {
        match timeout(TIMEOUT, socket.read_buf(&mut read))
            .await
            .expect("an event, or the end")
        {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
    true
}

#[tokio::test]
async fn cancelled_streams_end_nothing_else() {
    // The largest burst is the maximum of open streams without the living one, and the same number
    // again in the same flight.
    for count in [1, 20, 21, 64, 100, 199, 398] {
        for path in ["/ping", "/slow", "/nothing"] {
            let app = App::start(Manager::builder()).await;
            let mut socket = living(&app).await;
            let burst = streams(count).flat_map(|stream| [get(stream, path), cancel(stream)]);
            socket
                .write_all(&burst.flatten().collect::<Vec<_>>())
                .await
                .unwrap();
            assert!(
                receives(&app, &mut socket, "still here").await,
                "{count} of {path}"
            );
        }
    }
}

#[tokio::test]
async fn streams_cancelled_over_and_over_end_nothing_else() {
    let app = App::start(Manager::builder()).await;
    let mut socket = living(&app).await;
    let mut next = 3;
    for round in 0..8 {
        let mut burst = Vec::new();
        for stream in (next..next + 200).step_by(2) {
            burst.extend(get(stream, "/slow"));
        }
        for stream in (next..next + 200).step_by(2) {
            burst.extend(cancel(stream));
        }
        next += 200;
        socket.write_all(&burst).await.unwrap();
        assert!(
            receives(&app, &mut socket, &format!("after round {round}")).await,
            "{round}"
        );
    }
}

#[tokio::test]
async fn flood_of_cancelled_streams_is_ended() {
    for path in ["/slow", "/ping", "/events", "/large"] {
        let app = App::start(Manager::builder().max_connections(100_000)).await;
        let mut socket = living(&app).await;
        let flood = streams(20_000).flat_map(|stream| [get(stream, path), cancel(stream)]);
        // The connection can end while the flood is still being sent.
        let _ = socket.write_all(&flood.flatten().collect::<Vec<_>>()).await;
        let mut read = Vec::new();
        while timeout(TIMEOUT, socket.read_buf(&mut read))
            .await
            .expect(path)
            .is_ok_and(|count| count > 0)
        {}
        app.until(|app| app.manager.stats().total_connections == 0)
            .await;
    }
}

#[tokio::test]
async fn streams_beyond_the_limit_are_refused_alone() {
    for count in [200, 201, 300, 1000] {
        let app = App::start(Manager::builder()).await;
        let mut socket = living(&app).await;
        let burst = streams(count).flat_map(|stream| get(stream, "/slow"));
        socket.write_all(&burst.collect::<Vec<_>>()).await.unwrap();
        assert!(receives(&app, &mut socket, "still here").await, "{count}");
    }
}

#[tokio::test]
async fn large_heads_are_refused_alone() {
    let app = App::start(Manager::builder()).await;
    let socket = TcpStream::connect(app.address).await.unwrap();
    let (mut requests, connection) = h2::client::Builder::new()
        .max_send_buffer_size(1 << 20)
        .handshake::<_, bytes::Bytes>(socket)
        .await
        .unwrap();
    tokio::spawn(connection);
    let living = Request::get("http://localhost/events").body(()).unwrap();
    let mut living = timeout(TIMEOUT, requests.send_request(living, true).unwrap().0)
        .await
        .unwrap()
        .unwrap();
    for (kib, status) in [(1, 200), (20, 200), (60, 200), (70, 431), (90, 431)] {
        let mut request = Request::get("http://localhost/ping");
        for number in 0..kib {
            request = request.header(format!("x-{number}"), "x".repeat(980));
        }
        let (answer, _) = requests
            .send_request(request.body(()).unwrap(), true)
            .unwrap();
        let answer = timeout(TIMEOUT, answer).await.unwrap().unwrap();
        assert_eq!(answer.status(), status, "{kib} KiB");
    }
    app.manager
        .all()
        .publish(Event::text("still here"))
        .await
        .unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"still here\n\n") {
        let bytes = timeout(TIMEOUT, living.body_mut().data()).await.unwrap();
        text.extend_from_slice(&bytes.expect("the stream lives").unwrap());
    }
}
