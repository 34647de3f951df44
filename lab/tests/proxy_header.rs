//! The PROXY protocol with who else speaks it: HAProxy in front, HAProxy and nginx behind. All of them
//! have to know the client by the address that it has, through two proxies.

use lab::{Lan, Node};

const LISTENERS: &str = r#"
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
listener = "tcp"
upstream = "haproxy-v2"
"#;

/// The way to a server that wants headers of one version, at /PROGRAM/VERSION.
const WAY: &str = r#"
[[routes]]
listener = "web"
path = "/PROGRAM/VERSION"
upstream = "PROGRAM-VERSION"

[upstreams.PROGRAM-VERSION]
servers = [{ address = "192.168.0.202:PORT" }]
send_proxy = "VERSION"
check = { http = "/" }
"#;

/// The servers behind, and where they listen.
const SERVERS: [(&str, u16); 2] = [("nginx", 8081), ("haproxy", 8082)];

/// Answers with the address in the header.
const NGINX: &str = "
daemon off;
master_process off;
pid DIR/nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path DIR/nginx-body;
    server {
        listen ADDRESS:8081 proxy_protocol;
        default_type text/plain;
        return 200 \"$proxy_protocol_addr\\n\";
    }
}
";

/// The same.
const HAPROXY: &str = "
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend behind
    bind ADDRESS:8082 accept-proxy
    http-request return status 200 content-type text/plain lf-string \"%[src]\\n\"
";

/// Ports of the HAProxy in front, and what it does with a connection: to the HTTP listener or the TCP one,
/// with a header of which version.
const IN_FRONT: [(u16, &str); 4] = [
    (8001, "192.168.0.101:80 send-proxy"),
    (8002, "192.168.0.101:80 send-proxy-v2"),
    (8003, "192.168.0.101:81 send-proxy"),
    (8004, "192.168.0.101:81 send-proxy-v2"),
];

fn configuration() -> String {
    let ways = SERVERS.iter().flat_map(|(program, port)| {
        ["v1", "v2"].map(|version| {
            WAY.replace("PROGRAM", program)
                .replace("VERSION", version)
                .replace("PORT", &port.to_string())
        })
    });
    std::iter::once(LISTENERS.to_owned()).chain(ways).collect()
}

fn in_front() -> String {
    let defaults =
        "defaults\n mode tcp\n timeout connect 5s\n timeout client 5s\n timeout server 5s\n";
    let listen = |(port, server): (u16, &str)| {
        format!("listen on-{port}\n bind ADDRESS:{port}\n server node {server}\n")
    };
    defaults.to_owned() + &IN_FRONT.map(listen).concat()
}

#[test]
fn everybody_knows_the_client_through_headers_of_either_version() {
    let lan = Lan::new();
    let (first, second, client) = (lan.host("app201"), lan.host("app202"), lan.host("client"));
    let _servers = [
        first.haproxy(&in_front()),
        second.haproxy(HAPROXY),
        second.nginx(NGINX),
    ];
    let behind = SERVERS.map(|(_, port)| (second, port));
    for (host, port) in IN_FRONT
        .map(|(port, _)| (first, port))
        .into_iter()
        .chain(behind)
    {
        host.wait_for_port(port);
    }
    let node = Node::start(lan.host("proxy101"), &configuration());
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
