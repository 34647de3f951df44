//! The addresses of a virtual router, and the interfaces that carry them.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Scope, VirtualAddress};
use crate::cluster::is_unicast;
use crate::item::Item;
use crate::report::Spanned;

/// The room that Linux has for the name of an interface or a label, without the NUL.
const INTERFACE_OCTETS_MAX: usize = 15;
/// What the count of addresses in an advert can say, RFC 9568 §5.2.5.
const ADDRESSES_MAX: usize = 255;

/// The name of an interface, as dev_valid_name() of Linux has it.
pub(crate) fn interface(item: &Item<'_>) -> Option<Spanned<String>> {
    let name = item.line()?;
    let plain = !name.contains(|c: char| c == '/' || c == ':' || c.is_whitespace());
    if name.len() > INTERFACE_OCTETS_MAX || !plain || name == "." || name == ".." {
        return item.error(
            format!("{name:?} cannot be the name of an interface"),
            "see `ip link`; names have at most 15 octets",
        );
    }
    Some(item.spanned(name))
}

/// At least one address.
pub(super) fn addresses(
    item: &Item<'_>,
    router_interface: Option<&Spanned<String>>,
) -> Option<Vec<Spanned<VirtualAddress>>> {
    let addresses = item.filled_list(|item| virtual_address(item, router_interface))?;
    if addresses.len() > ADDRESSES_MAX {
        return item.not(
            format_args!("at most {ADDRESSES_MAX} addresses"),
            addresses.len(),
        );
    }
    Some(addresses)
}

/// "ip/len", or `{ address, interface, label, scope }`.
fn virtual_address(
    item: &Item<'_>,
    router_interface: Option<&Spanned<String>>,
) -> Option<Spanned<VirtualAddress>> {
    if !item.is_table() {
        let net = network(item)?;
        return Some(item.spanned(VirtualAddress {
            address: net.addr(),
            prefix_len: net.prefix_len(),
            interface: None,
            label: None,
            scope: Scope::Global,
        }));
    }
    let mut table = item.table()?;
    let net = table.required("address", network);
    let own_interface = table.maybe("interface", interface);
    let carrier = own_interface
        .as_ref()
        .and_then(Option::as_ref)
        .or(router_interface);
    let label = table.maybe("label", |item| label(item, carrier));
    let scope = table.or("scope", Scope::Global, |item| item.one_of(Scope::WORDS));
    table.finish();
    let net = net?;
    Some(item.spanned(VirtualAddress {
        address: net.addr(),
        prefix_len: net.prefix_len(),
        interface: own_interface?,
        label: label?,
        scope: scope?,
    }))
}

fn network(item: &Item<'_>) -> Option<Ipv4Net> {
    let text = item.string()?;
    let net = match text.parse::<Ipv4Addr>() {
        Ok(address) => Some(Ipv4Net::from(address)),
        Err(_) => text.parse::<Ipv4Net>().ok(),
    };
    match net {
        Some(net) if is_unicast(net.addr()) => Some(net),
        Some(net) => item.error(
            format!("{} is no address that a host can have", net.addr()),
            "",
        ),
        None => {
            let message = format!("{text:?} is no IPv4 address");
            let advice = if text.contains(':') {
                "virtual routers carry IPv4 addresses"
            } else {
                "write it as \"192.168.0.105/32\""
            };
            item.error(message, advice)
        }
    }
}

/// ip-address(8): a label begins with the name of the interface, which keeps ifconfig working.
fn label(item: &Item<'_>, interface: Option<&Spanned<String>>) -> Option<String> {
    let label = item.line()?;
    if label.len() > INTERFACE_OCTETS_MAX {
        return item.not("at most 15 octets long", format_args!("{label:?}"));
    }
    match interface {
        Some(interface) if !label.starts_with(interface.as_str()) => item.error(
            format!("the label {label:?} does not begin with the interface's name"),
            format!("write it as \"{}:1\"", **interface),
        ),
        _ => Some(label),
    }
}
