//! The protocol that a client speaks.

use std::io;

use tokio::io::AsyncRead;
#[cfg(feature = "http2")]
use tokio::io::AsyncReadExt as _;

/// The first bytes that a client of HTTP/2 sends (RFC 9113, section 3.4).
#[cfg(feature = "http2")]
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    #[cfg(feature = "http2")]
    Http2,
}

/// Detects the protocol of a connection, unless one was negotiated. For HTTP/2, this function reads
/// the whole preface, because hyper would wait for the preface without a timeout.
pub(crate) async fn begin<I: AsyncRead + Unpin>(
    io: &mut I,
    agreed: Option<Protocol>,
    read: &mut Vec<u8>,
) -> io::Result<Protocol> {
    match agreed {
        Some(Protocol::Http1) => Ok(Protocol::Http1),
        #[cfg(feature = "http2")]
        Some(Protocol::Http2) => match detect(io, read).await? {
            Protocol::Http2 => Ok(Protocol::Http2),
            Protocol::Http1 => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client negotiated HTTP/2 and does not speak it",
            )),
        },
        None => detect(io, read).await,
    }
}

/// Detects the protocol, reading no more bytes than necessary: one byte of most requests.
#[cfg(feature = "http2")]
pub(crate) async fn detect<I: AsyncRead + Unpin>(
    io: &mut I,
    read: &mut Vec<u8>,
) -> io::Result<Protocol> {
    let mut bytes = [0; PREFACE.len()];
    loop {
        let left = PREFACE.len() - read.len();
        let count = io.read(&mut bytes[..left]).await?;
        read.extend_from_slice(&bytes[..count]);
        if count == 0 || !PREFACE.starts_with(read) {
            return Ok(Protocol::Http1);
        }
        if read.len() == PREFACE.len() {
            return Ok(Protocol::Http2);
        }
    }
}

/// Returns HTTP/1, the only protocol.
#[cfg(not(feature = "http2"))]
#[expect(
    clippy::unused_async,
    reason = "has the signature of the function that reads"
)]
pub(crate) async fn detect<I: AsyncRead + Unpin>(
    _: &mut I,
    _: &mut Vec<u8>,
) -> io::Result<Protocol> {
    Ok(Protocol::Http1)
}

#[cfg(all(test, feature = "http2"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    async fn detected(pieces: &[&[u8]]) -> (Protocol, Vec<u8>) {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let mut read = Vec::new();
        let send = async {
            for piece in pieces {
                tokio::io::AsyncWriteExt::write_all(&mut theirs, piece)
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
            tokio::io::AsyncWriteExt::shutdown(&mut theirs)
                .await
                .unwrap();
        };
        let (protocol, ()) = tokio::join!(detect(&mut ours, &mut read), send);
        (protocol.unwrap(), read)
    }

    #[tokio::test]
    async fn preface_is_detected_in_any_chunks() {
        assert_eq!(
            detected(&[PREFACE, b"more"]).await,
            (Protocol::Http2, PREFACE.to_vec())
        );
        let bytes: Vec<_> = PREFACE.chunks(1).collect();
        assert_eq!(detected(&bytes).await.0, Protocol::Http2);
    }

    #[tokio::test]
    async fn other_input_is_http_1_and_nothing_is_lost() {
        for request in [
            "GET / HTTP/1.1\r\n\r\n",
            "P",
            "POST / HTTP/1.1\r\n",
            "PRI * HTTP/1.1\r\n",
            "",
        ] {
            let (protocol, read) = detected(&[request.as_bytes()]).await;
            assert_eq!(protocol, Protocol::Http1, "{request:?}");
            assert!(request.as_bytes().starts_with(&read), "{request:?}");
        }
    }
}
