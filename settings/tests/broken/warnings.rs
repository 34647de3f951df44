//! What is usable but probably not meant, and what must not be warned of.

use crate::{Case, LISTENER, ROUTER, UPSTREAM};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a weight below the gap",
        before: &[ROUTER],
        text: r#"priority = { a = 200, b = 190 }
track_scripts = ["s"]
[scripts.s]
command = ["/bin/true"]
weight = 2"#,
        found: &[
            r#"6:18 warning: weight 2 of script "s" cannot move the addresses: with it ill, node "a" has priority 200, and node "b" has 192; a weight must be above the gap of priorities; 0 makes the node Fault"#,
        ],
    },
    Case {
        name: "a weight as large as the gap",
        before: &[ROUTER],
        text: r#"priority = { a = 200, b = 190 }
track_interfaces = [{ name = "eth1", weight = -10 }]"#,
        found: &[
            r#"6:47 warning: weight -10 of interface "eth1" cannot move the addresses: with it ill, node "a" has priority 190, and node "b" has 190; a weight must be above the gap of priorities; 0 makes the node Fault"#,
        ],
    },
    Case {
        name: "a weight that the limit of priorities swallows",
        before: &[ROUTER],
        text: r#"priority = { a = 250, b = 246 }
track_interfaces = [{ name = "eth1", weight = 5 }, { name = "eth2", weight = 5 }]"#,
        found: &[
            r#"6:47 warning: weight 5 of interface "eth1" cannot move the addresses: with it ill, node "a" has priority 254, and node "b" has 254; a weight must be above the gap of priorities; 0 makes the node Fault"#,
            r#"6:78 warning: weight 5 of interface "eth2" cannot move the addresses: with it ill, node "a" has priority 254, and node "b" has 254; a weight must be above the gap of priorities; 0 makes the node Fault"#,
        ],
    },
    Case {
        name: "a weight of an address owner",
        before: &[ROUTER],
        text: r#"priority = { a = 255, b = 100 }
track_interfaces = [{ name = "eth1", weight = -200 }]"#,
        found: &[
            r#"6:47 warning: weight -200 of interface "eth1" cannot move the addresses: with it ill, node "a" has priority 255, and node "b" has 100; a weight must be above the gap of priorities; 0 makes the node Fault"#,
        ],
    },
    Case {
        name: "a weight without preemption",
        before: &[ROUTER],
        text: r#"preempt = false
priority = { a = 101, b = 100 }
track_interfaces = [{ name = "eth1", weight = 2 }]"#,
        found: &[
            r#"7:47 warning: the weight of interface "eth1" moves nothing without preemption; a Backup then takes over only from a Master that is gone or in a worse band; use band, or weight 0"#,
        ],
    },
    Case {
        name: "an IPv6 router without a link-local address",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
transport = "multicast"
addresses = ["fd00::5/64"]"#,
        found: &[
            r#"5:13 warning: no virtual address is link-local; hosts take link-local addresses for routers, and RFC 9568 §5.2.9 wants one in each advert over IPv6: add one, such as "fe80::1""#,
        ],
    },
    Case {
        name: "a weight that is enough",
        before: &[ROUTER],
        text: r#"priority = { a = 101, b = 100 }
track_interfaces = [{ name = "eth1", weight = 2 }]"#,
        found: &[],
    },
    Case {
        name: "a delay of no preemption",
        before: &[ROUTER],
        text: r#"preempt = false
preempt_delay = "5s""#,
        found: &[r#"6:17 warning: "preempt_delay" has no effect; preempt = false never preempts"#],
    },
    Case {
        name: "a priority that says a band",
        before: &[ROUTER],
        text: "priority = { a = 2, b = 1 }",
        found: &[
            r#"5:18 warning: priority 2 counts as 3: 1 and 2 say that a node is ill; give it 3 or more, and the better nodes more than that"#,
        ],
    },
    Case {
        name: "the same where nobody falls ill",
        before: &[ROUTER],
        text: "priority = { a = 2, b = 1 }\ntrack_proxy = false",
        found: &[],
    },
    Case {
        name: "a sync group of one",
        before: &[ROUTER],
        text: "priority = { a = 200, b = 100 }\nsync_group = \"edge\"",
        found: &[
            r#"6:14 warning: virtual router "r" is alone in sync group "edge"; give another one the same sync_group, or leave it out"#,
        ],
    },
    Case {
        name: "a lease that is too long",
        before: &[ROUTER],
        text: "lease = 3",
        found: &[
            r#"5:9 warning: the lease outlasts the time after which a peer takes over; a frozen node keeps the address while its peer has it too; see lease = "auto""#,
        ],
    },
    Case {
        name: "a script that nobody tracks",
        before: &[],
        text: r#"[scripts.s]
command = ["/bin/true"]"#,
        found: &[r#"1:10 warning: no virtual router tracks script "s"; name it in track_scripts"#],
    },
    Case {
        name: "an upstream without route",
        before: &[UPSTREAM],
        text: "",
        found: &[r#"1:12 warning: no route leads to upstream "app"; give a route upstream = ..."#],
    },
    Case {
        name: "a listener without route",
        before: &[LISTENER],
        text: "",
        found: &[
            r#"1:12 warning: no route is for listener "web"; every request there is answered 404"#,
        ],
    },
    Case {
        name: "a notification that nobody asks for",
        before: &[],
        text: r#"[notify.n]
file = "/var/log/ha.log""#,
        found: &[r#"1:9 warning: nobody tells "n"; name it in "notify" of a virtual router"#],
    },
    Case {
        name: "a notification of something else",
        before: &[],
        text: r#"[notify.n]
file = "/var/log/ha.log"
events = ["process"]"#,
        found: &[],
    },
    Case {
        name: "a network with bits behind its prefix",
        before: &[LISTENER],
        text: r#"[[routes]]
path = "/"
status_page = true
allow = ["192.168.0.1/24"]"#,
        found: &[
            r#"6:10 warning: "192.168.0.1/24" is read as 192.168.0.0/24; bits behind the prefix are set"#,
        ],
    },
    Case {
        name: "a password in the clear",
        before: &[],
        text: r#"[notify.n]
events = ["process"]
mail = { server = "10.0.0.9:25", from = "a@example.org", to = ["b@example.org"], username = "u", password = "p", tls = "none" }"#,
        found: &[r#"3:8 warning: the password is sent in the clear; set tls = "starttls""#],
    },
];
