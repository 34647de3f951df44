//! `[virtual_routers.NAME]`: the virtual addresses and who owns them.

use std::collections::HashMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::num::NonZeroU8;
use std::time::Duration;

use ipnet::Ipv4Net;

use crate::cluster::{Node, is_unicast, unicast_address};
use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::script::{Script, weight};
use crate::words::{near, quoted_list};

/// The room that Linux has for the name of an interface or a label, without the NUL.
const INTERFACE_OCTETS_MAX: usize = 15;
/// `IFA_LABEL` is compared by tools as "interface" or "interface:label".
const PASS_OCTETS: usize = 8;
/// What the kernel may be late with an address's end (seen: 0.09 s), with room.
const LEASE_MARGIN: Duration = Duration::from_millis(500);
/// A shorter lease would be renewed too often to be missed safely.
const LEASE_SECONDS_MIN: u32 = 2;
/// Addresses in one advert: the field counts octets, but a packet must fit an Ethernet frame.
const ADDRESSES_MAX: usize = 255;

/// One virtual router as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualRouter {
    /// The name, on the status page and in the arguments of scripts.
    pub name: String,
    /// The interface of the addresses and of the adverts.
    pub interface: Spanned<String>,
    /// The virtual router identifier; no other router on the interface has it.
    pub vrid: Spanned<NonZeroU8>,
    /// Default: 3.
    pub version: Version,
    /// At least one; none is in another virtual router.
    pub addresses: Vec<Spanned<VirtualAddress>>,
    /// Version 2: whole seconds, 1 s to 255 s; version 3: hundredths of a second, 10 ms to
    /// 40.95 s. Default: 1 s.
    pub advert_interval: Spanned<Duration>,
    /// This node's, before tracking changes it; 255 is the owner of the addresses. Default: 100.
    pub priority: Spanned<NonZeroU8>,
    /// The priorities of all nodes, this one too, in the order of the nodes.
    pub priorities: Vec<(String, NonZeroU8)>,
    /// How adverts travel.
    pub transport: Transport,
    /// The password of version 2. Default: none.
    pub auth: Option<Pass>,
    /// Whether to take over from a Master of lower priority. Default: true.
    pub preempt: bool,
    /// How long to wait before that, 0 s to 1000 s. Default: 0 s.
    pub preempt_delay: Duration,
    /// The kernel's lifetime of the addresses.
    pub lease: Lease,
    /// Scripts and interfaces that move the priority.
    pub tracks: Vec<Track>,
    /// Whether the health of the node's own proxy counts. Default: true.
    pub track_proxy: bool,
    /// How neighbours are told.
    pub announce: Announce,
    /// How long after the start nothing is claimed, 0 s to 1 h. Default: 0 s.
    pub startup_delay: Duration,
    /// Adverts that must be missing before a Backup takes over, 1 to 100. Default: 3.
    pub down_timer_adverts: NonZeroU8,
    /// Names of `[notify]`: who is told of transitions.
    pub notify: Vec<Spanned<String>>,
}

/// The version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// RFC 3768, keepalived's default.
    V2,
    /// RFC 9568.
    V3,
}

/// How adverts travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transport {
    /// To 224.0.0.18.
    Multicast,
    /// To these addresses, at least one, none of them the node's own.
    Unicast {
        /// The other nodes, unless listed otherwise.
        peers: Vec<Spanned<Ipv4Addr>>,
    },
}

/// A virtual address as it is put on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// 0 to 32. Default: 32.
    pub prefix_len: u8,
    /// The interface that carries it. Default: that of the router, as `None`.
    pub interface: Option<Spanned<String>>,
    /// The label, 1 to 15 octets. Default: none.
    pub label: Option<String>,
    /// Default: global.
    pub scope: Scope,
}

/// How far an address is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere.
    Global,
    /// Within the site.
    Site,
    /// On the link.
    Link,
    /// On the host.
    Host,
}

impl Scope {
    const WORDS: &[(&str, Self)] = &[
        ("global", Self::Global),
        ("site", Self::Site),
        ("link", Self::Link),
        ("host", Self::Host),
    ];

    /// The number that rtnetlink(7) has for it.
    pub const fn number(self) -> u8 {
        match self {
            Self::Global => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
        }
    }
}

/// The password of version 2, padded with zeros (RFC 2338 §5.3.6). It is sent in the clear.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Pass(pub [u8; PASS_OCTETS]);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(..)")
    }
}

/// The kernel's lifetime of the addresses, renewed while their owner is well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// They stay until they are removed.
    Off,
    /// In whole seconds, 2 and more. `lease = "auto"` has become the longest that ends half a
    /// second before a peer takes over, where there is one.
    Seconds(u32),
}

/// Something that moves the priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What is looked at.
    pub subject: TrackSubject,
    /// -253 to 253. Above zero it is added while the subject is well, below zero while it is ill;
    /// zero makes the router Fault while it is ill.
    pub weight: Spanned<i16>,
}

/// What a track looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrackSubject {
    /// A script of [`crate::Settings::scripts`], by its name.
    Script(String),
    /// An interface, by its name.
    Interface(Spanned<String>),
}

/// How neighbours are told who owns the addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announce {
    /// Packets in a burst for each address, 1 to 100. Default: 5.
    pub repeat: NonZeroU8,
    /// When the second burst follows the first, up to 1 h; zero: never. Default: 5 s.
    pub delay: Duration,
    /// How often a Master repeats one packet, up to 1 d; zero: never. Default: 60 s.
    pub refresh: Duration,
    /// The pause between the packets of a burst, up to 1 s. Default: 0.
    pub interval: Duration,
}

const DEFAULT_ANNOUNCE: Announce = Announce {
    repeat: NonZeroU8::MIN.saturating_add(4),
    delay: Duration::from_secs(5),
    refresh: Duration::from_secs(60),
    interval: Duration::ZERO,
};

/// What virtual routers refer to.
pub(crate) struct Reader<'r> {
    pub(crate) node_name: &'r str,
    pub(crate) nodes: &'r [Node],
    pub(crate) scripts: &'r [Script],
}

impl Reader<'_> {
    pub(crate) fn read(&self, name: &str, mut table: Table<'_>) -> Option<VirtualRouter> {
        let interface = table.required("interface", interface);
        let vrid = table.required("vrid", |item| Some(item.spanned(number(item, 255)?)));
        let version = table.or("version", Version::V3, version);
        let addresses = table.required("addresses", |item| addresses(item, interface.as_ref()));
        let interval = advert_interval(&mut table, version);
        let priorities = self.priorities(&mut table);
        let transport = self.transport(&mut table);
        let auth = table.maybe("auth", |item| auth(item, version));
        let preempt = table.or("preempt", true, Item::boolean);
        let preempt_delay = preempt_delay(&mut table, preempt);
        let down_timer_adverts = table.or(
            "down_timer_adverts",
            NonZeroU8::MIN.saturating_add(2),
            |i| number(i, 100),
        );
        let lease = lease(&mut table, interval.as_ref(), down_timer_adverts);
        let tracks = self.tracks(&mut table);
        let track_proxy = table.or("track_proxy", true, Item::boolean);
        let announce = table.or_empty("announce", DEFAULT_ANNOUNCE, read_announce);
        let startup_delay = table.or("startup_delay", Duration::ZERO, |item| up_to(item, 3_600));
        let notify = table.or("notify", Vec::new(), |item| {
            item.list(|item| item.reference("notify", "notification"))
        });
        table.finish();
        let priorities = priorities?;
        let (_, priority) = priorities.iter().find(|(name, _)| name == self.node_name)?;
        Some(VirtualRouter {
            name: name.to_owned(),
            interface: interface?,
            vrid: vrid?,
            version: version?,
            addresses: addresses?,
            advert_interval: interval?,
            priority: priority.clone(),
            priorities: priorities.into_iter().map(|(name, p)| (name, *p)).collect(),
            transport: transport?,
            auth: auth?,
            preempt: preempt?,
            preempt_delay: preempt_delay?,
            lease: lease?,
            tracks: tracks?,
            track_proxy: track_proxy?,
            announce: announce?,
            startup_delay: startup_delay?,
            down_timer_adverts: down_timer_adverts?,
            notify: notify?,
        })
    }

    /// A number for all nodes, or one for each.
    fn priorities(&self, table: &mut Table<'_>) -> Option<Vec<(String, Spanned<NonZeroU8>)>> {
        const DEFAULT: NonZeroU8 = NonZeroU8::MIN.saturating_add(99);
        let names = || self.nodes.iter().map(|node| node.name.clone());
        let for_all = |priority: Spanned<NonZeroU8>| {
            Some(names().map(|name| (name, priority.clone())).collect())
        };
        let Some(item) = table.get("priority") else {
            return for_all(table.item().spanned(DEFAULT));
        };
        if !item.is_table() {
            return for_all(item.spanned(number(&item, u8::MAX)?));
        }
        let names: Vec<String> = names().collect();
        let mut given = HashMap::new();
        for (name, entry) in item.entries()? {
            if !names.contains(&name) {
                let advice = near(&name, &names)
                    .unwrap_or_else(|| format!("the nodes are {}", quoted_list(&names)));
                let message = format!("there is no node {name:?}");
                item.context().error(&entry.key_position(), message, advice);
            }
            given.insert(
                name,
                number(&entry, u8::MAX).map(|value| entry.spanned(value)),
            );
        }
        let priorities: Vec<Option<(String, Spanned<NonZeroU8>)>> = (names.into_iter())
            .map(|name| match given.remove(&name) {
                Some(priority) => Some((name, priority?)),
                None => item.error(
                    format!("there is no priority for node {name:?}"),
                    format!("add {name} = ..."),
                ),
            })
            .collect();
        priorities.into_iter().collect()
    }

    fn transport(&self, table: &mut Table<'_>) -> Option<Transport> {
        let others = || {
            let others = self.nodes.iter().filter(|node| node.name != self.node_name);
            others.map(|node| node.address.clone()).collect::<Vec<_>>()
        };
        let given_peers = table.get("peers");
        let default_unicast = given_peers.is_some() || self.nodes.len() > 1;
        let unicast = table.or("transport", default_unicast, |item| {
            item.one_of(&[("unicast", true), ("multicast", false)])
        });
        let peers = match &given_peers {
            Some(item) => item.list(|item| self.peer(item))?,
            None => others(),
        };
        match (unicast?, given_peers) {
            (true, None) if peers.is_empty() => table.item().error(
                "unicast needs peers, and there is no other node",
                "add the other node to [nodes], or give peers = [...]",
            ),
            (true, Some(item)) if peers.is_empty() => item.error(
                "unicast needs at least one peer",
                "leave \"peers\" out to mean all other nodes",
            ),
            (true, _) => Some(Transport::Unicast { peers }),
            (false, Some(item)) => item.error(
                "\"peers\" is for unicast",
                "leave it out, or set transport = \"unicast\"",
            ),
            (false, None) => Some(Transport::Multicast),
        }
    }

    fn peer(&self, item: &Item<'_>) -> Option<Spanned<Ipv4Addr>> {
        let peer = unicast_address(item)?;
        let ours = self.nodes.iter().find(|node| node.name == self.node_name);
        if ours.is_some_and(|node| node.address == peer) {
            return item.error(
                format!("{} is this node's own address", *peer),
                "peers are the other nodes; leave \"peers\" out to mean all of them",
            );
        }
        Some(peer)
    }

    fn tracks(&self, table: &mut Table<'_>) -> Option<Vec<Track>> {
        let scripts = table.or("track_scripts", Vec::new(), |item| {
            item.list(|item| {
                let (subject, weight) = tracked(item, |item| item.reference("scripts", "script"))?;
                let script = self.scripts.iter().find(|script| script.name == *subject);
                let default = script.map_or(0, |script| script.weight);
                let weight = weight.unwrap_or_else(|| item.spanned(default));
                Some(Track {
                    subject: TrackSubject::Script(subject.value().clone()),
                    weight,
                })
            })
        });
        let interfaces = table.or("track_interfaces", Vec::new(), |item| {
            item.list(|item| {
                let (subject, weight) = tracked(item, interface)?;
                let weight = weight.unwrap_or_else(|| item.spanned(0));
                Some(Track {
                    subject: TrackSubject::Interface(subject),
                    weight,
                })
            })
        });
        let mut tracks = scripts?;
        tracks.append(&mut interfaces?);
        Some(tracks)
    }
}

/// A name, or `{ name, weight }`.
fn tracked<'a>(
    item: &Item<'a>,
    read: impl Fn(&Item<'a>) -> Option<Spanned<String>>,
) -> Option<(Spanned<String>, Option<Spanned<i16>>)> {
    if !item.is_table() {
        return Some((read(item)?, None));
    }
    let mut table = item.table()?;
    let name = table.required("name", read);
    let weight = table.maybe("weight", |item| Some(item.spanned(weight(item)?)));
    table.finish();
    Some((name?, weight?))
}

fn number(item: &Item<'_>, max: u8) -> Option<NonZeroU8> {
    NonZeroU8::new(item.number(1..=max)?)
}

fn up_to(item: &Item<'_>, seconds_max: u64) -> Option<Duration> {
    item.duration(Duration::ZERO..=Duration::from_secs(seconds_max))
}

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

fn version(item: &Item<'_>) -> Option<Version> {
    match item.number(2..=3)? {
        2 => Some(Version::V2),
        _ => Some(Version::V3),
    }
}

fn addresses(
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
        None => item.error(
            format!("{text:?} is no IPv4 address"),
            "write it as \"192.168.0.105/32\"",
        ),
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

/// RFC 3768 §5.3.7: whole seconds in one octet; RFC 9568 §5.2.7: hundredths in twelve bits.
fn advert_interval(table: &mut Table<'_>, version: Option<Version>) -> Option<Spanned<Duration>> {
    let default = table.item().spanned(Duration::from_secs(1));
    table.or("advert_interval", default, |item| {
        let interval = item.duration(Duration::ZERO..=Duration::MAX)?;
        let millis = interval.as_millis();
        match version? {
            Version::V2 if millis % 1_000 != 0 || !(1_000..=255_000).contains(&millis) => item
                .error(
                    "version 2 has whole seconds between adverts, 1s to 255s",
                    "set version = 3 for shorter intervals",
                ),
            Version::V3 if millis % 10 != 0 || !(10..=40_950).contains(&millis) => item.error(
                "version 3 has 10ms to 40950ms between adverts, in steps of 10ms",
                "",
            ),
            _ => Some(item.spanned(interval)),
        }
    })
}

fn auth(item: &Item<'_>, version: Option<Version>) -> Option<Pass> {
    let mut table = item.table()?;
    let pass = table.required("pass", |item| {
        let text = item.filled_string()?;
        let mut octets = [0; PASS_OCTETS];
        match octets.get_mut(..text.len()) {
            Some(begin) => begin.copy_from_slice(text.as_bytes()),
            None => {
                let message = format!("\"pass\" has {} octets; the protocol carries 8", text.len());
                return item.error(
                    message,
                    "shorten it on all nodes; keepalived cuts it silently",
                );
            }
        }
        Some(Pass(octets))
    });
    table.finish();
    if version? == Version::V3 {
        return item.error(
            "version 3 has no password",
            "remove \"auth\", or set version = 2 (RFC 9568 took it out)",
        );
    }
    pass
}

fn preempt_delay(table: &mut Table<'_>, preempt: Option<bool>) -> Option<Duration> {
    table.or("preempt_delay", Duration::ZERO, |item| {
        let delay = up_to(item, 1_000)?;
        if preempt == Some(false) && !delay.is_zero() {
            item.warning(
                "\"preempt_delay\" has no effect",
                "preempt = false never preempts",
            );
        }
        Some(delay)
    })
}

fn lease(
    table: &mut Table<'_>,
    interval: Option<&Spanned<Duration>>,
    down_timer_adverts: Option<NonZeroU8>,
) -> Option<Lease> {
    let item = table.get("lease");
    let down =
        interval.and_then(|interval| interval.checked_mul(u32::from(down_timer_adverts?.get())));
    let automatic = || down.map(|down| Lease::Seconds(automatic_lease(down)));
    let Some(item) = item else { return automatic() };
    if item.is_number() {
        let seconds = item.number(LEASE_SECONDS_MIN..=3_600)?;
        if let Some(down) = down
            && Duration::from_secs(seconds.into()) + LEASE_MARGIN > down
        {
            item.warning(
                "the lease outlasts the time after which a peer takes over",
                "a frozen node keeps the address while its peer has it too; see lease = \"auto\"",
            );
        }
        return Some(Lease::Seconds(seconds));
    }
    match item.one_of(&[("auto", true), ("off", false)])? {
        true => automatic(),
        false => Some(Lease::Off),
    }
}

/// The longest lease in whole seconds that ends, with the margin, before `down` (the peers'
/// master-down time without its skew), but never under the minimum.
fn automatic_lease(down: Duration) -> u32 {
    let nanos = down.saturating_sub(LEASE_MARGIN).as_nanos();
    let seconds = nanos.saturating_sub(1) / 1_000_000_000;
    u32::try_from(seconds)
        .unwrap_or(u32::MAX)
        .max(LEASE_SECONDS_MIN)
}

fn read_announce(mut table: Table<'_>) -> Option<Announce> {
    let defaults = DEFAULT_ANNOUNCE;
    let repeat = table.or("repeat", defaults.repeat, |item| number(item, 100));
    let delay = table.or("delay", defaults.delay, |item| up_to(item, 3_600));
    let refresh = table.or("refresh", defaults.refresh, |item| up_to(item, 86_400));
    let interval = table.or("interval", defaults.interval, |item| up_to(item, 1));
    table.finish();
    Some(Announce {
        repeat: repeat?,
        delay: delay?,
        refresh: refresh?,
        interval: interval?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_automatic_lease_ends_before_a_peer_takes_over() {
        let cases = [
            (3_000, 2),
            (3_500, 2),
            (3_501, 3),
            (6_000, 5),
            (300, 2),
            (30_000, 29),
        ];
        for (down_ms, seconds) in cases {
            assert_eq!(
                automatic_lease(Duration::from_millis(down_ms)),
                seconds,
                "{down_ms} ms"
            );
        }
    }
}
