//! How the adverts of a virtual router travel: over which family, to whom, and what their checksums
//! are over.

use std::net::IpAddr;
use std::num::NonZeroU8;

use super::reader::{Reader, number};
use super::{ChecksumForm, Transport, Version, VirtualAddress};
use crate::cluster::{Node, unicast_address};
use crate::item::{Item, Table};
use crate::report::Spanned;

impl Reader<'_> {
    /// `addresses` says the family; without them, which has been reported then, it is IPv4.
    pub(super) fn transport(
        &self,
        table: &mut Table<'_>,
        addresses: Option<&[Spanned<VirtualAddress>]>,
    ) -> Option<Transport> {
        let is_ipv6 = addresses.is_some_and(is_ipv6);
        let given_peers = table.get("peers");
        let given_min_ttl = table.get("unicast_min_ttl");
        let default_unicast = given_peers.is_some() || self.node_names.len() > 1;
        let is_unicast = table.or("transport", default_unicast, |item| {
            item.one_of(&[("unicast", true), ("multicast", false)])
        })?;
        if is_unicast {
            let peers = self.peers(table, given_peers, is_ipv6);
            let source = self.source(table, is_ipv6);
            let min_ttl = given_min_ttl.map_or(Some(NonZeroU8::MAX), |it| number(&it, u8::MAX));
            return Some(Transport::Unicast {
                source: source?,
                peers: peers?,
                min_ttl: min_ttl?,
            });
        }
        for (item, key) in [(given_peers, "peers"), (given_min_ttl, "unicast_min_ttl")] {
            if let Some(item) = item {
                return item.error(
                    format!("{key:?} is for unicast"),
                    "leave it out, or set transport = \"unicast\"",
                );
            }
        }
        let ours = self.nodes.iter().find(|node| node.name == self.node_name);
        Some(Transport::Multicast {
            // RFC 9568 §5.1.2.1: over IPv6 the interface's link-local address.
            source: ours.filter(|_| !is_ipv6).map(|node| (*node.address).into()),
        })
    }

    /// This node's own address of the family.
    fn source(&self, table: &Table<'_>, is_ipv6: bool) -> Option<IpAddr> {
        let ours = self.nodes.iter().find(|node| node.name == self.node_name)?;
        self.own_address(table, ours, is_ipv6)
            .map(|address| *address)
    }

    fn peers(
        &self,
        table: &Table<'_>,
        given: Option<Item<'_>>,
        is_ipv6: bool,
    ) -> Option<Vec<Spanned<IpAddr>>> {
        let Some(item) = given else {
            if self.node_names.len() < 2 {
                return table.item().error(
                    "unicast needs peers, and there is no other node",
                    "add the other node to [nodes], or give peers = [...]",
                );
            }
            let others = self.nodes.iter().filter(|node| node.name != self.node_name);
            let addresses = others.map(|node| self.own_address(table, node, is_ipv6));
            return addresses.collect();
        };
        let peers = item.list(|item| self.peer(item, is_ipv6))?;
        if peers.is_empty() {
            return item.error(
                "unicast needs at least one peer",
                "leave \"peers\" out to mean all other nodes",
            );
        }
        Some(peers)
    }

    fn peer(&self, item: &Item<'_>, is_ipv6: bool) -> Option<Spanned<IpAddr>> {
        let peer = unicast_address(item)?;
        if peer.is_ipv6() != is_ipv6 {
            let families = ["IPv4", "IPv6"];
            let [other, own] = if is_ipv6 {
                families
            } else {
                [families[1], families[0]]
            };
            return item.error(
                format!(
                    "{} is an {other} address, and the virtual router is of {own}",
                    *peer
                ),
                format!("give the peer's {own} address"),
            );
        }
        let ours = self.nodes.iter().find(|node| node.name == self.node_name);
        if ours.and_then(|node| node.own(is_ipv6)) == Some(*peer) {
            return item.error(
                format!("{} is this node's own address", *peer),
                "peers are the other nodes; leave \"peers\" out to mean all of them",
            );
        }
        Some(peer)
    }

    fn own_address(
        &self,
        table: &Table<'_>,
        node: &Node,
        is_ipv6: bool,
    ) -> Option<Spanned<IpAddr>> {
        match node.own_at(is_ipv6) {
            Some(address) => Some(address),
            None => table.item().error(
                format!(
                    "unicast over IPv6 needs an IPv6 address of node {:?}",
                    node.name
                ),
                format!(
                    "add address6 = \"...\" to [nodes.{}], or set transport = \"multicast\"",
                    node.name
                ),
            ),
        }
    }
}

/// Over which family the adverts go.
pub(super) fn is_ipv6(addresses: &[Spanned<VirtualAddress>]) -> bool {
    addresses
        .first()
        .is_some_and(|first| first.address.is_ipv6())
}

/// What the checksums of version 3 over IPv4 are over; `None`: what those of the peers are over.
pub(super) fn checksum(
    table: &mut Table<'_>,
    version: Option<Version>,
    addresses: Option<&[Spanned<VirtualAddress>]>,
) -> Option<Option<ChecksumForm>> {
    table.or("checksum", None, |item| {
        let form = item.one_of(&[
            ("auto", None),
            ("pseudo-header", Some(ChecksumForm::PseudoHeader)),
            ("rfc9568", Some(ChecksumForm::Message)),
        ])?;
        if version? == Version::V2 || is_ipv6(addresses?) {
            return item.error(
                "\"checksum\" is for version 3 over IPv4",
                "leave it out: elsewhere there is only one form",
            );
        }
        Some(form)
    })
}
