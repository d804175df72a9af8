//! The proxy, between sockets that report their fate.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use sse_testkit::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Long enough for bytes to arrive, if there are any.
const A_WHILE: Duration = Duration::from_millis(200);

/// A server, and connections to it through a proxy.
struct Network {
    server: TcpListener,
    proxy: Proxy,
}

/// Both ends of a connection.
struct Pair {
    client: TcpStream,
    server: TcpStream,
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Returns an address without a listener. The address stays free while the returned socket lives.
fn unused_address() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

impl Network {
    async fn new() -> Self {
        let (server, address) = listener().await;
        Self {
            server,
            proxy: Proxy::to(address).await.unwrap(),
        }
    }

    async fn pair(&self) -> Pair {
        let client = TcpStream::connect(self.proxy.address()).await.unwrap();
        let (server, _) = timeout(TIMEOUT, self.server.accept())
            .await
            .unwrap()
            .unwrap();
        let mut pair = Pair { client, server };
        pair.talk().await;
        pair
    }
}

impl Pair {
    /// Sends bytes in both directions.
    async fn talk(&mut self) {
        self.client.write_all(b"ask").await.unwrap();
        assert_eq!(read(&mut self.server, 3).await, b"ask");
        self.server.write_all(b"answer").await.unwrap();
        assert_eq!(read(&mut self.client, 6).await, b"answer");
    }
}

async fn read(socket: &mut TcpStream, bytes: usize) -> Vec<u8> {
    let mut buffer = vec![0; bytes];
    timeout(TIMEOUT, socket.read_exact(&mut buffer))
        .await
        .unwrap()
        .unwrap();
    buffer
}

/// Expects silence, without even an end.
async fn receives_nothing(socket: &mut TcpStream) {
    let result = timeout(A_WHILE, socket.read(&mut [0])).await;
    assert!(result.is_err(), "{result:?}");
}

async fn is_ended(socket: &mut TcpStream) {
    assert_eq!(
        timeout(TIMEOUT, socket.read(&mut [0]))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

async fn is_reset(socket: &mut TcpStream) {
    let read = timeout(TIMEOUT, socket.read(&mut [0])).await.unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let waits = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(TIMEOUT, waits)
        .await
        .unwrap_or_else(|_| panic!("timed out while waiting for {what}"));
}

#[tokio::test]
async fn bytes_and_ends_go_through() {
    let network = Network::new().await;
    let Pair {
        mut client,
        mut server,
    } = network.pair().await;
    assert_eq!(
        (
            network.proxy.open(),
            network.proxy.open_to(0),
            network.proxy.accepted()
        ),
        (1, 1, 1)
    );
    client.shutdown().await.unwrap();
    is_ended(&mut server).await;
    server.write_all(b"later").await.unwrap();
    assert_eq!(read(&mut client, 5).await, b"later");
    drop(server);
    is_ended(&mut client).await;
    until("the end", || network.proxy.open() == 0).await;
    assert_eq!(
        (
            network.proxy.open_to(0),
            network.proxy.accepted(),
            network.proxy.turned_away()
        ),
        (0, 1, 0)
    );
}

#[tokio::test]
async fn resets_go_through() {
    let network = Network::new().await;
    let Pair { mut client, server } = network.pair().await;
    server.set_zero_linger().unwrap();
    drop(server);
    is_reset(&mut client).await;
    let Pair { client, mut server } = network.pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    is_reset(&mut server).await;
    until("the end", || network.proxy.open() == 0).await;
}

#[tokio::test]
async fn proxy_passes_data_at_the_readers_pace() {
    const MANY: usize = 32 << 20;
    let network = Network::new().await;
    let Pair { mut client, server } = network.pair().await;
    let sent: Vec<u8> = (0..MANY)
        .map(|index| (index * 7 % 251).to_le_bytes()[0])
        .collect();
    let mut taken = 0;
    // The buffers of the four sockets and the proxy are bounded, so a client that does not read
    // stops its server.
    loop {
        match timeout(A_WHILE, server.writable()).await {
            Err(_) => break,
            Ok(writable) => writable.unwrap(),
        }
        match server.try_write(&sent[taken..]) {
            Ok(count) => taken += count,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(taken < MANY, "the proxy takes everything");
    }
    assert_eq!(read(&mut client, taken).await, sent[..taken]);
    let Pair { mut client, server } = Pair { client, server };
    drop(server);
    is_ended(&mut client).await;
}

#[tokio::test]
async fn cut_resets_open_connections() {
    let network = Network::new().await;
    let (mut one, mut other) = (network.pair().await, network.pair().await);
    network.proxy.cut();
    for pair in [&mut one, &mut other] {
        is_reset(&mut pair.client).await;
        is_reset(&mut pair.server).await;
    }
    network.pair().await;
    until("the end", || network.proxy.open() == 0).await;
}

#[tokio::test]
async fn frozen_data_passes_after_the_thaw() {
    let network = Network::new().await;
    let (mut pair, mut other) = (network.pair().await, network.pair().await);
    network.proxy.freeze();
    pair.client.write_all(b"to the server").await.unwrap();
    pair.server.write_all(b"to the client").await.unwrap();
    other.client.write_all(b"the last").await.unwrap();
    drop(other.client);
    let mut new = TcpStream::connect(network.proxy.address()).await.unwrap();
    new.write_all(b"new").await.unwrap();
    receives_nothing(&mut pair.client).await;
    receives_nothing(&mut pair.server).await;
    receives_nothing(&mut other.server).await;
    receives_nothing(&mut new).await;
    assert!(timeout(A_WHILE, network.server.accept()).await.is_err());
    until("the new connection", || network.proxy.open() == 3).await;
    network.proxy.thaw();
    assert_eq!(read(&mut pair.server, 13).await, b"to the server");
    assert_eq!(read(&mut pair.client, 13).await, b"to the client");
    assert_eq!(read(&mut other.server, 8).await, b"the last");
    is_ended(&mut other.server).await;
    let (mut server, _) = timeout(TIMEOUT, network.server.accept())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(read(&mut server, 3).await, b"new");
    pair.talk().await;
}

#[tokio::test]
async fn responses_can_freeze_alone() {
    let network = Network::new().await;
    let Pair {
        mut client,
        mut server,
    } = network.pair().await;
    network.proxy.freeze_answers();
    client.write_all(b"ask").await.unwrap();
    assert_eq!(read(&mut server, 3).await, b"ask");
    server.write_all(b"answer").await.unwrap();
    receives_nothing(&mut client).await;
    network.proxy.thaw();
    assert_eq!(read(&mut client, 6).await, b"answer");
}

#[tokio::test]
async fn frozen_connections_can_be_cut() {
    let network = Network::new().await;
    let mut pair = network.pair().await;
    network.proxy.freeze();
    let mut new = TcpStream::connect(network.proxy.address()).await.unwrap();
    until("the connection", || network.proxy.accepted() == 2).await;
    network.proxy.cut();
    is_reset(&mut pair.client).await;
    is_reset(&mut pair.server).await;
    is_reset(&mut new).await;
}

#[tokio::test]
async fn black_holed_client_receives_nothing() {
    let network = Network::new().await;
    let (
        Pair {
            mut client,
            mut server,
        },
        other,
    ) = (network.pair().await, network.pair().await);
    network.proxy.black_hole();
    client.write_all(b"ask").await.unwrap();
    server.write_all(b"answer").await.unwrap();
    drop(other.client);
    let mut other = other.server;
    receives_nothing(&mut client).await;
    receives_nothing(&mut server).await;
    receives_nothing(&mut other).await;
    // Neither the write nor its loss is noticed.
    for _ in 0..100 {
        server.write_all(&[0; 1 << 16]).await.unwrap();
    }
    network.pair().await;
    until("the end of the new one", || network.proxy.open() == 2).await;
    drop(other);
    until("the end of one", || network.proxy.open() == 1).await;
    network.proxy.cut();
    is_reset(&mut client).await;
    until("the end", || network.proxy.open() == 0).await;
}

#[tokio::test]
async fn refused_client_is_refused_by_the_port() {
    let network = Network::new().await;
    let mut pair = network.pair().await;
    for _ in 0..20 {
        network.proxy.refuse();
        network.proxy.refuse();
        let refused = TcpStream::connect(network.proxy.address()).await;
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::ConnectionRefused);
        pair.talk().await;
        network.proxy.accept().unwrap();
        network.proxy.accept().unwrap();
        network.pair().await;
    }
}

/// Returns the client's end of a connection, and the server that took it.
async fn taken_by(proxy: &Proxy, servers: &[(TcpListener, SocketAddr)]) -> (usize, Pair) {
    let client = TcpStream::connect(proxy.address()).await.unwrap();
    let accepts = servers
        .iter()
        .map(|(listener, _)| Box::pin(listener.accept()));
    let (accepted, index, _) = timeout(TIMEOUT, futures_util::future::select_all(accepts))
        .await
        .unwrap();
    (
        index,
        Pair {
            client,
            server: accepted.unwrap().0,
        },
    )
}

#[tokio::test]
async fn balancer_uses_round_robin() {
    let servers = [listener().await, listener().await, listener().await];
    let proxy = Proxy::balance(servers.iter().map(|(_, address)| *address))
        .await
        .unwrap();
    let mut pairs = Vec::new();
    for turn in 0..6 {
        let (index, pair) = taken_by(&proxy, &servers).await;
        assert_eq!(index, turn % 3);
        pairs.push(pair);
    }
    until("the last connection", || proxy.open_to(2) == 2).await;
    assert_eq!(
        (
            proxy.open(),
            proxy.open_to(0),
            proxy.open_to(1),
            proxy.open_to(3)
        ),
        (6, 2, 2, 0)
    );
    proxy.cut_upstream(1);
    proxy.cut_upstream(3);
    is_reset(&mut pairs[1].client).await;
    is_reset(&mut pairs[4].server).await;
    until("the end of two", || {
        proxy.open() == 4 && proxy.open_to(1) == 0
    })
    .await;
    proxy.freeze_upstream(2);
    pairs[2].server.write_all(b"x").await.unwrap();
    pairs[5].client.write_all(b"x").await.unwrap();
    receives_nothing(&mut pairs[2].client).await;
    receives_nothing(&mut pairs[5].server).await;
    pairs[3].talk().await;
    proxy.thaw_upstream(2);
    assert_eq!(read(&mut pairs[2].client, 1).await, b"x");
    assert_eq!(read(&mut pairs[5].server, 1).await, b"x");
}

#[tokio::test]
async fn balancer_skips_refusing_servers() {
    let servers = [listener().await, listener().await];
    let (_socket, unused) = unused_address();
    let proxy = Proxy::balance([servers[0].1, unused, servers[1].1])
        .await
        .unwrap();
    let mut turns = Vec::new();
    for _ in 0..6 {
        let (index, mut pair) = taken_by(&proxy, &servers).await;
        pair.talk().await;
        turns.push(index);
    }
    assert_eq!(turns, [0, 1, 1, 0, 1, 1]);
    proxy.set_upstreams([unused]);
    is_reset(&mut TcpStream::connect(proxy.address()).await.unwrap()).await;
    proxy.set_upstreams([]);
    is_reset(&mut TcpStream::connect(proxy.address()).await.unwrap()).await;
    assert_eq!((proxy.accepted(), proxy.turned_away()), (8, 2));
}

#[tokio::test]
async fn connections_stay_with_their_server() {
    let servers = [listener().await, listener().await];
    let proxy = Proxy::to(servers[0].1).await.unwrap();
    let (_, mut first) = taken_by(&proxy, &servers).await;
    proxy.freeze_upstream(0);
    proxy.set_upstreams([servers[1].1, servers[0].1]);
    let (index, mut second) = taken_by(&proxy, &servers).await;
    assert_eq!(index, 1);
    second.talk().await;
    first.server.write_all(b"x").await.unwrap();
    receives_nothing(&mut first.client).await;
    proxy.thaw_upstream(1);
    assert_eq!(read(&mut first.client, 1).await, b"x");
    assert_eq!((proxy.open_to(0), proxy.open_to(1)), (1, 1));
}

#[tokio::test]
async fn dropping_the_proxy_ends_everything() {
    let network = Network::new().await;
    let mut pair = network.pair().await;
    let address = network.proxy.address();
    drop(network.proxy);
    is_disconnected(&mut pair.client).await;
    is_disconnected(&mut pair.server).await;
    assert_eq!(
        TcpStream::connect(address).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
}

/// Expects an end or a reset.
async fn is_disconnected(socket: &mut TcpStream) {
    let read = timeout(TIMEOUT, socket.read(&mut [0])).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
}
