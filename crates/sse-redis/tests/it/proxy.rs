//! A way to a server that can be led elsewhere, cut, and made to swallow bytes.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Open,
    /// What the server answers vanishes.
    NoAnswers,
    /// Everything vanishes, and nobody is told.
    Nothing,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    target: Arc<AtomicU16>,
    way: watch::Sender<Way>,
    /// Counts how often all connections were cut.
    cuts: watch::Sender<u32>,
    accepts: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, way, cuts) =
            (Arc::new(AtomicU16::new(target)), watch::Sender::new(Way::Open), watch::Sender::new(0));
        let accepts = tokio::spawn(accept(listener, Arc::clone(&target), way.subscribe(), cuts.subscribe()));
        Self { port, target, way, cuts, accepts }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Ends all connections.
    pub(crate) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Ends all connections; further ones lead elsewhere.
    pub(crate) fn lead_to(&self, target: u16) {
        self.target.store(target, Ordering::SeqCst);
        self.cut();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: Arc<AtomicU16>,
    way: watch::Receiver<Way>,
    cuts: watch::Receiver<u32>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], target.load(Ordering::SeqCst)));
        let (way, mut cuts) = (way.clone(), cuts.clone());
        cuts.mark_unchanged();
        connections.spawn(async move {
            tokio::select! {
                () = connect(client, address, way) => {}
                _ = cuts.changed() => {}
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn connect(client: TcpStream, address: SocketAddr, way: watch::Receiver<Way>) {
    let Ok(server) = TcpStream::connect(address).await else { return };
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    tokio::select! {
        () = pass(from_client, to_server, way.clone(), &[Way::Nothing]) => {}
        () = pass(from_server, to_client, way, &[Way::Nothing, Way::NoAnswers]) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, way: watch::Receiver<Way>, closed: &[Way]) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let swallows = closed.contains(&way.borrow());
        if !swallows && to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    // Nobody is told of an end either.
    if closed.contains(&way.borrow()) {
        std::future::pending::<()>().await;
    }
}
