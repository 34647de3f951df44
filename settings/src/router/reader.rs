//! Reading one virtual router, with what nodes and scripts say about it.

use std::collections::HashMap;
use std::num::NonZeroU8;
use std::time::Duration;

use super::address::{addresses, interface, virtual_address};
use super::auth::auth;
use super::failback::failback;
use super::transport::checksum;
use super::{
    Announce, Lease, OnUnhealthy, Track, TrackEffect, TrackSubject, Version, VirtualRouter,
};
use crate::cluster::Node;
use crate::item::{Item, Table};
use crate::report::Spanned;
use crate::script::{Script, weight};
use crate::track::{TrackFile, TrackProcess, file_weight};
use crate::words::{near, quoted_list};

/// What the kernel may be late with an address's end (seen: 0.09 s), with room.
const LEASE_MARGIN: Duration = Duration::from_millis(500);
/// A shorter lease would leave no room for one late renewal.
const LEASE_SECONDS_MIN: u32 = 2;

const DEFAULT_ANNOUNCE: Announce = Announce {
    repeat: NonZeroU8::MIN.saturating_add(4),
    delay: Duration::from_secs(5),
    refresh: Duration::from_secs(60),
    interval: Duration::ZERO,
};

/// What virtual routers refer to.
pub(crate) struct Reader<'r> {
    pub(crate) node_name: &'r str,
    /// All nodes, those too whose tables could not be read.
    pub(crate) node_names: Vec<String>,
    pub(crate) nodes: &'r [Node],
    pub(crate) scripts: &'r [Script],
    pub(crate) files: &'r [TrackFile],
    pub(crate) processes: &'r [TrackProcess],
}

impl Reader<'_> {
    pub(crate) fn read(&self, name: &str, mut table: Table<'_>) -> Option<VirtualRouter> {
        let interface = table.required("interface", interface);
        let vrid = table.required("vrid", |item| Some(item.spanned(number(item, 255)?)));
        let vmac = table.or("vmac", false, Item::boolean);
        let version = table.or("version", Version::V3, version);
        let addresses = table.required("addresses", |item| {
            addresses(item, interface.as_ref(), version)
        });
        let excluded = table.or("excluded_addresses", Vec::new(), |item| {
            item.list(|item| virtual_address(item, interface.as_ref()))
        });
        let interval = advert_interval(&mut table, version);
        let priorities = self.priorities(&mut table);
        let transport = self.transport(&mut table, addresses.as_deref());
        let checksum = checksum(&mut table, version, addresses.as_deref());
        let auth = table.maybe("auth", |item| {
            auth(item, version, interval.as_ref().map(|interval| **interval))
        });
        let failback = failback(&mut table, priorities.as_deref());
        let on_unhealthy = table.or("on_unhealthy", OnUnhealthy::Abdicate, |item| {
            item.one_of(OnUnhealthy::WORDS)
        });
        let sync_group = table.maybe("sync_group", |item| Some(item.spanned(item.line()?)));
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
        let notify_priority_changes = table.or("notify_priority_changes", false, Item::boolean);
        let accepts = table.or("accept", (), accept);
        table.finish();
        accepts?;
        let priorities = priorities?;
        let (_, priority) = priorities.iter().find(|(name, _)| name == self.node_name)?;
        Some(VirtualRouter {
            name: name.to_owned(),
            interface: interface?,
            vrid: vrid?,
            vmac: vmac?,
            version: version?,
            addresses: addresses?,
            excluded_addresses: excluded?,
            advert_interval: interval?,
            priority: priority.clone(),
            priorities: priorities.into_iter().map(|(name, p)| (name, *p)).collect(),
            transport: transport?,
            checksum: checksum?,
            auth: auth?,
            failback: failback?,
            on_unhealthy: on_unhealthy?,
            sync_group: sync_group?,
            lease: lease?,
            tracks: tracks?,
            track_proxy: track_proxy?,
            announce: announce?,
            startup_delay: startup_delay?,
            down_timer_adverts: down_timer_adverts?,
            notify: notify?,
            notify_priority_changes: notify_priority_changes?,
        })
    }

    /// A number for all nodes, or one for each.
    fn priorities(&self, table: &mut Table<'_>) -> Option<Vec<(String, Spanned<NonZeroU8>)>> {
        const DEFAULT: NonZeroU8 = NonZeroU8::MIN.saturating_add(99);
        let names = &self.node_names;
        let for_all = |priority: Spanned<NonZeroU8>| {
            Some(
                names
                    .iter()
                    .map(|name| (name.clone(), priority.clone()))
                    .collect(),
            )
        };
        let Some(item) = table.get("priority") else {
            return for_all(table.item().spanned(DEFAULT));
        };
        if !item.is_table() {
            return for_all(item.spanned(number(&item, u8::MAX)?));
        }
        let mut given = HashMap::new();
        for (name, entry) in item.entries()? {
            if !names.contains(&name) {
                let advice = near(&name, names)
                    .unwrap_or_else(|| format!("the nodes are {}", quoted_list(names)));
                let message = format!("there is no node {name:?}");
                item.context().error(&entry.key_position(), message, advice);
            }
            given.insert(
                name,
                number(&entry, u8::MAX).map(|value| entry.spanned(value)),
            );
        }
        let priorities: Vec<Option<(String, Spanned<NonZeroU8>)>> = (names.iter())
            .map(|name| match given.remove(name) {
                Some(priority) => Some((name.clone(), priority?)),
                None => item.error(
                    format!("there is no priority for node {name:?}"),
                    format!("add {name} = ..."),
                ),
            })
            .collect();
        priorities.into_iter().collect()
    }

    fn tracks(&self, table: &mut Table<'_>) -> Option<Vec<Track>> {
        let scripts = named_tracks(table, "track_scripts", TrackSubject::Script, |item| {
            let (name, given) = tracked(item, |it| it.reference("scripts", "script"), weight)?;
            let known = self.scripts.iter().find(|script| script.name == *name);
            Some((name, given, known.map_or(0, |script| script.weight)))
        });
        let interfaces = table.or("track_interfaces", Vec::new(), |item| {
            item.list(|item| {
                let (subject, effect) = tracked(item, interface, weight)?;
                let effect = effect.unwrap_or_else(|| item.spanned(TrackEffect::Weight(0)));
                Some(Track {
                    subject: TrackSubject::Interface(subject),
                    effect,
                })
            })
        });
        let files = named_tracks(table, "track_files", TrackSubject::File, |item| {
            let (name, given) = tracked(item, |it| it.reference("files", "file"), file_weight)?;
            let known = self.files.iter().find(|file| file.name == *name);
            Some((name, given, known.map_or(1, |file| file.weight)))
        });
        let processes = named_tracks(table, "track_processes", TrackSubject::Process, |item| {
            let (name, given) = tracked(item, |it| it.reference("processes", "process"), weight)?;
            let known = self.processes.iter().find(|process| process.name == *name);
            Some((name, given, known.map_or(0, |process| process.weight)))
        });
        Some([scripts?, interfaces?, files?, processes?].concat())
    }
}

/// What is named, the effect that is given with the name, and the weight of its own section.
type Weighted = (Spanned<String>, Option<Spanned<TrackEffect>>, i16);

/// Tracks of something that has a section of its own, with a weight for where none is given.
fn named_tracks<'a>(
    table: &mut Table<'a>,
    key: &'static str,
    subject: fn(String) -> TrackSubject,
    read: impl Fn(&Item<'a>) -> Option<Weighted>,
) -> Option<Vec<Track>> {
    table.or(key, Vec::new(), |item| {
        item.list(|item| {
            let (name, given, default) = read(item)?;
            Some(Track {
                subject: subject(name.value().clone()),
                effect: given.unwrap_or_else(|| item.spanned(TrackEffect::Weight(default))),
            })
        })
    })
}

/// A name, or `{ name, weight }`, or `{ name, band }`.
fn tracked<'a>(
    item: &Item<'a>,
    read: impl Fn(&Item<'a>) -> Option<Spanned<String>>,
    weight: impl Fn(&Item<'a>) -> Option<i16>,
) -> Option<(Spanned<String>, Option<Spanned<TrackEffect>>)> {
    if !item.is_table() {
        return Some((read(item)?, None));
    }
    let mut table = item.table()?;
    let name = table.required("name", read);
    let weight = table.maybe("weight", |item| {
        Some(item.spanned(TrackEffect::Weight(weight(item)?)))
    });
    let band = table.maybe("band", |item| {
        Some(item.spanned(item.one_of(TrackEffect::BANDS)?))
    });
    table.finish();
    match (weight?, band?) {
        (Some(_), Some(band)) => {
            let message = "\"band\" contradicts \"weight\"".to_owned();
            let advice = "a band goes over all weights: leave one of them out";
            item.context().error(band.position(), message, advice);
            None
        }
        (weight, band) => Some((name?, weight.or(band))),
    }
}

pub(super) fn number(item: &Item<'_>, max: u8) -> Option<NonZeroU8> {
    NonZeroU8::new(item.number(1..=max)?)
}

pub(super) fn up_to(item: &Item<'_>, seconds_max: u64) -> Option<Duration> {
    item.duration(Duration::ZERO..=Duration::from_secs(seconds_max))
}

fn version(item: &Item<'_>) -> Option<Version> {
    match item.number(0..=u8::MAX)? {
        2 => Some(Version::V2),
        3 => Some(Version::V3),
        other => item.not("2 or 3", other),
    }
}

/// Accept_Mode of RFC 9568 §6.1. True is the one way there is, and may be said.
fn accept(item: &Item<'_>) -> Option<()> {
    if item.boolean()? {
        return Some(());
    }
    item.error(
        "there is no accept = false",
        "a Master answers on its addresses, which is what they are for; close ports by a firewall",
    )
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
                "give the multiple of 10ms nearest to what is meant, the same on all nodes",
            ),
            _ => Some(item.spanned(interval)),
        }
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
