//! A connection for many commands at once.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use redis::{RedisError, Value};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split},
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::timeout,
};

use crate::{append::resp, connection::socket::AnySocket, reply::unexpected};

/// A connection that the driver logged in, and that this crate uses without the driver afterwards.
///
/// The driver takes commands one by one, packs each of them twice, and allocates a channel for each
/// reply. Here the commands that are sent together are bytes that are written unchanged, and their
/// replies arrive together.
#[derive(Debug)]
pub(crate) struct Pipeline {
    questions: mpsc::Sender<PipelinedCommands>,
    task: AbortHandle,
    response_timeout: Duration,
}

/// Commands that are sent together.
struct PipelinedCommands {
    commands: Vec<u8>,
    /// Number of commands.
    count: usize,
    answers: oneshot::Sender<Vec<Value>>,
}

/// Maximum number of requests that wait to be sent, and of requests that wait for their replies. A
/// further caller waits.
const WAITING: usize = 16;

/// Size of the buffer that replies are read into.
const READ: usize = 64 << 10;

impl Pipeline {
    /// Takes over a socket on which nothing is in flight.
    pub(crate) fn new(socket: Box<dyn AnySocket>, response_timeout: Duration) -> Self {
        let (questions, asked) = mpsc::channel(WAITING);
        let task = tokio::spawn(run(socket, asked)).abort_handle();
        Self {
            questions,
            task,
            response_timeout,
        }
    }

    /// Sends several commands. Errors of the server are among the replies.
    pub(crate) async fn ask(
        &self,
        commands: Vec<u8>,
        count: usize,
    ) -> Result<Vec<Value>, RedisError> {
        let (answers, answered) = oneshot::channel();
        let asking = async {
            self.questions
                .send(PipelinedCommands {
                    commands,
                    count,
                    answers,
                })
                .await
                .map_err(|_| disconnected())?;
            answered.await.map_err(|_| disconnected())
        };
        match timeout(self.response_timeout, asking).await {
            Ok(answers) => answers,
            Err(late) => Err(io::Error::new(io::ErrorKind::TimedOut, late).into()),
        }
    }

    /// Returns `true` if the connection has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.task.is_finished()
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn disconnected() -> RedisError {
    io::Error::from(io::ErrorKind::BrokenPipe).into()
}

/// Runs until the connection ends. Every waiting caller is notified then.
async fn run(socket: Box<dyn AnySocket>, asked: mpsc::Receiver<PipelinedCommands>) {
    let (from, to) = split(socket);
    let (sent, unanswered) = mpsc::channel(WAITING);
    let result = tokio::select! {
        result = write(to, asked, sent) => result,
        result = read(from, unanswered) => result,
    };
    if let Err(error) = result {
        tracing::debug!(%error, "lost a connection to Redis");
    }
}

/// A request whose replies are still to come.
struct Unanswered {
    values: Vec<Value>,
    /// Number of replies.
    count: usize,
    answers: oneshot::Sender<Vec<Value>>,
}

async fn write(
    mut to: WriteHalf<Box<dyn AnySocket>>,
    mut asked: mpsc::Receiver<PipelinedCommands>,
    sent: mpsc::Sender<Unanswered>,
) -> Result<(), RedisError> {
    while let Some(PipelinedCommands {
        commands,
        count,
        answers,
    }) = asked.recv().await
    {
        let unanswered = Unanswered {
            values: Vec::with_capacity(count),
            count,
            answers,
        };
        sent.send(unanswered).await.map_err(|_| disconnected())?;
        to.write_all(&commands).await?;
        to.flush().await?;
    }
    Ok(())
}

/// Reads replies. It reads also while nobody waits, so that the end of the connection is noticed
/// before the connection is needed.
async fn read(
    mut from: ReadHalf<Box<dyn AnySocket>>,
    mut unanswered: mpsc::Receiver<Unanswered>,
) -> Result<(), RedisError> {
    let mut buffer = BytesMut::new();
    let mut current = None;
    loop {
        while let Some(length) = resp::length(&buffer)? {
            let value = resp::value(&buffer[..length])?;
            buffer.advance(length);
            let next = current.take().or_else(|| unanswered.try_recv().ok());
            let mut question: Unanswered =
                next.ok_or_else(|| unexpected("a reply without a request"))?;
            question.values.push(value);
            if question.values.len() < question.count {
                current = Some(question);
            } else {
                // Nobody waits for replies that arrive too late.
                question.answers.send(question.values).ok();
            }
        }
        buffer.reserve(READ);
        if from.read_buf(&mut buffer).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    fn pipeline() -> (Pipeline, DuplexStream) {
        let (ours, theirs) = duplex(64);
        (Pipeline::new(Box::new(ours), TIMEOUT), theirs)
    }

    #[tokio::test]
    async fn replies_are_matched_to_requests() {
        let (pipeline, mut server) = pipeline();
        let talk = async {
            let mut asked = [0; 10];
            server.read_exact(&mut asked).await.unwrap();
            assert_eq!(&asked, b"onetwthree");
            server
                .write_all(b":1\r\n$1\r\na\r\n-ERR x\r\n*1\r\n:4\r")
                .await
                .unwrap();
            server.write_all(b"\n").await.unwrap();
        };
        let asks = async {
            tokio::join!(
                pipeline.ask(b"one".to_vec(), 1),
                pipeline.ask(b"tw".to_vec(), 2),
                pipeline.ask(b"three".to_vec(), 1)
            )
        };
        let ((one, two, three), ()) = tokio::join!(asks, talk);
        assert_eq!(one.unwrap(), [Value::Int(1)]);
        let two = two.unwrap();
        assert_eq!(two[0], Value::BulkString(b"a".to_vec()));
        assert!(matches!(two[1], Value::ServerError(_)));
        assert_eq!(three.unwrap(), [Value::Array(vec![Value::Int(4)])]);
        assert!(!pipeline.is_over());
    }

    #[tokio::test]
    async fn reply_to_dropped_request_is_discarded() {
        let (pipeline, mut server) = pipeline();
        assert!(
            timeout(Duration::ZERO, pipeline.ask(b"one".to_vec(), 1))
                .await
                .is_err()
        );
        let talk = async {
            let mut asked = [0; 6];
            server.read_exact(&mut asked).await.unwrap();
            server.write_all(b":1\r\n:2\r\n").await.unwrap();
        };
        let (two, ()) = tokio::join!(pipeline.ask(b"two".to_vec(), 1), talk);
        assert_eq!(two.unwrap(), [Value::Int(2)]);
    }

    /// Both directions are full, as with a server that reads no further until its replies are
    /// taken.
    #[tokio::test]
    async fn replies_are_read_while_writes_block() {
        let (pipeline, mut server) = pipeline();
        let talk = async {
            let mut byte = [0];
            for _ in 0..1000 {
                server.read_exact(&mut byte).await.unwrap();
                server.write_all(b":1\r\n").await.unwrap();
            }
        };
        let (answers, ()) = tokio::join!(pipeline.ask(vec![b'x'; 1000], 1000), talk);
        assert_eq!(answers.unwrap().len(), 1000);
    }

    #[tokio::test]
    async fn closed_connection_fails_requests() {
        let (pipeline, server) = pipeline();
        let ask = pipeline.ask(b"one".to_vec(), 1);
        let end = async { drop(server) };
        let (answer, ()) = tokio::join!(ask, end);
        assert!(answer.unwrap_err().is_connection_dropped());
        while !pipeline.is_over() {
            tokio::task::yield_now().await;
        }
        assert!(
            pipeline
                .ask(b"two".to_vec(), 1)
                .await
                .unwrap_err()
                .is_connection_dropped()
        );
    }

    #[tokio::test]
    async fn invalid_reply_closes_connection() {
        for text in [&b"HTTP/1.1 200 OK\r\n"[..], b":1\r\n:2\r\n", b"$x\r\n"] {
            let (pipeline, mut server) = pipeline();
            server.write_all(text).await.unwrap();
            while !pipeline.is_over() {
                tokio::task::yield_now().await;
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silent_server_times_out() {
        let (pipeline, _server) = pipeline();
        assert!(
            pipeline
                .ask(b"one".to_vec(), 1)
                .await
                .unwrap_err()
                .is_timeout()
        );
    }
}
