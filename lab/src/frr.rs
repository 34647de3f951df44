//! The real vrrpd of FRR. It speaks multicast alone, and keeps its address on a macvlan with the virtual
//! MAC, which it takes down while it is Backup.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Signal, signal};
use crate::{Host, Running, VIP, wait_until};

/// Where Debian has its daemons, which it starts under its own supervision.
const DAEMONS: &str = "/usr/lib/frr";

/// A generous limit for a daemon to start or end.
const LONG: Duration = Duration::from_secs(30);

/// vrrpd with the article's address in version 3, and the zebra that it needs.
#[derive(Debug)]
pub struct Frr {
    host: Host,
    zebra: Running,
    vrrpd: Option<Running>,
}

impl Frr {
    /// Makes the macvlan, writes the configuration and starts both daemons.
    pub fn start(host: &Host, priority: u8, interval: Duration) -> Self {
        let folder = host.files().join("frr");
        fs::create_dir(&folder).expect("a directory can be made");
        host.run(&["chown", "frr:frr", &folder.display().to_string()]);
        let write = |name: &str, text: &str| {
            fs::write(folder.join(name), text).expect("a file can be written");
        };
        write("zebra.conf", "log stdout\n");
        write(
            "vrrpd.conf",
            &format!(
                "log stdout
interface em1
 vrrp 101 version 3
 vrrp 101 priority {priority}
 vrrp 101 advertisement-interval {}
 vrrp 101 ip {VIP}
",
                interval.as_millis()
            ),
        );
        make_macvlan(host);
        let zebra = start_daemon(host, "zebra");
        wait_until("zebra listens", LONG, || {
            folder.join("zserv.api").exists().then_some(())
        });
        let mut frr = Self {
            host: host.clone(),
            zebra,
            vrrpd: None,
        };
        frr.start_again();
        frr
    }

    /// Starts vrrpd after it was ended.
    pub fn start_again(&mut self) {
        self.vrrpd = Some(start_daemon(&self.host, "vrrpd"));
        wait_until("vrrpd answers", LONG, || self.state());
    }

    /// The state of its virtual router as it calls it: Initialize, Backup or Master.
    pub fn state(&self) -> Option<String> {
        let folder = self.folder().display().to_string();
        let show = ["vtysh", "--vty_socket", &folder, "-c", "show vrrp json"];
        let shown = self.host.inside(|| crate::answer(&show));
        let routers: Value = serde_json::from_str(&shown).ok()?;
        let status = routers.get(0)?.get("v4")?.get("status")?;
        status.as_str().map(str::to_owned)
    }

    /// Ends vrrpd in good order: it says priority 0.
    pub fn stop(&mut self) {
        if let Some(mut vrrpd) = self.vrrpd.take() {
            vrrpd.stop(LONG);
        }
    }

    /// Kills vrrpd. Its address stays where it was.
    pub fn kill(&mut self) {
        if let Some(mut vrrpd) = self.vrrpd.take() {
            vrrpd.signal(Signal::Kill);
            vrrpd.wait(LONG);
        }
    }

    fn folder(&self) -> PathBuf {
        self.host.files().join("frr")
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        self.kill();
        signal(Signal::Kill, &[self.zebra.pid()]);
    }
}

/// vrrpd makes no interface: it looks for one with the virtual MAC of its VRID and its address.
fn make_macvlan(host: &Host) {
    for command in [
        "ip link add vrrp4 link em1 type macvlan mode bridge",
        "ip link set vrrp4 addrgenmode random",
        "ip link set vrrp4 address 00:00:5e:00:01:65",
        &format!("ip address add {VIP}/32 dev vrrp4"),
        "ip link set vrrp4 up",
    ] {
        host.run(&command.split(' ').collect::<Vec<_>>());
    }
}

fn start_daemon(host: &Host, name: &str) -> Running {
    let folder = host.files().join("frr");
    let mut command = Command::new(format!("{DAEMONS}/{name}"));
    command.args(["-u", "frr", "-g", "frr", "-P", "0"]);
    command.arg("-f").arg(folder.join(format!("{name}.conf")));
    command.arg("-i").arg(folder.join(format!("{name}.pid")));
    command.arg("-z").arg(folder.join("zserv.api"));
    command.arg("--vty_socket").arg(&folder);
    let log = host.files().join(format!("{name}.log"));
    host.inside(|| Running::start(command, &log))
}
