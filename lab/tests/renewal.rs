//! Certificates that are replaced while the node serves, as clients see it: curl, and a connection of
//! `openssl s_client` that goes on.

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::{Certificate, Host, Lan, Node, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// More new connections than there are workers, by far: one of the old certificate would be seen.
const CONNECTIONS: usize = 12;

fn configuration(host: &Host, certificate: &Certificate) -> String {
    let (chain, key) = (certificate.chain.display(), certificate.key.display());
    format!(
        "[nodes.{name}]\naddress = \"{address}\"\n\
         [listeners.secure]\nbind = [\"{address}:443\"]\n\
         tls = {{ certificates = [{{ chain = \"{chain}\", key = \"{key}\" }}] }}\n\
         [[routes]]\npath = \"/\"\nstub_status = true\n",
        name = host.name(),
        address = host.address(),
    )
}

/// Whether a new connection gets an answer from whoever has `certificate`.
fn is_served(host: &Host, certificate: &Certificate) -> bool {
    let resolve = format!("www.example.org:443:{}", host.address());
    let ca = certificate.chain.display().to_string();
    let curl = ["curl", "-sS", "--fail", "--cacert", &ca, "--resolve"];
    let command = [&curl[..], &[&resolve, "https://www.example.org/"]].concat();
    host.inside(|| lab::succeeds(&command))
}

fn assert_all_get(host: &Host, certificate: &Certificate) {
    for connection in 0..CONNECTIONS {
        assert!(is_served(host, certificate), "connection {connection}");
    }
}

/// A connection with the listener, ended when this value goes.
struct Kept(Child);

impl Kept {
    fn open(host: &Host) -> Self {
        let peer = format!("{}:443", host.address());
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-servername", "www.example.org"])
            .args(["-connect", &peer])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let child = host.inside(|| command.spawn());
        Self(child.expect("openssl can be run"))
    }

    /// Sends a request and reads the whole answer.
    fn ask(&mut self) {
        let (to, from) = (self.0.stdin.as_mut(), self.0.stdout.as_mut());
        let request = b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
        let written = to.expect("a pipe").write_all(request);
        written.expect("the connection is open");
        let from = from.expect("a pipe");
        let mut answer = Vec::new();
        let mut room = [0; 4096];
        // The last line of the page, to its end.
        let is_whole = |answer: &[u8]| {
            let text = String::from_utf8_lossy(answer);
            text.contains("Waiting: ") && text.ends_with('\n')
        };
        while !is_whole(&answer) {
            let count = from.read(&mut room).expect("a pipe can be read");
            assert!(count > 0, "the connection was closed");
            answer.extend_from_slice(&room[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // One that has ended already is what was wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn certificates_are_replaced_under_open_connections() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let make = |name| Certificate::make(host.files(), name);
    let (used, first, second) = (make("www"), make("first"), make("second"));
    first.replace_chain(&used);
    first.replace_key(&used);
    let node = Node::start(host, &configuration(host, &used));
    node.wait_for_service();
    assert_all_get(host, &first);
    let mut kept = Kept::open(host);
    kept.ask();

    // A certificate without its key is of no use, and changes nothing.
    second.replace_chain(&used);
    let refusal = "certificates have changed and are not used";
    wait_until("the log says why", LONG, || {
        node.log().contains(refusal).then_some(())
    });
    assert_all_get(host, &first);
    kept.ask();

    // With the key, all workers have it.
    second.replace_key(&used);
    wait_until("the change", LONG, || {
        node.log().contains("www.key changed").then_some(())
    });
    assert_all_get(host, &second);
    assert!(!is_served(host, &first));
    kept.ask();
    assert_eq!(node.log().matches(refusal).count(), 1, "{}", node.log());
}
