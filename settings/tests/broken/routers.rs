//! Virtual routers.

use crate::{Case, ROUTER};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "vrid 0",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 0
addresses = ["10.0.0.5/32"]"#,
        found: &[r#"3:8 error: "vrid" must be a whole number from 1 to 255, not 0"#],
    },
    Case {
        name: "vrid 256",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 256
addresses = ["10.0.0.5/32"]"#,
        found: &[r#"3:8 error: "vrid" must be a whole number from 1 to 255, not 256"#],
    },
    Case {
        name: "vrid as a string",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = "1"
addresses = ["10.0.0.5/32"]"#,
        found: &[r#"3:8 error: "vrid" must be a whole number, not a string"#],
    },
    Case {
        name: "no vrid",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
addresses = ["10.0.0.5/32"]"#,
        found: &[r#"1:1 error: "vrid" is missing; add vrid = ..."#],
    },
    Case {
        name: "vrid twice on one interface",
        before: &[ROUTER],
        text: r#"[virtual_routers.s]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.6/32"]"#,
        found: &[
            r#"7:8 error: vrid 1 on interface "eth0" is there twice; the first is at line 3 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "a Master that does not answer",
        before: &[ROUTER],
        text: "accept = false",
        found: &[
            r#"5:10 error: there is no accept = false; a Master answers on its addresses, which is what they are for; close ports by a firewall"#,
        ],
    },
    Case {
        name: "an excluded address that another router has",
        before: &[ROUTER],
        text: "excluded_addresses = [\"10.0.0.5/24\"]",
        found: &[
            r#"5:23 error: the virtual address 10.0.0.5 is there twice; the first is at line 4 of evenkeel.toml"#,
        ],
    },
    Case {
        name: "priority 0",
        before: &[ROUTER],
        text: "priority = 0",
        found: &[r#"5:12 error: "priority" must be a whole number from 1 to 255, not 0"#],
    },
    Case {
        name: "priority 256",
        before: &[ROUTER],
        text: "priority = { a = 256, b = 1 }",
        found: &[r#"5:18 error: "a" must be a whole number from 1 to 255, not 256"#],
    },
    Case {
        name: "priority of an unknown node",
        before: &[ROUTER],
        text: "priority = { a = 2, b = 1, bb = 3 }",
        found: &[r#"5:28 error: there is no node "bb"; did you mean "b"?"#],
    },
    Case {
        name: "no priority for a node",
        before: &[ROUTER],
        text: "priority = { a = 2 }",
        found: &[r#"5:12 error: there is no priority for node "b"; add b = ..."#],
    },
    Case {
        name: "bad address",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.256/32"]"#,
        found: &[
            r#"4:14 error: "10.0.0.256/32" is no IP address; write it as "192.168.0.105/32" or "fd00::105/128""#,
        ],
    },
    Case {
        name: "bad prefix length",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.5/33"]"#,
        found: &[
            r#"4:14 error: "10.0.0.5/33" is no IP address; write it as "192.168.0.105/32" or "fd00::105/128""#,
        ],
    },
    Case {
        name: "version 2 with IPv6",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
version = 2
transport = "multicast"
addresses = ["fe80::5", "2001:db8::5/64"]"#,
        found: &[r#"6:13 error: version 2 has only IPv4 addresses; set version = 3 for IPv6"#],
    },
    Case {
        name: "two families in one virtual router",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.5", "10.0.0.6", "2001:db8::5/64"]"#,
        found: &[
            r#"4:38 error: 2001:db8::5 is an IPv6 address, and the first one is IPv4; a virtual router has one family: make another one for the others, with the same sync_group if both are to move together; or list them in excluded_addresses"#,
        ],
    },
    Case {
        name: "unicast over IPv6 between nodes without addresses",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
address6 = "fd00::1"
[nodes.b]
address = "10.0.0.2"
[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["fe80::5", "2001:db8::5/64"]"#,
        found: &[
            r#"6:1 error: unicast over IPv6 needs an IPv6 address of node "b"; add address6 = "..." to [nodes.b], or set transport = "multicast""#,
        ],
    },
    Case {
        name: "a peer of the other family",
        before: &[ROUTER],
        text: r#"peers = ["fd00::2"]"#,
        found: &[
            r#"5:10 error: fd00::2 is an IPv6 address, and the virtual router is of IPv4; give the peer's IPv4 address"#,
        ],
    },
    Case {
        name: "one vrid for each family",
        before: &[ROUTER],
        text: r#"[virtual_routers.six]
interface = "eth0"
vrid = 1
transport = "multicast"
addresses = ["fe80::5/64"]"#,
        found: &[],
    },
    Case {
        name: "a label of an IPv6 address",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
transport = "multicast"
addresses = [{ address = "fe80::5/64", label = "eth0:1" }]"#,
        found: &[r#"5:48 error: IPv6 addresses have no label; leave "label" out"#],
    },
    Case {
        name: "a scope of an IPv6 address",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
transport = "multicast"
addresses = [{ address = "fe80::5/64", scope = "link" }]"#,
        found: &[r#"5:48 error: the scope of an IPv6 address follows from it; leave "scope" out"#],
    },
    Case {
        name: "an IPv6 address of a node that is none",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
address6 = "10.0.0.1""#,
        found: &[r#"3:12 error: "address6" must be an IPv6 address, not "10.0.0.1""#],
    },
    Case {
        name: "a checksum form of version 2",
        before: &[ROUTER],
        text: "version = 2\nchecksum = \"rfc9568\"",
        found: &[
            r#"6:12 error: "checksum" is for version 3 over IPv4; leave it out: elsewhere there is only one form"#,
        ],
    },
    Case {
        name: "an unknown checksum form",
        before: &[ROUTER],
        text: r#"checksum = "rfc5798""#,
        found: &[
            r#"5:12 error: "checksum" must be one of "auto", "pseudo-header" and "rfc9568", not "rfc5798"; did you mean "rfc9568"?"#,
        ],
    },
    Case {
        name: "a least TTL of multicast",
        before: &[ROUTER],
        text: "transport = \"multicast\"\nunicast_min_ttl = 64",
        found: &[
            r#"6:19 error: "unicast_min_ttl" is for unicast; leave it out, or set transport = "unicast""#,
        ],
    },
    Case {
        name: "a least TTL of 0",
        before: &[ROUTER],
        text: "unicast_min_ttl = 0",
        found: &[r#"5:19 error: "unicast_min_ttl" must be a whole number from 1 to 255, not 0"#],
    },
    Case {
        name: "no address",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = []"#,
        found: &[r#"4:13 error: "addresses" must not be empty"#],
    },
    Case {
        name: "addresses as a string",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = "10.0.0.5/32""#,
        found: &[r#"4:13 error: "addresses" must be a list, not a string; write it as [...]"#],
    },
    Case {
        name: "an address in two routers",
        before: &[ROUTER],
        text: r#"[virtual_routers.s]
interface = "eth0"
vrid = 2
addresses = ["10.0.0.5/24"]"#,
        found: &[
            "8:14 error: the virtual address 10.0.0.5 is there twice; the first is at line 4 of evenkeel.toml",
        ],
    },
    Case {
        name: "an address that is a node's",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.2/32"]"#,
        found: &[
            r#"4:14 error: 10.0.0.2 is the address of node "b"; a virtual address belongs to no node"#,
        ],
    },
    Case {
        name: "unknown scope",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = [{ address = "10.0.0.5/32", scope = "local" }]"#,
        found: &[
            r#"4:49 error: "scope" must be one of "global", "site", "link" and "host", not "local"; did you mean "global"?"#,
        ],
    },
    Case {
        name: "a label of another interface",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = [{ address = "10.0.0.5/32", label = "eth1:1" }]"#,
        found: &[
            r#"4:49 error: the label "eth1:1" does not begin with the interface's name; write it as "eth0:1""#,
        ],
    },
    Case {
        name: "an interface that cannot be",
        before: &[],
        text: r#"[virtual_routers.r]
interface = "eth0/1"
vrid = 1
addresses = ["10.0.0.5/32"]"#,
        found: &[
            r#"2:13 error: "eth0/1" cannot be the name of an interface; see `ip link`; names have at most 15 octets"#,
        ],
    },
    Case {
        name: "unknown version",
        before: &[ROUTER],
        text: "version = 4",
        found: &[r#"5:11 error: "version" must be 2 or 3, not 4"#],
    },
    Case {
        name: "part of a second in version 2",
        before: &[ROUTER],
        text: r#"version = 2
advert_interval = "500ms""#,
        found: &[
            "6:19 error: version 2 has whole seconds between adverts, 1s to 255s; set version = 3 for shorter intervals",
        ],
    },
    Case {
        name: "too long an interval in version 3",
        before: &[ROUTER],
        text: r#"advert_interval = "41s""#,
        found: &[
            "5:19 error: version 3 has 10ms to 40950ms between adverts, in steps of 10ms; give the multiple of 10ms nearest to what is meant, the same on all nodes",
        ],
    },
    Case {
        name: "an interval without unit",
        before: &[ROUTER],
        text: r#"advert_interval = "1""#,
        found: &[
            r#"5:19 error: "advert_interval" must be a duration, not "1"; write a whole number with ms, s, m, h or d, such as "1s""#,
        ],
    },
    Case {
        name: "an interval as a number",
        before: &[ROUTER],
        text: "advert_interval = 1",
        found: &[
            r#"5:19 error: "advert_interval" must be a duration, not a number; write it as "1s": a number with ms, s, m, h or d"#,
        ],
    },
    Case {
        name: "a unit that is none",
        before: &[ROUTER],
        text: r#"advert_interval = "1sec""#,
        found: &[
            r#"5:19 error: "advert_interval" must be a duration, not "1sec"; write a whole number with ms, s, m, h or d, such as "1s""#,
        ],
    },
    Case {
        name: "unicast without another node",
        before: &[],
        text: r#"[nodes.a]
address = "10.0.0.1"
[virtual_routers.r]
interface = "eth0"
vrid = 1
addresses = ["10.0.0.5/32"]
transport = "unicast""#,
        found: &[
            "3:1 error: unicast needs peers, and there is no other node; add the other node to [nodes], or give peers = [...]",
        ],
    },
    Case {
        name: "unicast without peers",
        before: &[ROUTER],
        text: "peers = []",
        found: &[
            r#"5:9 error: unicast needs at least one peer; leave "peers" out to mean all other nodes"#,
        ],
    },
    Case {
        name: "own address among the peers",
        before: &[ROUTER],
        text: r#"peers = ["10.0.0.2", "10.0.0.1"]"#,
        found: &[
            r#"5:22 error: 10.0.0.1 is this node's own address; peers are the other nodes; leave "peers" out to mean all of them"#,
        ],
    },
    Case {
        name: "the same peer twice, and one that is a virtual address",
        before: &[ROUTER],
        text: r#"peers = ["10.0.0.2", "10.0.0.2", "10.0.0.5"]"#,
        found: &[
            r#"5:22 error: the peer 10.0.0.2 is there twice; the first is at line 5 of evenkeel.toml"#,
            r#"5:34 error: the peer 10.0.0.5 is a virtual address; give the address that the other node has whoever owns the virtual ones"#,
        ],
    },
    Case {
        name: "peers of multicast",
        before: &[ROUTER],
        text: r#"transport = "multicast"
peers = ["10.0.0.2"]"#,
        found: &[
            r#"6:9 error: "peers" is for unicast; leave it out, or set transport = "unicast""#,
        ],
    },
    Case {
        name: "unknown transport",
        before: &[ROUTER],
        text: r#"transport = "unicasts""#,
        found: &[
            r#"5:13 error: "transport" must be one of "unicast" and "multicast", not "unicasts"; did you mean "unicast"?"#,
        ],
    },
    Case {
        name: "a script that is not there",
        before: &[ROUTER],
        text: r#"track_scripts = ["chk_nginx"]
[scripts.chk_ngnix]
command = ["/bin/true"]"#,
        found: &[r#"5:18 error: there is no script "chk_nginx"; did you mean "chk_ngnix"?"#],
    },
    Case {
        name: "a weight out of range",
        before: &[ROUTER],
        text: r#"track_interfaces = [{ name = "eth1", weight = 254 }]"#,
        found: &[r#"5:47 error: "weight" must be a whole number from -253 to 253, not 254"#],
    },
    Case {
        name: "a notification that is not there",
        before: &[ROUTER],
        text: r#"notify = ["mail"]"#,
        found: &[r#"5:11 error: there is no notification "mail"; define it as [notify.mail]"#],
    },
    Case {
        name: "a lease of a second",
        before: &[ROUTER],
        text: "lease = 1",
        found: &[r#"5:9 error: "lease" must be a whole number from 2 to 3600, not 1"#],
    },
    Case {
        name: "a lease with unit",
        before: &[ROUTER],
        text: r#"lease = "2s""#,
        found: &[r#"5:9 error: "lease" must be one of "auto" and "off", not "2s""#],
    },
];
