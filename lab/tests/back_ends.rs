//! nginx and HAProxy as servers, in every way that we can speak to them, and a server that is restarted
//! again and again while it is asked.

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::{Certificate, Connections, Host, Lan, Load, Node, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// HTTP/1.1 and HTTP/2, with TLS and without, as far as a server speaks it.
const CONFIGURATION: &str = r#"
[nodes.proxy101]
address = "192.168.0.101"

[listeners.web]
bind = ["192.168.0.101:80"]
http2 = true

[[routes]]
path = "/nginx"
upstream = "nginx"

[[routes]]
path = "/nginx-tls"
upstream = "nginx-tls"

[[routes]]
path = "/nginx-h2"
upstream = "nginx-h2"

[[routes]]
path = "/haproxy"
upstream = "haproxy"

[[routes]]
path = "/haproxy-h2c"
upstream = "haproxy-h2c"

[[routes]]
path = "/haproxy-h2"
upstream = "haproxy-h2"

[upstreams.nginx]
servers = [{ address = "192.168.0.201:8081" }]

[upstreams.nginx-tls]
servers = [{ address = "192.168.0.201:8443" }]
tls = { ca = "DIR/www.pem", sni = "www.example.org" }
check = { http = "/" }

[upstreams.nginx-h2]
servers = [{ address = "192.168.0.201:8444" }]
tls = { ca = "DIR/www.pem", sni = "www.example.org" }
protocol = "h2"
check = { http = "/" }

[upstreams.haproxy]
servers = [{ address = "192.168.0.202:8081" }]

[upstreams.haproxy-h2c]
servers = [{ address = "192.168.0.202:8082" }]
protocol = "h2c"
check = { http = "/" }

[upstreams.haproxy-h2]
servers = [{ address = "192.168.0.202:8444" }]
tls = { ca = "DIR/www.pem", sni = "www.example.org" }
protocol = "h2"
check = { http = "/" }
"#;

/// Says in which protocol it was asked, and how long the body is said to be; and has a file.
const NGINX: &str = "
daemon off;
master_process off;
pid DIR/nginx.pid;
events {}
http {
    access_log off;
    client_max_body_size 8m;
    client_body_temp_path DIR/temporary;
    default_type text/plain;
    ssl_certificate DIR/www.pem;
    ssl_certificate_key DIR/www.key;
    server {
        listen ADDRESS:8081;
        listen ADDRESS:8443 ssl;
        listen ADDRESS:8444 ssl http2;
        location / { return 200 \"$server_protocol $content_length\\n\"; }
        location ~ /large$ { root DIR; try_files /large =404; }
    }
}
";

/// The same, without the file. It reads bodies first.
const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend all
    bind ADDRESS:8081
    bind ADDRESS:8082 proto h2
    bind ADDRESS:8444 ssl crt DIR/both.pem alpn h2
    option http-buffer-request
    http-request return status 200 content-type text/plain lf-string \"HTTP/%[req.ver] %[req.body_len]\\n\"
";

/// The one certificate for all, in the folder of each host.
fn hand_out(certificate: &Certificate, hosts: &[&Host]) {
    let read = |path: &Path| fs::read(path).expect("a file that is there");
    let (chain, key) = (read(&certificate.chain), read(&certificate.key));
    for host in hosts {
        let write = |name: &str, content: &[u8]| {
            fs::write(host.files().join(name), content).expect("a file can be written");
        };
        write("www.pem", &chain);
        write("www.key", &key);
        write("both.pem", &[chain.as_slice(), &key].concat());
        write("large", &vec![b'x'; 1 << 20]);
    }
}

#[test]
fn nginx_and_haproxy_are_spoken_to_in_every_way() {
    let lan = Lan::new();
    let [first, second, proxy, client] =
        ["app201", "app202", "proxy101", "client"].map(|name| lan.host(name));
    let certificate = Certificate::make(client.files(), "www");
    hand_out(&certificate, &[first, second, proxy, client]);
    let _servers = [first.nginx(NGINX), second.haproxy(HAPROXY)];
    for host in [first, second] {
        host.wait_for_port(8444);
    }
    let folder = proxy.files().display().to_string();
    let node = Node::start(proxy, &CONFIGURATION.replace("DIR", &folder));
    node.wait_for_service();
    node.wait_for_checks(4, "status 200");
    let small = client.files().join("small").display().to_string();
    fs::write(&small, [b'x'; 10_000]).expect("a file can be written");
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        let ask = |options: &[&str], path: &str| {
            let url = format!("http://192.168.0.101{path}");
            let curl = ["curl", "-sS", "--fail", version];
            client.run(&[&curl[..], options, &[&url]].concat())
        };
        for (path, spoken) in [
            ("/nginx", "HTTP/1.1"),
            ("/nginx-tls", "HTTP/1.1"),
            ("/nginx-h2", "HTTP/2.0"),
            ("/haproxy", "HTTP/1.1"),
            ("/haproxy-h2c", "HTTP/2.0"),
            ("/haproxy-h2", "HTTP/2.0"),
        ] {
            let what = format!("{version} {path}");
            let answer = ask(&[], path);
            assert!(answer.starts_with(spoken), "{what}: {answer}");
            // nginx answers before the body has come. The rest is stopped then, which this curl takes
            // for a failure over HTTP/2, from nginx itself too.
            if path.starts_with("/nginx") && version != "--http1.1" {
                continue;
            }
            // Twice: the second may go over a connection that is kept.
            for _ in 0..2 {
                let posted = ask(&["--data-binary", &format!("@{small}")], path);
                assert_eq!(posted, format!("{spoken} 10000\n"), "{what}");
            }
        }
        for path in ["/nginx", "/nginx-tls", "/nginx-h2"] {
            let got = ask(&[], &format!("{path}/large"));
            assert_eq!(got.len(), 1 << 20, "{version} {path}");
        }
    }
}

/// Requests of idempotent methods, of which none fails.
#[test]
fn a_server_that_is_restarted_costs_no_request() {
    let lan = Lan::new();
    let [first, second, proxy, client] =
        ["app201", "app202", "proxy101", "client"].map(|name| lan.host(name));
    let certificate = Certificate::make(client.files(), "www");
    hand_out(&certificate, &[first, second]);
    let mut restarted = first.nginx(NGINX);
    let _stays = second.nginx(NGINX);
    for host in [first, second] {
        host.wait_for_port(8081);
    }
    let configuration = "[nodes.proxy101]\naddress = \"192.168.0.101\"\n\
        [listeners.web]\nbind = [\"192.168.0.101:80\"]\n\
        [[routes]]\nupstream = \"app\"\n\
        [upstreams.app]\nservers = [{ address = \"192.168.0.201:8081\", fail_timeout = \"100ms\" }, \
        { address = \"192.168.0.202:8081\" }]\n";
    let node = Node::start(proxy, configuration);
    node.wait_for_service();
    let loads = [Connections::New, Connections::Kept]
        .map(|kind| Load::start(client, "192.168.0.101:80", "/", 200, kind));
    for round in 0..10 {
        restarted.stop(LONG);
        restarted = first.nginx(NGINX);
        first.wait_for_port(8081);
        let more = 100 * (round + 1);
        wait_until("answers", LONG, || {
            loads
                .iter()
                .all(|load| load.answered() > more)
                .then_some(())
        });
    }
    for load in loads {
        let report = load.stop();
        let failures = report.failures();
        assert!(
            failures.is_empty(),
            "{} of {}: {:?}",
            failures.len(),
            report.samples().len(),
            failures.first()
        );
    }
}
