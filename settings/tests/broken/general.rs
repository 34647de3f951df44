//! The file as a whole: its syntax, sections, nodes, secrets and overrides.

use crate::{Case, ROUTER};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "not TOML",
        before: &[],
        text: r#"[cluster
name = "x""#,
        found: &["1:9 error: not TOML: unclosed table, expected `]`"],
    },
    Case {
        name: "a string without its end",
        before: &[],
        text: r#"[cluster]
name = "x"#,
        found: &[r#"2:10 error: not TOML: invalid basic string, expected `"`"#],
    },
    Case {
        name: "a key twice",
        before: &[],
        text: r#"[cluster]
name = "x"
name = "y""#,
        found: &["3:1 error: not TOML: duplicate key"],
    },
    Case {
        name: "a section twice",
        before: &[],
        text: r#"[admin]
[cluster]
[admin]"#,
        found: &["3:2 error: not TOML: duplicate key"],
    },
    Case {
        name: "unknown section, near",
        before: &[],
        text: r#"[upstream.app]
servers = []"#,
        found: &[r#"1:2 error: unknown section "upstream"; did you mean "upstreams"?"#],
    },
    Case {
        name: "unknown section, far",
        before: &[],
        text: "[zebra]",
        found: &[
            r#"1:2 error: unknown section "zebra"; the sections are "cluster", "nodes", "global", "virtual_routers", "scripts", "files", "processes", "proxy", "listeners", "routes", "upstreams", "notify" and "admin""#,
        ],
    },
    Case {
        name: "unknown key, near",
        before: &[],
        text: r#"[cluster]
nam = "x""#,
        found: &[r#"2:1 error: unknown key "nam"; did you mean "name"?"#],
    },
    Case {
        name: "unknown key, far",
        before: &[],
        text: r#"[cluster]
zebra = "x""#,
        found: &[r#"2:1 error: unknown key "zebra"; the keys here are "name""#],
    },
    Case {
        name: "a key that is not built",
        before: &[],
        text: r#"[proxy]
close_spread_time = "1m""#,
        found: &[
            r#"2:1 error: unknown key "close_spread_time"; the keys here are "workers", "drain_timeout" and "tunnel_drain_timeout""#,
        ],
    },
    Case {
        name: "a section that is no table",
        before: &[],
        text: r#"cluster = "x""#,
        found: &[r#"1:11 error: "cluster" must be a table, not a string; write it as { ... }"#],
    },
    Case {
        name: "a section of names that is a list",
        before: &[],
        text: r#"[[listeners]]
bind = ["10.0.0.5:80"]"#,
        found: &[
            r#"1:1 error: "listeners" must be a table, not a list; write it as [listeners.NAME]"#,
        ],
    },
    Case {
        name: "a name with a blank",
        before: &[],
        text: r#"[listeners."the web"]
bind = ["10.0.0.5:80"]"#,
        found: &[
            r#"1:12 error: "the web" cannot be a name; names have 1 to 64 letters, digits, "_", "-" and ".""#,
        ],
    },
    Case {
        name: "no nodes",
        before: &[],
        text: r#"[cluster]
name = "x""#,
        found: &[
            "0:0 error: there are no nodes; add [nodes.a] with its address, and the other nodes",
        ],
    },
    Case {
        name: "this node is not in it",
        before: &[],
        text: r#"[nodes.proxy]
address = "10.0.0.1""#,
        found: &[
            r#"1:2 error: this node is called "a", but [nodes] has "proxy"; give its name with --node or EVENKEEL_NODE, or add it"#,
        ],
    },
    Case {
        name: "a node without address",
        before: &[],
        text: r#"[nodes.a]
[nodes.b]
address = "10.0.0.2""#,
        found: &[r#"1:1 error: "address" is missing; add address = ..."#],
    },
    Case {
        name: "a node with a network",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1/24""#,
        found: &[
            r#"2:11 error: "address" must be an IPv4 address, not "10.0.0.1/24"; leave out the prefix length"#,
        ],
    },
    Case {
        name: "a node with a multicast address",
        before: &[],
        text: r#"[nodes.a]
address = "224.0.0.18""#,
        found: &[
            "2:11 error: 224.0.0.18 is no address that a host can have; give the unicast address of one host",
        ],
    },
    Case {
        name: "two nodes with one address",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
[nodes.b]
address = "10.0.0.1""#,
        found: &[
            "4:11 error: the address 10.0.0.1 is there twice; the first is at line 2 of evenkeel.toml",
        ],
    },
    Case {
        name: "unknown log level",
        before: &[],
        text: r#"[global]
log = { level = "warning" }"#,
        found: &[
            r#"2:17 error: "level" must be one of "error", "warn", "info", "debug" and "trace", not "warning"; did you mean "warn"?"#,
        ],
    },
    Case {
        name: "relative log file",
        before: &[],
        text: r#"[global]
log = { target = "log/evenkeel.log" }"#,
        found: &[
            r#"2:18 error: "target" must be "stderr" or an absolute path, not "log/evenkeel.log""#,
        ],
    },
    Case {
        name: "a user that cannot be",
        before: &[],
        text: r#"[global]
user = "even keel""#,
        found: &[
            r#"2:8 error: "even keel" cannot be the name of a user or group; give one that `getent passwd` or `getent group` shows"#,
        ],
    },
    Case {
        name: "a date",
        before: &[],
        text: r#"[cluster]
name = 2015-12-14"#,
        found: &[
            r#"2:8 error: "name" must be a string, not a date or time; write it as "...", in quotes"#,
        ],
    },
    Case {
        name: "a number for a string",
        before: &[],
        text: r#"[cluster]
name = 5"#,
        found: &[
            r#"2:8 error: "name" must be a string, not a number; write it as "...", in quotes"#,
        ],
    },
    Case {
        name: "an empty string",
        before: &[],
        text: r#"[cluster]
name = """#,
        found: &[r#"2:8 error: "name" must not be empty"#],
    },
    Case {
        name: "a secret file that is missing",
        before: &[],
        text: r#"[cluster]
name = { file = "/nonexistent/name" }"#,
        found: &[
            "2:17 error: /nonexistent/name cannot be read: No such file or directory (os error 2); write the secret there, in a file that only root can read",
        ],
    },
    Case {
        name: "a secret variable that is missing",
        before: &[],
        text: r#"[cluster]
name = { env = "CLUSTER" }"#,
        found: &[
            r#"2:8 error: the environment variable "CLUSTER" is not set; set it where the program is started, or use { file = "/path" }"#,
        ],
    },
    Case {
        name: "a secret from two places",
        before: &[],
        text: r#"[cluster]
name = { env = "HOME", file = "/etc/hostname" }"#,
        found: &[r#"2:8 error: "name" must be a string, or a table with either "file" or "env""#],
    },
    Case {
        name: "unknown key in a secret",
        before: &[],
        text: r#"[cluster]
name = { path = "/etc/hostname" }"#,
        found: &[
            r#"2:8 error: "name" must be a string, or a table with either "file" or "env""#,
            r#"2:10 error: unknown key "path"; the keys here are "file" and "env""#,
        ],
    },
    Case {
        name: "admin without port",
        before: &[],
        text: r#"[admin]
bind = "127.0.0.1""#,
        found: &[
            r#"2:8 error: "127.0.0.1" is no address with a port; add the port: "127.0.0.1:80""#,
        ],
    },
    Case {
        name: "unknown section in an override",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
[nodes.a.override.proxi]
workers = 1"#,
        found: &[r#"3:19 error: unknown section "proxi"; did you mean "proxy"?"#],
    },
    Case {
        name: "unknown key in an override",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
override = { proxy = { worker = 1 } }"#,
        found: &[r#"3:24 error: unknown key "worker"; did you mean "workers"?"#],
    },
    Case {
        name: "several at once",
        before: &[],
        text: r#"[cluster]
nam = "x"
[proxy]
workers = 0
drain_timeout = 30
[virtual_routers.r]
interface = "eth0"
vrid = 0
addresses = ["10.0.0.5/32"]"#,
        found: &[
            r#"2:1 error: unknown key "nam"; did you mean "name"?"#,
            r#"4:11 error: "workers" must be a whole number from 1 to 1024, not 0"#,
            r#"5:17 error: "drain_timeout" must be a duration, not a number; write it as "1s": a number with ms, s, m, h or d"#,
            r#"8:8 error: "vrid" must be a whole number from 1 to 255, not 0"#,
        ],
    },
    Case {
        name: "a broken node is a node all the same",
        before: &[ROUTER],
        text: r#"priority = { a = 200, b = 100 }
[nodes.a]
address = "10.0.0.1"
[nodes.b]
address = "10.0.0""#,
        found: &[r#"9:11 error: "address" must be an IPv4 address, not "10.0.0""#],
    },
];
