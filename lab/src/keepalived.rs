//! The real keepalived with the article's configuration.

use std::fs;
use std::path::PathBuf;
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

/// What differs between two nodes of a pair.
#[derive(Clone, Copy, Debug)]
pub struct KeepalivedSetup {
    /// Where it runs.
    pub host: &'static str,
    /// The other node.
    pub peer: &'static str,
    /// The priority before the check script adds its 2.
    pub priority: u8,
    /// How adverts travel.
    pub transport: Transport,
}

/// A keepalived, started and ended at will.
#[derive(Debug)]
pub struct Keepalived {
    host: Host,
    running: Option<Running>,
}

impl Keepalived {
    /// Writes the configuration and starts it.
    pub fn start(lan: &Lan, setup: KeepalivedSetup) -> Self {
        let host = lan.host(setup.host).clone();
        let mut keepalived = Self {
            host,
            running: None,
        };
        let configuration = keepalived.configuration(setup, lan.host(setup.peer));
        fs::write(keepalived.file("keepalived.conf"), configuration)
            .expect("a file can be written");
        keepalived.write_notify_script();
        keepalived.set_well(true);
        keepalived.start_again();
        keepalived
    }

    /// Starts it after it was ended.
    pub fn start_again(&mut self) {
        let mut command = Command::new("keepalived");
        command
            .args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"])
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

    /// Kills all of it at once.
    pub fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            let mut pids = children_of(running.pid());
            pids.push(running.pid());
            signal(Signal::Kill, &pids);
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

    /// The article's file. Its check asks whether a process exists; here, whether a file does.
    fn configuration(&self, setup: KeepalivedSetup, peer: &Host) -> String {
        let own = self.host.address();
        let transport = match setup.transport {
            Transport::Unicast => format!(
                "unicast_src_ip {own}\n    unicast_peer {{\n        {}\n    }}",
                peer.address()
            ),
            Transport::Multicast => format!("mcast_src_ip {own}"),
        };
        format!(
            "global_defs {{
    router_id {name}
    script_user root
}}
vrrp_script chk_nginx {{
    script \"/usr/bin/test -e {well}\"
    interval 1
    weight 2
    fall 2
    rise 1
}}
vrrp_instance {ROUTER} {{
    state BACKUP
    interface em1
    virtual_router_id 101
    priority {priority}
    advert_int 1
    {transport}
    authentication {{
        auth_type PASS
        auth_pass testpass
    }}
    virtual_ipaddress {{
        {VIP}
    }}
    track_script {{
        chk_nginx
    }}
    notify {notify}
}}
",
            name = self.host.name(),
            well = self.file("well").display(),
            priority = setup.priority,
            notify = self.file("keepalived-notify").display(),
        )
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        self.kill();
    }
}
