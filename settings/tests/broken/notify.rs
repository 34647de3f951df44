//! Notifications.

use crate::Case;

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "no way",
        before: &[],
        text: r#"[notify.n]
max_age = "1h""#,
        found: &[
            "1:1 error: this tells nobody; give one of file, syslog, mail, sms, webhook and exec",
        ],
    },
    Case {
        name: "two ways",
        before: &[],
        text: r#"[notify.n]
file = "/var/log/ha.log"
syslog = true"#,
        found: &["1:1 error: this tells in two ways; make one [notify.NAME] for each"],
    },
    Case {
        name: "a way that is not built",
        before: &[],
        text: r#"[notify.n]
slack = { url = "https://hooks.slack.com/x" }"#,
        found: &[
            "1:1 error: this tells nobody; give one of file, syslog, mail, sms, webhook and exec",
            r#"2:1 error: unknown key "slack"; the keys here are "file", "syslog", "mail", "sms", "webhook", "exec", "events", "min_severity", "max_age" and "timeout""#,
        ],
    },
    Case {
        name: "a relative file",
        before: &[],
        text: r#"[notify.n]
file = "ha.log""#,
        found: &[
            r#"2:8 error: "file" must be an absolute path, not "ha.log"; paths begin with "/": where a program is started must not matter"#,
        ],
    },
    Case {
        name: "an unknown facility",
        before: &[],
        text: r#"[notify.n]
syslog = { facility = "local8" }"#,
        found: &[
            r#"2:23 error: "facility" must be one of "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "local0", "local1", "local2", "local3", "local4", "local5", "local6" and "local7", not "local8"; did you mean "local7"?"#,
        ],
    },
    Case {
        name: "a mail server without port",
        before: &[],
        text: r#"[notify.n]
mail = { server = "127.0.0.1", from = "a@example.org", to = ["b@example.org"] }"#,
        found: &[
            r#"2:19 error: "127.0.0.1" is no server with a port; write it as "mail.example.org:25""#,
        ],
    },
    Case {
        name: "mail to a name",
        before: &[],
        text: r#"[notify.n]
mail = { server = "127.0.0.1:25", from = "a@example.org", to = ["Ops <ops@example.org>"] }"#,
        found: &[
            r#"2:65 error: "Ops <ops@example.org>" is no mail address; write it as "ops@example.org", without a name"#,
        ],
    },
    Case {
        name: "mail to nobody",
        before: &[],
        text: r#"[notify.n]
mail = { server = "127.0.0.1:25", from = "a@example.org", to = [] }"#,
        found: &[r#"2:64 error: "to" must not be empty"#],
    },
    Case {
        name: "a user without password",
        before: &[],
        text: r#"[notify.n]
mail = { server = "127.0.0.1:25", from = "a@example.org", to = ["b@example.org"], username = "a" }"#,
        found: &[r#"2:8 error: "username" and "password" go together; give both, or none"#],
    },
    Case {
        name: "a number as it is dialled",
        before: &[],
        text: r#"[notify.n]
sms = { to = ["0172 1234567"], http = { url = "http://127.0.0.1/?to={to}&text={text}" } }"#,
        found: &[
            r#"2:15 error: "0172 1234567" is no telephone number in E.164 form; write "+", country code and number without blanks: "+491721234567""#,
        ],
    },
    Case {
        name: "a URL without scheme",
        before: &[],
        text: r#"[notify.n]
sms = { to = ["+491721234567"], http = { url = "127.0.0.1:13013/?to={to}&text={text}" } }"#,
        found: &[r#"2:48 error: "url" must begin with "http://" or "https://""#],
    },
    Case {
        name: "a URL without text",
        before: &[],
        text: r#"[notify.n]
sms = { to = ["+491721234567"], http = { url = "http://127.0.0.1/?to={to}" } }"#,
        found: &[
            r#"2:40 error: {text} is neither in "url" nor in "body"; it stands where the gateway expects the receiver or the text"#,
        ],
    },
    Case {
        name: "a body of a GET",
        before: &[],
        text: r#"[notify.n]
sms = { to = ["+491721234567"], http = { url = "http://127.0.0.1/", method = "GET", body = "{to}{text}" } }"#,
        found: &[r#"2:40 error: a GET has no body; set method = "POST", or remove "body""#],
    },
    Case {
        name: "a URL with a blank",
        before: &[],
        text: r#"[notify.n]
webhook = { url = "http://example.org/a b" }"#,
        found: &["2:19 error: a URL cannot have ' '; write it percent-encoded"],
    },
    Case {
        name: "a URL without host",
        before: &[],
        text: r#"[notify.n]
webhook = { url = "http:///hook" }"#,
        found: &[r#"2:19 error: the URL has no host that could be asked: """#],
    },
    Case {
        name: "a URL with a password",
        before: &[],
        text: r#"[notify.n]
webhook = { url = "http://me:secret@example.org/hook" }"#,
        found: &[
            r#"2:19 error: a URL with user and password is not sent as such; give headers = { Authorization = "Basic ..." }"#,
        ],
    },
    Case {
        name: "a header that cannot be",
        before: &[],
        text: r#"[notify.n]
webhook = { url = "http://example.org/", headers = { "X Y" = "z" } }"#,
        found: &[r#"2:54 error: what begins with "X" is no name of a header field"#],
    },
    Case {
        name: "a header with a line end",
        before: &[],
        text: r#"[notify.n]
webhook = { url = "http://example.org/", headers = { X = "y\nz" } }"#,
        found: &[r#"2:58 error: "X" must not have control characters"#],
    },
    Case {
        name: "an unknown event",
        before: &[],
        text: r#"[notify.n]
file = "/var/log/ha.log"
events = ["transitions"]"#,
        found: &[
            r#"3:11 error: an entry of "events" must be one of "transition", "priority", "contested", "process", "proxy", "server", "script" and "config", not "transitions"; did you mean "transition"?"#,
        ],
    },
    Case {
        name: "an unknown severity",
        before: &[],
        text: r#"[notify.n]
file = "/var/log/ha.log"
min_severity = "notice""#,
        found: &[
            r#"3:16 error: "min_severity" must be one of "info", "warning", "error" and "critical", not "notice""#,
        ],
    },
    Case {
        name: "exec by a shell line",
        before: &[],
        text: r#"[notify.n]
exec = "/usr/local/bin/policy.sh notify""#,
        found: &[
            r#"2:8 error: "exec" must be a list, not a string; write program and arguments as ["/path/program", "argument"]"#,
        ],
    },
];
