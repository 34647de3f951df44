//! Certificates and OCSP responses that are replaced while the node serves, as clients see it: curl,
//! `openssl s_client -status`, and a connection of s_client that goes on.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::PathBuf;
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

fn started(host: &Host, configuration: &str) -> Node {
    let node = Node::start(host, configuration);
    node.wait_for_service();
    node
}

/// The certificate that a node uses, and two that take its place.
struct Certificates {
    /// At first, a copy of the next.
    used: Certificate,
    first: Certificate,
    second: Certificate,
}

impl Certificates {
    fn make(host: &Host) -> Self {
        let [used, first, second] =
            ["www", "first", "second"].map(|name| Certificate::make(host.files(), name));
        first.replace_chain(&used);
        first.replace_key(&used);
        Self {
            used,
            first,
            second,
        }
    }
}

/// A connection with the listener, ended when this value goes.
struct Kept {
    client: Child,
    /// Where the client writes what it hears, and how much of that was looked at.
    heard: PathBuf,
    seen: usize,
}

impl Kept {
    fn open(host: &Host) -> Self {
        let peer = format!("{}:443", host.address());
        let heard = host.files().join("heard.log");
        let output = File::create(&heard).expect("a file can be made");
        let mut command = Command::new("openssl");
        command
            .args(["s_client", "-quiet", "-servername", "www.example.org"])
            .args(["-connect", &peer])
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(Stdio::null());
        let client = host.inside(|| command.spawn());
        Self {
            client: client.expect("openssl can be run"),
            heard,
            seen: 0,
        }
    }

    /// Sends a request and waits for the whole answer.
    fn ask(&mut self) {
        let request = b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n";
        let to = self.client.stdin.as_mut().expect("a pipe");
        to.write_all(request).expect("the connection is open");
        let answer = wait_until("the answer on the kept connection", LONG, || {
            let text = fs::read_to_string(&self.heard).expect("a page is text");
            let answer = text.get(self.seen..)?.to_owned();
            // The last line of the page, to its end.
            let is_whole = answer.contains("Waiting: ") && answer.ends_with('\n');
            let ended = self.client.try_wait().expect("a child can be waited for");
            assert!(is_whole || ended.is_none(), "the connection was closed");
            is_whole.then_some(answer)
        });
        self.seen += answer.len();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // One that has ended already is what was wanted.
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

#[test]
fn certificates_are_replaced_under_open_connections() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let Certificates {
        used,
        first,
        second,
    } = Certificates::make(host);
    let talkative = "[global]\nlog = { level = \"debug\" }\n";
    let node = started(host, &(configuration(host, &used) + talkative));
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
    // Each of these looks at the files could have repeated it.
    wait_until("two looks at the files", LONG, || {
        let look = "as they were when they were refused";
        (node.log().matches(look).count() >= 2).then_some(())
    });

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

#[test]
fn a_reload_with_a_certificate_that_is_none_changes_nothing() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let used = Certificate::make(host.files(), "www");
    let well = configuration(host, &used);
    let node = started(host, &well);
    let mut kept = Kept::open(host);
    kept.ask();
    let [chain, key] = [&used.chain, &used.key].map(|path| format!("\"{}\"", path.display()));
    for (right, wrong) in [(&chain, &key), (&key, &chain)] {
        node.write_configuration(&well.replacen(right, wrong, 1));
        let answer = node.control(&["reload"]);
        assert_eq!(answer.status.code(), Some(1), "{answer:?}");
        let told = String::from_utf8_lossy(&answer.stderr).into_owned();
        let why = format!("error: {} cannot be used: ", wrong.trim_matches('"'));
        assert!(told.contains(&why), "{told}");
        assert_all_get(host, &used);
        kept.ask();
    }
    node.write_configuration(&well);
    assert!(node.control(&["reload"]).status.success());
    kept.ask();
}

/// A worker that may not start the thread that writes its access log cannot make ready for a change.
/// What nobody could foresee is refused as a whole, told once, and tried again: the files are well.
#[test]
fn a_renewal_that_one_worker_refuses_is_made_by_none() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let Certificates {
        used,
        first,
        second,
    } = Certificates::make(host);
    let log = host.files().join("access.log").display().to_string();
    let logged = format!("[listeners.secure]\naccess_log = {{ path = \"{log}\" }}");
    let configuration = configuration(host, &used).replace("[listeners.secure]", &logged)
        + "\n[proxy]\nworkers = 2\n";
    let node = started(host, &configuration);
    let mut kept = Kept::open(host);
    kept.ask();
    let workers = node.pids_of("proxy");
    let pid = workers[1].to_string();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let usual = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max processes"));
    let usual = usual.and_then(|limits| limits.split_whitespace().next());
    let user = lab::run(&["stat", "--format", "%U", &format!("/proc/{pid}")]);
    // Its own user may set it; root may not where it has not all of its rights.
    let limit = |threads: &str| {
        let limit = format!("--nproc={threads}:");
        let prlimit = ["prlimit", "--pid", &pid, &limit];
        lab::run(&[&["runuser", "-u", user.trim(), "--"], &prlimit[..]].concat());
    };
    limit("0");
    second.replace_chain(&used);
    second.replace_key(&used);
    let refusal = "certificates have changed and cannot be used now; next attempt in 5s";
    wait_until("the log says why", LONG, || {
        node.log().contains(refusal).then_some(())
    });
    assert!(node.log().contains("proxy 1: "), "{}", node.log());
    assert_all_get(host, &first);
    kept.ask();
    let refusal = "next attempt in 10s";
    wait_until("a second attempt", LONG, || {
        node.log().contains(refusal).then_some(())
    });
    assert_all_get(host, &first);
    limit(usual.expect("a limit"));
    wait_until("the change", LONG, || {
        node.log().contains("www.key changed").then_some(())
    });
    assert_all_get(host, &second);
    kept.ask();
    assert_eq!(node.pids_of("proxy"), workers);
    let events = node.control(&["events"]);
    let events = String::from_utf8_lossy(&events.stdout).into_owned();
    assert_eq!(events.matches("refused").count(), 1, "{events}");
}

/// A certificate of a CA, and responses of its responder: `good.der` and `revoked.der`.
const RESPONDER: &str = r#"
newkey="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
openssl req -x509 $newkey -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
openssl req $newkey -subj /CN=www.example.org -addext subjectAltName=DNS:www.example.org \
    -keyout www.key -out www.csr
openssl x509 -req -in www.csr -CA ca.pem -CAkey ca.key -set_serial 0x1001 -days 1 \
    -copy_extensions copy -out www.pem
openssl ocsp -issuer ca.pem -cert www.pem -no_nonce -reqout request.der
printf 'V\t491231235959Z\t\t1001\tunknown\t/CN=www.example.org\n' >good
printf 'R\t491231235959Z\t200101000000Z\t1001\tunknown\t/CN=www.example.org\n' >revoked
for verdict in good revoked; do
    openssl ocsp -index $verdict -rsigner ca.pem -rkey ca.key -CA ca.pem -reqin request.der \
        -ndays 1 -respout $verdict.der
done
cp good.der www.der
"#;

/// What a client that asks for an OCSP response is told of the certificate.
fn stapled(host: &Host) -> String {
    let peer = format!("{}:443", host.address());
    let ca = host.files().join("ca.pem").display().to_string();
    let command = [
        "openssl",
        "s_client",
        "-servername",
        "www.example.org",
        "-connect",
    ];
    let heard = host.run(&[&command[..], &[&peer, "-CAfile", &ca, "-status"]].concat());
    assert!(heard.contains("Verify return code: 0 (ok)"), "{heard}");
    let status = heard
        .lines()
        .find_map(|line| line.trim().strip_prefix("Cert Status: "));
    status.unwrap_or("nothing").to_owned()
}

#[test]
fn an_ocsp_response_is_stapled_and_replaced() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let folder = host.files();
    let script = format!("cd {} && set -e\n{RESPONDER}", folder.display());
    lab::run(&["sh", "-ec", &script]);
    let file = |name: &str| folder.join(name);
    let certificate = Certificate {
        chain: file("www.pem"),
        key: file("www.key"),
    };
    let plain = configuration(host, &certificate);
    let node = started(host, &plain);
    assert_eq!(stapled(host), "nothing");
    let ocsp = format!(", ocsp = \"{}\" }}]", file("www.der").display());
    node.write_configuration(&plain.replace(" }]", &ocsp));
    let answer = node.control(&["reload"]);
    assert!(answer.status.success(), "{answer:?}");
    assert_eq!(stapled(host), "good");
    fs::rename(file("revoked.der"), file("www.der")).expect("a file can be renamed");
    wait_until("the change", LONG, || {
        node.log().contains("www.der changed").then_some(())
    });
    assert_eq!(stapled(host), "revoked");
}
