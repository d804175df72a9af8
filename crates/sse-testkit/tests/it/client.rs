//! The client against scripted servers.

use std::net::SocketAddr;
use std::time::Duration;

use sse_testkit::{Decoded, End, Error, HttpVersion, Item, RawClient, RawRequest, request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const MOMENT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(60);

/// Starts a server for one connection, which is passed to `script`. The test can wait for the
/// result.
async fn server<S, F>(script: S) -> (SocketAddr, JoinHandle<F::Output>)
where
    S: FnOnce(TcpStream) -> F + Send + 'static,
    F: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move { script(listener.accept().await.unwrap().0).await });
    (address, task)
}

/// Starts a server that reads a head, answers with these pieces, and closes. Its task returns the
/// head.
async fn answering(pieces: Vec<Vec<u8>>) -> (SocketAddr, JoinHandle<String>) {
    server(move |mut socket| async move {
        let head = read_head(&mut socket).await;
        for piece in pieces {
            socket.write_all(&piece).await.unwrap();
        }
        head
    })
    .await
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn chunk(content: &str) -> String {
    format!("{:x}\r\n{content}\r\n", content.len())
}

/// Returns a client whose stream has this body, and then the end of the connection.
async fn client_of(body: &str) -> RawClient {
    let (address, _) = answering(vec![STREAM.into(), body.into()]).await;
    RawRequest::get(address, "/").open().await.unwrap()
}

fn message(data: &str) -> Decoded {
    Decoded {
        event_type: "message".into(),
        data: data.into(),
        id: String::new(),
    }
}

#[tokio::test]
async fn events_are_read_to_a_clean_end() {
    let body = [
        chunk("data: a\n\ndata: "),
        chunk("b\n\n"),
        "0\r\n\r\n".into(),
    ]
    .concat();
    let mut client = client_of(&body).await;
    assert_eq!(client.head().await.unwrap().status, 200);
    assert_eq!(client.next_event().await.unwrap(), message("a"));
    assert_eq!(client.next_event_within(LONG).await.unwrap(), message("b"));
    client.expect_end().await.unwrap();
    client.expect_close().await.unwrap();
    assert!(
        matches!(client.next_event().await, Err(Error::Ended(End::Complete))),
        "again"
    );
}

#[tokio::test]
async fn response_can_arrive_byte_by_byte() {
    let bytes = format!(
        "HTTP/1.1 103 Early Hints\r\n\r\n{STREAM}{}0\r\n\r\n",
        chunk("id: 1\ndata: a\r\n\r\n")
    );
    let (address, _) = answering(bytes.bytes().map(|byte| vec![byte]).collect()).await;
    let mut client = RawRequest::get(address, "/").open().await.unwrap();
    assert_eq!(client.next_event().await.unwrap().data, "a");
    assert_eq!(client.decoder().last_event_id(), "1");
    client.expect_end().await.unwrap();
}

#[tokio::test]
async fn comments_come_among_the_events() {
    let mut client = client_of(&(chunk(": a\ndata: b\n\n:c\n") + "0\r\n\r\n")).await;
    assert_eq!(
        client.next_item().await.unwrap(),
        Item::Comment(" a".into())
    );
    assert_eq!(client.next_item().await.unwrap(), Item::Event(message("b")));
    client.expect_end().await.unwrap();
    assert_eq!(client.decoder().comments().collect::<Vec<_>>(), [" a", "c"]);
}

#[tokio::test]
async fn a_cut_is_not_an_end() {
    for body in [
        "",
        "5\r\n",
        "9\r\ndata: a\n\n",
        "9\r\ndata: a\n\n\r\n",
        "9\r\ndata: a\n\n\r\n0\r\n",
    ] {
        let mut client = client_of(body).await;
        assert_eq!(client.end().await.unwrap(), End::Cut, "{body:?}");
        assert!(
            matches!(client.expect_end().await, Err(Error::Ended(End::Cut))),
            "{body:?}"
        );
    }
}

#[tokio::test]
async fn an_event_is_not_an_end_and_neither_is_half_a_block() {
    let mut client = client_of(&(chunk("data: a\n\n") + "0\r\n\r\n")).await;
    assert!(
        matches!(client.expect_end().await, Err(Error::Unexpected(event)) if event == message("a"))
    );
    let mut client = client_of(&(chunk("data: a\n") + "0\r\n\r\n")).await;
    assert!(matches!(client.expect_end().await, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn bytes_after_the_end_are_not_a_close() {
    let mut client = client_of("0\r\n\r\nHTTP/1.1 400 Bad Request\r\n\r\n").await;
    client.expect_end().await.unwrap();
    assert!(matches!(
        client.expect_close().await,
        Err(Error::Protocol(_))
    ));
}

#[tokio::test]
async fn broken_chunks_are_errors() {
    let mut client = client_of("9\ndata: a\n\n").await;
    assert!(matches!(client.next_event().await, Err(Error::Protocol(_))));
}

#[tokio::test]
async fn endless_head_is_an_error() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "garbage\r\n\r\n"] {
        let (address, _) = answering(vec![answer.into()]).await;
        let result = RawRequest::get(address, "/").open().await;
        assert!(
            matches!(result, Err(Error::Protocol(_))),
            "{answer:?}: {result:?}"
        );
    }
    let (address, _) = server(|mut socket| async move {
        read_head(&mut socket).await;
        while socket
            .write_all(b"HTTP/1.1 200 OK\r\nx: y\r\nx: y")
            .await
            .is_ok()
        {}
    })
    .await;
    let error = RawRequest::get(address, "/")
        .open()
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("a head of more than 65536 bytes"), "{error}");
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_connection() {
    let answer = "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\n";
    let (address, head) = answering(vec![answer.into()]).await;
    let mut client = RawRequest::get(address, "/x")
        .version(HttpVersion::Http10)
        .open()
        .await
        .unwrap();
    assert_eq!(client.next_event().await.unwrap(), message("a"));
    client.expect_end().await.unwrap();
    assert_eq!(client.end().await.unwrap(), End::Closed);
    assert!(head.await.unwrap().starts_with("GET /x HTTP/1.0\r\n"));
}

#[tokio::test]
async fn unreadable_response_is_not_a_stream() {
    let answer = "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nlate";
    let (address, _) = answering(vec![answer.into()]).await;
    let mut client = RawRequest::get(address, "/").open().await.unwrap();
    let result = client.next_event().await;
    assert!(
        matches!(result, Err(Error::NotAStream { status: 429, .. })),
        "{result:?}"
    );
    assert_eq!(
        client.next_bytes().await.unwrap(),
        Some(b"late".to_vec()),
        "but it can be read"
    );
}

#[tokio::test]
async fn a_quiet_stream_times_out_and_loses_nothing() {
    let (address, _) = server(|mut socket| async move {
        read_head(&mut socket).await;
        socket
            .write_all(format!("{STREAM}9\r\ndata:").as_bytes())
            .await
            .unwrap();
        // The client's next byte shows that it has given up one wait.
        socket.read_u8().await.unwrap();
        socket.write_all(b" a\n\n\r\n").await.unwrap();
    })
    .await;
    let mut client = RawRequest::get(address, "/").open().await.unwrap();
    assert!(matches!(
        client.next_event_within(MOMENT).await,
        Err(Error::Timeout(MOMENT))
    ));
    client.send(b"x").await.unwrap();
    assert_eq!(client.next_event().await.unwrap(), message("a"));
}

#[tokio::test]
async fn request_is_sent_as_configured() {
    let (address, head) = answering(vec![format!("{STREAM}0\r\n\r\n").into()]).await;
    let request = RawRequest::get(address, "/")
        .padded_to(12 * 1024)
        .header("Last-Event-ID", "7");
    let mut client = request.source([127, 0, 0, 9].into()).open().await.unwrap();
    assert_eq!(
        client.local_address().unwrap().ip().to_string(),
        "127.0.0.9"
    );
    client.expect_end().await.unwrap();
    let head = head.await.unwrap();
    assert_eq!(head.len(), 12 * 1024);
    assert!(head.contains("\r\nLast-Event-ID: 7\r\n"), "{head}");
}

#[tokio::test]
async fn an_answer_before_the_end_of_the_request_is_read() {
    let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 4\r\n\r\nlong";
    let (address, _) = answering(vec![answer.to_vec()]).await;
    // More than any system buffers for a peer that reads nothing.
    let body = vec![0; 64 << 20];
    let response = request(address, "POST", "/", &[], body).await.unwrap();
    assert_eq!((response.status, response.text().unwrap()), (413, "long"));

    let (address, _) = answering(vec![]).await;
    let error = request(address, "POST", "/", &[], vec![0; 64 << 20])
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Io(_)), "{error:?}");
}

#[tokio::test]
async fn a_request_can_trickle_and_pipeline() {
    let (address, rest) = server(|mut socket| async move {
        let head = read_head(&mut socket).await;
        let mut rest = String::new();
        socket.read_to_string(&mut rest).await.unwrap();
        (head, rest)
    })
    .await;
    let request = RawRequest::new(address, "GET", "/")
        .trickle(Duration::from_micros(10))
        .body("more");
    let mut client = request.send().await.unwrap();
    client.send(b" and more").await.unwrap();
    client.half_close().await.unwrap();
    let (head, rest) = rest.await.unwrap();
    assert_eq!(head, format!("GET / HTTP/1.1\r\nHost: {address}\r\n\r\n"));
    assert_eq!(rest, "more and more");
}

#[tokio::test]
async fn reading_continues_after_a_half_close() {
    let (address, _) = server(|mut socket| async move {
        let mut request = String::new();
        socket.read_to_string(&mut request).await.unwrap();
        socket
            .write_all(format!("{STREAM}{}0\r\n\r\n", chunk("data: a\n\n")).as_bytes())
            .await
            .unwrap();
    })
    .await;
    let mut client = RawRequest::get(address, "/").send().await.unwrap();
    client.half_close().await.unwrap();
    assert_eq!(client.next_event().await.unwrap(), message("a"));
    client.expect_end().await.unwrap();
}

#[tokio::test]
async fn a_reset_reaches_the_server() {
    let (address, error) = server(|mut socket| async move {
        read_head(&mut socket).await;
        socket.read_u8().await.unwrap_err().kind()
    })
    .await;
    RawRequest::get(address, "/")
        .send()
        .await
        .unwrap()
        .reset()
        .unwrap();
    assert_eq!(error.await.unwrap(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn server_reset_is_an_error() {
    let (address, _) = server(|mut socket| async move {
        read_head(&mut socket).await;
        socket
            .write_all(format!("{STREAM}{}", chunk("data: a\n\n")).as_bytes())
            .await
            .unwrap();
        socket.read_u8().await.unwrap();
        socket.set_zero_linger().unwrap();
    })
    .await;
    let mut client = RawRequest::get(address, "/").open().await.unwrap();
    assert_eq!(client.next_event().await.unwrap(), message("a"));
    client.send(b"x").await.unwrap();
    assert_eq!(client.end().await.unwrap(), End::Reset);
    assert!(matches!(
        client.expect_end().await,
        Err(Error::Ended(End::Reset))
    ));
}

#[tokio::test]
async fn idle_client_stalls_its_server() {
    const MUCH: usize = 64 * 1024 * 1024;
    let (address, server) = server(|mut socket| async move {
        read_head(&mut socket).await;
        socket.write_all(STREAM.as_bytes()).await.unwrap();
        let piece = chunk(&":\n".repeat(2048));
        let mut written = 0;
        while written < MUCH {
            let write = socket.write_all(piece.as_bytes());
            let Ok(result) = tokio::time::timeout(Duration::from_millis(300), write).await else {
                break;
            };
            result.unwrap();
            written += piece.len();
        }
        written
    })
    .await;
    let mut client = RawRequest::get(address, "/")
        .receive_buffer(4096)
        .send()
        .await
        .unwrap();
    let written = server.await.unwrap();
    assert!(written < MUCH, "the server was never stalled");
    assert_eq!(
        client.end().await.unwrap(),
        End::Cut,
        "written bytes can still be read"
    );
}

#[tokio::test]
async fn an_answer_can_be_read_in_a_trickle() {
    let mut client = {
        let (address, _) = answering(vec![
            STREAM.into(),
            (chunk("data: a\n\n") + "0\r\n\r\n").into(),
        ])
        .await;
        RawRequest::get(address, "/").send().await.unwrap()
    };
    assert_eq!(
        client
            .trickle(STREAM.len() + 4, Duration::ZERO)
            .await
            .unwrap(),
        STREAM.len() + 4
    );
    assert_eq!(client.next_event().await.unwrap(), message("a"));
    assert_eq!(
        client.trickle(100, Duration::ZERO).await.unwrap(),
        0,
        "all was read with the event"
    );
    client.expect_end().await.unwrap();
}

#[tokio::test]
async fn an_ordinary_request_gets_its_whole_answer() {
    let (address, received) = server(|mut socket| async move {
        let head = read_head(&mut socket).await;
        let mut body = [0; 4];
        socket.read_exact(&mut body).await.unwrap();
        socket
            .write_all(b"HTTP/1.1 201 Created\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello")
            .await
            .unwrap();
        (head, body)
    })
    .await;
    let response = request(
        address,
        "POST",
        "/p",
        &[("Content-Type", "text/plain")],
        "body",
    )
    .await
    .unwrap();
    assert_eq!((response.status, response.text().unwrap()), (201, "hello"));
    assert_eq!(response.headers.get("X-A"), Some("b"));
    let (head, body) = received.await.unwrap();
    assert_eq!(
        head,
        format!(
            "POST /p HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: 4\r\n\
             Content-Type: text/plain\r\n\r\n"
        )
    );
    assert_eq!(&body, b"body");
}

#[tokio::test]
async fn a_cut_answer_is_an_error_and_an_empty_one_is_not() {
    let (address, _) = answering(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhell".into(),
    ])
    .await;
    assert!(matches!(
        request(address, "GET", "/", &[], "").await,
        Err(Error::Ended(End::Cut))
    ));
    let (address, _) = answering(vec!["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n".into()]).await;
    assert!(
        request(address, "HEAD", "/", &[], "")
            .await
            .unwrap()
            .body
            .is_empty()
    );
    let (address, head) = answering(vec!["HTTP/1.1 204 No Content\r\n\r\n".into()]).await;
    assert_eq!(
        request(address, "GET", "/", &[], "").await.unwrap().status,
        204
    );
    assert!(!head.await.unwrap().contains("Content-Length"));
}

#[tokio::test]
async fn content_length_is_sent_when_required() {
    for (method, body, expected) in [
        ("PUT", "", Some("Content-Length: 0")),
        ("DELETE", "x", Some("Content-Length: 1")),
        ("DELETE", "", None),
    ] {
        let (address, head) = answering(vec!["HTTP/1.1 204 No Content\r\n\r\n".into()]).await;
        request(address, method, "/", &[], body).await.unwrap();
        let head = head.await.unwrap();
        assert_eq!(
            head.lines().find(|line| line.starts_with("Content-Length")),
            expected,
            "{method}"
        );
    }
}
