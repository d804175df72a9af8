//! Ports that stay reserved for a process while it is down.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::error::Error;

/// Ports below those that Linux assigns to outgoing connections, so that no connection takes one by
/// chance.
const PORTS: Range<u32> = 12_000..32_000;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// Returns an address on this machine at which nothing listens.
pub(crate) fn free() -> Result<SocketAddr, Error> {
    let count = PORTS.end - PORTS.start;
    for _ in 0..count {
        // Two concurrent runs begin at different ports.
        let step = process::id()
            .wrapping_mul(89)
            .wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(PORTS.start + step % count).unwrap_or(u16::MAX);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return Ok(address);
        }
    }
    Err(Error::new("no free port was found"))
}
