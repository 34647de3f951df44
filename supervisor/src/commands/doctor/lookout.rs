//! Looks at all interfaces that virtual routers use, at the same time, and asks there who has which
//! address.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::thread;
use std::time::{Duration, Instant};

use core_vrrp::diagnosis::{Mac, Sighting};
use core_vrrp::{GROUP, GROUP_V6};
use platform::interfaces::Interface;
use platform::wire::{Frame, Wire};
use settings::{Settings, VirtualAddress, VirtualRouter};

/// So long before the end the link is asked who has which address: late, so that a takeover under
/// way does not look like two owners.
const ASK_BEFORE_END: Duration = Duration::from_millis(700);

/// Between two questions for the same address, of which one may be lost.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// Packets that are kept for an interface; more come from a storm, of which these are enough.
const SIGHTINGS_MAX: usize = 100_000;

/// So many senders of adverts are asked where they are. More are not those of a pair, and an advert
/// with a forged sender costs a question.
const SPEAKERS_MAX: usize = 32;

/// What was seen on one interface.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) packets: Vec<Sighting>,
    pub(super) delivered: Vec<IpAddr>,
    pub(super) answers: Vec<(IpAddr, Mac)>,
}

/// Where is looked, and for what.
pub(super) struct Lookout<'l> {
    pub(super) settings: &'l Settings,
    pub(super) interfaces: &'l [Interface],
    /// This node's own, by interface.
    pub(super) link_locals: &'l BTreeMap<String, Ipv6Addr>,
    /// The own addresses of all nodes.
    pub(super) nodes: &'l [IpAddr],
}

impl Lookout<'_> {
    /// By interface. Those that are missing or down are left out.
    ///
    /// # Errors
    /// The system's, with the interface.
    pub(super) fn look(&self, listening: Duration) -> io::Result<BTreeMap<String, Look>> {
        let mut lookouts = Vec::new();
        for (name, addresses) in self.wanted() {
            let usable = |interface: &&Interface| interface.name == name && interface.is_up;
            let Some(interface) = self.interfaces.iter().find(usable) else {
                continue;
            };
            let groups = [GROUP.into(), GROUP_V6.into()];
            let wire = Wire::open(interface, groups).map_err(|error| on(name, &error))?;
            let link_local = self.link_locals.get(name).copied();
            let questions = Questions {
                addresses,
                source: link_local.or(self.own_ipv6()),
            };
            let lookout = thread::spawn(move || look_at(wire, questions, listening));
            lookouts.push((name.to_owned(), lookout));
        }
        let mut looks = BTreeMap::new();
        for (name, lookout) in lookouts {
            let panicked = |_| io::Error::other("the thread that listens panicked");
            let look = lookout.join().map_err(panicked).flatten();
            let look = look.map_err(|error| on(&name, &error))?;
            looks.insert(name, look);
        }
        Ok(looks)
    }

    /// The interfaces, and what is asked there.
    fn wanted(&self) -> BTreeMap<&str, BTreeSet<IpAddr>> {
        let mut wanted: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
        for router in &self.settings.virtual_routers {
            let asked = wanted.entry(router.interface.value()).or_default();
            asked.extend(self.nodes);
            for address in &router.addresses {
                let asked = wanted.entry(carrier(router, address)).or_default();
                asked.insert(address.address);
            }
        }
        wanted
    }

    fn own_ipv6(&self) -> Option<Ipv6Addr> {
        let address = self.settings.node.address6.as_ref();
        address.map(|address| *address.value())
    }
}

/// The interface that carries an address.
pub(super) fn carrier<'r>(router: &'r VirtualRouter, address: &'r VirtualAddress) -> &'r str {
    let own = address.interface.as_ref();
    own.map_or(router.interface.value(), |interface| interface.value())
}

/// The error with its interface.
fn on(interface: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{interface}: {error}"))
}

/// What is asked on an interface.
struct Questions {
    addresses: BTreeSet<IpAddr>,
    /// Where IPv6 answers go. Without any, the interface has no IPv6 to ask about.
    source: Option<Ipv6Addr>,
}

impl Questions {
    fn ask(&self, wire: &mut Wire) -> io::Result<()> {
        for address in &self.addresses {
            match (address, self.source) {
                (IpAddr::V4(address), _) => wire.ask(*address)?,
                (IpAddr::V6(address), Some(source)) => wire.solicit(*address, source)?,
                (IpAddr::V6(_), None) => {}
            }
        }
        Ok(())
    }
}

fn look_at(mut wire: Wire, mut questions: Questions, listening: Duration) -> io::Result<Look> {
    let mut look = Look::default();
    let begin = Instant::now();
    let mut ask_at = listening.saturating_sub(ASK_BEFORE_END);
    let mut rounds_left = 2;
    while begin.elapsed() < listening {
        if rounds_left > 0 && begin.elapsed() >= ask_at {
            let speakers: BTreeSet<IpAddr> = look.delivered.iter().copied().collect();
            let speakers = speakers.into_iter().take(SPEAKERS_MAX);
            questions.addresses.extend(speakers);
            questions.ask(&mut wire)?;
            rounds_left -= 1;
            ask_at += ASK_AGAIN;
        }
        match wire.next_frame()? {
            Some(Frame::Vrrp { mac, packet }) if look.packets.len() < SIGHTINGS_MAX => {
                look.packets.push(Sighting {
                    at: begin.elapsed(),
                    mac,
                    octets: packet,
                });
            }
            Some(Frame::Answer { address, mac })
                if questions.addresses.contains(&address)
                    && !look.answers.contains(&(address, mac)) =>
            {
                look.answers.push((address, mac));
            }
            _ => {}
        }
        while let Some(sender) = wire.next_delivered() {
            if look.delivered.len() < SIGHTINGS_MAX {
                look.delivered.push(sender);
            }
        }
    }
    Ok(look)
}
