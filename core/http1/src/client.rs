//! Who a request is from: one answer, for the log, the routes, the limits, the servers alike.
//!
//! Every proxy on the way adds the address of whoever it had the request from, at the right end of a
//! list. So the list is read from the right, and believed for as long as the one who speaks is
//! trusted: what stands further left may be anybody's invention.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use crate::RequestHead;
use crate::field::members;
use crate::octet::is_token;

/// The longest `X-Request-ID` that is taken over, in octets.
const REQUEST_ID_MAX: usize = 128;

impl<'b> RequestHead<'_, 'b> {
    /// The address of the client, if `peer` is who is connected: the nearest in `X-Forwarded-For` that
    /// is not trusted. An entry that is no address ends the list, and so does its left end.
    ///
    /// `Forwarded` (RFC 7239) has no say: proxies add to one of the two and leave the other as the
    /// client sent it, so to believe both is to believe the client.
    pub fn client(&self, peer: IpAddr, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
        let mut client = peer;
        if !is_trusted(client) {
            return client;
        }
        let hops = self.values("x-forwarded-for").rev();
        for hop in hops.flat_map(|value| members(value).rev()) {
            match address(hop) {
                Some(further) if is_trusted(client) => client = further,
                _ => break,
            }
        }
        client
    }

    /// What a trusted peer calls this request; `None` where it is not fit to be passed on.
    pub fn request_id(&self) -> Option<&'b [u8]> {
        let id = self.field("x-request-id")?;
        let fits = (1..=REQUEST_ID_MAX).contains(&id.len());
        (fits && id.iter().all(|&octet| is_token(octet))).then_some(id)
    }

    /// The values of all fields of this name, in lower case or not, in their order.
    pub(crate) fn values(&self, name: &str) -> impl DoubleEndedIterator<Item = &'b [u8]> {
        let fields = self.fields.iter();
        fields
            .filter(move |field| field.is(name))
            .map(|field| field.value)
    }
}

/// An address with or without a port, one of IPv6 with or without brackets.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(text).ok()?;
    let alone = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || {
        let inner = text.strip_prefix('[')?.strip_suffix(']')?;
        inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let address = alone.or_else(with_port).or_else(in_brackets)?;
    Some(address.to_canonical())
}
