//! Running the tools of the system, and waiting for what they show.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How often [`wait_until`] looks.
const POLL: Duration = Duration::from_millis(20);

/// Runs `argv` to its end and returns its standard output. Panics with both outputs when it fails.
pub fn run(argv: &[&str]) -> String {
    let output = output(argv);
    assert!(
        output.status.success(),
        "{argv:?} ended with {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `argv` to its end and says whether it ended well.
pub fn succeeds(argv: &[&str]) -> bool {
    output(argv).status.success()
}

/// Runs `argv` to its end and returns its standard output, whether it ended well or not.
pub fn answer(argv: &[&str]) -> String {
    String::from_utf8_lossy(&output(argv).stdout).into_owned()
}

/// Runs `argv` to its end and returns its exit status. Panics when a signal ended it.
pub fn exit_status(argv: &[&str]) -> i32 {
    let output = output(argv);
    output
        .status
        .code()
        .unwrap_or_else(|| panic!("{argv:?} ended with {}", output.status))
}

/// Runs `argv` to its end, without standard input.
pub(crate) fn output(argv: &[&str]) -> Output {
    let (program, arguments) = argv.split_first().expect("a command has a program");
    Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("cannot run {program}: {error} (lab/install-packages?)"))
}

/// Asks `probe` again and again until it answers with something, and returns that. Panics, naming
/// `what`, when `within` is over. The limit is only there to end a test that has failed: make it
/// generous.
pub fn wait_until<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            Instant::now() < deadline,
            "waited {within:?} in vain: {what}"
        );
        std::thread::sleep(POLL);
    }
}

/// Writes a shell script that everybody may run. It takes the place of one that may just be running:
/// nobody can write to that.
pub(crate) fn write_script(path: &Path, body: &str) {
    let fresh = path.with_extension("new");
    fs::write(&fresh, format!("#!/bin/sh\n{body}"))
        .and_then(|()| fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755)))
        .and_then(|()| fs::rename(&fresh, path))
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
}
