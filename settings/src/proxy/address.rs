//! Addresses to listen on, and networks of clients.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::item::Item;
use crate::report::Spanned;
use crate::units;
use crate::words::near;

/// "ip:port", IPv6 in brackets.
pub(crate) fn socket_address(item: &Item<'_>) -> Option<Spanned<SocketAddr>> {
    let text = item.string()?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.port() == 0 => item.error("port 0 is no port", ""),
        Ok(address) if address.ip().is_multicast() => {
            item.error(format!("{} is a multicast address", address.ip()), "")
        }
        Ok(address) => Some(item.spanned(address)),
        Err(_) => {
            let advice = match text.parse::<std::net::IpAddr>() {
                Ok(std::net::IpAddr::V6(ip)) => format!("add the port: \"[{ip}]:80\""),
                Ok(ip) => format!("add the port: \"{ip}:80\""),
                Err(_) => "write it as \"192.168.0.105:80\"; names are not looked up".to_owned(),
            };
            item.error(format!("{text:?} is no address with a port"), advice)
        }
    }
}

/// A network, or one address.
pub(super) fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = item.string()?;
    let Some((network, has_host_bits)) = units::parse_network(&text) else {
        let advice = near(&text, &["0.0.0.0/0"]).filter(|_| text == "all");
        return item.error(
            format!("{text:?} is no address and no network"),
            advice.unwrap_or_else(|| "write it as \"192.168.0.0/24\" or \"127.0.0.1\"".to_owned()),
        );
    };
    if has_host_bits {
        item.warning(
            format!("{text:?} is read as {network}"),
            "bits behind the prefix are set",
        );
    }
    Some(network)
}
