//! Keys in the terminal, which do what the buttons of the page do.

use std::io::{self, IsTerminal, Read};
use std::thread;

use tokio::sync::mpsc;

use crate::action::{Action, Wish};
use crate::network::{BACKENDS, NODES};

/// What `h` shows.
pub(crate) const HELP: &str = "\
keys: 1 2  choose proxy101, proxy102 (the keys below act on the chosen one)
      w    kill a worker         k  kill the node (as if power was cut)
      W    kill all workers      z  freeze the node    t  thaw
      f    freeze the workers    s  stop it            g  start it
      3 4  stop or start backend1, backend2            h  this help   q  quit";

/// Keys typed ahead; more are lost.
const AHEAD: usize = 16;

/// What a key asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pressed {
    Help,
    Quit,
    /// The node that is chosen now.
    Chose(&'static str),
    Act(Wish),
    /// A back end is stopped when it runs, else started.
    Toggle(usize),
}

/// Remembers which node is chosen.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    chosen: usize,
}

impl Keys {
    /// What `key` means; `None` when nothing.
    pub(crate) fn handle_key(&mut self, key: u8) -> Option<Pressed> {
        let action = match key {
            b'h' | b'?' => return Some(Pressed::Help),
            b'q' => return Some(Pressed::Quit),
            b'1' | b'2' => {
                self.chosen = usize::from(key - b'1');
                return Some(Pressed::Chose(self.chosen()));
            }
            b'3' | b'4' => return Some(Pressed::Toggle(usize::from(key - b'3'))),
            b'w' => Action::KillWorker,
            b'W' => Action::KillWorkers,
            b'f' => Action::FreezeWorkers,
            b'k' => Action::Kill,
            b'z' => Action::Freeze,
            b't' => Action::Thaw,
            b's' => Action::Stop,
            b'g' => Action::Start,
            _ => return None,
        };
        Some(Pressed::Act(Wish {
            node: self.chosen().to_owned(),
            action,
        }))
    }

    /// The node that the keys act on.
    pub(crate) fn chosen(&self) -> &'static str {
        NODES[self.chosen].name
    }
}

/// The wish that a toggled back end needs.
pub(crate) fn toggle(index: usize, listening: bool) -> Option<Wish> {
    Some(Wish {
        node: BACKENDS.get(index)?.name.to_owned(),
        action: if listening {
            Action::Stop
        } else {
            Action::Start
        },
    })
}

/// Reads keys on a thread of their own; the receiver ends with the input. `None` when there is no
/// terminal to read from.
///
/// # Errors
/// When there is no thread to be had.
pub(crate) fn listen() -> io::Result<Option<mpsc::Receiver<u8>>> {
    if !io::stdin().is_terminal() {
        return Ok(None);
    }
    let (typed, keys) = mpsc::channel(AHEAD);
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || {
            for key in io::stdin().lock().bytes() {
                // An error is that of a terminal that went away, or of one that is another's now.
                let Ok(key) = key else { return };
                if let Err(mpsc::error::TrySendError::Closed(_)) = typed.try_send(key) {
                    return;
                }
            }
        })?;
    Ok(Some(keys))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_act_on_the_chosen_node() {
        let mut keys = Keys::default();
        let act = |node: &str, action| {
            Some(Pressed::Act(Wish {
                node: node.into(),
                action,
            }))
        };
        for (key, expected) in [
            (b'k', act("proxy101", Action::Kill)),
            (b'2', Some(Pressed::Chose("proxy102"))),
            (b'k', act("proxy102", Action::Kill)),
            (b'W', act("proxy102", Action::KillWorkers)),
            (b'4', Some(Pressed::Toggle(1))),
            (b'\n', None),
        ] {
            assert_eq!(keys.handle_key(key), expected, "{}", char::from(key));
        }
    }

    #[test]
    fn a_back_end_is_toggled() {
        let stop = toggle(0, true).unwrap();
        assert_eq!(
            (stop.node.as_str(), stop.action),
            ("backend1", Action::Stop)
        );
        assert_eq!(toggle(1, false).unwrap().action, Action::Start);
        assert_eq!(toggle(2, false), None);
    }
}
