//! A network between node and server that can be cut.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinSet,
};

/// Passes bytes on, or swallows them, which no end notices by itself.
pub(crate) struct Proxy {
    address: SocketAddr,
    swallows: Arc<watch::Sender<bool>>,
    open: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

impl Proxy {
    pub(crate) async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = Arc::new(watch::Sender::new(false));
        let mut task = JoinSet::new();
        let open = Arc::new(AtomicUsize::new(0));
        task.spawn(serve(listener, port, Arc::clone(&swallows), Arc::clone(&open)));
        Self { address, swallows, open, _task: task }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// How many connections there are.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// From now on, bytes go nowhere; connections that were cut so stay as they are.
    pub(crate) fn swallow(&self) {
        self.swallows.send_replace(true);
    }

    /// New connections work again.
    pub(crate) fn heal(&self) {
        self.swallows.send_replace(false);
    }
}

async fn serve(listener: TcpListener, port: u16, swallows: Arc<watch::Sender<bool>>, open: Arc<AtomicUsize>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (swallows, open) = (swallows.subscribe(), Arc::clone(&open));
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            open.fetch_add(1, Ordering::Relaxed);
            tokio::join!(
                pass(from_client, to_server, swallows.clone()),
                pass(from_server, to_client, swallows)
            );
            open.fetch_sub(1, Ordering::Relaxed);
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut swallows: watch::Receiver<bool>) {
    let mut buffer = vec![0; 64 << 10];
    let mut is_cut = *swallows.borrow_and_update();
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        is_cut |= *swallows.borrow_and_update();
        if !is_cut && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    if is_cut {
        // Nor does the other end hear that this one has gone.
        std::future::pending::<()>().await;
    }
}
