//! The half outside: it keeps the terminal, passes signals on and tells how it ended.

use std::error::Error;
use std::io::IsTerminal;

use platform::isolate::{Ending, Inside};
use platform::process::Signal;
use platform::terminal::KeyByKey;
use tokio::signal::unix::{SignalKind, signal};

use crate::say;

/// Waits for the end of the half inside. Ctrl-C reaches both halves from the terminal; what is sent
/// to this one alone is passed on.
pub(crate) fn wait(inside: &Inside, headless: bool) -> Result<(), Box<dyn Error>> {
    let keys = if headless { None } else { KeyByKey::start()? };
    // No other thread: none can be started after the division.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    let ending = runtime.block_on(watch(inside))?;
    drop(keys);
    match ending {
        Ending::Exit(0) => {
            // Over the live line, where there is one.
            let clear = if std::io::stdout().is_terminal() {
                "\r\x1b[K"
            } else {
                ""
            };
            say(format!("{clear}ended; nothing is left"));
            Ok(())
        }
        // It has said why.
        Ending::Exit(status) => std::process::exit(status),
        Ending::Signal(signal) => Err(format!("ended by {signal}; nothing is left").into()),
    }
}

async fn watch(inside: &Inside) -> std::io::Result<Ending> {
    let mut ended = signal(SignalKind::child())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        if let Some(ending) = inside.poll_end()? {
            return Ok(ending);
        }
        tokio::select! {
            _ = ended.recv() => continue,
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        // It may be ending already; then there is nobody to tell.
        let _ = inside.signal(Signal::SIGTERM);
    }
}
