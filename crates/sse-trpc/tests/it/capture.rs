//! Exchanges between real clients and real servers of tRPC, captured by a proxy.

use serde_json::Value;
use sse_testkit::Dechunker;

/// A request, and the response of a tRPC server.
pub(crate) struct Exchange {
    pub(crate) method: String,
    /// Path and query after the mount point.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) answer: Message,
}

pub(crate) struct Message {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// Parses a capture: sections of bytes, in which CRLF is written as an escaped one and a line end,
/// and non-ASCII bytes are escaped.
pub(crate) fn read(text: &str) -> Vec<Exchange> {
    let text = text.split("\n=== client saw").next().unwrap();
    let mut exchanges: Vec<Exchange> = Vec::new();
    for section in text.split("\n--- conn ").skip(1) {
        let Some((title, content)) = section.split_once('\n') else {
            continue;
        };
        let bytes = unescape(content);
        if title.contains(">>>") {
            let (line, headers, body) = split(&bytes);
            let mut words = line.split(' ');
            let method = words.next().unwrap().to_owned();
            let target = words
                .next()
                .unwrap()
                .strip_prefix("/api/trpc/")
                .unwrap()
                .to_owned();
            let body = text_of(&body, &headers);
            let answer = Message {
                status: 0,
                headers: Vec::new(),
                body: String::new(),
            };
            exchanges.push(Exchange {
                method,
                target,
                headers,
                body,
                answer,
            });
        } else if title.contains("<<<") {
            let answer = &mut exchanges.last_mut().unwrap().answer;
            // A response can arrive in pieces; only its first piece has a head.
            if answer.status == 0 {
                let (line, headers, body) = split(&bytes);
                answer.status = line.split(' ').nth(1).unwrap().parse().unwrap();
                answer.body = text_of(&body, &headers);
                answer.headers = headers;
            }
        }
    }
    exchanges
}

fn split(bytes: &[u8]) -> (String, Vec<(String, String)>, Vec<u8>) {
    let end = bytes
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap().to_owned();
    let field = |line: &str| {
        line.split_once(": ")
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
    };
    (
        line,
        lines.filter_map(field).collect(),
        bytes[end + 4..].to_vec(),
    )
}

fn text_of(body: &[u8], headers: &[(String, String)]) -> String {
    let field = |name| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let mut content = Vec::new();
    if field("transfer-encoding") == Some("chunked") {
        Dechunker::new().feed(body, &mut content).unwrap();
    } else if let Some(length) = field("content-length") {
        content.extend_from_slice(&body[..length.parse().unwrap()]);
    }
    String::from_utf8(content).unwrap()
}

fn unescape(text: &str) -> Vec<u8> {
    let text = text.replace("\\r\\n\n", "\r\n");
    let mut bytes = Vec::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        bytes.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
        rest = &rest[at + 4..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

/// Returns the results of all calls in a body of JSON lines, assembled as in tRPC's client (tRPC
/// 11, `stream/jsonl.ts`).
pub(crate) fn joined(lines: &str, superjson: bool) -> Value {
    let lines = lines.lines().map(|line| {
        let line: Value = serde_json::from_str(line).unwrap();
        if superjson {
            line["json"].clone()
        } else {
            line
        }
    });
    let lines: Vec<_> = lines.collect();
    let (head, chunks) = lines.split_first().unwrap();
    let calls = head.as_object().unwrap();
    (0..calls.len())
        .map(|call| resolved(&calls[&call.to_string()], chunks))
        .collect()
}

/// Returns `[[data], [key, type, chunk]…]`, with each promise replaced by its chunk.
fn resolved(value: &Value, chunks: &[Value]) -> Value {
    let mut data = value[0].get(0).cloned().unwrap_or_default();
    for promise in value.as_array().unwrap().iter().skip(1) {
        let chunk = chunks.iter().find(|chunk| chunk[0] == promise[2]).unwrap();
        assert_eq!(chunk[1], 0, "rejected: {chunk}");
        let inner = resolved(&chunk[2], chunks);
        match promise[0].as_str() {
            None => data = inner,
            Some(key) => data[key] = inner,
        }
    }
    data
}
