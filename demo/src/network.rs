//! Who is where: one switch, five machines on it.

use std::net::{Ipv4Addr, SocketAddr};

use platform::topology::{Bridge, Namespace, TopologyError};

/// Every machine's interface.
pub(crate) const INTERFACE: &str = "em1";
/// The port of the addresses and of the back ends.
pub(crate) const PORT: u16 = 80;
const PREFIX: u8 = 24;

/// A machine of the demonstration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Machine {
    pub(crate) name: &'static str,
    pub(crate) address: Ipv4Addr,
}

/// A virtual address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gateway {
    /// The virtual router's name.
    pub(crate) name: &'static str,
    pub(crate) vrid: u8,
    pub(crate) address: Ipv4Addr,
    /// The index in [`NODES`] of the node that owns it while all are well.
    pub(crate) preferred: usize,
}

pub(crate) const NODES: [Machine; 2] = [machine("proxy101", 101), machine("proxy102", 102)];
pub(crate) const BACKENDS: [Machine; 2] = [machine("backend1", 201), machine("backend2", 202)];
const CLIENT: Machine = machine("client", 50);
pub(crate) const GATEWAYS: [Gateway; 2] = [
    Gateway {
        name: "gateway-a",
        vrid: 101,
        address: on_the_switch(105),
        preferred: 0,
    },
    Gateway {
        name: "gateway-b",
        vrid: 102,
        address: on_the_switch(106),
        preferred: 1,
    },
];

const fn machine(name: &'static str, host: u8) -> Machine {
    Machine {
        name,
        address: on_the_switch(host),
    }
}

const fn on_the_switch(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 0, host)
}

impl Machine {
    /// Where it serves HTTP, if it does.
    pub(crate) fn service(self) -> SocketAddr {
        SocketAddr::from((self.address, PORT))
    }
}

/// The machines' namespaces. The switch is in the namespace of the whole world inside.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) nodes: [Namespace; 2],
    pub(crate) backends: [Namespace; 2],
    pub(crate) client: Namespace,
}

impl Network {
    /// Builds it. The interfaces last as long as the namespaces, the switch as long as the world.
    pub(crate) fn build() -> Result<Self, TopologyError> {
        let here = Namespace::of_this_thread().map_err(|error| TopologyError::System {
            what: "find this network namespace".to_owned(),
            error,
        })?;
        let switch = Bridge::new(here, "switch")?;
        let place = |machine: Machine| {
            let namespace = Namespace::new()?;
            switch.connect(machine.name, &namespace, INTERFACE, machine.address, PREFIX)?;
            Ok::<_, TopologyError>(namespace)
        };
        Ok(Self {
            nodes: [place(NODES[0])?, place(NODES[1])?],
            backends: [place(BACKENDS[0])?, place(BACKENDS[1])?],
            client: place(CLIENT)?,
        })
    }
}
