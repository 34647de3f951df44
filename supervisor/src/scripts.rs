//! Track scripts: run one when the health-checker says so, under its own user, with a time limit.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ipc::check::ScriptOutcome;
use platform::privilege::Identity;
use platform::process::{self, Signal};
use tokio::time::timeout;

/// How long a script that was asked to end may take before it is killed, as in keepalived.
const GRACE: Duration = Duration::from_secs(2);

/// Runs a program to its end, or to its limit.
pub(crate) async fn run(
    command: Vec<String>,
    identity: Option<Identity>,
    limit: Duration,
) -> ScriptOutcome {
    let Some(mut process) = process::script(&command, identity) else {
        return ScriptOutcome::Unrunnable("the command is empty".into());
    };
    process.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match process.spawn() {
        Ok(child) => child,
        Err(error) => return ScriptOutcome::Unrunnable(error.to_string()),
    };
    let pid = child.id();
    if let Ok(status) = timeout(limit, child.wait()).await {
        return outcome(status);
    }
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if let Some(pid) = pid
            && let Err(error) = process::kill_group(pid, signal)
        {
            tracing::debug!("cannot signal {}: {error}", command.join(" "));
        }
        if timeout(GRACE, child.wait()).await.is_ok() {
            break;
        }
    }
    ScriptOutcome::TimedOut
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
        run(
            vec!["/bin/sh".into(), "-c".into(), line.into()],
            None,
            limit,
        )
        .await
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
        let outcome = run(
            vec!["/does/not/exist".into()],
            None,
            Duration::from_secs(60),
        )
        .await;
        assert!(matches!(outcome, ScriptOutcome::Unrunnable(_)));
    }

    #[tokio::test]
    async fn a_script_with_children_is_ended_at_its_limit() {
        let outcome = shell("sleep 1000 & wait", Duration::from_millis(10)).await;
        assert_eq!(outcome, ScriptOutcome::TimedOut);
    }
}
