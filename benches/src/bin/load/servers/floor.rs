//! The floor: the kernel's cost of a delivery, and so the least that any server can cost.
//!
//! One thread, one epoll loop. A publish becomes one ready-made HTTP chunk, and each connection
//! receives it with one `send`. There is no queue and no registry: a connection that cannot take
//! the chunk at once is closed, and the load program sees an ended stream.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpListener as StdListener;

use anyhow::Context;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENER: Token = Token(usize::MAX - 1);
const LARGEST_REQUEST: usize = 256 * 1024;
const STREAM_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\n\
    transfer-encoding: chunked\r\n\r\n";
const PUBLISHED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

/// The floor server.
pub(crate) struct Floor {
    poll: Poll,
    listener: TcpListener,
    /// Connections by token; `None` if a connection has ended.
    connections: Vec<Option<Connection>>,
    vacant: Vec<usize>,
    buffer: Vec<u8>,
}

struct Connection {
    socket: TcpStream,
    /// Request bytes so far; `None` once the connection is an event stream.
    request: Option<Vec<u8>>,
}

/// A completely received request.
struct Request {
    /// Method and path.
    what: What,
    body: Vec<u8>,
}

#[derive(Clone, Copy)]
enum What {
    Stream,
    Publish,
    Other,
}

impl Floor {
    /// Creates the floor on a non-blocking listener.
    pub(crate) fn on(listener: StdListener) -> anyhow::Result<Self> {
        let mut listener = TcpListener::from_std(listener);
        let poll = Poll::new()?;
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            vacant: Vec::new(),
            buffer: vec![0; 16 * 1024],
        })
    }

    /// Serves until it fails.
    pub(crate) fn serve(mut self) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                other => other.context("waiting for connections")?,
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(index) => self.ready(index),
                }
            }
        }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((socket, _)) => self.add(socket)?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => return Err(error).context("accepting a connection"),
            }
        }
    }

    fn add(&mut self, mut socket: TcpStream) -> anyhow::Result<()> {
        socket.set_nodelay(true)?;
        let index = self.vacant.pop().unwrap_or(self.connections.len());
        self.poll
            .registry()
            .register(&mut socket, Token(index), Interest::READABLE)?;
        let connection = Some(Connection {
            socket,
            request: Some(Vec::new()),
        });
        match self.connections.get_mut(index) {
            Some(place) => *place = connection,
            None => self.connections.push(connection),
        }
        Ok(())
    }

    fn ready(&mut self, index: usize) {
        let Self {
            connections,
            buffer,
            ..
        } = self;
        let Some(Some(connection)) = connections.get_mut(index) else {
            return;
        };
        if connection.read(buffer).is_err() {
            return self.close(index);
        }
        while let Some(request) = self.next_request(index) {
            let answer = match request.what {
                What::Stream => STREAM_HEAD,
                What::Publish => self.publish(&request.body),
                What::Other => NOT_FOUND,
            };
            let Some(Some(connection)) = self.connections.get_mut(index) else {
                return;
            };
            if connection.send(answer).is_err() {
                return self.close(index);
            }
        }
    }

    fn next_request(&mut self, index: usize) -> Option<Request> {
        let connection = self.connections.get_mut(index)?.as_mut()?;
        let request = Request::take(connection.request.as_mut()?)?;
        if matches!(request.what, What::Stream) {
            connection.request = None;
        }
        Some(request)
    }

    fn publish(&mut self, data: &[u8]) -> &'static [u8] {
        let chunk = chunk(data);
        for index in 0..self.connections.len() {
            let Some(Some(connection)) = self.connections.get_mut(index) else {
                continue;
            };
            if connection.request.is_none() && connection.send(&chunk).is_err() {
                self.close(index);
            }
        }
        PUBLISHED
    }

    fn close(&mut self, index: usize) {
        if self.connections[index].take().is_some() {
            self.vacant.push(index);
        }
    }
}

impl Connection {
    /// Reads the available bytes; an error is also the end of the connection.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) => self.keep(&buffer[..length])?,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(request) = &mut self.request else {
            return Ok(());
        };
        if request.len() + bytes.len() > LARGEST_REQUEST {
            return Err(ErrorKind::InvalidData.into());
        }
        request.extend_from_slice(bytes);
        Ok(())
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let sent = self.socket.write(bytes)?;
        if sent < bytes.len() {
            Err(ErrorKind::WriteZero.into())
        } else {
            Ok(())
        }
    }
}

impl Request {
    /// Takes the first request off the bytes of a connection, if it is complete.
    fn take(bytes: &mut Vec<u8>) -> Option<Self> {
        let head = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
        let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
        let length = text
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"));
        let length: usize = length.map_or(Some(0), |length| length.trim().parse().ok())?;
        let end = head.checked_add(length)?;
        let body = bytes.get(head..end)?.to_vec();
        let what = What::of(&text);
        bytes.drain(..end);
        Some(Self { what, body })
    }
}

impl What {
    fn of(head: &str) -> Self {
        if head.starts_with("get /sse ") {
            Self::Stream
        } else if head.starts_with("post /publish ") {
            Self::Publish
        } else {
            Self::Other
        }
    }
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let text = [b"event: tick\ndata: ".as_slice(), data, b"\n\n"].concat();
    let size = format!("{:x}\r\n", text.len());
    [size.as_bytes(), &text, b"\r\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_pipelined_requests_one_by_one() {
        let mut bytes =
            b"POST /publish HTTP/1.1\r\nContent-Length: 2\r\n\r\nabGET /sse HTTP/1.1\r\n\r\nGET"
                .to_vec();
        let first = Request::take(&mut bytes).unwrap();
        assert!(matches!(first.what, What::Publish));
        assert_eq!(first.body, b"ab");
        assert!(matches!(
            Request::take(&mut bytes).unwrap().what,
            What::Stream
        ));
        assert!(Request::take(&mut bytes).is_none());
        assert_eq!(bytes, b"GET");
    }

    #[test]
    fn makes_one_chunk_of_an_event() {
        assert_eq!(chunk(b"hi"), b"16\r\nevent: tick\ndata: hi\n\n\r\n");
    }
}
