//! The list of virtual addresses in an advert.

use std::net::IpAddr;

/// Virtual addresses in the order of an advert: those of a router's own configuration, or those of
/// a received packet, where they stay. Two lists are equal when they name the same addresses in the
/// same order.
#[derive(Debug, Clone, Copy)]
pub struct AddressList<'a>(Place<'a>);

/// Where the addresses lie.
#[derive(Debug, Clone, Copy)]
enum Place<'a> {
    Configured(&'a [IpAddr]),
    V4(&'a [[u8; 4]]),
    V6(&'a [[u8; 16]]),
}

impl<'a> AddressList<'a> {
    /// The addresses of an IPv4 packet. What is left over at the end is ignored.
    pub(crate) fn of_ipv4(octets: &'a [u8]) -> Self {
        Self(Place::V4(octets.as_chunks().0))
    }

    /// The addresses of an IPv6 packet. What is left over at the end is ignored.
    pub(crate) fn of_ipv6(octets: &'a [u8]) -> Self {
        Self(Place::V6(octets.as_chunks().0))
    }

    /// The addresses, one after the other.
    pub fn iter(self) -> impl Iterator<Item = IpAddr> + 'a {
        const NONE: (&[IpAddr], &[[u8; 4]], &[[u8; 16]]) = (&[], &[], &[]);
        let (configured, v4, v6) = match self.0 {
            Place::Configured(list) => (list, NONE.1, NONE.2),
            Place::V4(list) => (NONE.0, list, NONE.2),
            Place::V6(list) => (NONE.0, NONE.1, list),
        };
        let v4 = v4.iter().map(|octets| IpAddr::from(*octets));
        let v6 = v6.iter().map(|octets| IpAddr::from(*octets));
        configured.iter().copied().chain(v4).chain(v6)
    }

    /// How many there are.
    pub fn len(self) -> usize {
        match self.0 {
            Place::Configured(list) => list.len(),
            Place::V4(list) => list.len(),
            Place::V6(list) => list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether this address is one of them.
    pub fn contains(self, address: IpAddr) -> bool {
        self.iter().any(|it| it == address)
    }

    /// Whether both name the same addresses, in whatever order.
    pub(crate) fn names_the_same(self, other: Self) -> bool {
        self == other
            || (self.len() == other.len() && other.iter().all(|address| self.contains(address)))
    }
}

impl<'a> From<&'a [IpAddr]> for AddressList<'a> {
    fn from(configured: &'a [IpAddr]) -> Self {
        Self(Place::Configured(configured))
    }
}

impl PartialEq for AddressList<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for AddressList<'_> {}
