//! Workers, listeners and routes.

use crate::{Case, LISTENER, UPSTREAM};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "workers as a word",
        before: &[],
        text: r#"[proxy]
workers = "many""#,
        found: &[r#"2:11 error: "workers" must be "auto", not "many""#],
    },
    Case {
        name: "no workers",
        before: &[],
        text: r#"[proxy]
workers = 0"#,
        found: &[r#"2:11 error: "workers" must be a whole number from 1 to 1024, not 0"#],
    },
    Case {
        name: "tunnels that never end",
        before: &[],
        text: r#"[proxy]
tunnel_drain_timeout = "2d""#,
        found: &[r#"2:24 error: "tunnel_drain_timeout" must be from 0ms to 1d, not 2d"#],
    },
    Case {
        name: "a tunnel without time",
        before: &[LISTENER],
        text: r#"timeouts = { tunnel = "0s" }"#,
        found: &[r#"3:23 error: "tunnel" must be from 1ms to 1d, not 0s"#],
    },
    Case {
        name: "HTTP keys of a TCP listener",
        before: &[],
        text: r#"[listeners.mail]
bind = ["10.0.0.5:25"]
protocol = "tcp"
node_header = true
access_log = { path = "/var/log/x" }
timeouts = { tunnel = "1h", tls_handshake = "1s", head = "1s" }
limits = { connections = 9, header_bytes = "8KiB", headers = 9, body = "1MiB", requests_per_connection = 9, h2_streams = 9 }"#,
        found: &[
            r#"4:15 error: "node_header" is for HTTP; leave it out, or let protocol be "http""#,
            r#"5:14 error: "access_log" is for HTTP; leave it out, or let protocol be "http""#,
            r#"6:58 error: "head" is for HTTP; leave it out, or let protocol be "http""#,
            r#"7:44 error: "header_bytes" is for HTTP; leave it out, or let protocol be "http""#,
            r#"7:62 error: "headers" is for HTTP; leave it out, or let protocol be "http""#,
            r#"7:72 error: "body" is for HTTP; leave it out, or let protocol be "http""#,
            r#"7:106 error: "requests_per_connection" is for HTTP; leave it out, or let protocol be "http""#,
            r#"7:122 error: "h2_streams" is for HTTP; leave it out, or let protocol be "http""#,
        ],
    },
    Case {
        name: "keys of TLS and HTTP/2 where neither is spoken",
        before: &[],
        text: r#"[listeners.web]
bind = ["10.0.0.5:80"]
timeouts = { tls_handshake = "1s" }
limits = { h2_streams = 9 }
[listeners.secure]
bind = ["10.0.0.5:443"]
tls = { certificates = [{ chain = "/a.pem", key = "/a.key" }] }
http2 = false
timeouts = { tls_handshake = "1s" }
limits = { h2_streams = 9 }
[listeners.prior]
bind = ["10.0.0.5:8080"]
http2 = true
limits = { h2_streams = 9 }"#,
        found: &[
            r#"3:30 error: "tls_handshake" is for TLS, which is not spoken here; leave it out, or add tls = { certificates = [...] }"#,
            r#"4:25 error: "h2_streams" is for HTTP/2, which is not spoken here; leave it out, or let http2 be true"#,
            r#"10:25 error: "h2_streams" is for HTTP/2, which is not spoken here; leave it out, or let http2 be true"#,
        ],
    },
    Case {
        name: "WebSocket where nothing is relayed, or nothing understood",
        before: &[UPSTREAM],
        text: r#"[listeners.mail]
bind = ["10.0.0.5:25"]
protocol = "tcp"
[[routes]]
upstream = "app"
websocket = true
[listeners.web]
bind = ["10.0.0.5:80"]
[[routes]]
listener = "web"
path = "/status"
status_page = true
websocket = false"#,
        found: &[
            r#"8:13 error: listener "mail" speaks TCP, where no WebSocket is told apart; say with `listener` which listeners this route is for"#,
            r#"15:13 error: "websocket" is for what goes to an upstream; leave it out: this route answers by itself"#,
        ],
    },
    Case {
        name: "requests of an upstream that gets only octets",
        before: &[],
        text: r#"[listeners.mail]
bind = ["10.0.0.5:25"]
protocol = "tcp"
[upstreams.app]
servers = [{ address = "10.0.0.9:25" }]
keep_alive = { idle = 9 }
timeouts = { connect = "1s", read = "1s", send = "1s" }
retries = { tries = 3, budget = "50%" }
[[routes]]
listener = "mail"
upstream = "app""#,
        found: &[
            r#"6:14 error: "keep_alive" is for HTTP, and only TCP goes to this upstream; leave it out"#,
            r#"7:37 error: "read" is for HTTP, and only TCP goes to this upstream; leave it out"#,
            r#"7:50 error: "send" is for HTTP, and only TCP goes to this upstream; leave it out"#,
            r#"8:33 error: "budget" is for HTTP, and only TCP goes to this upstream; leave it out"#,
        ],
    },
    Case {
        name: "routes of a TCP listener that are for HTTP",
        before: &[UPSTREAM],
        text: r#"[listeners.mail]
bind = ["10.0.0.5:25"]
protocol = "tcp"
[[routes]]
path = "/app/"
upstream = "app"
[[routes]]
path = "/"
host = "mail.example"
upstream = "app"
[[routes]]
status_page = true"#,
        found: &[
            r#"7:8 error: listener "mail" speaks TCP: a route of it has an upstream and no path; say with `listener` which listeners this route is for"#,
            r#"13:1 error: listener "mail" speaks TCP: a route of it has an upstream and no path; say with `listener` which listeners this route is for"#,
        ],
    },
    Case {
        name: "octets to a server of HTTP/2",
        before: &[],
        text: r#"[listeners.mail]
bind = ["10.0.0.5:25"]
protocol = "tcp"
[upstreams.app]
servers = [{ address = "10.0.0.9:25" }]
protocol = "h2c"
[[routes]]
listener = "mail"
upstream = "app""#,
        found: &[
            r#"7:1 error: listener "mail" speaks TCP, and upstream "app" HTTP/2; leave out the upstream's `protocol`: what clients speak is passed on as it is"#,
        ],
    },
    Case {
        name: "a rate that is a time",
        before: &[LISTENER],
        text: r#"timeouts = { body_min_rate = "1s" }"#,
        found: &[
            r#"3:30 error: "body_min_rate" must be a size, not "1s"; write a whole number with B, KiB, MiB or GiB, such as "64KiB""#,
        ],
    },
    Case {
        name: "WebSocket as a word",
        before: &[LISTENER, UPSTREAM],
        text: r#"[[routes]]
path = "/"
upstream = "app"
websocket = "on""#,
        found: &[r#"8:13 error: "websocket" must be true or false, not a string"#],
    },
    Case {
        name: "a listener without addresses",
        before: &[],
        text: r#"[listeners.web]
bind = []"#,
        found: &[r#"2:8 error: "bind" must not be empty"#],
    },
    Case {
        name: "a listener on a name",
        before: &[],
        text: r#"[listeners.web]
bind = ["localhost:80"]"#,
        found: &[
            r#"2:9 error: "localhost:80" is no address with a port; write it as "192.168.0.105:80"; names are not looked up"#,
        ],
    },
    Case {
        name: "a listener without port",
        before: &[],
        text: r#"[listeners.web]
bind = ["10.0.0.5"]"#,
        found: &[r#"2:9 error: "10.0.0.5" is no address with a port; add the port: "10.0.0.5:80""#],
    },
    Case {
        name: "a listener on port 0",
        before: &[],
        text: r#"[listeners.web]
bind = ["10.0.0.5:0"]"#,
        found: &["2:9 error: port 0 is no port"],
    },
    Case {
        name: "HTTP/2 as a word",
        before: &[],
        text: r#"[listeners.web]
bind = ["10.0.0.5:80"]
http2 = "yes""#,
        found: &[r#"3:9 error: "http2" must be true or false, not a string"#],
    },
    Case {
        name: "streams without number",
        before: &[],
        text: r#"[listeners.web]
bind = ["10.0.0.5:80"]
http2 = true
limits = { h2_streams = -1 }"#,
        found: &[r#"4:25 error: "h2_streams" must be a whole number from 0 to 4294967295, not -1"#],
    },
    Case {
        name: "two listeners on one address",
        before: &[LISTENER],
        text: r#"[listeners.also]
bind = ["10.0.0.6:80", "10.0.0.5:80"]"#,
        found: &[
            "4:24 error: the address 10.0.0.5:80 is there twice; the first is at line 2 of evenkeel.toml",
        ],
    },
    Case {
        name: "the admin on the address of a listener",
        before: &[LISTENER],
        text: r#"[admin]
bind = "10.0.0.5:80""#,
        found: &[
            "4:8 error: the address 10.0.0.5:80 is there twice; the first is at line 2 of evenkeel.toml",
        ],
    },
    Case {
        name: "a relative access log",
        before: &[LISTENER],
        text: r#"access_log = { path = "access.log" }"#,
        found: &[
            r#"3:23 error: "path" must be an absolute path, not "access.log"; paths begin with "/": where a program is started must not matter"#,
        ],
    },
    Case {
        name: "a format that does not exist",
        before: &[LISTENER],
        text: r#"access_log = { path = "/var/log/a.log", format = "common" }"#,
        found: &[
            r#"3:50 error: "format" must be one of "combined" and "json", not "common"; did you mean "combined"?"#,
        ],
    },
    Case {
        name: "a boolean in quotes",
        before: &[LISTENER],
        text: r#"node_header = "true""#,
        found: &[r#"3:15 error: "node_header" must be true or false, not a string"#],
    },
    Case {
        name: "a size without unit",
        before: &[LISTENER],
        text: "limits = { body = 10485760 }",
        found: &[
            r#"3:19 error: "body" must be a size, not a number; write it as "64KiB": a number with B, KiB, MiB or GiB"#,
        ],
    },
    Case {
        name: "a size with a wrong unit",
        before: &[LISTENER],
        text: r#"limits = { body = "10MB" }"#,
        found: &[
            r#"3:19 error: "body" must be a size, not "10MB"; write a whole number with B, KiB, MiB or GiB, such as "64KiB""#,
        ],
    },
    Case {
        name: "a head without limit",
        before: &[LISTENER],
        text: "limits = { header_bytes = 0 }",
        found: &[r#"3:27 error: "header_bytes" must be from 1KiB to 1MiB, not 0"#],
    },
    Case {
        name: "an upstream that is not there",
        before: &[LISTENER, UPSTREAM],
        text: r#"[[routes]]
path = "/"
upstream = "ap""#,
        found: &[r#"7:12 error: there is no upstream "ap"; did you mean "app"?"#],
    },
    Case {
        name: "a listener that is not there",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
listener = "public""#,
        found: &[r#"6:12 error: there is no listener "public"; there are "web""#],
    },
    Case {
        name: "a route that does nothing",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/""#,
        found: &[
            "3:1 error: this route does nothing; give one of upstream, status_page = true and stub_status = true",
        ],
    },
    Case {
        name: "a route that does two things",
        before: &[LISTENER, UPSTREAM],
        text: r#"[[routes]]
path = "/"
upstream = "app"
stub_status = true"#,
        found: &[
            "5:1 error: this route does two things; give one of upstream, status_page = true and stub_status = true",
        ],
    },
    Case {
        name: "a route twice",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
[[routes]]
path = "/"
status_page = true"#,
        found: &[
            r#"7:8 error: the path "/" of listener "web" is there twice; the first is at line 4 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "a route twice, once by default",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
listener = ["web"]
[[routes]]
path = "/"
status_page = true"#,
        found: &[
            r#"8:8 error: the path "/" of listener "web" is there twice; the first is at line 4 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "a route of a host twice, spelled differently",
        before: &[LISTENER],
        text: r#"[[routes]]
host = "api.example.org"
status_page = true
[[routes]]
host = ["www.example.org", "API.example.org."]
path = "/"
status_page = true
[[routes]]
host = "api.example.org"
path = "/v1/"
status_page = true"#,
        found: &[
            r#"7:28 error: the path "/" of host "api.example.org" of listener "web" is there twice; the first is at line 4 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "hosts that are none",
        before: &[LISTENER],
        text: r#"[[routes]]
status_page = true
host = ["a:80", "bücher.example", "[::1]", "www.*.org", "*", "a..b", "a b", ""]"#,
        found: &[
            r#"5:9 error: "a:80" is no host; leave out the port: the listener has it"#,
            r#"5:17 error: "bücher.example" is no host; write it as clients send it, beginning with "xn--""#,
            r#"5:35 error: "[::1]" is no host; routes do not tell IPv6 addresses apart; listeners do"#,
            r#"5:44 error: "www.*.org" is no host; an asterisk stands first, and for whole labels: "*.example.org""#,
            r#"5:57 error: "*" is no host; an asterisk stands first, and for whole labels: "*.example.org""#,
            r#"5:62 error: "a..b" is no host; write it as "api.example.org" or "*.example.org""#,
            r#"5:70 error: "a b" is no host; write it as "api.example.org" or "*.example.org""#,
            r#"5:77 error: an entry of "host" must not be empty"#,
        ],
    },
    Case {
        name: "a path without slash",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "app"
status_page = true"#,
        found: &[r#"4:8 error: "path" must begin with "/", not be "app"; write it as "/app""#],
    },
    Case {
        name: "a path with a query",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/app?x"
status_page = true"#,
        found: &["4:8 error: a path cannot have '?'; write it percent-encoded"],
    },
    Case {
        name: "routes as a table",
        before: &[],
        text: r#"[routes]
path = "/""#,
        found: &[r#"1:1 error: "routes" must be a list, not a table; write it as [[routes]]"#],
    },
    Case {
        name: "allow that is no network",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
allow = ["192.168.0/24"]"#,
        found: &[
            r#"6:10 error: "192.168.0/24" is no address and no network; write it as "192.168.0.0/24" or "127.0.0.1""#,
        ],
    },
    Case {
        name: "allow all as nginx has it",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
allow = ["all"]"#,
        found: &[
            r#"6:10 error: "all" is no address and no network; write it as "192.168.0.0/24" or "127.0.0.1""#,
        ],
    },
];
