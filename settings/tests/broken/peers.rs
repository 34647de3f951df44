//! Who is believed to be whom: the PROXY protocol, trusted proxies.

use crate::{Case, LISTENER, UPSTREAM};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "the PROXY protocol as a switch",
        before: &[LISTENER],
        text: "proxy_protocol = true",
        found: &[
            r#"3:18 error: "proxy_protocol" must be a table, not a boolean; write it as { ... }"#,
        ],
    },
    Case {
        name: "the PROXY protocol from nobody",
        before: &[LISTENER],
        text: "proxy_protocol = { from = [] }",
        found: &[r#"3:27 error: "from" must not be empty"#],
    },
    Case {
        name: "the PROXY protocol from nobody at all",
        before: &[LISTENER],
        text: "proxy_protocol = {}",
        found: &[r#"3:18 error: "from" is missing; add from = ..."#],
    },
    Case {
        name: "a trusted proxy by its name",
        before: &[LISTENER],
        text: r#"trusted_proxies = ["cdn"]"#,
        found: &[
            r#"3:20 error: "cdn" is no address and no network; write it as "192.168.0.0/24" or "127.0.0.1""#,
        ],
    },
    Case {
        name: "fewer than no connections",
        before: &[LISTENER],
        text: "limits = { connections = -1 }",
        found: &[
            r#"3:26 error: "connections" must be a whole number from 0 to 4294967295, not -1"#,
        ],
    },
    Case {
        name: "a PROXY header of version 3",
        before: &[UPSTREAM],
        text: r#"send_proxy = "v3""#,
        found: &[r#"3:14 error: "send_proxy" must be one of "v1" and "v2", not "v3""#],
    },
];
