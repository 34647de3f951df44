//! The interfaces with virtual MAC addresses (RFC 9568 §7.3) of this node's routers.
//!
//! The addresses of such a router lie on a macvlan interface, which neighbours see as a station of its
//! own that moves from node to node. It is switched on while the addresses are on it, and else off:
//! whatever the kernel would say there of its own accord would make switches believe that the station
//! is here.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::time::Duration;

use core_vrrp::Time;
use ipc::vrrp::RouterSpec;
use platform::interface_settings::Setting;
use platform::interfaces::Interface;
use platform::virtual_interfaces::{VirtualInterface, VirtualInterfaces};

use crate::configuration::no_source;

/// What the interface below is made to do: answer for no address but its own, which the interface
/// above answers for with its MAC address, and ask for neighbours in no other name than its own. The
/// kernel takes the greater of this and what holds for all interfaces.
const BELOW: [(Setting, u32); 2] = [(Setting::ArpIgnore, 1), (Setting::ArpAnnounce, 2)];

/// What the interface above is made to do: not answer for addresses of others, take packets whose
/// answers go out below, have no IPv6 addresses but the virtual ones.
const ABOVE: [(Setting, u32); 4] = [
    (Setting::ArpIgnore, 1),
    (Setting::ReversePath, 2),
    (Setting::Ipv6AddressMode, 1),
    (Setting::Ipv6Advertisements, 0),
];

/// Between two that are switched off. The kernel waits some 15 ms for each, with everything that others
/// want of it: hundreds in a row would make everybody late.
const PAUSE: Duration = Duration::from_millis(25);

/// All of them.
pub(crate) struct VirtualMacs {
    kernel: VirtualInterfaces,
    /// What there is, if it was asked for since [`VirtualMacs::look_again`].
    known: Option<Vec<VirtualInterface>>,
    /// The numbers of those that this process has set up.
    prepared: BTreeSet<u32>,
    /// To be switched off when the last adverts of the turn are out, one after the other.
    waning: VecDeque<u32>,
    /// When the next one may be.
    next: Time,
    has_left: bool,
}

impl VirtualMacs {
    /// Opens the way to the kernel.
    ///
    /// # Errors
    /// When there is no netlink.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            kernel: VirtualInterfaces::open()?,
            known: None,
            prepared: BTreeSet::new(),
            waning: VecDeque::new(),
            next: Time(Duration::ZERO),
            has_left: false,
        })
    }

    /// What was seen may be out of date.
    pub(crate) fn look_again(&mut self) {
        self.known = None;
    }

    /// The interface of a router with a virtual MAC address, if it was made already, by whomever of
    /// us.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn find(
        &mut self,
        spec: &RouterSpec,
        interfaces: &[Interface],
    ) -> io::Result<Option<Interface>> {
        let Some(identity) = identity(spec, interfaces) else {
            return Ok(None);
        };
        let mut known = self.known()?.iter();
        let found = known.find(|it| (it.parent_index, it.mac) == identity);
        Ok(found.map(VirtualInterface::interface))
    }

    /// The interface of a router on top of `below`; made if there is none.
    ///
    /// # Errors
    /// The kernel's. One that could not be set up as it should be stays, switched off: to remove it
    /// would be a change of interfaces, after which it would be tried again, and so on.
    pub(crate) fn make_sure(
        &mut self,
        spec: &RouterSpec,
        below: &Interface,
    ) -> io::Result<Interface> {
        let identity = (below.index, virtual_mac(spec));
        let mut known = self.known()?.iter();
        let found = known.find(|it| (it.parent_index, it.mac) == identity);
        let interface = match found {
            Some(found) => found.interface(),
            None => self.make(spec, below)?,
        };
        if !self.prepared.contains(&interface.index) {
            prepare(&interface.name, &below.name)?;
            self.prepared.insert(interface.index);
            let (router, name) = (&spec.name, &interface.name);
            tracing::info!("{router}: {name} has its virtual MAC address");
        }
        Ok(interface)
    }

    fn make(&mut self, spec: &RouterSpec, below: &Interface) -> io::Result<Interface> {
        let others = self.known()?.iter();
        let mut others = others.filter(|it| it.parent_index == below.index);
        // Who came first has noted what was before all of us.
        let before = match others.find_map(|it| Before::parse(&it.remark)) {
            Some(before) => before,
            None => Before::of(&below.name)?,
        };
        let mac = virtual_mac(spec);
        let (index, name) = self.make_named(spec, below.index, mac)?;
        let remark = format!("{before} {}", spec.name);
        if let Err(error) = self.kernel.mark(index, &remark) {
            self.kernel.remove(&[index])?;
            return Err(error);
        }
        let made = VirtualInterface {
            index,
            name,
            parent_index: below.index,
            mac,
            remark,
        };
        let interface = made.interface();
        self.known.get_or_insert_default().push(made);
        Ok(interface)
    }

    /// Its number and its name: as keepalived calls it or, where somebody is called that, what nobody
    /// is.
    fn make_named(
        &mut self,
        spec: &RouterSpec,
        below: u32,
        mac: [u8; 6],
    ) -> io::Result<(u32, String)> {
        let family = if no_source(spec).is_ipv6() { "6" } else { "" };
        let names = [
            format!("vrrp{family}.{}", spec.vrid),
            format!("vrrp{family}.{below:x}.{}", spec.vrid),
        ];
        for name in names {
            match self.kernel.make(&name, below, mac) {
                Ok(index) => return Ok((index, name)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    /// Switches one on.
    ///
    /// # Errors
    /// The kernel's.
    pub(crate) fn raise(&mut self, index: u32) -> io::Result<()> {
        self.waning.retain(|it| *it != index);
        self.kernel.switch(index, true)
    }

    /// Has [`VirtualMacs::flush`] switch one off.
    pub(crate) fn lower(&mut self, index: u32) {
        if !self.waning.contains(&index) {
            self.waning.push_back(index);
        }
    }

    /// Switches off one of those that are to be off, if it is time.
    pub(crate) fn flush(&mut self, now: Time) {
        if self.next <= now
            && let Some(index) = self.waning.pop_front()
        {
            self.next = now + PAUSE;
            // It fails when the interface is gone, which is as well.
            if let Err(error) = self.kernel.switch(index, false) {
                tracing::debug!("cannot switch interface {index} off: {error}");
            }
        }
    }

    /// When [`VirtualMacs::flush`] has something to do.
    pub(crate) fn due(&self) -> Option<Time> {
        (!self.waning.is_empty()).then_some(self.next)
    }

    /// Leaves everything as it is, for a successor.
    pub(crate) fn leave(&mut self) {
        self.has_left = true;
    }

    /// Removes what none of `routers` has, and what was changed for it. What a process that died has
    /// left is found by it, too.
    pub(crate) fn sweep<'r>(
        &mut self,
        routers: impl Iterator<Item = &'r RouterSpec>,
        interfaces: &[Interface],
    ) {
        if self.has_left {
            return;
        }
        let wanted: Vec<_> = routers
            .filter_map(|router| identity(router, interfaces))
            .collect();
        let is_wanted = |it: &&VirtualInterface| wanted.contains(&(it.parent_index, it.mac));
        let known = match self.known() {
            Ok(known) => known,
            Err(error) => {
                return tracing::error!("cannot look for interfaces left behind: {error}");
            }
        };
        let (kept, unwanted): (Vec<_>, Vec<_>) =
            known.iter().cloned().partition(|it| is_wanted(&it));
        self.remove(&unwanted);
        for one in &unwanted {
            let is_last = !kept.iter().any(|it| it.parent_index == one.parent_index);
            let mut below = interfaces.iter().filter(|_| is_last);
            let below = below.find(|it| it.index == one.parent_index);
            if let (Some(below), Some(before)) = (below, Before::parse(&one.remark)) {
                before.restore(&below.name);
            }
        }
        self.known = Some(kept);
    }

    fn remove(&mut self, unwanted: &[VirtualInterface]) {
        let indices: Vec<u32> = unwanted.iter().map(|it| it.index).collect();
        self.waning.retain(|it| !indices.contains(it));
        self.prepared.retain(|it| !indices.contains(it));
        if !indices.is_empty()
            && let Err(error) = self.kernel.remove(&indices)
        {
            let names: Vec<_> = unwanted.iter().map(|it| &it.name).collect();
            tracing::error!("cannot remove all of {names:?}: {error}");
        }
    }

    fn known(&mut self) -> io::Result<&[VirtualInterface]> {
        let known = match self.known.take() {
            Some(known) => known,
            None => self.kernel.owned()?,
        };
        Ok(self.known.insert(known))
    }
}

/// RFC 9568 §7.3.
fn virtual_mac(spec: &RouterSpec) -> [u8; 6] {
    let family = if no_source(spec).is_ipv6() { 2 } else { 1 };
    [0x00, 0x00, 0x5e, 0x00, family, spec.vrid]
}

/// By what the interface of a router is known: the number of the one below, and its MAC address.
/// `None` for a router that has none, or while there is none below.
fn identity(spec: &RouterSpec, interfaces: &[Interface]) -> Option<(u32, [u8; 6])> {
    let mut below = interfaces.iter().filter(|_| spec.vmac);
    let below = below.find(|it| it.name == spec.interface)?;
    Some((below.index, virtual_mac(spec)))
}

/// Sets two interfaces, of which one is on top of the other, to what a virtual MAC address needs.
fn prepare(above: &str, below: &str) -> io::Result<()> {
    for (setting, value) in ABOVE {
        set(setting, above, value)?;
    }
    for (setting, value) in BELOW {
        if setting.read("all")?.max(setting.read(below)?) < value {
            set(setting, below, value)?;
        }
    }
    Ok(())
}

/// A kernel without IPv6 has no settings for it, and needs none.
fn set(setting: Setting, interface: &str, value: u32) -> io::Result<()> {
    let is_set = match setting.read(interface) {
        Ok(now) => now == value,
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if is_set {
        return Ok(());
    }
    let said = |error: io::Error| {
        let name = setting.name();
        let text = format!("cannot set {name} of {interface} to {value}: {error}");
        io::Error::new(error.kind(), text)
    };
    setting.write(interface, value).map_err(said)
}

/// What an interface was set to before the first of ours was put on top of it. Kept in their remarks,
/// where it outlives this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Before([u32; BELOW.len()]);

impl Before {
    fn of(interface: &str) -> io::Result<Self> {
        let mut values = [0; BELOW.len()];
        for (value, (setting, _)) in values.iter_mut().zip(BELOW) {
            *value = setting.read(interface)?;
        }
        Ok(Self(values))
    }

    fn parse(remark: &str) -> Option<Self> {
        let mut words = remark.split(' ');
        let mut values = [0; BELOW.len()];
        for (value, (setting, _)) in values.iter_mut().zip(BELOW) {
            let (name, said) = words.next()?.split_once('=')?;
            *value = said.parse().ok().filter(|_| name == setting.name())?;
        }
        Some(Self(values))
    }

    /// What somebody else has changed meanwhile stays as it is.
    fn restore(self, interface: &str) {
        for (before, (setting, ours)) in self.0.into_iter().zip(BELOW) {
            let is_ours = setting.read(interface).is_ok_and(|now| now == ours);
            if is_ours && let Err(error) = set(setting, interface, before) {
                tracing::warn!("{error}");
            }
        }
    }
}

impl fmt::Display for Before {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (value, (setting, _))) in self.0.iter().zip(BELOW).enumerate() {
            let gap = if place == 0 { "" } else { " " };
            write!(f, "{gap}{}={value}", setting.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::tests::spec;

    #[test]
    fn the_mac_address_tells_family_and_number() {
        let mut router = spec();
        assert_eq!(virtual_mac(&router), [0, 0, 0x5e, 0, 1, 101]);
        router.addresses[0].address = "fe80::1".parse().unwrap();
        assert_eq!(virtual_mac(&router), [0, 0, 0x5e, 0, 2, 101]);
    }

    #[test]
    fn a_remark_says_what_was_before() {
        let before = Before([0, 2]);
        let remark = format!("{before} a name");
        assert_eq!(remark, "arp_ignore=0 arp_announce=2 a name");
        assert_eq!(Before::parse(&remark), Some(before));
        for other in [
            "",
            "a name",
            "arp_ignore=0",
            "arp_ignore=x arp_announce=0",
            "a=0 b=0",
        ] {
            assert_eq!(Before::parse(other), None, "{other}");
        }
    }
}
