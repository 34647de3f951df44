//! The real keepalived with the article's configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Signal, children_of, signal};
use crate::{Host, Lan, ROUTER, Running, VIP, wait_until};

/// How adverts travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// From host to host, as in the article.
    Unicast,
    /// To 224.0.0.18.
    Multicast,
}

/// Version, pace and authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Version 2 each second with a password, as in the article.
    V2,
    /// Version 3 at this interval, in whole hundredths of a second.
    V3(Duration),
}

/// What lowers the priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The article's weights, for a file that [`Keepalived::set_well`] makes and removes.
    File,
    /// The article's own: `killall -0` with this name each second, its weight added while that succeeds.
    Killall(String),
    /// The fastest that can be made of 2.2.7, whose scripts run each second at the most: a loop beside it
    /// looks every 20 ms whether the process of this pid file lives, and writes a file that keepalived
    /// watches; without the process the router is in Fault.
    PidFile(PathBuf),
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its VRID.
    pub vrid: u8,
    /// Its addresses, all of one family; of IPv6 the first is link-local.
    pub addresses: Vec<String>,
}

impl Instance {
    /// The article's.
    pub fn article() -> Self {
        Self {
            name: ROUTER.to_owned(),
            vrid: 101,
            addresses: vec![VIP.to_owned()],
        }
    }
}

/// What differs between two nodes of a pair, and between pairs.
#[derive(Clone, Debug)]
pub struct KeepalivedSetup {
    /// Where it runs.
    pub host: &'static str,
    /// The other node.
    pub peer: &'static str,
    /// The priority before the check adds to it.
    pub priority: u8,
    /// How adverts travel.
    pub transport: Transport,
    /// Version, pace and authentication.
    pub protocol: Protocol,
    /// What lowers the priority.
    pub check: Check,
    /// The virtual routers.
    pub instances: Vec<Instance>,
    /// Whether they are Master, Backup or Fault together.
    pub in_one_group: bool,
    /// Whether the addresses are at virtual MAC addresses.
    pub virtual_mac: bool,
}

impl KeepalivedSetup {
    /// A node of the article's pair: `proxy101` with priority 200, `proxy102` with 199.
    pub fn article(host: &'static str, transport: Transport) -> Self {
        let (peer, priority) = match host {
            "proxy101" => ("proxy102", 200),
            _ => ("proxy101", 199),
        };
        Self {
            host,
            peer,
            priority,
            transport,
            protocol: Protocol::V2,
            check: Check::File,
            instances: vec![Instance::article()],
            in_one_group: false,
            virtual_mac: false,
        }
    }
}

/// A keepalived, started and ended at will.
#[derive(Debug)]
pub struct Keepalived {
    host: Host,
    running: Option<Running>,
    /// What [`Check::PidFile`] needs.
    watcher: Option<Running>,
}

impl Keepalived {
    /// Writes the configuration and starts it.
    pub fn start(lan: &Lan, setup: &KeepalivedSetup) -> Self {
        let host = lan.host(setup.host).clone();
        let mut keepalived = Self {
            host,
            running: None,
            watcher: None,
        };
        keepalived.configure(lan, setup);
        keepalived.write_notify_script();
        keepalived.set_well(true);
        if let Check::PidFile(pid_file) = &setup.check {
            keepalived.watch_process(pid_file);
        }
        keepalived.start_again();
        keepalived
    }

    /// Writes another configuration, which it reads at SIGHUP.
    pub fn configure(&self, lan: &Lan, setup: &KeepalivedSetup) {
        let configuration = self.configuration(setup, lan.host(setup.peer));
        fs::write(self.file("keepalived.conf"), configuration).expect("a file can be written");
    }

    /// Starts it after it was ended.
    pub fn start_again(&mut self) {
        let mut command = Command::new("keepalived");
        command
            .args(["--dont-fork", "--log-console", "--vrrp"])
            .arg("--use-file")
            .arg(self.file("keepalived.conf"))
            .arg("--pid")
            .arg(self.file("keepalived.pid"))
            .arg("--vrrp_pid")
            .arg(self.file("keepalived-vrrp.pid"));
        let log = self.file("keepalived.log");
        let running = self.host.inside(|| Running::start(command, &log));
        wait_until("keepalived's vrrp process", Duration::from_secs(20), || {
            children_of(running.pid()).first().copied()
        });
        self.running = Some(running);
    }

    /// Starts the loop of [`Check::PidFile`].
    fn watch_process(&mut self, pid_file: &Path) {
        /// What makes a router Fault.
        const FAULT: i16 = -254;
        let verdict = self.file("verdict");
        fs::write(&verdict, "0\n").expect("a file can be written");
        let script = self.file("watch-process");
        crate::tool::write_script(
            &script,
            &format!(
                "verdict=0
while sleep 0.02; do
    if kill -0 \"$(cat {pid_file})\"; then now=0; else now={FAULT}; fi
    [ $now = $verdict ] || echo $now >{verdict}
    verdict=$now
done
",
                pid_file = pid_file.display(),
                verdict = verdict.display(),
            ),
        );
        let log = self.file("watch-process.log");
        self.watcher = Some(
            self.host
                .inside(|| Running::start(Command::new(script), &log)),
        );
    }

    /// What the check script finds from now on.
    pub fn set_well(&self, well: bool) {
        let mark = self.file("well");
        if well {
            fs::write(mark, "").expect("a file can be written");
        } else {
            fs::remove_file(mark).expect("it was there");
        }
    }

    /// Ends it in good order: it says priority 0.
    pub fn stop(&mut self) {
        if let Some(mut running) = self.running.take() {
            running.stop(Duration::from_secs(20));
        }
    }

    /// Its VRRP process, which does all the work; the parent only starts it again.
    pub fn vrrp_pids(&self) -> Vec<u32> {
        self.running
            .as_ref()
            .map_or_else(Vec::new, |running| children_of(running.pid()))
    }

    /// The VRRP process and its parent.
    pub fn all_pids(&self) -> Vec<u32> {
        let mut pids = self.vrrp_pids();
        pids.extend(self.running.as_ref().map(Running::pid));
        pids
    }

    /// Tells the parent something.
    pub fn signal(&self, what: Signal) {
        if let Some(running) = &self.running {
            running.signal(what);
        }
    }

    /// Kills all of it at once.
    pub fn kill(&mut self) {
        let pids = self.all_pids();
        signal(Signal::Kill, &pids);
        self.running = None;
        // Its children's bodies may lie about for a second, and it takes them for running daemons.
        for file in ["keepalived.pid", "keepalived-vrrp.pid"] {
            // There is none before it has started.
            let _ = fs::remove_file(self.file(file));
        }
    }

    /// The lines of its notify script: `INSTANCE YN_API_GATEWAY MASTER 202`.
    pub fn notices(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("keepalived-notify.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host.files().join(name)
    }

    fn write_notify_script(&self) {
        let log = self.file("keepalived-notify.log");
        crate::tool::write_script(
            &self.file("keepalived-notify"),
            &format!("echo \"$*\" >> {}\n", log.display()),
        );
    }

    fn configuration(&self, setup: &KeepalivedSetup, peer: &Host) -> String {
        let version = match setup.protocol {
            Protocol::V2 => 2,
            Protocol::V3(_) => 3,
        };
        let (check, track) = self.check(&setup.check);
        let instances = setup
            .instances
            .iter()
            .map(|instance| self.instance(setup, peer, instance, track));
        format!(
            "global_defs {{
    router_id {name}
    script_user root
    vrrp_version {version}
}}
{check}
{group}
{instances}",
            name = self.host.name(),
            group = group(setup),
            instances = instances.collect::<String>(),
        )
    }

    /// The definition of the check, and how an instance refers to it.
    fn check(&self, check: &Check) -> (String, &'static str) {
        let script = match check {
            Check::File => format!("/usr/bin/test -e {}", self.file("well").display()),
            Check::Killall(name) => format!("/usr/bin/killall -0 {name}"),
            Check::PidFile(_) => {
                let file = self.file("verdict").display().to_string();
                let definition =
                    format!("vrrp_track_file proxy {{\n    file {file}\n    weight 1\n}}");
                return (definition, "track_file {\n        proxy\n    }");
            }
        };
        let definition = format!(
            "vrrp_script chk_nginx {{
    script \"{script}\"
    interval 1
    weight 2
    fall 2
    rise 1
}}"
        );
        (definition, "track_script {\n        chk_nginx\n    }")
    }

    fn instance(
        &self,
        setup: &KeepalivedSetup,
        peer: &Host,
        instance: &Instance,
        track: &str,
    ) -> String {
        let ipv6 = instance.addresses.iter().any(|one| one.contains(':'));
        let address = |host: &Host| match ipv6 {
            true => host.link_local(),
            false => host.address().to_owned(),
        };
        let (own, peer) = (address(&self.host), address(peer));
        let transport = match setup.transport {
            Transport::Unicast => {
                format!("unicast_src_ip {own}\n    unicast_peer {{\n        {peer}\n    }}")
            }
            Transport::Multicast => format!("mcast_src_ip {own}"),
        };
        let pace = match setup.protocol {
            Protocol::V2 => "advert_int 1
    authentication {
        auth_type PASS
        auth_pass testpass
    }"
            .to_owned(),
            Protocol::V3(interval) => format!("advert_int {}", interval.as_secs_f64()),
        };
        let virtual_mac = if setup.virtual_mac { "use_vmac" } else { "" };
        let Instance {
            name,
            vrid,
            addresses,
        } = instance;
        format!(
            "vrrp_instance {name} {{
    state BACKUP
    interface em1
    virtual_router_id {vrid}
    {virtual_mac}
    priority {priority}
    {pace}
    {transport}
    virtual_ipaddress {{
        {addresses}
    }}
    {track}
    notify {notify}
}}
",
            priority = setup.priority,
            addresses = addresses.join("\n        "),
            notify = self.file("keepalived-notify").display(),
        )
    }
}

fn group(setup: &KeepalivedSetup) -> String {
    let names = setup
        .instances
        .iter()
        .map(|instance| instance.name.as_str());
    match setup.in_one_group {
        true => format!(
            "vrrp_sync_group all {{\n    group {{\n        {}\n    }}\n}}",
            names.collect::<Vec<_>>().join("\n        ")
        ),
        false => String::new(),
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        self.kill();
    }
}
