//! One broadcast domain of hosts, each a network namespace, around a bridge in a namespace of its
//! own. Every [`Lan`] has the article's addresses, so that tests run side by side unchanged.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use platform::topology::Namespace;
use tempfile::TempDir;

use crate::process::{Signal, in_namespace, signal};
use crate::{run, wait_until};

/// Where `ip netns` keeps its handles.
const NAMESPACES: &str = "/run/netns";

/// The hosts of the article, with their addresses.
const HOSTS: [(&str, &str); 5] = [
    ("proxy101", "192.168.0.101"),
    ("proxy102", "192.168.0.102"),
    ("app201", "192.168.0.201"),
    ("app202", "192.168.0.202"),
    ("client", "192.168.0.50"),
];

/// The network of one scenario. Everything in it ends when this value goes, on a panic too.
#[derive(Debug)]
pub struct Lan {
    prefix: String,
    hosts: Vec<Host>,
    files: TempDir,
}

/// One machine: a network namespace with `lo` and `em1`.
#[derive(Clone, Debug)]
pub struct Host {
    name: &'static str,
    address: &'static str,
    /// The last octet of the hardware address.
    port: u8,
    namespace: String,
    files: PathBuf,
}

impl Lan {
    /// Builds the network of the article: two proxies, two back ends and a client.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep_leftovers();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("ek{}-{number}", std::process::id());
        let files = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .tempdir()
            .expect("a temporary directory can be made");
        allow_everybody(files.path());
        let hosts: Vec<Host> = HOSTS
            .iter()
            .zip(1..)
            .map(|((name, address), port)| Host::new(&prefix, name, address, port, files.path()))
            .collect();
        let lan = Self {
            prefix,
            hosts,
            files,
        };
        lan.build();
        lan
    }

    fn build(&self) {
        let bridge = self.bridge_namespace();
        run(&["ip", "netns", "add", &bridge]);
        ip_batch(
            &bridge,
            "link set lo up\nlink add br0 type bridge forward_delay 0\nlink set br0 up\n",
        );
        for host in &self.hosts {
            let port = host.port;
            run(&["ip", "netns", "add", &host.namespace]);
            let name = host.name;
            ip_batch(
                &bridge,
                &format!(
                    "link add {name} type veth peer name em1 address 02:00:00:00:00:{port:02x} netns {}\n\
                     link set {name} master br0 up\n",
                    host.namespace
                ),
            );
            let address = host.address;
            ip_batch(
                &host.namespace,
                &format!(
                    "link set lo up\naddress add {address}/24 brd + dev em1\nlink set em1 up\n"
                ),
            );
        }
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.name == name)
            .unwrap_or_else(|| panic!("there is no host {name}"))
    }

    /// A directory for whatever the scenario writes, gone with the network.
    pub fn files(&self) -> &Path {
        self.files.path()
    }

    /// The namespace of the bridge, whose `br0` sees every frame once.
    pub fn bridge_namespace(&self) -> String {
        format!("{}-lan", self.prefix)
    }

    /// Pulls the host's cable: it and the bridge see the link go down.
    pub fn unplug(&self, host: &str) {
        self.set_port(host, "down");
    }

    /// Puts the cable back.
    pub fn plug(&self, host: &str) {
        self.set_port(host, "up");
    }

    fn set_port(&self, host: &str, state: &str) {
        let port = self.host(host).name;
        run(&[
            "ip",
            "-n",
            &self.bridge_namespace(),
            "link",
            "set",
            port,
            state,
        ]);
    }

    /// Loses every frame between the two hosts while both links stay up: a split network.
    pub fn part(&self, one: &str, other: &str) {
        self.split([&[one], &[other]]);
    }

    /// Loses every frame between hosts of different halves while all links stay up, as between two
    /// switches whose cable is out. Hosts that are in neither reach both.
    pub fn split(&self, halves: [&[&str]; 2]) {
        let [one, other] = halves.map(|half| half.join(", "));
        self.nft(&format!(
            "table bridge parted {{ chain forward {{ type filter hook forward priority 0; \
             iifname {{ {one} }} oifname {{ {other} }} drop; \
             iifname {{ {other} }} oifname {{ {one} }} drop; }}; }}"
        ));
    }

    /// Ends what [`Lan::part`] or [`Lan::split`] began.
    pub fn heal(&self) {
        self.nft("delete table bridge parted");
    }

    fn nft(&self, rules: &str) {
        let bridge = self.bridge_namespace();
        run(&["ip", "netns", "exec", &bridge, "nft", rules]);
    }
}

impl Default for Lan {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lan {
    fn drop(&mut self) {
        if thread::panicking() {
            show_logs(self.files.path());
        }
        for host in &self.hosts {
            remove_namespace(&host.namespace);
        }
        remove_namespace(&self.bridge_namespace());
    }
}

impl Host {
    fn new(
        prefix: &str,
        name: &'static str,
        address: &'static str,
        port: u8,
        files: &Path,
    ) -> Self {
        let files = files.join(name);
        fs::create_dir(&files).expect("a directory can be made");
        allow_everybody(&files);
        Self {
            name,
            address,
            port,
            namespace: format!("{prefix}-{name}"),
            files,
        }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its own address.
    pub fn address(&self) -> &'static str {
        self.address
    }

    /// The address that its kernel gives it from its hardware address (RFC 4291 appendix A).
    pub fn link_local(&self) -> String {
        format!("fe80::ff:fe00:{:x}", self.port)
    }

    /// Waits for [`Host::link_local`]: the kernel lets it be used when nobody else has claimed it.
    pub fn wait_for_link_local(&self) {
        wait_until("a link-local address", Duration::from_secs(40), || {
            let shown = self.run(&["ip", "-6", "address", "show", "dev", "em1"]);
            (shown.contains(&self.link_local()) && !shown.contains("tentative")).then_some(())
        });
    }

    /// Its network namespace, as `ip netns` knows it.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Its directory for configurations, logs and the like.
    pub fn files(&self) -> &Path {
        &self.files
    }

    /// Does `work` on this host: on a thread whose sockets and child processes belong to it.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                self.enter();
                work()
            });
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread to this host.
    pub(crate) fn enter(&self) {
        let handle = Path::new(NAMESPACES).join(&self.namespace);
        Namespace::open(&handle)
            .and_then(|namespace| namespace.enter())
            .unwrap_or_else(|error| panic!("cannot enter {}: {error}", handle.display()));
    }

    /// Runs a tool on this host and returns what it prints; panics when it fails.
    pub fn run(&self, argv: &[&str]) -> String {
        self.inside(|| run(argv))
    }

    /// Waits until somebody listens on a port here.
    pub fn wait_for_port(&self, port: u16) {
        let filter = format!("sport = :{port}");
        wait_until("a server", Duration::from_secs(40), || {
            let listening = self.run(&["ss", "-Hltn", &filter]);
            (!listening.is_empty()).then_some(())
        });
    }

    /// Whether `ip addr` shows the address on `em1`.
    pub fn owns(&self, address: &str) -> bool {
        let shown = run(&[
            "ip",
            "-n",
            &self.namespace,
            "-o",
            "addr",
            "show",
            "dev",
            "em1",
        ]);
        shown.contains(&format!(" {address}/"))
    }
}

/// Children of the product run as an unprivileged user and reach their files through here.
fn allow_everybody(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o755))
        .expect("an own directory's mode can be set");
}

fn ip_batch(namespace: &str, lines: &str) {
    let mut child = Command::new("ip")
        .args(["-n", namespace, "-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("ip can be run");
    child
        .stdin
        .take()
        .expect("it is piped")
        .write_all(lines.as_bytes())
        .expect("ip reads");
    let status = child.wait().expect("ip can be waited for");
    assert!(
        status.success(),
        "ip -batch in {namespace}: {status}\n{lines}"
    );
}

/// Lets SIGINT, SIGTERM and SIGHUP take every network of this process with them, and everything that runs
/// there. For programs that are not tests: nothing of theirs is dropped when such a signal ends them.
///
/// # Errors
/// Those of starting a thread and of waiting for signals.
pub fn clean_up_on_interrupt() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    drop(entered);
    thread::Builder::new().spawn(move || {
        let number = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hang_up.recv() => SignalKind::hangup(),
            }
        });
        remove_networks_of(std::process::id());
        // As a shell tells of a signal.
        std::process::exit(128 + number.as_raw_value());
    })?;
    Ok(())
}

/// Removes what [`Lan::new`] made in the process `maker`.
fn remove_networks_of(maker: u32) {
    let is_own = |name: &String| maker_of(name).is_some_and(|(pid, _)| pid == maker);
    for name in names_in(Path::new(NAMESPACES)).into_iter().filter(is_own) {
        remove_namespace(&name);
    }
    let temporary = std::env::temp_dir();
    for name in names_in(&temporary).into_iter().filter(is_own) {
        // What cannot be removed is left to the next sweep.
        let _ = fs::remove_dir_all(temporary.join(name));
    }
}

/// Ends whatever runs in the namespace, then removes it. On the way out of a test nothing may
/// panic: what cannot be removed now is left to the next sweep.
fn remove_namespace(namespace: &str) {
    if Path::new(NAMESPACES).join(namespace).exists() {
        signal(Signal::Kill, &in_namespace(namespace));
        let _ = Command::new("ip")
            .args(["netns", "del", namespace])
            .status();
    }
}

/// Removes the namespaces and files of test processes that are no more (killed at a time limit, say).
fn sweep_leftovers() {
    for name in left_in(Path::new(NAMESPACES)) {
        let host = maker_of(&name).map(|(_, host)| host);
        if host.is_some_and(|host| host == "lan" || HOSTS.iter().any(|(name, _)| *name == host)) {
            remove_namespace(&name);
        }
    }
    let temporary = std::env::temp_dir();
    for name in left_in(&temporary) {
        // Another test may be sweeping too.
        let _ = fs::remove_dir_all(temporary.join(name));
    }
}

/// The names in `directory` that [`Lan::new`] gave in a process that is no more.
fn left_in(directory: &Path) -> Vec<String> {
    let is_left = |name: &String| {
        maker_of(name).is_some_and(|(pid, _)| !Path::new(&format!("/proc/{pid}")).exists())
    };
    names_in(directory).into_iter().filter(is_left).collect()
}

fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    entries
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// The process id in a name that [`Lan::new`] gives, and what follows the number.
fn maker_of(name: &str) -> Option<(u32, &str)> {
    let (pid, rest) = name.strip_prefix("ek")?.split_once('-')?;
    let (number, rest) = rest.split_once('-')?;
    number.parse::<u32>().ok()?;
    Some((pid.parse().ok()?, rest))
}

/// Prints the end of every log of a scenario that failed.
fn show_logs(directory: &Path) {
    const SHOWN: usize = 60;
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            show_logs(&path);
        } else if path.extension().is_some_and(|extension| extension == "log") {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("---- {}", path.display());
            for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
                eprintln!("{line}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_names_tell_their_maker() {
        for (name, maker) in [
            ("ek4711-0-proxy101", Some((4711, "proxy101"))),
            ("ek4711-12-lan", Some((4711, "lan"))),
            ("ek4711-0-Ab3xYz", Some((4711, "Ab3xYz"))),
            ("ek4711-proxy101", None),
            ("ek-0-lan", None),
            ("eth0", None),
            ("router", None),
        ] {
            assert_eq!(maker_of(name), maker, "{name}");
        }
    }
}
