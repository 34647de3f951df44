//! Bands, failback and sync groups.

use crate::{Case, ROUTER};

/// A router in a sync group; four lines and one.
const MEMBER: &str = r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.5/32"]
sync_group = "edge"
"#;

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "a weight and a band",
        before: &[ROUTER],
        text: r#"track_interfaces = [{ name = "eth1", weight = 2, band = "degraded" }]"#,
        found: &[
            r#"5:57 error: "band" contradicts "weight"; a band goes over all weights: leave one of them out"#,
        ],
    },
    Case {
        name: "a band that there is not",
        before: &[ROUTER],
        text: r#"track_interfaces = [{ name = "eth1", band = "unhealty" }]"#,
        found: &[
            r#"5:45 error: "band" must be one of "degraded" and "unhealthy", not "unhealty"; did you mean "unhealthy"?"#,
        ],
    },
    Case {
        name: "what there is to do when unhealthy",
        before: &[ROUTER],
        text: r#"on_unhealthy = "deprioritize""#,
        found: &[
            r#"5:16 error: "on_unhealthy" must be one of "abdicate" and "deprioritise", not "deprioritize"; did you mean "deprioritise"?"#,
        ],
    },
    Case {
        name: "a failback that is no word",
        before: &[ROUTER],
        text: "failback = 30",
        found: &[
            r#"5:12 error: "failback" must be "auto", "manual" or a table; write a table as { after = "30s" }"#,
        ],
    },
    Case {
        name: "a failback after nothing",
        before: &[ROUTER],
        text: r#"failback = { after = "0s" }"#,
        found: &[r#"5:22 error: "after" must be from 1ms to 1d, not 0s"#],
    },
    Case {
        name: "preempt beside failback",
        before: &[ROUTER],
        text: "failback = \"auto\"\npreempt = false",
        found: &[
            r#"6:11 error: "preempt" says what "failback" says; leave it out: preempt = false is failback = "manual", true is "auto""#,
        ],
    },
    Case {
        name: "a delay beside a time of stability",
        before: &[ROUTER],
        text: "failback = { after = \"30s\" }\npreempt_delay = \"5s\"",
        found: &[
            r#"6:17 error: "preempt_delay" contradicts "failback", which has a time of its own; leave it out: { after = ... } is the longer of the two"#,
        ],
    },
    Case {
        name: "a delay of no failback",
        before: &[ROUTER],
        text: "failback = \"manual\"\npreempt_delay = \"5s\"",
        found: &[
            r#"6:17 error: "preempt_delay" contradicts failback = "manual", which never preempts; leave it out, or write failback = { after = ... }"#,
        ],
    },
    Case {
        name: "an owner that does not preempt",
        before: &[ROUTER],
        text: "preempt = false\npriority = { a = 255, b = 100 }",
        found: &[
            r#"5:11 error: node "a" has priority 255: the owner takes the addresses back at once; write priority = 254, or leave this out (RFC 9568 §6.1)"#,
        ],
    },
    Case {
        name: "an owner elsewhere that is to wait",
        before: &[ROUTER],
        text: "failback = { after = \"1m\" }\npriority = { a = 100, b = 255 }",
        found: &[
            r#"5:12 error: node "b" has priority 255: the owner takes the addresses back at once; write priority = 254, or leave this out (RFC 9568 §6.1)"#,
        ],
    },
    Case {
        name: "members that rank the nodes differently",
        before: &[MEMBER],
        text: r#"priority = { a = 200, b = 100 }
[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.6/32"]
priority = { a = 100, b = 200 }
sync_group = "edge""#,
        found: &[
            r#"12:14 error: virtual routers "r" and "s" of sync group "edge" differ in which node is better; let "priority" order the nodes alike in all of them"#,
        ],
    },
    Case {
        name: "members with different failback",
        before: &[MEMBER],
        text: r#"priority = { a = 200, b = 100 }
[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.6/32"]
priority = { a = 150, b = 100 }
failback = "manual"
sync_group = "edge""#,
        found: &[
            r#"13:14 error: virtual routers "r" and "s" of sync group "edge" differ in failback; write the same "failback" in all of them"#,
        ],
    },
    Case {
        name: "a weight of one member alone",
        before: &[MEMBER],
        text: r#"priority = { a = 200, b = 190 }
[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.6/32"]
priority = { a = 200, b = 190 }
track_interfaces = [{ name = "eth1", weight = -20 }]
sync_group = "edge""#,
        found: &[
            r#"13:14 error: virtual routers "r" and "s" of sync group "edge" differ in what they track with a weight; track it in all of them with the same weight; bands and weight 0 count for all anyway"#,
        ],
    },
    Case {
        name: "a band of one member alone, which counts for all",
        before: &[MEMBER],
        text: r#"priority = { a = 200, b = 190 }
[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.6/32"]
priority = { a = 200, b = 190 }
track_interfaces = [{ name = "eth1", band = "degraded" }]
sync_group = "edge""#,
        found: &[],
    },
    Case {
        name: "nodes that only their addresses tell apart",
        before: &[MEMBER],
        text: r#"priority = 100
[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.6/32"]
priority = { a = 200, b = 190 }
sync_group = "edge""#,
        found: &[
            r#"6:12 error: nodes "a" and "b" have the same priority in sync group "edge"; write priority = { a = 150, b = 100 }"#,
            r#"12:14 error: virtual routers "r" and "s" of sync group "edge" differ in which node is better; let "priority" order the nodes alike in all of them"#,
        ],
    },
];
