//! What a run came to, in words for the operator.

use std::io;
use std::time::Duration;

use ipc::check::ScriptOutcome;
use ipc::vrrp::TrackVerdict;

use crate::file::{self, Number};
use crate::probe::{self, Answer};

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// What it counts as; a server is up or down.
    pub(crate) verdict: TrackVerdict,
    /// Why, as a short phrase.
    pub(crate) reason: String,
}

impl From<Result<Answer, probe::Failure>> for Outcome {
    fn from(result: Result<Answer, probe::Failure>) -> Self {
        match result {
            Ok(answer) => Self {
                verdict: TrackVerdict::Up,
                reason: answer.to_string(),
            },
            Err(failure) => Self {
                verdict: TrackVerdict::Down,
                reason: failure.to_string(),
            },
        }
    }
}

/// A file without a number cannot be used: it is ill, where keepalived takes it for zero.
impl From<Result<Number, file::Failure>> for Outcome {
    fn from(result: Result<Number, file::Failure>) -> Self {
        match result {
            Ok(number) => Self {
                verdict: TrackVerdict::Value(number.value),
                reason: number.to_string(),
            },
            Err(failure) => Self {
                verdict: TrackVerdict::Unrunnable,
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
        let verdict = match outcome {
            ScriptOutcome::Exited(0) => TrackVerdict::Up,
            ScriptOutcome::Exited(126 | 127) | ScriptOutcome::Unrunnable(_) => {
                TrackVerdict::Unrunnable
            }
            ScriptOutcome::Exited(_) | ScriptOutcome::Signalled(_) | ScriptOutcome::TimedOut => {
                TrackVerdict::Down
            }
        };
        Self { verdict, reason }
    }

    /// So many processes were found where `quorum` must run.
    pub(crate) fn of_processes(count: io::Result<u32>, quorum: u32) -> Self {
        match count {
            Ok(count) => Self {
                verdict: if count >= quorum {
                    TrackVerdict::Up
                } else {
                    TrackVerdict::Down
                },
                reason: format!("{count} run, {quorum} must"),
            },
            Err(error) => Self {
                verdict: TrackVerdict::Unrunnable,
                reason: format!("cannot list the processes: {error}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use TrackVerdict::{Down, Unrunnable, Up};

    use super::*;

    #[test]
    fn only_exit_status_0_of_a_script_is_a_success() {
        use ScriptOutcome as S;
        let cases = [
            (S::Exited(0), Up, "exit status 0"),
            (S::Exited(1), Down, "exit status 1"),
            (
                S::Exited(126),
                Unrunnable,
                "exit status 126 (cannot be executed)",
            ),
            (
                S::Exited(127),
                Unrunnable,
                "exit status 127 (command not found)",
            ),
            (S::Signalled(9), Down, "signal 9"),
            (S::TimedOut, Down, "timed out after 1.5s"),
            (
                S::Unrunnable("No such file or directory".into()),
                Unrunnable,
                "cannot be executed: No such file or directory",
            ),
        ];
        for (outcome, verdict, reason) in cases {
            let judged = Outcome::of_script(outcome, Duration::from_millis(1_500));
            assert_eq!((judged.verdict, judged.reason.as_str()), (verdict, reason));
            assert_eq!(verdict.is_up(), verdict == Up, "{reason}");
        }
    }

    #[test]
    fn processes_must_be_as_many_as_the_quorum() {
        let cases = [
            (0, 1, Down, "0 run, 1 must"),
            (1, 1, Up, "1 run, 1 must"),
            (2, 3, Down, "2 run, 3 must"),
            (4, 3, Up, "4 run, 3 must"),
        ];
        for (count, quorum, verdict, reason) in cases {
            let judged = Outcome::of_processes(Ok(count), quorum);
            assert_eq!((judged.verdict, judged.reason.as_str()), (verdict, reason));
        }
        let unseen = Outcome::of_processes(Err(io::ErrorKind::NotFound.into()), 1);
        assert_eq!(unseen.verdict, Unrunnable);
    }
}
