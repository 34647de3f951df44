//! USR2 replaces the running programs by those that are installed; USR1 opens log files anew; the
//! background, and a check of the configuration beside a running instance.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{
    Capture, Connections, Host, Lan, Load, Moment, Node, Pair, Signal, VIP, pair_configuration,
    signal, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

const PROGRAMS: [&str; 6] = [
    "evenkeel",
    "evenkeel-vrrp",
    "evenkeel-proxy",
    "evenkeel-check",
    "evenkeel-notify",
    "evenkeel-admin",
];

/// Copies of the programs in a folder of the host's own, as an installation.
fn install(host: &Host) -> PathBuf {
    let folder = host.files().join("installed");
    fs::create_dir(&folder).expect("a directory can be made");
    let built = lab::program();
    let built = built.parent().expect("a program lies in a folder");
    for program in PROGRAMS {
        // The same file under another name is quicker than a copy, where it can be had.
        let (from, to) = (built.join(program), folder.join(program));
        fs::hard_link(&from, &to)
            .or_else(|_| fs::copy(&from, &to).map(drop))
            .expect("a program can be installed");
    }
    folder
}

/// Puts a shell script in the place of a program, as a package manager would: by a rename.
fn replace_by_script(program: &Path, body: &str) {
    let draft = program.with_extension("new");
    fs::write(&draft, format!("#!/bin/sh\n{body}\n")).expect("a file can be written");
    fs::set_permissions(&draft, fs::Permissions::from_mode(0o755)).expect("an own file");
    fs::rename(draft, program).expect("a file can be renamed");
}

/// The zombies among the supervisor's children.
fn zombies_of(pid: u32) -> Vec<String> {
    let shown = lab::answer(&["ps", "--ppid", &pid.to_string(), "-o", "stat=,args="]);
    let zombies = shown.lines().filter(|line| line.starts_with('Z'));
    zombies.map(str::to_owned).collect()
}

/// Waits until the instance has all its processes, none of which is among `old`.
fn wait_for_replacement(node: &Node, old: &[u32]) {
    wait_until("other processes", LONG, || {
        let now = node.children();
        let is_new = now.iter().all(|child| !old.contains(&child.pid));
        (is_new && now.len() == old.len()).then_some(())
    });
    node.wait_for_service();
}

fn pids(node: &Node) -> Vec<u32> {
    node.children().iter().map(|child| child.pid).collect()
}

#[test]
fn an_upgrade_under_load_fails_no_request_and_moves_no_address() {
    let pair = Pair::start();
    let capture = Capture::start(&pair.lan);
    let target = format!("{VIP}:80");
    let loads = [Connections::New, Connections::Kept].map(|kind| {
        let load = Load::start(pair.lan.host("client"), &target, "/app/", 100, kind);
        wait_until("a second of answers", LONG, || {
            (load.answered() > 100).then_some(())
        });
        load
    });
    let (supervisor, old) = (pair.first.supervisor(), pids(&pair.first));
    let begun = Moment::now();
    pair.first.signal(Signal::Usr2);
    wait_for_replacement(&pair.first, &old);
    pair.first.wait_for_state("MASTER");
    assert_eq!(pair.first.supervisor(), supervisor);
    // Adverts after it, too.
    wait_until("five seconds of adverts", LONG, || {
        let adverts = capture.adverts();
        let mut ours = adverts
            .iter()
            .filter(|advert| advert.source == "192.168.0.101");
        (ours.next_back()?.at.since(begun) > Duration::from_secs(5)).then_some(())
    });
    for load in loads {
        let report = load.stop();
        let failures = report.failures();
        assert!(
            failures.is_empty(),
            "{} of {} failed: {:?}",
            failures.len(),
            report.samples().len(),
            failures.first()
        );
    }
    assert_eq!(pair.watch.owner(), Some("proxy101"));
    assert_eq!(pair.watch.arrivals("proxy101"), 1, "the address stayed");
    assert_eq!(pair.watch.arrivals("proxy102"), 0, "the address stayed");
    let recording = capture.stop();
    let pause = recording.longest_pause("192.168.0.101", begun, Moment::now());
    assert!(
        pause < Duration::from_millis(1_500),
        "no advert for {pause:?}"
    );
    assert_eq!(recording.faults(), [""; 0]);
    wait_until("the end of the old ones, reaped", LONG, || {
        let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
        old.iter().all(gone).then_some(())
    });
    assert_eq!(zombies_of(supervisor), [""; 0]);

    // And once more: what was inherited can be left again.
    let old = pids(&pair.first);
    pair.first.signal(Signal::Usr2);
    wait_for_replacement(&pair.first, &old);
    pair.first.wait_for_state("MASTER");
    assert_eq!(pair.watch.arrivals("proxy101"), 1, "the address stayed");
}

#[test]
fn an_upgrade_to_what_cannot_be_used_leaves_everything_as_it_was() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let folder = install(host);
    let mut node = Node::prepare(host, &pair_configuration(host));
    node.install_in(&folder);
    node.start_again();
    node.wait_for_service();
    node.wait_for_state("MASTER");
    let (old, since) = (node.children(), node.since());
    let refused = |times: usize| {
        node.signal(Signal::Usr2);
        wait_until("a word about it", LONG, || {
            let log = node.log();
            (log.matches("no upgrade to the installed program").count() == times).then_some(())
        });
        assert_eq!(node.children(), old);
        assert_eq!(node.since(), since);
        let log = node.log();
        assert!(!log.contains("upgrading to"), "{log}");
    };
    let evenkeel = folder.join("evenkeel");
    let aside = folder.join("aside");
    fs::rename(&evenkeel, &aside).expect("a file can be renamed");
    refused(1);
    replace_by_script(&evenkeel, "exit 1");
    refused(2);
    // The control command of the node under test is the replaced one too.
    fs::rename(&aside, &evenkeel).expect("a file can be renamed");
    fs::remove_file(folder.join("evenkeel-check")).expect("it was there");
    refused(3);
    assert!(host.owns(VIP));
}

#[test]
fn signals_that_come_in_an_upgrade_do_no_harm() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let mut node = Node::start(host, &pair_configuration(host));
    node.wait_for_service();
    let old = pids(&node);
    // Two in a row are one; a reload and a rotation must not end what has no handlers yet.
    node.signal(Signal::Usr2);
    node.signal(Signal::Usr2);
    let seen = wait_until("other processes in service", LONG, || {
        node.signal(Signal::Hup);
        node.signal(Signal::Usr1);
        let now = pids(&node);
        let is_new = now.len() == old.len() && now.iter().all(|pid| !old.contains(pid));
        is_new.then_some(now)
    });
    node.wait_for_service();
    assert_eq!(pids(&node), seen, "upgraded once");
    assert_eq!(node.log().matches("upgrading to").count(), 1);

    // A stop wins over an upgrade that is under way, at whatever point it meets it.
    let points = [
        "",
        "upgrading to",
        "the supervisor is gone",
        "vrrp 0 started",
    ];
    for point in points {
        let passed = |node: &Node| node.log().matches(point).count();
        let before = passed(&node);
        node.signal(Signal::Usr2);
        wait_until(point, LONG, || {
            (point.is_empty() || passed(&node) > before).then_some(())
        });
        node.signal(Signal::Term);
        let status = wait_until("its end", LONG, || node.ended());
        assert!(status.success(), "{status} after {point:?}");
        wait_until("no process is left", LONG, || {
            node.on_its_host().is_empty().then_some(())
        });
        node.start_again();
        node.wait_for_service();
    }
}

#[test]
fn an_upgrade_meets_a_script_that_runs_and_a_worker_that_is_frozen_and_leaves_no_zombie() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let configuration = pair_configuration(host)
        .replace(
            "command = [\"/bin/true\"]\ninterval = \"1s\"",
            "command = [\"/bin/sleep\", \"3\"]\ninterval = \"5s\"",
        )
        .replace("workers = 2", "drain_timeout = \"1s\"\nworkers = 2");
    assert!(configuration.contains("/bin/sleep"));
    let node = Node::start(host, &configuration);
    node.wait_for_service();
    wait_until("the script runs", LONG, || {
        let children = node.children();
        let is_script = |title: &str| title.starts_with("/bin/sleep");
        children
            .iter()
            .any(|child| is_script(&child.title))
            .then_some(())
    });
    let old = node.pids_of("proxy");
    node.signal(Signal::Usr2);
    wait_until("the upgrade is decided", LONG, || {
        node.log().contains("upgrading to").then_some(())
    });
    signal(Signal::Stop, &old[..1]);
    wait_until("the end of all that was", LONG, || {
        let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
        (old.iter().all(gone) && zombies_of(node.supervisor()).is_empty()).then_some(())
    });
    node.wait_for_service();
}

/// A connection through the listener on port 7000 to the server on port 7001.
struct Tunnel {
    client: TcpStream,
    server: TcpStream,
}

impl Tunnel {
    fn open(host: &Host, server: &TcpListener) -> Self {
        let client = host.connect(7000);
        let server = lab::accept(server);
        Self { client, server }
    }

    fn carries(&mut self, text: &[u8]) {
        self.client.write_all(text).expect("the tunnel is open");
        let mut heard = vec![0; text.len()];
        self.server
            .read_exact(&mut heard)
            .expect("the tunnel is open");
        assert_eq!(heard, text);
    }
}

/// One worker, of whom each image has a new one, and a listener for tunnels.
fn tunnelling_configuration(host: &Host) -> String {
    let address = host.address();
    let tunnels = format!(
        "\n[listeners.raw]\nbind = [\"{address}:7000\"]\nprotocol = \"tcp\"\n\
         \n[[routes]]\nlistener = \"raw\"\nupstream = \"raw\"\n\
         \n[upstreams.raw]\nservers = [{{ address = \"{address}:7001\" }}]\n"
    );
    let pair = pair_configuration(host).replace("workers = 2", "workers = 1");
    assert!(pair.contains("workers = 1"));
    pair + &tunnels
}

/// Of two workers that are left with a tunnel, one is frozen: when it has been silent for too long, the
/// other one must have been heard.
#[test]
fn a_tunnel_outlives_two_upgrades_and_its_worker_leaves_no_zombie() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let served = (host.address(), 7001);
    let server = host.inside(|| TcpListener::bind(served).expect("the port is free"));
    let node = Node::start(host, &tunnelling_configuration(host));
    node.wait_for_service();
    let count = node.children().len();
    let upgrade = || {
        let old = pids(&node);
        node.signal(Signal::Usr2);
        // Beside the workers that still have tunnels.
        wait_until("other processes", LONG, || {
            let now = pids(&node);
            (now.iter().filter(|pid| !old.contains(pid)).count() == count).then_some(())
        });
        node.wait_for_service();
    };
    let mut tunnel = Tunnel::open(host, &server);
    tunnel.carries(b"before");
    let first = node.pids_of("proxy");
    upgrade();
    tunnel.carries(b"after one");
    let mut second = node.pids_of("proxy");
    second.retain(|pid| !first.contains(pid));
    let _other = wait_until("a tunnel of the second worker", LONG, || {
        let tunnel = Tunnel::open(host, &server);
        let holders = host.run(&["ss", "-Htnp", "sport = :7000"]);
        let holder = format!("pid={},", second[0]);
        holders.contains(&holder).then_some(tunnel)
    });
    upgrade();
    tunnel.carries(b"after two");
    signal(Signal::Stop, &second);
    wait_until("the frozen worker is killed", LONG, || {
        node.log().contains("killing it").then_some(())
    });
    tunnel.carries(b"for long");
    drop(tunnel);
    wait_until("the end of the workers left, reaped", LONG, || {
        let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
        let all_gone = first.iter().chain(&second).all(gone);
        (all_gone && zombies_of(node.supervisor()).is_empty()).then_some(())
    });
    let log = node.log();
    assert_eq!(log.matches("killing it").count(), 1, "{log}");
    // Who was left has not taken its connections from those of its successor; only the checks are there.
    let status = node.status().expect("it answers");
    for state in ["active", "reading", "writing", "waiting"] {
        let count = status["traffic"][state].as_u64();
        assert!(count.is_some_and(|count| count < 5), "{state}: {count:?}");
    }
}

#[test]
fn usr1_after_a_rename_writes_new_files() {
    let pair = Pair::start();
    let node = &pair.first;
    let notified = node.host().files().join("ha.log");
    let aside = node.host().files().join("ha.log.1");
    wait_until("the first line", LONG, || {
        let text = fs::read_to_string(&notified).unwrap_or_default();
        text.contains("MASTER").then_some(())
    });
    fs::rename(&notified, &aside).expect("a file can be renamed");
    node.signal(Signal::Usr1);
    wait_until("the new file", LONG, || notified.exists().then_some(()));
    let before = fs::read_to_string(&aside).expect("it is there");
    // A transition: its interface goes down.
    pair.lan.unplug("proxy101");
    wait_until("a line in the new file", LONG, || {
        let text = fs::read_to_string(&notified).unwrap_or_default();
        text.contains("FAULT").then_some(())
    });
    let after = fs::read_to_string(&aside).expect("it is there");
    assert_eq!(before, after, "the old file is left alone");
    pair.lan.plug("proxy101");
}

#[test]
fn the_background_is_in_service_when_the_command_returns_or_says_why_not() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let well = pair_configuration(host);
    let node = Node::prepare(host, &well);
    let output = node.run_in_background();
    assert!(output.status.success(), "{output:?}");
    let status = node.status().expect("it answers at once");
    let processes = status["processes"].as_array().expect("a list");
    assert!(processes.iter().all(|one| one["in_service"] == true));
    let pid = fs::read_to_string(node.run_dir().join("evenkeel.pid")).expect("a pid file");
    assert!(Path::new("/proc").join(pid.trim()).exists());

    // Our own ports are not in use for a check; those of others are.
    let checked = node.check();
    assert!(checked.status.success(), "{checked:?}");
    let again = node.run_in_background();
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    let text = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        text.contains("running already") && text.contains(pid.trim()),
        "{text}"
    );
    assert!(node.control(&["stop"]).status.success());

    let _taken = host.inside(|| {
        let address = format!("{}:80", host.address());
        TcpListener::bind(address).expect("the port is free")
    });
    for output in [node.run_in_background(), node.check()] {
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains("in use"), "{text}");
        assert!(text.contains("evenkeel.toml:"), "{text}");
    }
    assert_eq!(node.on_its_host(), []);
}
