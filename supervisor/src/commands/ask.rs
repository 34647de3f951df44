//! `evenkeel reload` and `evenkeel stop`.

use std::process::ExitCode;

use super::{FAILED, NOT_RUNNING, fail};
use crate::cli::{RunDir, Stop};
use crate::control::client::{AskError, Asked, ask};
use crate::control::{Answer, Request};

/// Asks the running instance, or says why there is no answer.
pub(super) fn asked(run_dir: &RunDir, request: &Request) -> Result<Asked, ExitCode> {
    ask(&run_dir.run_dir, request).map_err(|error| match error {
        AskError::NotRunning(_) => fail(NOT_RUNNING, error),
        AskError::Io(_) | AskError::Answer(_) => fail(FAILED, error),
    })
}

/// `evenkeel reload`: answers when it is done.
pub(super) fn reload(run_dir: &RunDir) -> ExitCode {
    let asked = match asked(run_dir, &Request::Reload) {
        Ok(asked) => asked,
        Err(status) => return status,
    };
    match asked.answer {
        Answer::Reloaded { changes } if changes.is_empty() => println!("nothing has changed"),
        Answer::Reloaded { changes } => changes.iter().for_each(|change| println!("{change}")),
        Answer::Refused { errors } => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            return fail(FAILED, "the running instance goes on unchanged");
        }
        other => return fail(FAILED, format!("unexpected answer: {other:?}")),
    }
    ExitCode::SUCCESS
}

/// `evenkeel stop`: returns when it has ended.
pub(super) fn stop(arguments: &Stop) -> ExitCode {
    match asked(&arguments.run_dir, &Request::Stop { now: arguments.now }) {
        Ok(asked) if matches!(asked.answer, Answer::Stopping) => {
            asked.wait_for_end();
            ExitCode::SUCCESS
        }
        Ok(asked) => fail(FAILED, format!("unexpected answer: {:?}", asked.answer)),
        Err(status) => status,
    }
}
