//! The terminal inside: keys and one live line, where there is somebody to type and to read.

use std::io::{self, IsTerminal, Write};

use tokio::sync::mpsc;

use crate::keys::{self, HELP, Keys, Pressed};
use crate::say;
use crate::view::View;

/// The terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    keys: Keys,
    typed: Option<mpsc::Receiver<u8>>,
    live: bool,
}

impl Terminal {
    /// With keys and a live line where there are a keyboard and a screen, and they are wanted.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn new(headless: bool) -> io::Result<Self> {
        let typed = if headless { None } else { keys::listen()? };
        if typed.is_some() {
            say(HELP);
        }
        Ok(Self {
            keys: Keys::default(),
            typed,
            live: !headless && io::stdout().is_terminal(),
        })
    }

    /// The next key; never, when there are none.
    pub(crate) async fn key(&mut self) -> u8 {
        if let Some(typed) = &mut self.typed {
            if let Some(key) = typed.recv().await {
                return key;
            }
            self.typed = None;
        }
        std::future::pending().await
    }

    /// What is to be done for a key; `listening` tells which back ends run.
    pub(crate) fn handle_key(&mut self, key: u8, listening: [bool; 2]) -> Option<Pressed> {
        let pressed = self.keys.handle_key(key)?;
        match pressed {
            Pressed::Help => {
                say(format!("\r\x1b[K{HELP}"));
                None
            }
            Pressed::Toggle(index) => keys::toggle(index, *listening.get(index)?).map(Pressed::Act),
            other => Some(other),
        }
    }

    /// Shows a sentence on a line of its own, above the live line.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn tell(&self, said: Result<String, String>) -> io::Result<()> {
        let (Ok(said) | Err(said)) = said;
        let mut out = io::stdout().lock();
        if self.live {
            out.write_all(b"\r\x1b[K")?;
        }
        writeln!(out, "{said}")
    }

    /// Shows the live line anew.
    ///
    /// # Errors
    /// Those of the output.
    pub(crate) fn draw(&self, view: &View) -> io::Result<()> {
        if !self.live {
            return Ok(());
        }
        let mut out = io::stdout().lock();
        let chosen = match &self.typed {
            Some(_) => format!(" · keys: {}, h", self.keys.chosen()),
            None => String::new(),
        };
        // Without wrapping: a line that is too long for the terminal could not be taken back.
        write!(out, "\r\x1b[K\x1b[?7l{}{chosen}\x1b[?7h", view.line())?;
        out.flush()
    }
}
