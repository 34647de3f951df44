//! Durations, sizes and the other small texts that values are written as. Pure: text in, value or
//! nothing out; the readers say what was expected.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

const UNITS_OF_TIME: &[(&str, u64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const UNITS_OF_SIZE: &[(&str, u64)] = &[
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A whole number and a unit: "100ms", "2s", "10m", "1h", "7d".
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    parse_with_unit(text, UNITS_OF_TIME).map(Duration::from_millis)
}

/// A whole number and a unit: "512B", "64KiB", "10MiB", "1GiB"; "0" needs none.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    if text == "0" {
        Some(0)
    } else {
        parse_with_unit(text, UNITS_OF_SIZE)
    }
}

fn parse_with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(end);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// In the largest unit that leaves no rest.
pub(crate) fn show_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    show_with_unit(millis, UNITS_OF_TIME)
}

/// In the largest unit that leaves no rest.
pub(crate) fn show_size(size: u64) -> String {
    show_with_unit(size, UNITS_OF_SIZE)
}

fn show_with_unit(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(*factor);
    let (name, factor) = units.iter().rev().find(fits).copied().unwrap_or(units[0]);
    format!("{}{name}", number / factor)
}

/// A network, or one address as a network. The flag says that bits were set behind the prefix.
pub(crate) fn parse_network(text: &str) -> Option<(IpNet, bool)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((IpNet::from(address), false));
    }
    let net = text.parse::<IpNet>().ok()?;
    Some((net.trunc(), net.trunc() != net))
}

/// Whether a name or address of a host can be looked up at all: RFC 1123 §2.1, with "_" allowed.
pub(crate) fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(label)
}

/// "host:port", with the host a name or an address (IPv6 in brackets).
pub(crate) fn parse_host_port(text: &str) -> Option<(String, u16)> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return (address.port() != 0).then(|| (address.ip().to_string(), address.port()));
    }
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse::<u16>().ok().filter(|port| *port != 0)?;
    is_host(host).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let cases = [
            ("100ms", Some(100)),
            ("2s", Some(2_000)),
            ("10m", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("7d", Some(604_800_000)),
            ("0s", Some(0)),
            ("1", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("1.5s", None),
            ("1 s", None),
            ("1S", None),
            ("1sec", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ];
        for (text, millis) in cases {
            assert_eq!(
                parse_duration(text),
                millis.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn sizes() {
        let cases = [
            ("0", Some(0)),
            ("512B", Some(512)),
            ("64KiB", Some(65_536)),
            ("10MiB", Some(10_485_760)),
            ("1GiB", Some(1 << 30)),
            ("10", None),
            ("10k", None),
            ("10MB", None),
            ("17179869184GiB", None),
        ];
        for (text, octets) in cases {
            assert_eq!(parse_size(text), octets, "{text}");
        }
    }

    #[test]
    fn units_are_shown_without_rest() {
        let cases = [
            (1, "1ms"),
            (1_500, "1500ms"),
            (90_000, "90s"),
            (7_200_000, "2h"),
        ];
        for (millis, shown) in cases {
            assert_eq!(show_duration(Duration::from_millis(millis)), shown);
        }
        assert_eq!(show_size(10 << 20), "10MiB");
        assert_eq!(show_size(0), "0B");
    }

    #[test]
    fn hosts_and_ports() {
        let cases = [
            ("127.0.0.1:25", Some(("127.0.0.1", 25))),
            ("[::1]:25", Some(("::1", 25))),
            ("mail.example.org:587", Some(("mail.example.org", 587))),
            ("mail", None),
            ("mail:0", None),
            ("mail:65536", None),
            (":25", None),
            ("::1:25", None),
            ("ma il:25", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(parse_host_port(text), expected, "{text}");
        }
    }
}
