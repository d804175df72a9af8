//! Options of clients' sockets, as the system has them.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::time::Duration;

use socket2::SockRef;
use sse_socket::SocketOptions;
use tokio::net::{TcpListener, TcpStream};

async fn accepted() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (listener.accept().await.unwrap().0, client)
}

#[tokio::test]
async fn a_socket_has_the_options_that_were_set() {
    let (socket, _client) = accepted().await;
    let options = SocketOptions::default()
        .user_timeout(Duration::from_millis(12_345))
        .keepalive(Duration::from_secs(50));
    options.set(&socket).unwrap();
    let socket = SockRef::from(&socket);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(50));
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 5);
    #[cfg(target_os = "linux")]
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(12_345)));
}

#[tokio::test]
async fn times_that_the_system_cannot_hold_are_as_long_as_it_can() {
    for time in [Duration::MAX, Duration::from_secs(24 * 60 * 60), Duration::from_secs(1 << 31)] {
        let (socket, _client) = accepted().await;
        SocketOptions::default().user_timeout(time).keepalive(time).set(&socket).unwrap();
        let socket = SockRef::from(&socket);
        assert!(socket.tcp_keepalive_time().unwrap() >= Duration::from_secs(9 * 60 * 60));
        #[cfg(target_os = "linux")]
        assert!(socket.tcp_user_timeout().unwrap().unwrap() >= Duration::from_secs(24 * 60 * 60));
    }
}

#[tokio::test]
async fn times_that_are_too_short_are_as_short_as_they_can_be() {
    for time in [Duration::ZERO, Duration::from_nanos(1)] {
        let (socket, _client) = accepted().await;
        SocketOptions::default().user_timeout(time).keepalive(time).set(&socket).unwrap();
        let socket = SockRef::from(&socket);
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(1));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(1));
        // Zero would be the system's default, which is many minutes.
        #[cfg(target_os = "linux")]
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_millis(1)));
    }
}
