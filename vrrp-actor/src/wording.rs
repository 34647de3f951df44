//! Lines of the log, as people read them.

use std::net::IpAddr;

use core_vrrp::Discard;

/// An advert that was not listened to; `more` of its kind were not told of.
pub(crate) fn discarded(
    source: Option<IpAddr>,
    interface: &str,
    reason: Discard,
    more: u64,
) -> String {
    let speaker = source.map_or_else(
        || format!("an unknown sender on {interface}"),
        |source| speaker(source, interface),
    );
    let more = match more {
        0 => String::new(),
        more => format!("; {more} more since the last such line"),
    };
    format!("advert of {speaker} discarded: {reason}{more}")
}

/// An address that was heard; a link-local one with the interface, since each link has its own.
pub(crate) fn speaker(address: IpAddr, interface: &str) -> String {
    match address {
        IpAddr::V6(of_link) if of_link.is_unicast_link_local() => format!("{of_link}%{interface}"),
        other => other.to_string(),
    }
}

/// Addresses, between commas.
pub(crate) fn listed(addresses: impl Iterator<Item = IpAddr>) -> String {
    let texts: Vec<String> = addresses.map(|address| address.to_string()).collect();
    texts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log() {
        let address = |text: &str| Some(text.parse().expect("an address"));
        // source, reason, more, expected
        let cases = [
            (
                address("192.168.0.102"),
                Discard::AuthPassword,
                0,
                "advert of 192.168.0.102 discarded: wrong password",
            ),
            (
                address("fe80::1"),
                Discard::Ttl,
                12,
                "advert of fe80::1%em1 discarded: wrong TTL or hop limit; 12 more since the last \
                 such line",
            ),
            (
                address("fd00::102"),
                Discard::NotAPeer,
                0,
                "advert of fd00::102 discarded: not from a peer",
            ),
            (
                None,
                Discard::Length,
                0,
                "advert of an unknown sender on em1 discarded: wrong length",
            ),
        ];
        for (source, reason, more, expected) in cases {
            assert_eq!(discarded(source, "em1", reason, more), expected);
        }
        let both = [address("192.168.0.105"), address("fd00::105")];
        assert_eq!(
            listed(both.into_iter().flatten()),
            "192.168.0.105, fd00::105"
        );
    }
}
