//! What a run came to, in words for the operator.

use std::time::Duration;

use ipc::check::ScriptOutcome;

use crate::probe::{Answer, Failure};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether it counts as a success.
    pub(crate) success: bool,
    /// Why, as a short phrase.
    pub(crate) reason: String,
}

impl From<Result<Answer, Failure>> for Outcome {
    fn from(result: Result<Answer, Failure>) -> Self {
        match result {
            Ok(answer) => Self {
                success: true,
                reason: answer.to_string(),
            },
            Err(failure) => Self {
                success: false,
                reason: failure.to_string(),
            },
        }
    }
}

impl Outcome {
    /// A script's end. Only exit status 0 is a success: what cannot be run is ill, where keepalived
    /// takes it for well.
    pub(crate) fn of_script(outcome: ScriptOutcome, timeout: Duration) -> Self {
        let reason = match &outcome {
            ScriptOutcome::Exited(126) => "exit status 126 (cannot be executed)".into(),
            ScriptOutcome::Exited(127) => "exit status 127 (command not found)".into(),
            ScriptOutcome::Exited(status) => format!("exit status {status}"),
            ScriptOutcome::Signalled(signal) => format!("signal {signal}"),
            ScriptOutcome::TimedOut => format!("timed out after {timeout:?}"),
            ScriptOutcome::Unrunnable(why) => format!("cannot be executed: {why}"),
        };
        Self {
            success: outcome == ScriptOutcome::Exited(0),
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exit_status_0_of_a_script_is_a_success() {
        let cases = [
            (ScriptOutcome::Exited(0), true, "exit status 0"),
            (ScriptOutcome::Exited(1), false, "exit status 1"),
            (
                ScriptOutcome::Exited(126),
                false,
                "exit status 126 (cannot be executed)",
            ),
            (
                ScriptOutcome::Exited(127),
                false,
                "exit status 127 (command not found)",
            ),
            (ScriptOutcome::Signalled(9), false, "signal 9"),
            (ScriptOutcome::TimedOut, false, "timed out after 1.5s"),
            (
                ScriptOutcome::Unrunnable("No such file or directory".into()),
                false,
                "cannot be executed: No such file or directory",
            ),
        ];
        for (outcome, success, reason) in cases {
            let expected = Outcome {
                success,
                reason: reason.into(),
            };
            let judged = Outcome::of_script(outcome, Duration::from_millis(1_500));
            assert_eq!(judged, expected);
        }
    }
}
