//! Options of clients' sockets.

use std::time::Duration;

use socket2::SockRef;
use sse_hyper::SocketOptions;
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

/// The kernel's own list of sockets tells of the timer that probes a silent peer.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn serve_sets_them() {
    use sse_core::Manager;

    let app = crate::app::App::start(Manager::builder()).await;
    let client = app.open("/events").await;
    let local = client.local_address().unwrap();
    let ends = format!("0100007F:{:04X} 0100007F:{:04X} 01 ", app.address.port(), local.port());
    let probed = || {
        let sockets = std::fs::read_to_string("/proc/self/net/tcp").unwrap();
        let line = sockets.lines().find(|line| line.contains(&ends)).unwrap().to_owned();
        let timer = line.split_whitespace().nth(5).unwrap();
        let (kind, jiffies) = timer.split_once(':').unwrap();
        (kind == "02").then(|| u64::from_str_radix(jiffies, 16).unwrap())
    };
    // While something is unacknowledged its own timer is shown.
    app.until(|_| probed().is_some()).await;
    assert!((1..=3000).contains(&probed().unwrap()), "within 30 s, in hundredths: {:?}", probed());
}
