//! Track scripts, files and processes.

use crate::Case;

/// Each stands for one mistake.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "script without command",
        before: &[],
        text: r#"[scripts.s]
interval = "1s""#,
        found: &[r#"1:1 error: "command" is missing; add command = ..."#],
    },
    Case {
        name: "script with an empty command",
        before: &[],
        text: r#"[scripts.s]
command = []"#,
        found: &[r#"2:11 error: "command" must not be empty"#],
    },
    Case {
        name: "script by a relative path",
        before: &[],
        text: r#"[scripts.s]
command = ["killall", "-0", "nginx"]"#,
        found: &[
            r#"2:11 error: the program "killall" must be given by its absolute path; no shell and no search path is used; see `command -v`"#,
        ],
    },
    Case {
        name: "script as a line",
        before: &[],
        text: r#"[scripts.s]
command = "/usr/bin/killall -0 nginx""#,
        found: &[
            r#"2:11 error: "command" must be a list, not a string; write program and arguments as ["/path/program", "argument"]"#,
        ],
    },
    Case {
        name: "rise 0",
        before: &[],
        text: r#"[scripts.s]
command = ["/bin/true"]
rise = 0"#,
        found: &[r#"3:8 error: "rise" must be a whole number from 1 to 1000, not 0"#],
    },
    Case {
        name: "fall 0",
        before: &[],
        text: r#"[scripts.s]
command = ["/bin/true"]
fall = 0"#,
        found: &[r#"3:8 error: "fall" must be a whole number from 1 to 1000, not 0"#],
    },
    Case {
        name: "an interval of zero",
        before: &[],
        text: r#"[scripts.s]
command = ["/bin/true"]
interval = "0s""#,
        found: &[r#"3:12 error: "interval" must be from 10ms to 1h, not 0s"#],
    },
    Case {
        name: "file by a relative path",
        before: &[],
        text: r#"[files.f]
path = "run/number""#,
        found: &[
            r#"2:8 error: "path" must be an absolute path, not "run/number"; paths begin with "/": where a program is started must not matter"#,
        ],
    },
    Case {
        name: "a file's weight and number beyond what counts",
        before: &[],
        text: r#"[files.f]
path = "/run/number"
weight = 255
absent = -255"#,
        found: &[
            r#"3:10 error: "weight" must be a whole number from -254 to 254, not 255"#,
            r#"4:10 error: "absent" must be a whole number from -254 to 254, not -255"#,
        ],
    },
    Case {
        name: "processes without a program, and none of them",
        before: &[],
        text: r#"[processes.p]
quorum = 0"#,
        found: &[
            r#"1:1 error: "process" is missing; add process = ..."#,
            r#"2:10 error: "quorum" must be a whole number from 1 to 65536, not 0"#,
        ],
    },
];
