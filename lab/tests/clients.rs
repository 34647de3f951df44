//! Clients that we did not write, through every way in: curl, nghttp, h2load, wrk, and python's h2 with
//! WebSocket. Behind are servers that we did not write either: python's http.server in HTTP/1.1 and in
//! HTTP/1.0, HAProxy before one of them, nginx.

use std::fs;
use std::time::Duration;

use lab::{
    Certificate, Connections, Host, Lan, Load, Nginx, Node, PYTHON, Running, Signal, wait_until,
};

const LONG: Duration = Duration::from_secs(40);

const SAY: &str = include_str!("peers/say.py");
const WEBSOCKET_SERVER: &str = include_str!("peers/websocket_server.py");
const WEBSOCKET_OVER_H2: &str = include_str!("peers/websocket_over_h2.py");

/// Octets of the body that goes up and comes back: more than any window.
const BODY: usize = 300_000;

/// More than a request may have.
const LARGE: u64 = 20 * 1024 * 1024;

const CONFIGURATION: &str = include_str!("peers/clients.toml");
const HAPROXY: &str = include_str!("peers/haproxy.cfg");

/// A node among them, and the certificate that it shows.
struct World {
    certificate: String,
    nginx: Nginx,
    _node: Node,
    _servers: [Running; 4],
    lan: Lan,
}

impl World {
    fn start() -> Self {
        let lan = Lan::new();
        let [first, second, proxy] = ["app201", "app202", "proxy101"].map(|name| lan.host(name));
        fs::write(first.files().join("old"), vec![b'o'; BODY]).expect("a file can be written");
        let servers = [
            first.start("say", &[PYTHON, "-c", SAY]),
            first.start("old", &[PYTHON, "-m", "http.server", "8003"]),
            first.start("echo", &[PYTHON, "-c", WEBSOCKET_SERVER]),
            second.haproxy(HAPROXY),
        ];
        let nginx = Nginx::start(first);
        for port in [80, 8001, 8003, 8004] {
            first.wait_for_port(port);
        }
        second.wait_for_port(8002);
        let certificate = Certificate::make(proxy.files(), "www");
        let chain = certificate.chain.display().to_string();
        let configuration = CONFIGURATION
            .replace("CHAIN", &chain)
            .replace("KEY", &certificate.key.display().to_string());
        let node = Node::start(proxy, &configuration);
        node.wait_for_service();
        Self {
            certificate: chain,
            nginx,
            _node: node,
            _servers: servers,
            lan,
        }
    }

    fn client(&self) -> &Host {
        self.lan.host("client")
    }

    /// The body to send, in a file.
    fn body(&self) -> String {
        let file = self.client().files().join("body");
        let body: Vec<u8> = (0..=250).cycle().take(BODY).collect();
        fs::write(&file, body).expect("a file can be written");
        file.display().to_string()
    }
}

/// A way in, for curl.
struct Way {
    options: &'static [&'static str],
    origin: &'static str,
    /// Who has the name of the certificate.
    resolve: &'static str,
    /// As curl calls it.
    version: &'static str,
}

const WAYS: [Way; 5] = [
    Way {
        options: &["--http1.1"],
        origin: "http://www.example.org",
        resolve: "www.example.org:80:192.168.0.101",
        version: "1.1",
    },
    Way {
        options: &["--http2-prior-knowledge"],
        origin: "http://www.example.org",
        resolve: "www.example.org:80:192.168.0.101",
        version: "2",
    },
    Way {
        options: &["--http1.1"],
        origin: "https://www.example.org",
        resolve: "www.example.org:443:192.168.0.101",
        version: "1.1",
    },
    Way {
        options: &["--http2"],
        origin: "https://www.example.org",
        resolve: "www.example.org:443:192.168.0.101",
        version: "2",
    },
    Way {
        options: &["--http2"],
        origin: "https://www.example.org",
        resolve: "www.example.org:443:192.168.0.202",
        version: "2",
    },
];

impl World {
    /// The heads of what is answered, in lower case, and the body. `up` goes to standard input.
    fn curl(&self, way: &Way, options: &[&str], path: &str, up: &str) -> (String, Vec<u8>) {
        let client = self.client();
        let down = client.files().join("down");
        let down_name = down.display().to_string();
        let url = format!("{}{path}", way.origin);
        let shell = ["sh", "-c", "exec curl \"$@\" < \"$0\"", up];
        let always = ["-sS", "--fail", "-D", "-", "-o", &down_name];
        let version = ["-w", "%{http_version}"];
        let trust = ["--cacert", &self.certificate, "--resolve", way.resolve];
        let argv: [&[&str]; 7] = [
            &shell,
            &always,
            &version,
            &trust,
            way.options,
            options,
            &[&url],
        ];
        let said = client.run(&argv.concat()).to_lowercase();
        assert!(said.ends_with(way.version), "{url}: {said}");
        (said, fs::read(&down).expect("what came"))
    }
}

/// Rule 40 with TLS behind a PROXY header; rules 26 and 27: the server's 100 comes in each version.
#[test]
fn curl_is_served_in_every_way() {
    let world = World::start();
    let up = world.body();
    let sent = fs::read(&up).expect("the body");
    let large = world.client().files().join("large").display().to_string();
    let file = fs::File::create(&large).expect("a file can be made");
    file.set_len(LARGE).expect("it needs no room");
    let asked_by = world.client().address();
    for way in &WAYS {
        let (what, curl) = (way.origin, |options: &[&str], path| {
            world.curl(way, options, path, &up)
        });
        assert_eq!(curl(&[], "/").1, b"a page\n", "{what}");
        assert_eq!(curl(&[], "/old").1, vec![b'o'; BODY], "{what}");

        for path in ["/say", "/haproxy"] {
            let (head, body) = curl(&["-T", "-"], path);
            let seen = format!("seen: put in chunks for {asked_by}");
            assert!(head.contains(&seen), "{what}{path}: {head}");
            assert!(body == sent, "{what}{path}: {} octets", body.len());
        }

        let expecting = ["-T", &up, "-H", "Expect: 100-continue"];
        let (head, body) = curl(&expecting, "/say");
        assert!(head.contains(" 100"), "{what}: {head}");
        assert!(head.contains("seen: put in length"), "{what}: {head}");
        assert!(body == sent, "{what}: {} octets", body.len());

        let (head, _) = curl(&["-T", &large, "--no-fail"], "/say");
        assert!(head.contains(" 413"), "{what}: {head}");
    }
}

/// Rule 31: trailers go to the server and come from it. Behind a length there is no place for them.
#[test]
fn nghttp_sends_trailers_and_many_streams() {
    let world = World::start();
    let up = world.body();
    let sealed = ["-d", &up, "--trailer", "seal: broken", "-H", "te: trailers"];
    let without_length = [&sealed[..], &["--no-content-length"]].concat();
    for origin in ["http://192.168.0.101", "https://192.168.0.101"] {
        let nghttp = |options: &[&str], path: &str| {
            let url = format!("{origin}{path}");
            let always = ["nghttp", "-v", "-n", "-y"];
            world.client().run(&[&always, options, &[&url]].concat())
        };
        let heard = nghttp(&sealed, "/say");
        assert!(heard.contains("seen: POST in length"), "{heard}");
        assert!(!heard.contains("seen-trailers: seal"), "{heard}");
        let heard = nghttp(&without_length, "/say");
        assert!(heard.contains("seen: POST in chunks"), "{heard}");
        assert!(heard.contains("seen-trailers: seal: broken"), "{heard}");
        assert!(heard.contains(&format!("octets: {BODY}")), "{heard}");
        for path in ["/", "/say", "/haproxy", "/old"] {
            let heard = nghttp(&["-m", "50"], path);
            let answered = heard.matches(":status: 200").count();
            assert_eq!(answered, 50, "{origin}{path}: {heard}");
        }
    }
}

/// The number before a word.
fn number_before(text: &str, word: &str) -> u64 {
    let before = text.split(word).next().unwrap_or_default();
    let number = before.trim_end().rsplit(char::is_whitespace).next();
    let number = number.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no number of {word}: {text}"))
}

#[test]
fn wrk_and_h2load_count_no_failure() {
    let world = World::start();
    let client = world.client();
    for origin in ["http://192.168.0.101", "https://192.168.0.101"] {
        let url = format!("{origin}/index.html");
        let said = client.run(&["wrk", "-t", "1", "-c", "16", "-d", "1", &url]);
        assert!(number_before(&said, "requests in") > 100, "{said}");
        assert!(!said.contains("Socket errors"), "{said}");
        assert!(!said.contains("Non-2xx"), "{said}");

        let said = client.run(&["h2load", "-n", "2000", "-c", "4", "-m", "20", &url]);
        assert_eq!(number_before(&said, "succeeded"), 2000, "{said}");
        assert_eq!(number_before(&said, "2xx"), 2000, "{said}");
        assert_eq!(number_before(&said, "failed"), 0, "{said}");
    }
}

/// nginx closes its idle connections when it is reloaded, whatever is on its way to them.
#[test]
fn a_reload_of_nginx_costs_no_request() {
    let world = World::start();
    let loads = [Connections::New, Connections::Kept]
        .map(|kind| Load::start(world.client(), "192.168.0.101:80", "/", 200, kind));
    for round in 1..=5 {
        wait_until("answers", LONG, || {
            let enough = |load: &Load| load.answered() >= 100 * round;
            loads.iter().all(enough).then_some(())
        });
        let before = world.nginx.workers();
        world.nginx.signal(Signal::Hup);
        wait_until("other workers", LONG, || {
            let now = world.nginx.workers();
            let changed = !now.is_empty() && now.iter().all(|pid| !before.contains(pid));
            changed.then_some(())
        });
    }
    for load in loads {
        let report = load.stop();
        assert!(report.failures().is_empty(), "{:?}", report.failures());
    }
}

#[test]
fn a_websocket_is_a_stream_of_http2() {
    let world = World::start();
    let client = [PYTHON, "-c", WEBSOCKET_OVER_H2, &world.certificate];
    assert_eq!(world.client().run(&client), "all came back\n");
}
