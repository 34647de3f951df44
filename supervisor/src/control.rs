//! Control: the socket by which the command line speaks to the running instance. One request a
//! connection, as a line of JSON; one answer, as a line of JSON.
//!
//! The socket file is root's alone, and the peer's credentials are looked at besides.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use actix::prelude::*;
pub(crate) use ipc::control::{Answer, Request};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot};

/// The longest request, in octets.
const REQUEST_MAX: u64 = 4096;

/// Connections that are served at the same time; more wait in the socket's queue.
const CONNECTIONS_MAX: usize = 16;

/// How long a client may take to say what it wants, and to read what is answered.
const PATIENCE: Duration = Duration::from_secs(5);

/// A request on its way to the supervisor, who answers when it is done.
#[derive(Message, Debug)]
#[rtype(result = "()")]
pub(crate) struct Asked {
    /// What is asked.
    pub(crate) request: Request,
    /// Where the answer goes; a client that left does not want it.
    pub(crate) answer: oneshot::Sender<Answer>,
}

/// The actor that accepts connections.
pub(crate) struct Control {
    listener: Option<UnixListener>,
    supervisor: Recipient<Asked>,
}

impl Control {
    /// Serves the listening socket. To be called inside the runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub(crate) fn new(socket: OwnedFd, supervisor: Recipient<Asked>) -> io::Result<Self> {
        let listener = UnixListener::from_std(socket.into())?;
        Ok(Self {
            listener: Some(listener),
            supervisor,
        })
    }
}

impl Actor for Control {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        if let Some(listener) = self.listener.take() {
            actix_rt::spawn(accept(listener, self.supervisor.clone()));
        }
    }
}

async fn accept(listener: UnixListener, supervisor: Recipient<Asked>) {
    let places = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let supervisor = supervisor.clone();
                actix_rt::spawn(async move {
                    if let Err(error) = serve(stream, &supervisor).await {
                        tracing::debug!("a client of the control socket left: {error}");
                    }
                    drop(place);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: others may be freed meanwhile.
                tracing::warn!("cannot accept on the control socket: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(mut stream: UnixStream, supervisor: &Recipient<Asked>) -> io::Result<()> {
    let peer = stream.peer_cred()?;
    if peer.uid() != 0 && !platform::privilege::is_own_user(peer.uid()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let mut line = String::new();
    let mut reader = BufReader::new((&mut stream).take(REQUEST_MAX));
    tokio::time::timeout(PATIENCE, reader.read_line(&mut line)).await??;
    let request = match serde_json::from_str(&line) {
        Ok(request) => request,
        Err(error) => {
            return say(
                &mut stream,
                &Answer::Misunderstood {
                    error: error.to_string(),
                },
            )
            .await;
        }
    };
    let (answer, answered) = oneshot::channel();
    supervisor.do_send(Asked { request, answer });
    let answer = answered.await.map_err(|_| io::ErrorKind::UnexpectedEof)?;
    let stopping = matches!(answer, Answer::Stopping);
    say(&mut stream, &answer).await?;
    if stopping {
        // The client sees the end of the stream when this process ends.
        let _ = stream.read_u8().await;
    }
    Ok(())
}

async fn say(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    // A client that asks and does not read must not keep its place for ever.
    tokio::time::timeout(PATIENCE, stream.write_all(&line)).await?
}

/// The client's side.
pub(crate) mod client {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::{Answer, Path, Request, io};

    /// How long an answer may take: a reload's two steps have 5 s each.
    const ANSWER_MAX: Duration = Duration::from_secs(20);

    /// Why there is no answer.
    #[derive(Debug, thiserror::Error)]
    pub(crate) enum AskError {
        /// Nobody listens.
        #[error("evenkeel is not running (nobody listens on {0})")]
        NotRunning(String),
        /// Somebody listens, but there is no answer.
        #[error("no answer from the running instance: {0}")]
        Io(#[from] io::Error),
        /// The answer is not understood.
        #[error("the running instance answers what this program does not understand: {0}")]
        Answer(#[from] serde_json::Error),
    }

    /// A connection with its answer.
    #[derive(Debug)]
    pub(crate) struct Asked {
        /// What was answered.
        pub(crate) answer: Answer,
        stream: BufReader<UnixStream>,
    }

    impl Asked {
        /// Waits until the running instance has ended.
        pub(crate) fn wait_for_end(mut self) {
            // An error is an end too.
            let _ = self.stream.read_to_end(&mut Vec::new());
        }
    }

    /// Asks the instance whose control socket lies in `run_dir`.
    ///
    /// # Errors
    /// [`AskError`].
    pub(crate) fn ask(run_dir: &Path, request: &Request) -> Result<Asked, AskError> {
        let path = run_dir.join(crate::paths::CONTROL_SOCKET);
        let mut stream = UnixStream::connect(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                AskError::NotRunning(path.display().to_string())
            }
            _ => AskError::Io(error),
        })?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        // An instance that hangs must not make whoever asks for its state hang as well.
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.write_all(&line)?;
        let mut stream = BufReader::new(stream);
        let mut answer = String::new();
        stream.read_line(&mut answer)?;
        // The end of an instance that stops may be waited for as long as it takes.
        stream.get_ref().set_read_timeout(None)?;
        Ok(Asked {
            answer: serde_json::from_str(&answer)?,
            stream,
        })
    }
}
