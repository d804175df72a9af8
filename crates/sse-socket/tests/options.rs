//! Options of clients' sockets, as the system reports them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use socket2::SockRef;
use sse_socket::SocketOptions;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::timeout,
};

async fn accepted() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (listener.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn socket_has_configured_options() {
    let (socket, _client) = accepted().await;
    let options = SocketOptions::default()
        .user_timeout(Duration::from_millis(12_345))
        .keepalive(Duration::from_secs(50));
    options.set(&socket).unwrap();
    let socket = SockRef::from(&socket);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(50)
    );
    assert_eq!(
        socket.tcp_keepalive_interval().unwrap(),
        Duration::from_secs(10)
    );
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
    #[cfg(target_os = "linux")]
    assert_eq!(
        socket.tcp_user_timeout().unwrap(),
        Some(Duration::from_millis(12_345))
    );
}

#[tokio::test]
async fn long_times_are_clamped_to_system_maximum() {
    for time in [
        Duration::MAX,
        Duration::from_secs(24 * 60 * 60),
        Duration::from_secs(1 << 31),
    ] {
        let (socket, _client) = accepted().await;
        SocketOptions::default()
            .user_timeout(time)
            .keepalive(time)
            .set(&socket)
            .unwrap();
        let socket = SockRef::from(&socket);
        assert!(socket.tcp_keepalive_time().unwrap() >= Duration::from_secs(9 * 60 * 60));
        #[cfg(target_os = "linux")]
        assert!(socket.tcp_user_timeout().unwrap().unwrap() >= Duration::from_secs(24 * 60 * 60));
    }
}

#[tokio::test]
async fn short_times_are_clamped_to_system_minimum() {
    for time in [Duration::ZERO, Duration::from_nanos(1)] {
        let (socket, _client) = accepted().await;
        SocketOptions::default()
            .user_timeout(time)
            .keepalive(time)
            .set(&socket)
            .unwrap();
        let socket = SockRef::from(&socket);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
        assert_eq!(
            socket.tcp_keepalive_interval().unwrap(),
            Duration::from_secs(1)
        );
        // Zero would select the system's default, which is many minutes.
        #[cfg(target_os = "linux")]
        assert_eq!(
            socket.tcp_user_timeout().unwrap(),
            Some(Duration::from_millis(1))
        );
    }
}

/// Size of a client's receive buffer. The small size ensures that the server's system takes almost
/// all bytes.
const RECEIVED: u32 = 8 << 10;

/// Writes to a client that reads nothing, until the system takes no more for a while. Returns the
/// number of bytes taken.
async fn taken_from(listener: &TcpListener, options: SocketOptions) -> usize {
    let client = TcpSocket::new_v4().unwrap();
    client.set_recv_buffer_size(RECEIVED).unwrap();
    let _client = client
        .connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    let (socket, _) = listener.accept().await.unwrap();
    options.ensure(&socket).unwrap();
    let mut taken = 0;
    while timeout(Duration::from_millis(500), socket.writable())
        .await
        .is_ok()
    {
        taken += socket.try_write(&[b'x'; 1000]).unwrap_or(0);
    }
    taken
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn idle_client_fills_one_buffer() {
    for bytes in [16 << 10, 64 << 10, 256 << 10] {
        let options = SocketOptions::default().send_buffer(bytes);
        let with_options = TcpListener::bind("127.0.0.1:0").await.unwrap();
        options.set(&with_options).unwrap();
        let without = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for listener in [with_options, without] {
            let taken = taken_from(&listener, options).await;
            assert!(
                (1..=2 * bytes + 2 * RECEIVED as usize).contains(&taken),
                "{bytes}: {taken}"
            );
        }
    }
}

#[tokio::test]
async fn send_buffer_is_inherited_or_kept_if_smaller() {
    let size = |socket: &TcpStream| SockRef::from(socket).send_buffer_size().unwrap();
    let options = SocketOptions::default();
    for (chosen, expected) in [(None, 256 << 10), (Some(4 << 10), 4 << 10)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        if let Some(chosen) = chosen {
            SockRef::from(&listener)
                .set_send_buffer_size(chosen)
                .unwrap();
        }
        options.set(&listener).unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (socket, _) = listener.accept().await.unwrap();
        options.ensure(&socket).unwrap();
        // Linux includes its bookkeeping.
        assert!(
            (expected..=2 * expected).contains(&size(&socket)),
            "{chosen:?}: {}",
            size(&socket)
        );
    }
}
