//! `evenkeel demo`: a program of its own, which lies beside this one.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use super::{FAILED, fail};
use crate::cli::Demo;
use crate::paths;

/// Becomes the demo.
pub(super) fn perform(arguments: &Demo) -> ExitCode {
    let path = match paths::program("evenkeel-demo") {
        Ok(path) => path,
        Err(error) => return fail(FAILED, error),
    };
    let error = Command::new(&path).args(&arguments.arguments).exec();
    fail(FAILED, format!("cannot run {}: {error}", path.display()))
}
