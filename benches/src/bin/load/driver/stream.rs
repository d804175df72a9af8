//! One event stream, from the side of the load program.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, bail};
use mio::Interest;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::driver::events::Events;
use crate::driver::payload::{Payload, Stamp};
use crate::driver::response::Response;
use crate::driver::tracker::{Faults, Tracker};

/// The result of a read of a stream's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// No change of state, or more events.
    Same,
    /// The head of the response arrived with this read.
    Opened,
    /// The server ended the stream.
    Ended,
}

/// A connection, the data decoded from it, and the data still to be sent.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Option<TcpStream>,
    unsent: Vec<u8>,
    response: Response,
    events: Events,
    tracker: Tracker,
    ended: bool,
}

impl Stream {
    /// Starts to connect.
    ///
    /// # Errors
    ///
    /// If the system cannot provide a socket, or a port at `source`.
    pub(crate) fn connect(
        source: SocketAddr,
        target: SocketAddr,
        request: String,
    ) -> anyhow::Result<Self> {
        let socket = begin(source, target).with_context(|| format!("connecting from {source}"))?;
        Ok(Self {
            socket: Some(socket),
            unsent: request.into_bytes(),
            response: Response::new(),
            events: Events::default(),
            tracker: Tracker::default(),
            ended: false,
        })
    }

    pub(crate) fn register(
        &mut self,
        registry: &mio::Registry,
        token: mio::Token,
    ) -> io::Result<()> {
        let Some(socket) = &mut self.socket else {
            return Ok(());
        };
        registry.register(socket, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Sends as much of the request as possible.
    pub(crate) fn write(&mut self) -> anyhow::Result<()> {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.unsent.is_empty()) else {
            return Ok(());
        };
        if let Some(error) = socket.take_error()? {
            return Err(error).context("connecting");
        }
        match socket.write(&self.unsent) {
            Ok(sent) => drop(self.unsent.drain(..sent)),
            Err(error) if is_transient(&error) => {}
            Err(error) => return Err(error).context("sending a request"),
        }
        if self.unsent.is_empty() {
            self.unsent = Vec::new();
        }
        Ok(())
    }

    /// Reads once and passes every payload on to `delivered`.
    ///
    /// A read that does not fill `buffer` has emptied the socket. The next bytes make the socket
    /// ready again, so nothing is lost and a system call is saved.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        payload: Payload,
        mut delivered: impl FnMut(Stamp),
    ) -> anyhow::Result<Progress> {
        let unopened = self.response.status().is_none();
        loop {
            let Some(socket) = &mut self.socket else {
                return Ok(Progress::Same);
            };
            let length = match socket.read(buffer) {
                Ok(0) => return Ok(self.end()),
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return Ok(self.end()),
            };
            self.decode(&buffer[..length], payload, &mut delivered)?;
            if self.response.is_complete() {
                return Ok(self.end());
            }
            if length < buffer.len() {
                break;
            }
        }
        let opened = unopened && self.response.status().is_some();
        Ok(if opened {
            Progress::Opened
        } else {
            Progress::Same
        })
    }

    fn decode(
        &mut self,
        bytes: &[u8],
        payload: Payload,
        delivered: &mut impl FnMut(Stamp),
    ) -> anyhow::Result<()> {
        let Self {
            response,
            events,
            tracker,
            ..
        } = self;
        response.feed(bytes, |text| {
            events.feed(text, payload, |stamp| {
                tracker.see(stamp.sequence);
                delivered(stamp);
            });
        })?;
        match response.status() {
            Some(200) | None => Ok(()),
            Some(status) => bail!("the server refused a stream with status {status}"),
        }
    }

    fn end(&mut self) -> Progress {
        self.socket = None;
        self.ended = true;
        Progress::Ended
    }

    /// Returns the faults of this stream, once `published` publishes have been sent.
    pub(crate) fn faults(&self, published: u32) -> Faults {
        let mut faults = self.tracker.faults(published);
        faults += Faults {
            damaged: self.events.damaged(),
            ended: u64::from(self.ended),
            ..Faults::default()
        };
        faults
    }
}

fn begin(source: SocketAddr, target: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(target),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.bind(&source.into())?;
    match socket.connect(&target.into()) {
        Ok(()) => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// A socket that is not yet connected reports `NotConnected` on some systems and `WouldBlock` on
/// others.
fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::Interrupted | ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

    fn payload() -> Payload {
        Payload::new(64).unwrap()
    }

    /// Returns a response with one chunk for each sequence number.
    fn response(sequences: &[u32]) -> Vec<u8> {
        let mut bytes = HEAD.to_vec();
        for sequence in sequences {
            let data = payload().encode(Stamp {
                sequence: *sequence,
                sent: 1,
            });
            let text = format!("event: tick\ndata: {data}\n\n");
            bytes.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
        }
        bytes
    }

    /// Returns the faults of a stream that reads these bytes from a real socket, after which the
    /// server stays connected.
    fn faults(bytes: &[u8], published: u32) -> Faults {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let mut stream =
            Stream::connect("127.0.0.1:0".parse().unwrap(), target, String::new()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let feeder = std::thread::spawn({
            let bytes = bytes.to_vec();
            move || server.write_all(&bytes).map(|()| server)
        });
        let _server = feeder.join().unwrap().unwrap();
        let mut buffer = [0; 61];
        let mut seen = 0;
        let last = bytes
            .windows(7)
            .filter(|window| window == b"\"load\":")
            .count();
        while seen < last {
            stream.read(&mut buffer, payload(), |_| seen += 1).unwrap();
        }
        stream.faults(published)
    }

    #[test]
    fn a_perfect_stream_has_no_faults() {
        assert!(faults(&response(&[0, 1, 2]), 3).none());
    }

    #[test]
    fn detects_hole_duplicate_and_swap_on_the_wire() {
        assert_eq!(
            faults(&response(&[0, 1, 3]), 4),
            Faults {
                missing: 1,
                ..Faults::default()
            }
        );
        assert_eq!(
            faults(&response(&[0, 1, 1, 2]), 3),
            Faults {
                doubled: 1,
                ..Faults::default()
            }
        );
        assert_eq!(
            faults(&response(&[0, 2, 1]), 3),
            Faults {
                out_of_order: 1,
                ..Faults::default()
            }
        );
    }

    #[test]
    fn an_ended_stream_is_a_fault() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap();
        let mut stream =
            Stream::connect("127.0.0.1:0".parse().unwrap(), target, String::new()).unwrap();
        drop(listener.accept().unwrap());
        let mut buffer = [0; 64];
        while stream.read(&mut buffer, payload(), |_| ()).unwrap() != Progress::Ended {}
        assert_eq!(
            stream.faults(0),
            Faults {
                ended: 1,
                ..Faults::default()
            }
        );
    }
}
