//! The terminal, key by key.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, tcgetpgrp};

/// Standard input gives each key at once and does not show it, until this is dropped. Ctrl-C is
/// still a signal.
#[derive(Debug)]
pub struct KeyByKey {
    before: Termios,
}

impl KeyByKey {
    /// Switches standard input over. `None` when it is no terminal, or one that is reading for
    /// another program because this one runs in the background.
    ///
    /// # Errors
    /// Those of tcsetattr(3).
    pub fn start() -> io::Result<Option<Self>> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || tcgetpgrp(stdin.as_fd())? != getpgrp() {
            return Ok(None);
        }
        let before = tcgetattr(stdin.as_fd())?;
        let mut now = before.clone();
        now.local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO);
        tcsetattr(stdin.as_fd(), SetArg::TCSANOW, &now)?;
        Ok(Some(Self { before }))
    }
}

impl Drop for KeyByKey {
    fn drop(&mut self) {
        // Fails only when the terminal itself is gone; then there is nothing to restore.
        let _ = tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, &self.before);
    }
}
