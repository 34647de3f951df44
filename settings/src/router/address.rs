//! The addresses of a virtual router, and the interfaces that carry them.

use std::net::IpAddr;

use ipnet::IpNet;

use super::transport::is_ipv6;
use super::{Scope, Version, VirtualAddress};
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

/// At least one address, all of one family, link-local ones first.
pub(super) fn addresses(
    item: &Item<'_>,
    router_interface: Option<&Spanned<String>>,
    version: Option<Version>,
) -> Option<Vec<Spanned<VirtualAddress>>> {
    let mut addresses = item.filled_list(|item| virtual_address(item, router_interface))?;
    if addresses.len() > ADDRESSES_MAX {
        return item.not(
            format_args!("at most {ADDRESSES_MAX} addresses"),
            addresses.len(),
        );
    }
    check_family(item, &addresses, version)?;
    if is_ipv6(&addresses) && !addresses.iter().any(|it| is_link_local(it.address)) {
        item.warning(
            "no virtual address is link-local",
            "hosts take link-local addresses for routers, and RFC 9568 §5.2.9 wants one in each \
             advert over IPv6: add one, such as \"fe80::1\"",
        );
    }
    addresses.sort_by_key(|address| !is_link_local(address.address));
    Some(addresses)
}

/// RFC 9568 §5.2.9: a virtual router is of one family; and version 2 of IPv4 (RFC 3768 §1).
fn check_family(
    item: &Item<'_>,
    addresses: &[Spanned<VirtualAddress>],
    version: Option<Version>,
) -> Option<()> {
    let is_ipv6 = is_ipv6(addresses);
    if is_ipv6 && version? == Version::V2 {
        return item.error(
            "version 2 has only IPv4 addresses",
            "set version = 3 for IPv6",
        );
    }
    let other = addresses.iter().find(|it| it.address.is_ipv6() != is_ipv6);
    let Some(other) = other else {
        return Some(());
    };
    let families = ["IPv4", "IPv6"];
    let [first, second] = if is_ipv6 {
        [families[1], families[0]]
    } else {
        families
    };
    item.context().error(
        other.position(),
        format!("{} is an {second} address, and the first one is {first}", other.address),
        "a virtual router has one family: make another one for the others, with the same sync_group \
         if both are to move together; or list them in excluded_addresses",
    );
    None
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// "ip/len", or `{ address, interface, label, scope }`.
pub(super) fn virtual_address(
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
    let is_ipv6 = net.is_some_and(|net| net.addr().is_ipv6());
    let label = table.maybe("label", |item| label(item, carrier, is_ipv6));
    let scope = table.or("scope", Scope::Global, |item| match is_ipv6 {
        true => item.error(
            "the scope of an IPv6 address follows from it",
            "leave \"scope\" out",
        ),
        false => item.one_of(Scope::WORDS),
    });
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

fn network(item: &Item<'_>) -> Option<IpNet> {
    let text = item.string()?;
    let net = match text.parse::<IpAddr>() {
        Ok(address) => Some(IpNet::from(address)),
        Err(_) => text.parse::<IpNet>().ok(),
    };
    match net {
        Some(net) if is_unicast(net.addr()) => Some(net),
        Some(net) => item.error(
            format!("{} is no address that a host can have", net.addr()),
            "give a unicast address that nobody else in the network has",
        ),
        None => item.error(
            format!("{text:?} is no IP address"),
            "write it as \"192.168.0.105/32\" or \"fd00::105/128\"",
        ),
    }
}

/// ip-address(8): a label begins with the name of the interface, which keeps ifconfig working.
fn label(item: &Item<'_>, interface: Option<&Spanned<String>>, is_ipv6: bool) -> Option<String> {
    let label = item.line()?;
    if is_ipv6 {
        return item.error("IPv6 addresses have no label", "leave \"label\" out");
    }
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
