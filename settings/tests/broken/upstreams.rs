//! Upstreams: servers, checks, retries, and what is spoken with them.

use crate::{Case, UPSTREAM};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "HTTP/2 over TLS without TLS",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.0.9:80" }]
protocol = "h2""#,
        found: &[
            r#"3:12 error: "h2" is HTTP/2 over TLS, and there is no "tls"; without TLS it is "h2c""#,
        ],
    },
    Case {
        name: "HTTP/2 without TLS with TLS",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.0.9:80" }]
protocol = "h2c"
tls = {}"#,
        found: &[
            r#"3:12 error: "h2c" is HTTP/2 without TLS, and there is "tls"; with TLS it is "h2""#,
        ],
    },
    Case {
        name: "HTTP/2 with a PROXY header",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.0.9:80" }]
protocol = "h2c"
send_proxy = "v1""#,
        found: &[
            r#"3:12 error: "send_proxy" is for one client, and a connection of HTTP/2 is for many; leave one of the two out"#,
        ],
    },
    Case {
        name: "an upstream without servers",
        before: &[],
        text: r#"[upstreams.app]
servers = []"#,
        found: &[r#"2:11 error: "servers" must not be empty"#],
    },
    Case {
        name: "a server without port",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.1.1" }]"#,
        found: &[
            r#"2:24 error: "10.0.1.1" is no address with a port; add the port: "10.0.1.1:80""#,
        ],
    },
    Case {
        name: "a server by its name",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "app.example.org:80" }]"#,
        found: &[
            r#"2:24 error: "app.example.org:80" is no address with a port; write it as "192.168.0.105:80"; names are not looked up"#,
        ],
    },
    Case {
        name: "a server as a string",
        before: &[],
        text: r#"[upstreams.app]
servers = ["10.0.1.1:80"]"#,
        found: &[
            r#"2:12 error: a server must be a table, not a string; write it as { address = "192.168.0.201:80" }"#,
        ],
    },
    Case {
        name: "a server twice",
        before: &[],
        text: r#"[upstreams.app]
servers = [
  { address = "10.0.1.1:80" },
  { address = "10.0.1.1:80", weight = 2 },
]"#,
        found: &[
            r#"4:15 error: server 10.0.1.1:80 of upstream "app" is there twice; the first is at line 3 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "weight 0",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.1.1:80", weight = 0 }]"#,
        found: &[r#"2:48 error: "weight" must be a whole number from 1 to 1000, not 0"#],
    },
    Case {
        name: "a balance that is not built",
        before: &[UPSTREAM],
        text: r#"balance = "least_time""#,
        found: &[
            r#"3:11 error: "balance" must be one of "round_robin" and "least_conn", not "least_time"; did you mean "least_conn"?"#,
        ],
    },
    Case {
        name: "a server in a state that is none, with a negative limit, and no time to wait",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.1.1:80", state = "down", max_conns = -1, backup = "yes" }]
timeouts = { queue = "0s" }"#,
        found: &[
            r#"2:47 error: "state" must be one of "ready", "drain" and "maint", not "down""#,
            r#"2:67 error: "max_conns" must be a whole number from 0 to 4294967295, not -1"#,
            r#"2:80 error: "backup" must be true or false, not a string"#,
            r#"3:22 error: "queue" must be from 1ms to 1d, not 0s"#,
        ],
    },
    Case {
        name: "retries for no reason, within no budget",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.1.1:80" }]
retries = { on = ["stale", "500"], budget = "200%" }
keep_alive = { requests = -1 }"#,
        found: &[
            r#"3:28 error: an entry of "on" must be one of "connect", "stale", "timeout", "502", "503" and "504", not "500"; did you mean "504"?"#,
            r#"3:45 error: "200%" is no share; write it as "20%", from 0% to 100%"#,
            r#"4:27 error: "requests" must be a whole number from 0 to 4294967295, not -1"#,
        ],
    },
    Case {
        name: "nothing but backups",
        before: &[],
        text: r#"[upstreams.app]
servers = [{ address = "10.0.1.1:80", backup = true }]"#,
        found: &[
            r#"2:24 error: all servers of upstream "app" are backups; a backup is asked when no other can be: leave one to be the other"#,
        ],
    },
    Case {
        name: "a check of nothing",
        before: &[UPSTREAM],
        text: r#"check = { interval = "2s" }"#,
        found: &[
            r#"3:9 error: a check is either HTTP or TCP; give either http = "/path" or tcp = true"#,
        ],
    },
    Case {
        name: "a check of two kinds",
        before: &[UPSTREAM],
        text: r#"check = { http = "/", tcp = true }"#,
        found: &[
            r#"3:9 error: a check is either HTTP or TCP; give either http = "/path" or tcp = true"#,
        ],
    },
    Case {
        name: "statuses that are none",
        before: &[UPSTREAM],
        text: r#"check = { http = "/", status = "2xx" }"#,
        found: &[
            r#"3:32 error: "2xx" is no range of statuses; write it as "200-399" or 200, within 100 to 599"#,
        ],
    },
    Case {
        name: "a status of a TCP check",
        before: &[UPSTREAM],
        text: "check = { tcp = true, status = 200 }",
        found: &[r#"3:9 error: "host" and "status" are for HTTP checks"#],
    },
    Case {
        name: "a timeout of zero",
        before: &[UPSTREAM],
        text: r#"timeouts = { connect = "0s" }"#,
        found: &[r#"3:24 error: "connect" must be from 1ms to 1d, not 0s"#],
    },
    Case {
        name: "no tries",
        before: &[UPSTREAM],
        text: "retries = { tries = 0 }",
        found: &[r#"3:21 error: "tries" must be a whole number from 1 to 16, not 0"#],
    },
];
