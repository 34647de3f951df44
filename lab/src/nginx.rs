//! The real nginx, as the article has it beside keepalived: a page of its own, and two back ends.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::process::{Signal, children_of, signal};
use crate::{Host, Running, wait_until};

/// Where Debian has it.
const PROGRAM: &str = "/usr/sbin/nginx";

/// Worker processes, as many as a node of ours has.
const WORKERS: usize = 2;

/// An nginx, started and ended at will.
#[derive(Debug)]
pub struct Nginx {
    host: Host,
    running: Option<Running>,
}

impl Nginx {
    /// Writes the configuration and starts it: `/app/` is relayed to the back ends of the article,
    /// everything else is a file.
    pub fn start(host: &Host) -> Self {
        let mut nginx = Self {
            host: host.clone(),
            running: None,
        };
        fs::write(nginx.file("nginx.conf"), nginx.configuration()).expect("a file can be written");
        fs::write(nginx.file("index.html"), "a page\n").expect("a file can be written");
        symlink(PROGRAM, nginx.file(&nginx.name())).expect("a link can be made");
        nginx.start_again();
        nginx
    }

    /// Starts it after it was ended.
    pub fn start_again(&mut self) {
        // In a process namespace of its own, the kernel buries killed workers at once. Whoever is the
        // parent of orphans here may take a second for that, and to a check by name a process that
        // nobody has waited for is alive.
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child"]);
        command.arg(self.file(&self.name()));
        command.arg("-p").arg(self.host.files());
        command.arg("-c").arg(self.file("nginx.conf"));
        let log = self.file("nginx.log");
        let running = self.host.inside(|| Running::start(command, &log));
        let master = wait_until("nginx's workers", Duration::from_secs(20), || {
            let master = *children_of(running.pid()).first()?;
            (children_of(master).len() == WORKERS).then_some(master)
        });
        // Its own pid file has the id that it has in its namespace.
        fs::write(self.pid_file(), format!("{master}\n")).expect("a file can be written");
        self.running = Some(running);
    }

    /// The name of its processes. One of its own for each host: process names are the same in all
    /// network namespaces, and a check by name must not find the other node's.
    pub fn name(&self) -> String {
        let host = self.host.name();
        let number: String = host.chars().filter(char::is_ascii_digit).collect();
        format!("ng{number}-{}", std::process::id())
    }

    /// Where its master process has its id.
    pub fn pid_file(&self) -> PathBuf {
        self.file("master.pid")
    }

    /// Its worker processes.
    pub fn workers(&self) -> Vec<u32> {
        self.master().map_or_else(Vec::new, children_of)
    }

    fn master(&self) -> Option<u32> {
        let running = self.running.as_ref()?;
        children_of(running.pid()).first().copied()
    }

    /// The master process and the workers.
    pub fn all_pids(&self) -> Vec<u32> {
        let mut pids = self.workers();
        pids.extend(self.master());
        pids
    }

    /// Tells the master process something.
    pub fn signal(&self, what: Signal) {
        if let Some(master) = self.master() {
            signal(what, &[master]);
        }
    }

    /// Ends it as its init script does.
    pub fn stop(&mut self) {
        self.signal(Signal::Term);
        if let Some(mut running) = self.running.take() {
            running.wait(Duration::from_secs(20));
        }
    }

    /// Kills all of it at once.
    pub fn kill(&mut self) {
        let pids = self.all_pids();
        if let Some(mut running) = self.running.take() {
            signal(Signal::Kill, &pids);
            running.wait(Duration::from_secs(20));
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host.files().join(name)
    }

    fn configuration(&self) -> String {
        let folder = self.host.files().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|part| format!("    {part}_temp_path {folder}/nginx-{part};\n"))
            .concat();
        format!(
            "daemon off;
worker_processes {WORKERS};
pid {folder}/nginx.pid;
error_log stderr;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
{temporary}    upstream app {{
        server 192.168.0.201:80;
        server 192.168.0.202:80;
        keepalive 64;
    }}
    server {{
        listen 80;
        location / {{
            root {folder};
            index index.html;
        }}
        location /app/ {{
            proxy_pass http://app;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
        }}
    }}
}}
"
        )
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        signal(Signal::Kill, &self.all_pids());
    }
}
