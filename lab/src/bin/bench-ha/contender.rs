//! Who is measured: keepalived with nginx as in the article or as fast as they can be made, and
//! Evenkeel, each as a pair of nodes in a network of its own.

use std::fmt;
use std::time::Duration;

use lab::{
    AddressWatch, Check, Connections, HttpStub, Instance, Keepalived, KeepalivedSetup, Lan, Load,
    Moment, Nginx, Node, Protocol, Signal, Transport, VIP, paced_configuration, pair_configuration,
    signal, wait_until,
};

/// A limit for what is only waited for.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Requests a second: one every 2 ms.
pub(crate) const RATE: u32 = 500;

/// Whose pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// keepalived 2.2.7 and nginx.
    Theirs,
    /// Evenkeel.
    Ours,
}

/// Whose pair, and at which pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contender {
    /// Whose.
    pub(crate) whose: Whose,
    /// The interval of the adverts. At 1 s both have the article's configuration, version 2 with a
    /// password; below that version 3, and keepalived's fastest check of the proxy.
    pub(crate) interval: Duration,
}

impl Contender {
    fn is_article(self) -> bool {
        self.interval == Duration::from_secs(1)
    }

    /// What a Backup waits for before it takes over, at the most: three intervals and the skew of
    /// priority 201 (RFC 3768 and RFC 9568 §6.1).
    pub(crate) fn down_interval(self) -> Duration {
        const PRIORITY: u32 = 201;
        3 * self.interval + self.interval * (256 - PRIORITY) / 256
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whose = match self.whose {
            Whose::Theirs => "keepalived + nginx",
            Whose::Ours => "Evenkeel",
        };
        write!(f, "{whose} at {} s", self.interval.as_secs_f64())
    }
}

/// One node of either kind.
pub(crate) enum Member {
    /// keepalived and nginx.
    Theirs {
        /// The one.
        keepalived: Keepalived,
        /// The other.
        nginx: Nginx,
    },
    /// Evenkeel.
    Ours(Node),
}

impl Member {
    fn start(contender: Contender, lan: &Lan, name: &'static str, instances: &[Instance]) -> Self {
        let host = lan.host(name);
        match contender.whose {
            Whose::Theirs => {
                let nginx = Nginx::start(host);
                let mut setup = KeepalivedSetup::article(name, Transport::Unicast);
                setup.instances = instances.to_vec();
                if contender.is_article() {
                    setup.check = Check::Killall(nginx.name());
                } else {
                    setup.protocol = Protocol::V3(contender.interval);
                    setup.check = Check::PidFile(nginx.pid_file());
                }
                let keepalived = Keepalived::start(lan, &setup);
                Self::Theirs { keepalived, nginx }
            }
            Whose::Ours => {
                let mut configuration = if contender.is_article() {
                    pair_configuration(host)
                } else {
                    paced_configuration(host, contender.interval)
                };
                for more in instances
                    .iter()
                    .filter(|instance| **instance != Instance::article())
                {
                    configuration += &our_router(more, contender.interval);
                }
                Self::Ours(Node::start(host, &configuration))
            }
        }
    }

    /// Waits until it can do its part.
    fn wait_until_ready(&self) {
        if let Self::Ours(node) = self {
            node.wait_for_service();
        }
    }

    /// What serves requests.
    pub(crate) fn workers(&self) -> Vec<u32> {
        match self {
            Self::Theirs { nginx, .. } => nginx.workers(),
            Self::Ours(node) => node.pids_of("proxy"),
        }
    }

    /// The process that speaks VRRP.
    pub(crate) fn vrrp(&self) -> Vec<u32> {
        match self {
            Self::Theirs { keepalived, .. } => keepalived.vrrp_pids(),
            Self::Ours(node) => node.pids_of("vrrp"),
        }
    }

    /// The process that speaks VRRP, and the one that would start it again.
    pub(crate) fn daemon(&self) -> Vec<u32> {
        match self {
            Self::Theirs { keepalived, .. } => keepalived.all_pids(),
            Self::Ours(node) => {
                let mut pids = node.pids_of("vrrp");
                pids.push(node.supervisor());
                pids
            }
        }
    }

    /// Every process of the node.
    pub(crate) fn everything(&self) -> Vec<u32> {
        match self {
            Self::Theirs { keepalived, nginx } => {
                let mut pids = keepalived.all_pids();
                pids.extend(nginx.all_pids());
                pids
            }
            Self::Ours(node) => node.all_pids(),
        }
    }

    /// Kills the proxy: all that the article's check looks at, or all that serves.
    pub(crate) fn kill_proxy(&mut self) {
        match self {
            Self::Theirs { nginx, .. } => nginx.kill(),
            Self::Ours(node) => signal(Signal::Kill, &node.pids_of("proxy")),
        }
    }

    /// Stops the node as its init scripts do.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Theirs { keepalived, nginx } => {
                keepalived.stop();
                nginx.stop();
            }
            Self::Ours(node) => {
                node.stop();
            }
        }
    }

    /// Lets it read its configuration again.
    pub(crate) fn reload(&self) {
        match self {
            Self::Theirs { keepalived, nginx } => {
                keepalived.signal(Signal::Hup);
                nginx.signal(Signal::Hup);
            }
            Self::Ours(node) => node.signal(Signal::Hup),
        }
    }
}

/// One more virtual router for our configuration file.
fn our_router(instance: &Instance, interval: Duration) -> String {
    let Instance {
        name,
        vrid,
        addresses,
    } = instance;
    format!(
        "
[virtual_routers.{name}]
interface = \"em1\"
vrid = {vrid}
advert_interval = \"{}ms\"
priority = {{ proxy101 = 200, proxy102 = 199 }}
addresses = [\"{addresses}/32\"]
",
        interval.as_millis(),
        addresses = addresses.join("/32\", \"")
    )
}

/// A pair at work.
pub(crate) struct Rig {
    /// The Master, `proxy101`.
    pub(crate) first: Member,
    /// The Backup, `proxy102`, which is there.
    _second: Member,
    /// Who owns the article's address.
    pub(crate) watch: AddressWatch,
    _backends: [HttpStub; 2],
    /// Where all this is; it goes last.
    pub(crate) lan: Lan,
}

impl Rig {
    /// Starts a pair with the article's virtual router: `proxy101` owns the address, and `proxy102` would
    /// take over.
    pub(crate) fn start(contender: Contender) -> Self {
        Self::with(contender, &[Instance::article()])
    }

    /// The same with these virtual routers, of which the first is the article's.
    pub(crate) fn with(contender: Contender, instances: &[Instance]) -> Self {
        let lan = Lan::new();
        let backends = ["app201", "app202"].map(|name| HttpStub::backend(lan.host(name)));
        let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
        let first = Member::start(contender, &lan, "proxy101", instances);
        first.wait_until_ready();
        watch.wait_for_owner("proxy101", LONG);
        let second = Member::start(contender, &lan, "proxy102", instances);
        second.wait_until_ready();
        // The second has heard the first by then.
        wait_for(Moment::now() + contender.interval.max(Duration::from_millis(300)));
        assert_eq!(watch.owner(), Some("proxy101"), "{contender}");
        Self {
            first,
            _second: second,
            watch,
            _backends: backends,
            lan,
        }
    }

    /// Begins to ask for `path` at the virtual address from `host`, and waits for half a second of
    /// answers.
    pub(crate) fn load(&self, host: &str, path: &str, rate: u32) -> Load {
        let host = self.lan.host(host);
        let load = Load::start(host, &format!("{VIP}:80"), path, rate, Connections::New);
        let enough = usize::try_from(rate / 2).unwrap_or(usize::MAX);
        wait_until("half a second of answers", LONG, || {
            (load.answered() > enough).then_some(())
        });
        load
    }

    /// How often the address has come to a node so far, both together.
    pub(crate) fn arrivals(&self) -> usize {
        self.watch.arrivals("proxy101") + self.watch.arrivals("proxy102")
    }
}

/// Waits until `end`.
pub(crate) fn wait_for(end: Moment) {
    wait_until("time has passed", LONG, || {
        (Moment::now() > end).then_some(())
    });
}

/// Waits for a part of `interval` that is another each time: what happens next is in no step with the
/// adverts.
pub(crate) fn wait_out_of_step(interval: Duration) {
    let now = Moment::now().since(Moment::default());
    let part = now.as_micros() * 7919 % interval.as_micros().max(1);
    std::thread::sleep(Duration::from_micros(u64::try_from(part).unwrap_or(0)));
}
