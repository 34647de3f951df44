//! Track scripts: run one when the health-checker says so, under its own user, with a time limit.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ipc::check::ScriptOutcome;
use platform::privilege::Identity;
use platform::process::{self, Signal};
use tokio::process::Child;
use tokio::time::timeout;

/// How long a script that was asked to end may take before it is killed, as in keepalived.
const GRACE: Duration = Duration::from_secs(2);

/// A script that was started.
#[derive(Debug)]
pub(crate) struct Run {
    process: Child,
    limit: Duration,
}

/// Starts a program that may take `limit`.
///
/// # Errors
/// Why it cannot be run.
pub(crate) fn start(
    command: &[String],
    identity: Option<Identity>,
    limit: Duration,
) -> Result<Run, ScriptOutcome> {
    let unrunnable = |why: String| ScriptOutcome::Unrunnable(why);
    let mut process = process::script(command, identity)
        .ok_or_else(|| unrunnable("the command is empty".into()))?;
    // It must not outlive a supervisor that ends.
    process
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let process = process
        .spawn()
        .map_err(|error| unrunnable(error.to_string()))?;
    Ok(Run { process, limit })
}

impl Run {
    /// Its process.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.process.id()
    }

    /// Waits for its end, or ends it at its limit.
    pub(crate) async fn outcome(mut self) -> ScriptOutcome {
        let pid = self.process.id();
        if let Ok(status) = timeout(self.limit, self.process.wait()).await {
            return outcome(status);
        }
        for signal in [Signal::SIGTERM, Signal::SIGKILL] {
            if let Some(pid) = pid
                && let Err(error) = process::kill_group(pid, signal)
            {
                tracing::debug!("cannot signal script process {pid}: {error}");
            }
            if timeout(GRACE, self.process.wait()).await.is_ok() {
                break;
            }
        }
        ScriptOutcome::TimedOut
    }
}

fn outcome(status: io::Result<ExitStatus>) -> ScriptOutcome {
    use std::os::unix::process::ExitStatusExt;
    match status {
        Err(error) => ScriptOutcome::Unrunnable(error.to_string()),
        Ok(status) => match status.code() {
            Some(code) => ScriptOutcome::Exited(code),
            None => ScriptOutcome::Signalled(status.signal().unwrap_or_default()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(line: &str, limit: Duration) -> ScriptOutcome {
        let command = ["/bin/sh", "-c", line].map(String::from);
        start(&command, None, limit).unwrap().outcome().await
    }

    #[tokio::test]
    async fn a_script_ends_as_it_ends() {
        let limit = Duration::from_secs(60);
        assert_eq!(shell("exit 0", limit).await, ScriptOutcome::Exited(0));
        assert_eq!(shell("exit 7", limit).await, ScriptOutcome::Exited(7));
        assert_eq!(
            shell("kill -9 $$", limit).await,
            ScriptOutcome::Signalled(9)
        );
    }

    #[tokio::test]
    async fn what_cannot_be_run_is_no_success() {
        for command in [vec![], vec!["/does/not/exist".into()]] {
            let refused = start(&command, None, Duration::from_secs(60)).unwrap_err();
            assert!(matches!(refused, ScriptOutcome::Unrunnable(_)));
        }
    }

    #[tokio::test]
    async fn a_script_with_children_is_ended_at_its_limit() {
        let outcome = shell("sleep 1000 & wait", Duration::from_millis(10)).await;
        assert_eq!(outcome, ScriptOutcome::TimedOut);
    }
}
