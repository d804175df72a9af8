//! A network that fails when it should.

use std::io;
use std::net::SocketAddr;

/// A TCP proxy on a port of its own, before one server or several, that fails when it is told to.
///
/// With several it is a balancer: connections go round robin, and one that refuses is passed over. Bytes go through unchanged, ends and resets too. At most
/// 16 KiB wait in it for each way of a connection. Dropping it ends everything, soon after.
#[derive(Debug)]
pub struct Proxy {}

impl Proxy {
    /// Leads to one server.
    ///
    /// # Errors
    ///
    /// What binding to 127.0.0.1 gives.
    pub async fn to(upstream: SocketAddr) -> io::Result<Self> {
        Self::balance([upstream]).await
    }

    /// Leads to several servers.
    ///
    /// # Errors
    ///
    /// What binding to 127.0.0.1 gives.
    pub async fn balance(upstreams: impl IntoIterator<Item = SocketAddr>) -> io::Result<Self> {
        let _ = upstreams.into_iter();
        todo!()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        todo!()
    }

    /// Leads further connections to these servers; those that there are stay with theirs. A server that stays keeps its state: frozen or not.
    pub fn set_upstreams(&self, upstreams: impl IntoIterator<Item = SocketAddr>) {
        let _ = upstreams.into_iter();
        todo!()
    }

    /// Resets all connections (RST, both ends).
    pub fn cut(&self) {
        todo!()
    }

    /// Resets the connections to the server with this place in the list. Nothing happens if there is none.
    pub fn cut_upstream(&self, index: usize) {
        let _ = index;
        todo!()
    }

    /// Lets nothing through, either way, not even ends, of which nobody is told; new connections are accepted and silent.
    ///
    /// As in a network that is mended, nothing is lost of connections that both ends still hold at [`thaw`](Self::thaw).
    pub fn freeze(&self) {
        todo!()
    }

    /// Like [`freeze`](Self::freeze), only for what servers send.
    pub fn freeze_answers(&self) {
        todo!()
    }

    /// Ends [`freeze`](Self::freeze) and [`freeze_answers`](Self::freeze_answers).
    pub fn thaw(&self) {
        todo!()
    }

    /// Like [`freeze`](Self::freeze), only for connections to the server with this place in the list. Nothing happens if there is none.
    pub fn freeze_upstream(&self, index: usize) {
        let _ = index;
        todo!()
    }

    /// Ends [`freeze_upstream`](Self::freeze_upstream).
    pub fn thaw_upstream(&self, index: usize) {
        let _ = index;
        todo!()
    }

    /// Leaves all connections as they are, silent for ever: bytes and ends vanish, and nobody is told. New ones work.
    pub fn strand(&self) {
        todo!()
    }

    /// Refuses new connections, as a port does on which nobody listens.
    pub fn refuse(&self) {
        todo!()
    }

    /// Ends [`refuse`](Self::refuse).
    ///
    /// # Errors
    ///
    /// What listening on its port again gives.
    pub fn accept(&self) -> io::Result<()> {
        todo!()
    }

    /// How many connections there are, stranded and silent ones too.
    #[must_use]
    pub fn open(&self) -> usize {
        todo!()
    }

    /// How many there are to the server with this place in the list.
    #[must_use]
    pub fn open_to(&self, index: usize) -> usize {
        let _ = index;
        todo!()
    }

    /// How many were accepted so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        todo!()
    }

    /// How many of them were reset since no server took them.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        todo!()
    }
}
