//! WebSocket, `Expect: 100-continue` and TLS passed through, with clients and servers that we did not
//! write: python's websockets and http.server, curl, openssl.

use lab::{Host, Lan, Node, PYTHON, Running, run};

const CONFIGURATION: &str = r#"
[nodes.proxy101]
address = "192.168.0.101"

[listeners.web]
bind = ["192.168.0.101:80"]

[listeners.tls]
bind = ["192.168.0.101:443"]
protocol = "tcp"

[[routes]]
listener = "web"
path = "/echo"
upstream = "echo"

[[routes]]
listener = "web"
path = "/upload"
upstream = "upload"

[[routes]]
listener = "tls"
host = "one.example"
upstream = "one"

[[routes]]
listener = "tls"
upstream = "two"

[upstreams.echo]
servers = [{ address = "192.168.0.201:8001" }]

[upstreams.upload]
servers = [{ address = "192.168.0.201:8002" }]

[upstreams.one]
servers = [{ address = "192.168.0.201:8443" }]

[upstreams.two]
servers = [{ address = "192.168.0.202:8443" }]
"#;

/// Sends back what it gets, and counts what is uploaded to it.
const SERVERS: &str = r#"
import asyncio, http.server, threading, websockets

class Upload(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = b"%d octets\n" % len(body)
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

async def echo(socket):
    async for message in socket:
        await socket.send(message)

async def main():
    upload = http.server.ThreadingHTTPServer(("0.0.0.0", 8002), Upload)
    threading.Thread(target=upload.serve_forever, daemon=True).start()
    async with websockets.serve(echo, "0.0.0.0", 8001, max_size=None):
        await asyncio.Future()

asyncio.run(main())
"#;

const CLIENT: &str = r#"
import asyncio, os, websockets

async def main():
    async with websockets.connect("ws://192.168.0.101/echo", max_size=None) as socket:
        for message in ["hello", os.urandom(1 << 20), "x" * (1 << 20), b""]:
            await socket.send(message)
            assert await socket.recv() == message
        await (await socket.ping())
        await socket.close(code=4000, reason="enough")
        assert socket.close_code == 4000
    print("all came back")

asyncio.run(main())
"#;

/// A web server with a certificate for `name` on a host.
fn tls_server(host: &Host, name: &str) -> Running {
    let file = |kind: &str| {
        host.files()
            .join(format!("{name}.{kind}"))
            .display()
            .to_string()
    };
    let (key, chain) = (file("key"), file("pem"));
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let subject = format!("/CN={name}");
    let rest = [
        "-nodes", "-days", "1", "-subj", &subject, "-keyout", &key, "-out", &chain,
    ];
    run(&[&["openssl", "req", "-x509"][..], &curve, &rest].concat());
    let serve = ["openssl", "s_server", "-quiet", "-www", "-accept", "8443"];
    host.start(
        name,
        &[&serve[..], &["-key", &key, "-cert", &chain]].concat(),
    )
}

#[test]
fn real_clients_and_servers_talk_through_tunnels() {
    let lan = Lan::new();
    let (first, second, client) = (lan.host("app201"), lan.host("app202"), lan.host("client"));
    let _servers = first.start("servers", &[PYTHON, "-c", SERVERS]);
    let _tls = [tls_server(first, "first"), tls_server(second, "second")];
    let ports = [(first, 8001), (first, 8002), (first, 8443), (second, 8443)];
    ports
        .into_iter()
        .for_each(|(host, port)| host.wait_for_port(port));
    let node = Node::start(lan.host("proxy101"), CONFIGURATION);
    node.wait_for_service();

    let said = client.run(&[PYTHON, "-c", CLIENT]);
    assert_eq!(said, "all came back\n");

    let body = client.files().join("body");
    std::fs::write(&body, vec![b'x'; 300_000]).expect("a file can be written");
    let body = body.display().to_string();
    let expecting = ["curl", "-si", "-H", "Expect: 100-continue", "-T", &body];
    let heard = client.run(&[&expecting[..], &["http://192.168.0.101/upload"]].concat());
    assert!(
        heard.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{heard}"
    );
    assert!(heard.ends_with("300000 octets\n"), "{heard}");
    let heard = client.run(&[&expecting[..], &["http://192.168.0.101/nowhere"]].concat());
    assert!(heard.starts_with("HTTP/1.1 404 Not Found\r\n"), "{heard}");

    for (name, certificate) in [("one.example", "first"), ("other.example", "second")] {
        let resolve = format!("{name}:443:192.168.0.101");
        let url = format!("https://{name}/");
        let heard = client.run(&["curl", "-ksv", "--stderr", "-", "--resolve", &resolve, &url]);
        let subject = format!("subject: CN={certificate}");
        assert!(heard.contains(&subject), "{name}: {heard}");
        assert!(heard.contains("HTTP/1.0 200 ok"), "{name}: {heard}");
    }
}
