//! What the kernel does with packets of one interface: its settings in `/proc/sys/net`, in the
//! network namespace of the calling thread.

use std::fs;
use std::io;

/// A setting of an interface, as the kernel's ip-sysctl.rst describes it. All are numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// For which addresses ARP requests are answered: 0 for all of the node, 1 for those of the
    /// interface.
    ArpIgnore,
    /// Which address ARP requests come from: 0 any, 2 one of the interface.
    ArpAnnounce,
    /// Whether packets must come in where answers go out: 0 no, 1 yes, 2 only that there is a way.
    ReversePath,
    /// How the interface gets a link-local IPv6 address: 1 not at all.
    Ipv6AddressMode,
    /// Whether IPv6 routers are believed: 0 no.
    Ipv6Advertisements,
}

impl Setting {
    /// What the kernel calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::ReversePath => "rp_filter",
            Self::Ipv6AddressMode => "addr_gen_mode",
            Self::Ipv6Advertisements => "accept_ra",
        }
    }

    /// The value for an interface, by its name. "all" is what holds for all interfaces together.
    ///
    /// # Errors
    /// The system's; `NotFound` without the interface, or without the protocol.
    pub fn read(self, interface: &str) -> io::Result<u32> {
        let text = fs::read_to_string(self.path(interface))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// Sets it. Needs CAP_NET_ADMIN, and a `/proc/sys` that can be written to.
    ///
    /// # Errors
    /// Those of [`Setting::read`], and EROFS.
    pub fn write(self, interface: &str, value: u32) -> io::Result<()> {
        fs::write(self.path(interface), value.to_string())
    }

    fn path(self, interface: &str) -> String {
        let family = match self {
            Self::ArpIgnore | Self::ArpAnnounce | Self::ReversePath => "ipv4",
            Self::Ipv6AddressMode | Self::Ipv6Advertisements => "ipv6",
        };
        format!("/proc/sys/net/{family}/conf/{interface}/{}", self.name())
    }
}
