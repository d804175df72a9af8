//! The hub as seen with curl.

use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, BufReader, Lines};

use crate::hub::{Hub, TIMEOUT};

async fn until(lines: &mut Lines<impl AsyncBufReadExt + Unpin>, end: &str) -> Vec<String> {
    let mut read = Vec::new();
    loop {
        let line = tokio::time::timeout(TIMEOUT, lines.next_line())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        read.push(line);
        if read.last().is_some_and(|line| line == end) {
            return read;
        }
    }
}

#[tokio::test]
async fn a_stream_and_a_notification() {
    let Some(curl) = sse_testkit::executable("curl").unwrap() else {
        return;
    };
    let hub = Hub::start(&[]).await;
    let base = format!("http://{}", hub.address());
    let mut stream = tokio::process::Command::new(&curl)
        .args([
            "-N",
            "-sS",
            "-i",
            "--noproxy",
            "*",
            &format!("{base}/api/sse?user=alice&topics=news"),
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(stream.stdout.take().unwrap()).lines();

    let head = until(&mut lines, "").await;
    assert_eq!(head[0], "HTTP/1.1 200 OK");
    assert!(
        head.contains(&"content-type: text/event-stream".to_owned()),
        "{head:?}"
    );
    let hello = until(&mut lines, "").await;
    assert!(
        hello.iter().any(|line| line.starts_with("retry: ")),
        "{hello:?}"
    );
    assert!(hello.contains(&"event: connection".to_owned()), "{hello:?}");
    let data = r#"data: {"status":"connected","clientId":""#;
    assert!(hello.iter().any(|line| line.starts_with(data)), "{hello:?}");
    assert_eq!(hello.len(), 4);

    let sent = Command::new(&curl)
        .args([
            "-sS",
            "--noproxy",
            "*",
            "-H",
            "content-type: application/json",
        ])
        .args(["-d", r#"{"message":"Your export is ready","timestamp":7}"#])
        .arg(format!("{base}/api/trpc/sse.sendSuccess?user=alice"))
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(sent.stdout).unwrap(),
        r#"{"result":{"data":{"matched":1}}}"#
    );
    let notification = until(&mut lines, "").await;
    assert_eq!(
        notification,
        [
            "event: notification",
            r#"data: {"type":"success","message":"Your export is ready","timestamp":7}"#,
            ""
        ]
    );
}
