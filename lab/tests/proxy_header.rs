//! The PROXY protocol with who else speaks it: HAProxy in front, HAProxy and nginx behind. All of them
//! have to know the client by the address that it has, through two proxies.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::{Host, Lan, Node, Running};

const CONFIGURATION: &str = r#"
[nodes.proxy101]
address = "192.168.0.101"

[listeners.web]
bind = ["192.168.0.101:80"]
proxy_protocol = { from = ["192.168.0.201"] }

[listeners.tcp]
bind = ["192.168.0.101:81"]
protocol = "tcp"
proxy_protocol = { from = ["192.168.0.201"] }

[[routes]]
listener = "web"
path = "/nginx/v1"
upstream = "nginx-v1"

[[routes]]
listener = "web"
path = "/nginx/v2"
upstream = "nginx-v2"

[[routes]]
listener = "web"
path = "/haproxy/v1"
upstream = "haproxy-v1"

[[routes]]
listener = "web"
path = "/haproxy/v2"
upstream = "haproxy-v2"

[[routes]]
listener = "tcp"
upstream = "haproxy-v2"

[upstreams.nginx-v1]
servers = [{ address = "192.168.0.202:8081" }]
send_proxy = "v1"
check = { http = "/" }

[upstreams.nginx-v2]
servers = [{ address = "192.168.0.202:8081" }]
send_proxy = "v2"
check = { http = "/" }

[upstreams.haproxy-v1]
servers = [{ address = "192.168.0.202:8082" }]
send_proxy = "v1"
check = { http = "/" }

[upstreams.haproxy-v2]
servers = [{ address = "192.168.0.202:8082" }]
send_proxy = "v2"
check = { http = "/" }
"#;

/// Sends headers of either version to each of our listeners.
const IN_FRONT: &str = "
defaults
    mode tcp
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen http-v1
    bind 192.168.0.201:8001
    server node 192.168.0.101:80 send-proxy
listen http-v2
    bind 192.168.0.201:8002
    server node 192.168.0.101:80 send-proxy-v2
listen tcp-v1
    bind 192.168.0.201:8003
    server node 192.168.0.101:81 send-proxy
listen tcp-v2
    bind 192.168.0.201:8004
    server node 192.168.0.101:81 send-proxy-v2
";

/// Answers with the address in the header.
const BEHIND: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend behind
    bind 192.168.0.202:8082 accept-proxy
    http-request return status 200 content-type text/plain lf-string \"%[src]\\n\"
";

/// The same.
const NGINX: &str = "
daemon off;
master_process off;
pid DIR/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path DIR/nginx-body;
    server {
        listen 192.168.0.202:8081 proxy_protocol;
        default_type text/plain;
        return 200 \"$proxy_protocol_addr\\n\";
    }
}
";

fn haproxy(host: &Host, configuration: &str) -> Running {
    let file = host.files().join("haproxy.cfg");
    fs::write(&file, configuration).expect("a file can be written");
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    start(host, command, "haproxy.log")
}

fn nginx(host: &Host) -> Running {
    let (file, folder) = (host.files().join("nginx.conf"), host.files().display());
    let configuration = NGINX.replace("DIR", &folder.to_string());
    fs::write(&file, configuration).expect("a file can be written");
    let mut command = Command::new("nginx");
    command.args(["-e", "stderr", "-c"]).arg(&file);
    start(host, command, "nginx.log")
}

fn start(host: &Host, command: Command, log: &str) -> Running {
    let log = host.files().join(log);
    host.inside(|| Running::start(command, Path::new(&log)))
}

#[test]
fn everybody_knows_the_client_through_headers_of_either_version() {
    let lan = Lan::new();
    let (first, second, client) = (lan.host("app201"), lan.host("app202"), lan.host("client"));
    let _servers = [
        haproxy(first, IN_FRONT),
        haproxy(second, BEHIND),
        nginx(second),
    ];
    for (host, port) in [(first, 8001), (first, 8004), (second, 8081), (second, 8082)] {
        host.wait_for_port(port);
    }
    let node = Node::start(lan.host("proxy101"), CONFIGURATION);
    node.wait_for_service();
    let expected = format!("{}\n", client.address());
    let ask = |port: u16, path: &str| {
        let url = format!("http://192.168.0.201:{port}{path}");
        client.run(&["curl", "-sS", "--fail", &url])
    };
    for port in [8001, 8002] {
        for path in ["/nginx/v1", "/nginx/v2", "/haproxy/v1", "/haproxy/v2"] {
            assert_eq!(ask(port, path), expected, "{port}{path}");
        }
    }
    for port in [8003, 8004] {
        assert_eq!(ask(port, "/"), expected, "{port}");
    }
    // Whoever may not send a header may not come without one either.
    for port in [80, 81] {
        let url = format!("http://192.168.0.101:{port}/nginx/v1");
        let curl = ["curl", "-sS", "-m", "5", &url];
        assert!(!client.inside(|| lab::succeeds(&curl)), "{port}");
    }
    // Nor do servers that check headers take our questions for clients.
    node.wait_for_status("all servers up", |status| {
        let servers = status["servers"].as_array().expect("a list");
        servers.len() == 4 && servers.iter().all(|server| server["up"] == true)
    });
}
