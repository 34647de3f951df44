//! The whole demonstration, with the real programs, seen from outside: by its page's resources and
//! by what the host's kernel has before and after. Needs root, and the programs beside it.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use platform::isolate;
use platform::process::Signal;
use serde_json::{Value, json};

const DEMO: &str = env!("CARGO_BIN_EXE_evenkeel-demo");
const PATIENCE: Duration = Duration::from_secs(30);
const NOBODY: u32 = 65_534;

/// A running demonstration.
struct Demo {
    outside: Child,
    /// Where its page is.
    address: String,
    /// The inode of its process namespace.
    world: u64,
}

impl Demo {
    fn start(command: &mut Command) -> Self {
        let mut outside = command
            .args(["--bind", "127.0.0.1:0", "--headless"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo can be started");
        let mut said = Vec::new();
        let output = BufReader::new(outside.stdout.take().expect("it is piped"));
        let address = output.lines().find_map(|line| {
            let line = line.expect("the output is text");
            let found = line.strip_prefix("open http://").map(|rest| {
                let (address, _) = rest.split_once('/').expect("a whole address");
                address.to_owned()
            });
            said.push(line);
            found
        });
        // From here on nobody reads its output, as behind `| head`; it goes on all the same.
        let address = address.unwrap_or_else(|| panic!("no page was offered: {said:#?}"));
        let children = format!("/proc/{0}/task/{0}/children", outside.id());
        let inside = fs::read_to_string(children).expect("the outside has a task");
        let world = process_namespace(inside.trim()).expect("the inside runs");
        Self {
            outside,
            address,
            world,
        }
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.exchange(
            &format!("GET {path} HTTP/1.1\r\nHost: {}\r\n", self.address),
            "",
        )
    }

    fn state(&self) -> Value {
        let (status, body) = self.get("/api/state");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("the state is JSON")
    }

    fn act(&self, node: &str, action: &str, origin: &str) -> (u16, String) {
        let wish = json!({ "node": node, "action": action }).to_string();
        let head = format!(
            "POST /api/action HTTP/1.1\r\nHost: {}\r\nOrigin: http://{origin}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n",
            self.address,
            wish.len()
        );
        self.exchange(&head, &wish)
    }

    fn perform(&self, node: &str, action: &str) {
        let (status, answer) = self.act(node, action, &self.address);
        assert_eq!(status, 200, "{node} {action}: {answer}");
    }

    fn exchange(&self, head: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the page is served");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket takes a timeout");
        write!(stream, "{head}Connection: close\r\n\r\n{body}").expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer comes");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole answer");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), body.to_owned())
    }

    /// Waits until the state is as `wanted`; returns it.
    fn wait_for(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let state = self.state();
            if wanted(&state) {
                return state;
            }
            assert!(
                Instant::now() < deadline,
                "{what}: not so in {PATIENCE:?}: {state:#}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn signal(&self, signal: Signal) {
        isolate::signal(self.outside.id(), signal).expect("it runs");
    }

    /// Waits for its end and for that of everything that it started.
    fn ended(mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.outside.try_wait().expect("it is our child") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        while let left @ 1.. = processes_in(self.world) {
            assert!(Instant::now() < deadline, "{left} processes are left");
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(
            TcpStream::connect(&self.address).is_err(),
            "the port is closed"
        );
        status
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // After a failed assertion; else it has ended, and there is nothing to kill.
        let _ = self.outside.kill();
        let _ = self.outside.wait();
    }
}

fn process_namespace(pid: &str) -> Option<u64> {
    let namespace = Path::new("/proc").join(pid).join("ns/pid");
    Some(fs::metadata(namespace).ok()?.ino())
}

fn processes_in(world: u64) -> usize {
    let entries = fs::read_dir("/proc").expect("there is a /proc");
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| process_namespace(name) == Some(world))
        .count()
}

/// What a program could leave on a host: mounts, interfaces, names of namespaces, files.
fn host() -> [BTreeSet<String>; 4] {
    let names = |folder| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.collect()
    };
    let mounts = fs::read_to_string("/proc/self/mounts").expect("there is a /proc");
    // Other tests come and go in these places, under names of their own.
    let ours = |all: BTreeSet<String>| {
        let ours = ["proxy10", "backend", "client", "switch", "evenkeel-demo"];
        let is_ours = |name: &String| ours.iter().any(|start| name.starts_with(start));
        all.into_iter().filter(is_ours).collect()
    };
    [
        mounts
            .lines()
            .map(str::to_owned)
            .filter(|line| line.contains(" /mnt"))
            .collect(),
        ours(names("/sys/class/net")),
        ours(names("/run/netns")),
        names("/mnt"),
    ]
}

fn owners(state: &Value, address: usize) -> Vec<&str> {
    let owners = state["addresses"][address]["owners"].as_array();
    owners
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn served(state: &Value, address: usize) -> u64 {
    state["addresses"][address]["served"].as_u64().unwrap_or(0)
}

fn at_home(state: &Value) -> bool {
    owners(state, 0) == ["proxy101"] && owners(state, 1) == ["proxy102"]
}

#[test]
fn a_killed_nodes_address_moves_and_comes_back() {
    let before = host();
    let demo = Demo::start(&mut Command::new(DEMO));
    demo.wait_for("each node carries its address", at_home);
    let (status, page) = demo.get("/");
    assert_eq!(status, 200);
    assert!(page.contains("<title>Evenkeel demo</title>"), "{page}");

    demo.perform("proxy101", "kill");
    let moved = demo.wait_for("proxy102 carries both", |state| {
        owners(state, 0) == ["proxy102"] && owners(state, 1) == ["proxy102"]
    });
    let state = &moved["nodes"][0]["state"];
    assert_eq!(state, "killed");
    demo.wait_for("requests go on", |state| {
        served(state, 0) > served(&moved, 0) + 100
    });

    demo.perform("proxy101", "start");
    demo.wait_for("each node carries its address again", at_home);
    let state = demo.state();
    let events = state["events"].as_array().expect("a list");
    let told = events.iter().filter_map(|event| event["text"].as_str());
    let takeover = "proxy102 takes 192.168.0.105 (gateway-a)";
    assert!(
        told.into_iter().any(|text| text.starts_with(takeover)),
        "{events:#?}"
    );

    demo.signal(Signal::SIGTERM);
    assert_eq!(demo.ended().code(), Some(0));
    assert_eq!(host(), before, "nothing is left");
}

#[test]
fn killed_itself_it_leaves_nothing() {
    let before = host();
    let demo = Demo::start(&mut Command::new(DEMO));
    assert!(processes_in(demo.world) > 10, "two nodes run");
    demo.signal(Signal::SIGKILL);
    assert!(!demo.ended().success());
    assert_eq!(host(), before);
}

#[test]
fn other_pages_may_not_act() {
    let demo = Demo::start(&mut Command::new(DEMO));
    let (status, _) = demo.act("proxy101", "kill", "example.org");
    assert_eq!(status, 403);
    let (status, answer) = demo.act("proxy103", "kill", &demo.address);
    assert_eq!(status, 409, "{answer}");
    demo.wait_for("nothing has happened", at_home);
    demo.signal(Signal::SIGINT);
    assert_eq!(demo.ended().code(), Some(0));
}

#[test]
fn an_ordinary_user_can_show_it() {
    // A copy, since the build tree may lie where nobody else may look.
    let place = tempfile::tempdir().expect("a directory");
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
    let built = Path::new(DEMO)
        .parent()
        .expect("a program lies in a directory");
    let roles = [
        "", "-demo", "-vrrp", "-proxy", "-check", "-notify", "-admin",
    ];
    for program in roles.map(|role| format!("evenkeel{role}")) {
        fs::copy(built.join(&program), place.path().join(&program))
            .unwrap_or_else(|error| panic!("{program} is not built: {error}"));
    }
    let mut command = Command::new(place.path().join("evenkeel-demo"));
    let demo = Demo::start(command.uid(NOBODY).gid(NOBODY));
    demo.perform("proxy102", "stop");
    demo.wait_for("proxy101 carries both", |state| {
        owners(state, 0) == ["proxy101"] && owners(state, 1) == ["proxy101"]
    });
    demo.signal(Signal::SIGTERM);
    assert_eq!(demo.ended().code(), Some(0));
}

#[test]
fn a_taken_port_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    let output = Command::new(DEMO)
        .args(["--headless", "--bind", &address])
        .output()
        .expect("the demo can be started");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("{address} is taken")), "{said}");
    assert!(said.contains("--bind"), "{said}");
}
