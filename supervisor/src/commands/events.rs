//! `evenkeel events`.

use std::process::ExitCode;

use crate::cli::Events;

pub(super) fn perform(_arguments: &Events) -> ExitCode {
    ExitCode::SUCCESS
}
