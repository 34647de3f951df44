//! Track scripts.

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
];
