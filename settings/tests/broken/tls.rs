//! TLS, with clients and with servers.

use crate::{Case, LISTENER, UPSTREAM};

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "TLS without a certificate",
        before: &[LISTENER],
        text: r#"tls = {}"#,
        found: &[r#"3:7 error: "certificates" is missing; add certificates = ..."#],
    },
    Case {
        name: "TLS with an empty list of certificates",
        before: &[LISTENER],
        text: r#"tls = { certificates = [] }"#,
        found: &[r#"3:24 error: "certificates" must not be empty"#],
    },
    Case {
        name: "a certificate without a key",
        before: &[LISTENER],
        text: r#"tls = { certificates = [{ chain = "/c.pem" }] }"#,
        found: &[r#"3:25 error: "key" is missing; add key = ..."#],
    },
    Case {
        name: "a relative chain and a key that stands there itself",
        before: &[LISTENER],
        text: r#"tls = { certificates = [{ chain = "c.pem", key = "MHcCAQEEIA==" }] }"#,
        found: &[
            r#"3:35 error: "chain" must be an absolute path, not "c.pem"; paths begin with "/": where a program is started must not matter"#,
            r#"3:50 error: "key" must be the absolute path of a file; a key is in a file that only root can read"#,
        ],
    },
    Case {
        name: "rule 43: clients are asked, and nobody is trusted",
        before: &[LISTENER],
        text: r#"tls = { certificates = [{ chain = "/c.pem", key = "/c.key" }], client_auth = "required" }"#,
        found: &[
            r#"3:7 error: clients are asked, and nobody is trusted to sign them; add client_ca = "/path""#,
        ],
    },
    Case {
        name: "rule 43: a client_ca that nobody would use",
        before: &[LISTENER],
        text: r#"tls = { certificates = [{ chain = "/c.pem", key = "/c.key" }], client_ca = "/ca.pem" }"#,
        found: &[
            r#"3:7 error: there is a client_ca, and clients are not asked; add client_auth = "required" (or "optional")"#,
        ],
    },
    Case {
        name: "a version that nobody should speak",
        before: &[LISTENER],
        text: r#"tls = { certificates = [{ chain = "/c.pem", key = "/c.key" }], min_version = "1.1" }"#,
        found: &[
            r#"3:78 error: "min_version" must be one of "1.2" and "1.3", not "1.1"; did you mean "1.3"?"#,
        ],
    },
    Case {
        name: "a server name that is an address",
        before: &[UPSTREAM],
        text: r#"tls = { sni = "10.0.1.1" }"#,
        found: &[
            r#"3:15 error: "10.0.1.1" is no host name; write it as "app.example.org"; without it the server's address is asked for"#,
        ],
    },
    Case {
        name: "a certificate for servers without its key",
        before: &[UPSTREAM],
        text: r#"tls = { client_chain = "/c.pem" }"#,
        found: &["3:7 error: client_chain and client_key go together; give both"],
    },
    Case {
        name: "a ca that nobody looks at",
        before: &[UPSTREAM],
        text: r#"tls = { ca = "/ca.pem", verify = false }"#,
        found: &["3:7 error: there is a ca, and servers are not checked; leave out verify = false"],
    },
];
