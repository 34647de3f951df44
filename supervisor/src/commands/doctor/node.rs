//! What this node itself says: its addresses, settings and firewall. What cannot be read is taken
//! to be not there.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::process::{Command, Stdio};

use core_vrrp::diagnosis::Firewall;
use platform::addresses::Addresses;
use platform::interfaces::Interface;
use settings::Settings;

/// All addresses on the interfaces.
///
/// # Errors
/// The kernel's.
pub(super) fn addresses(interfaces: &[Interface]) -> io::Result<Vec<IpAddr>> {
    let known = |index: u32| interfaces.iter().any(|interface| interface.index == index);
    let all = Addresses::open()?.all()?.into_iter();
    Ok(all
        .filter(|assignment| known(assignment.interface_index))
        .map(|assignment| assignment.address)
        .collect())
}

/// This node's own link-local address on each interface that has one. A virtual address is none,
/// whoever put it there.
///
/// # Errors
/// The kernel's.
pub(super) fn link_locals(
    settings: &Settings,
    interfaces: &[Interface],
) -> io::Result<BTreeMap<String, Ipv6Addr>> {
    let routers = settings.virtual_routers.iter();
    let virtual_addresses: Vec<IpAddr> = routers
        .flat_map(|router| &router.addresses)
        .map(|address| address.address)
        .collect();
    let mut addresses = Addresses::open()?;
    let mut found = BTreeMap::new();
    for interface in interfaces {
        let native = addresses.native(interface.index)?.into_iter();
        let own = native.filter(|address| !virtual_addresses.contains(address));
        let link_local = own.filter_map(|address| match address {
            IpAddr::V6(address) => address.is_unicast_link_local().then_some(address),
            IpAddr::V4(_) => None,
        });
        found.extend((link_local.take(1)).map(|it| (interface.name.clone(), it)));
    }
    Ok(found)
}

/// A setting of which the greater of the interface's and all interfaces' counts.
pub(super) fn setting(interface: &str, name: &str) -> u8 {
    let read = |of: &str| read_number(&format!("/proc/sys/net/ipv4/conf/{of}/{name}"));
    read("all").max(read(interface)).unwrap_or(0)
}

fn read_number(path: &str) -> Option<u8> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The rules, and how strict connection tracking is.
pub(super) fn firewall() -> Firewall {
    let loose = read_number("/proc/sys/net/netfilter/nf_conntrack_tcp_loose");
    Firewall {
        nft: output("nft", &["list", "ruleset"]),
        iptables: output("iptables-save", &[]),
        ip6tables: output("ip6tables-save", &[]),
        is_tcp_strict: loose == Some(0),
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let output = command
        .output()
        .ok()
        .filter(|output| output.status.success());
    output.map_or_else(String::new, |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    })
}
