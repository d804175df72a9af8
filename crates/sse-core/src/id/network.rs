//! The unit to which limits per address apply.

use std::net::IpAddr;

/// Returns the network to which limits per address apply: an IPv4 address itself, also if it is
/// mapped to IPv6, or the /64 of an IPv6 address, which belongs to one client as a whole.
///
/// ```
/// let network = |address: &str| sse_core::id::network(address.parse().unwrap()).to_string();
/// assert_eq!(network("2001:db8::1:2:3:4"), "2001:db8::");
/// assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
/// ```
#[must_use]
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        address => address,
    }
}
