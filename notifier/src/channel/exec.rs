//! A program, called as keepalived calls the one of its `notify`: its own arguments, then
//! `INSTANCE NAME STATE PRIORITY`, or `GROUP NAME STATE 0` of a sync group. No shell.

use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ipc::event::What;
use platform::process::{self, Signal};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::{refused, retry};
use crate::journal::line::{Entry, rfc3339};
use crate::sink::delivery::Outcome;
use crate::wording;

/// Octets of what a program prints that get into the log.
const OUTPUT_MAX: usize = 4096;

/// How long the output of a program that has ended is waited for: what it has left in the
/// background may hold the pipe for ever.
const OUTPUT_WAIT: Duration = Duration::from_millis(100);

/// EX_TEMPFAIL of sysexits.h: the program wants to be called again later.
const TRY_AGAIN: i32 = 75;

/// A program.
#[derive(Debug)]
pub(crate) struct ExecChannel {
    command: Vec<String>,
    timeout: Duration,
    cluster: String,
}

impl ExecChannel {
    /// Calls `command`, for `timeout` at most.
    ///
    /// # Errors
    /// A sentence when it is not a path from the root.
    pub(crate) fn new(
        command: &[String],
        timeout: Duration,
        cluster: &str,
    ) -> Result<Self, String> {
        let program = command.first().map_or("", String::as_str);
        if !Path::new(program).is_absolute() {
            return Err(format!("the program {program:?} is not an absolute path"));
        }
        Ok(Self {
            command: command.to_vec(),
            timeout,
            cluster: cluster.into(),
        })
    }

    /// Calls the program and waits for its end. One that has run is not run again for the same event,
    /// whatever its exit status, unless that asks for it: it may have done half its work.
    pub(crate) async fn send(&self, entry: &Entry) -> Outcome {
        let program = self.command.first().map_or("", String::as_str);
        let (mut child, output) = match self.start(entry) {
            Ok(started) => started,
            Err(error) => return retry(format!("{program}: {error}")),
        };
        let Ok(ended) = tokio::time::timeout(self.timeout, child.wait()).await else {
            kill(&mut child).await;
            log_output(program, output).await;
            return refused(format!("{program}: ended after {:?}", self.timeout));
        };
        log_output(program, output).await;
        match ended {
            Ok(status) => judged(program, status),
            Err(error) => refused(format!("{program}: {error}")),
        }
    }

    fn start(&self, entry: &Entry) -> io::Result<(Child, JoinHandle<String>)> {
        let (reader, writer) = io::pipe()?;
        let argv: Vec<String> = self
            .command
            .iter()
            .cloned()
            .chain(arguments(entry))
            .collect();
        let mut command: Command =
            process::script(&argv, None).ok_or(io::ErrorKind::InvalidInput)?;
        command
            .envs(environment(entry, &self.cluster))
            .stdout(Stdio::from(writer.try_clone()?))
            .stderr(Stdio::from(writer))
            .kill_on_drop(true);
        let child = command.spawn()?;
        // The command holds the pipe's writing end; the output ends when only the program has it.
        drop(command);
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok((child, tokio::spawn(read_output(reader))))
    }
}

/// Reads to the end, so that the program never waits, and keeps the beginning.
async fn read_output(mut reader: pipe::Receiver) -> String {
    let mut kept = Vec::new();
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = reader.read(&mut buffer).await {
        let room = OUTPUT_MAX.saturating_sub(kept.len()).min(length);
        kept.extend_from_slice(buffer.get(..room).unwrap_or_default());
    }
    String::from_utf8_lossy(&kept).into_owned()
}

async fn log_output(program: &str, mut output: JoinHandle<String>) {
    let text = match tokio::time::timeout(OUTPUT_WAIT, &mut output).await {
        Ok(text) => text.unwrap_or_default(),
        Err(_) => {
            output.abort();
            "(its output is held open by what it has left running)".into()
        }
    };
    for line in text.lines() {
        tracing::info!("{program}: {}", wording::one_line(line));
    }
}

/// Ends the program and all that it has started in its group.
async fn kill(child: &mut Child) {
    if let Some(pid) = child.id() {
        if let Err(error) = process::kill_group(pid, Signal::SIGKILL) {
            tracing::warn!("process group {pid} cannot be ended: {error}");
        }
        // Nothing survives SIGKILL for long; the status has been decided.
        let _ = tokio::time::timeout(OUTPUT_WAIT, child.wait()).await;
    }
}

fn judged(program: &str, status: ExitStatus) -> Outcome {
    if status.code() == Some(TRY_AGAIN) {
        return retry(format!("{program} asks to be called again ({status})"));
    }
    if !status.success() {
        tracing::warn!("{program} has run and says {status}");
    }
    Outcome::Done
}

/// What is added to the program's own arguments.
fn arguments(entry: &Entry) -> Vec<String> {
    match &entry.event.what {
        What::Transition(transition) => vec![
            "INSTANCE".into(),
            transition.router.clone(),
            transition.to.to_string(),
            transition.priority.to_string(),
        ],
        What::GroupTransition(group) => vec![
            "GROUP".into(),
            group.group.clone(),
            group.to.to_string(),
            "0".into(),
        ],
        What::PriorityChanged(change) => vec![
            "INSTANCE".into(),
            change.router.clone(),
            format!("{}_PRIORITY", change.state),
            change.to.to_string(),
        ],
        what => vec!["EVENT".into(), what.class().into()],
    }
}

/// What keepalived does not tell.
fn environment(entry: &Entry, cluster: &str) -> Vec<(&'static str, String)> {
    let mut variables = vec![
        ("EVENKEEL_CLUSTER", cluster.to_owned()),
        ("EVENKEEL_NODE", entry.node.clone()),
        ("EVENKEEL_SEQ", entry.seq.to_string()),
        ("EVENKEEL_TIME", rfc3339(entry.event.at_unix_ms)),
        ("EVENKEEL_SEVERITY", entry.event.severity.to_string()),
        ("EVENKEEL_TEXT", wording::sentence(&entry.event.what)),
    ];
    if let What::Transition(transition) = &entry.event.what {
        variables.extend([
            ("EVENKEEL_INSTANCE", transition.router.clone()),
            ("EVENKEEL_STATE", transition.to.to_string()),
            ("EVENKEEL_STATE_BEFORE", transition.from.to_string()),
            ("EVENKEEL_PRIORITY", transition.priority.to_string()),
            ("EVENKEEL_CAUSE", wording::one_line(&transition.cause)),
            (
                "EVENKEEL_ADDRESSES",
                wording::addresses(&transition.addresses),
            ),
            ("EVENKEEL_PLANNED", u8::from(transition.planned).to_string()),
        ]);
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    fn shell(script: &str, timeout: Duration) -> ExecChannel {
        let command = ["/bin/sh", "-c", script, "policy.sh", "own"].map(String::from);
        ExecChannel::new(&command, timeout, "api-gateway").unwrap()
    }

    const LONG: Duration = Duration::from_secs(30);

    #[actix_rt::test]
    async fn it_is_called_as_keepalived_calls_it() {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let script = format!(
            r#"echo "$@" > {0}; env | grep -E '^(EVENKEEL_|PATH|HOME)' | sort >> {0}; pwd >> {0}"#,
            out.display()
        );
        assert_eq!(
            shell(&script, LONG).send(&examples::master()).await,
            Outcome::Done
        );
        let expected = "\
own INSTANCE YN_API_GATEWAY MASTER 202
EVENKEEL_ADDRESSES=192.168.0.105
EVENKEEL_CAUSE=master timed out
EVENKEEL_CLUSTER=api-gateway
EVENKEEL_INSTANCE=YN_API_GATEWAY
EVENKEEL_NODE=proxy101
EVENKEEL_PLANNED=0
EVENKEEL_PRIORITY=202
EVENKEEL_SEQ=41
EVENKEEL_SEVERITY=warning
EVENKEEL_STATE=MASTER
EVENKEEL_STATE_BEFORE=BACKUP
EVENKEEL_TEXT=virtual router YN_API_GATEWAY is MASTER with priority 202: master timed out
EVENKEEL_TIME=2015-12-14T16:27:10.250Z
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
/
";
        assert_eq!(std::fs::read_to_string(out).unwrap(), expected);
    }

    #[test]
    fn groups_and_priorities_have_keepalived_s_words_and_other_events_their_class() {
        let expected = [
            "INSTANCE YN_API_GATEWAY MASTER 202",
            "GROUP edge MASTER 0",
            "INSTANCE YN_API_GATEWAY MASTER_PRIORITY 2",
            "EVENT contested",
            "EVENT process",
        ];
        for (what, expected) in examples::every_kind().into_iter().zip(expected) {
            assert_eq!(arguments(&examples::entry(1, what)).join(" "), expected);
        }
    }

    #[actix_rt::test]
    async fn how_a_run_is_judged() {
        let flood = "head -c 1000000 /dev/zero";
        let cases = [
            ("exit 0", "done"),
            ("exit 3", "done"),
            (flood, "done"),
            ("sleep 2 & exit 0", "done"),
            ("exit 75", "retry"),
            ("kill -9 $$", "done"),
        ];
        for (script, expected) in cases {
            let outcome = shell(script, LONG).send(&examples::master()).await;
            let word = match outcome {
                Outcome::Done => "done",
                Outcome::Retry { .. } => "retry",
                Outcome::Refused { .. } => "refused",
            };
            assert_eq!(word, expected, "{script}");
        }
    }

    #[actix_rt::test]
    async fn one_that_hangs_is_ended_with_its_children() {
        let outcome = shell("sleep 20 | sleep 20", Duration::from_millis(50))
            .send(&examples::master())
            .await;
        assert!(matches!(outcome, Outcome::Refused { .. }), "{outcome:?}");
    }

    #[actix_rt::test]
    async fn one_that_is_not_there_is_tried_again() {
        let channel = ExecChannel::new(&["/no/such/program".into()], LONG, "c").unwrap();
        let outcome = channel.send(&examples::master()).await;
        assert!(matches!(outcome, Outcome::Retry { .. }), "{outcome:?}");
        assert!(ExecChannel::new(&["program".into()], LONG, "c").is_err());
        assert!(ExecChannel::new(&[], LONG, "c").is_err());
    }
}
