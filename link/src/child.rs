//! What every child does first, and its side of the link: the greeting, the loss of privileges, the
//! heartbeat, configuration in two phases.
//!
//! A child is started by the supervisor alone. It is told who to become, becomes it before it reads
//! anything else, and from then on answers the heartbeat from the very loop that does its work.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::time::Duration;

use ipc::codec;
use ipc::lifecycle::{Child, FromChild, ToChild, Welcome};
use platform::privilege::{self, Cap, PrivilegeError};
use platform::process;
use platform::realtime;
use platform::seqpacket::SeqPacket;
use tracing_subscriber::EnvFilter;

use crate::{Link, LinkError, Received};

/// Why a child could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no supervisor.
    #[error("this program is started by evenkeel, not by hand")]
    ByHand,
    /// The supervisor said something else than it must say first.
    #[error("the supervisor's greeting is not understood: {0}")]
    Greeting(String),
    /// The privileges could not be dropped.
    #[error(transparent)]
    Privilege(#[from] PrivilegeError),
    /// The socket failed.
    #[error("cannot talk to the supervisor: {0}")]
    Io(#[from] io::Error),
}

/// A child that has been greeted and has lost its privileges.
pub struct Start<C: Child> {
    /// What it was told.
    pub welcome: Welcome,
    /// What came with the greeting.
    pub descriptors: Vec<OwnedFd>,
    /// How this process is scheduled, as a phrase.
    pub scheduling: String,
    socket: SeqPacket,
    role: std::marker::PhantomData<C>,
}

impl<C: Child> fmt::Debug for Start<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Start")
            .field("welcome", &self.welcome)
            .finish_non_exhaustive()
    }
}

/// The first thing in `main`, before threads and runtimes: waits for the greeting, drops all
/// privileges but `keep`, and starts logging to standard error.
///
/// # Errors
/// [`StartError`]; the program must end with exit status 2.
pub fn start<C: Child>(keep: &[Cap]) -> Result<Start<C>, StartError> {
    let socket = process::inherited_socket().map_err(|_| StartError::ByHand)?;
    let (welcome, descriptors) = read_welcome::<C>(&socket)?;
    // Before the privileges are gone that it needs.
    let realtime = welcome.realtime.then(realtime::begin);
    privilege::drop_to(welcome.uid, welcome.gid, keep)?;
    start_logging(&welcome);
    let scheduling = realtime.map_or("ordinary".into(), |realtime| realtime.to_string());
    if welcome.realtime {
        tracing::info!("{}: {scheduling}", welcome.role);
    }
    Ok(Start {
        welcome,
        descriptors,
        scheduling,
        socket,
        role: std::marker::PhantomData,
    })
}

impl<C: Child> Start<C> {
    /// Inside the runtime: says Hello and becomes the link.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket or the supervisor is gone.
    pub fn into_link(self) -> Result<Supervisor<C>, LinkError> {
        let supervisor = Supervisor {
            link: Rc::new(Link::new(self.socket)?),
            gone: Rc::new(Cell::new(false)),
        };
        supervisor.say(&FromChild::Hello {
            version: ipc::VERSION,
        })?;
        Ok(supervisor)
    }
}

fn read_welcome<C: Child>(socket: &SeqPacket) -> Result<(Welcome, Vec<OwnedFd>), StartError> {
    platform::seqpacket::wait_readable(socket)?;
    let mut buffer = vec![0; codec::PACKET_MAX];
    let packet = socket.receive(&mut buffer)?;
    let message: ToChild<C::To> = codec::decode(&buffer[..packet.length])
        .map_err(|error| StartError::Greeting(error.to_string()))?;
    let ToChild::Welcome(welcome) = message else {
        return Err(StartError::Greeting("it is not a welcome".into()));
    };
    if welcome.version != ipc::VERSION {
        let message = format!("it is version {}, not {}", welcome.version, ipc::VERSION);
        return Err(StartError::Greeting(message));
    }
    if welcome.role != C::ROLE {
        return Err(StartError::Greeting(format!("it is for {}", welcome.role)));
    }
    Ok((welcome, packet.descriptors))
}

fn start_logging(welcome: &Welcome) {
    // The web server's own start and stop are no news to an operator.
    let filter = format!("{},actix_server=warn", welcome.log_level);
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Fails only when logging was started before, which tests do.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_target(false)
        .try_init();
}

/// A child's end of the link.
type ChildLink<C> = Link<FromChild<<C as Child>::From>, ToChild<<C as Child>::To>>;

/// The supervisor, as a child sees it. Clones speak over the same link; one of them listens.
pub struct Supervisor<C: Child> {
    link: Rc<ChildLink<C>>,
    gone: Rc<Cell<bool>>,
}

impl<C: Child> Clone for Supervisor<C> {
    fn clone(&self) -> Self {
        Self {
            link: Rc::clone(&self.link),
            gone: Rc::clone(&self.gone),
        }
    }
}

impl<C: Child> fmt::Debug for Supervisor<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("role", &C::ROLE)
            .finish_non_exhaustive()
    }
}

/// What the supervisor wants. Heartbeats are answered before they get here.
#[derive(Debug)]
pub enum Order<C: Child> {
    /// Make ready for this configuration and answer [`Supervisor::prepared`] or
    /// [`Supervisor::refused`].
    Prepare {
        /// Which one.
        generation: u64,
        /// The role's part of it.
        snapshot: C::Snapshot,
        /// What came behind the snapshot.
        descriptors: Vec<OwnedFd>,
    },
    /// Switch to what was prepared and answer [`Supervisor::committed`].
    Commit {
        /// Which one.
        generation: u64,
    },
    /// Forget what was prepared.
    Abort {
        /// Which one.
        generation: u64,
    },
    /// End in good order.
    Stop {
        /// How long it may take.
        within: Duration,
    },
    /// What only this role is told.
    Role {
        /// The message.
        message: C::To,
        /// What came along.
        descriptors: Vec<OwnedFd>,
    },
    /// The supervisor is gone: end in good order, by oneself.
    Gone,
}

impl<C: Child> Supervisor<C> {
    /// Waits for the next order and answers heartbeats meanwhile. After [`Order::Gone`] it waits
    /// for ever. May be dropped at any time without losing an order.
    pub async fn next(&self) -> Order<C> {
        loop {
            if self.gone.get() {
                std::future::pending::<()>().await;
            }
            let received = match self.link.receive().await {
                Ok(received) => received,
                Err(error) => {
                    if !matches!(error, LinkError::Closed) {
                        tracing::error!("the supervisor cannot be understood: {error}");
                    }
                    self.gone.set(true);
                    return Order::Gone;
                }
            };
            if let Some(order) = self.order(received) {
                return order;
            }
        }
    }

    fn order(&self, received: Received<ToChild<C::To>>) -> Option<Order<C>> {
        let Received {
            message,
            descriptors,
        } = received;
        match message {
            ToChild::Ping { seq } => {
                // A full backlog means that the supervisor is stuck; it will not judge then.
                let _ = self.say(&FromChild::Pong { seq });
                None
            }
            ToChild::Welcome(_) => {
                tracing::warn!("the supervisor greets twice");
                None
            }
            ToChild::Prepare { generation } => self.prepare(generation, descriptors),
            ToChild::Commit { generation } => Some(Order::Commit { generation }),
            ToChild::Abort { generation } => Some(Order::Abort { generation }),
            ToChild::LogReopened => {
                replace_log(&descriptors);
                None
            }
            ToChild::Stop { within } => Some(Order::Stop { within }),
            ToChild::Role(message) => Some(Order::Role {
                message,
                descriptors,
            }),
        }
    }

    fn prepare(&self, generation: u64, mut descriptors: Vec<OwnedFd>) -> Option<Order<C>> {
        match read_snapshot::<C>(&mut descriptors) {
            Ok(snapshot) => Some(Order::Prepare {
                generation,
                snapshot,
                descriptors,
            }),
            Err(why) => {
                self.refused(generation, why);
                None
            }
        }
    }

    /// The answer to [`Order::Prepare`]: it can be switched to.
    pub fn prepared(&self, generation: u64) {
        self.report(FromChild::Prepared { generation });
    }

    /// The answer to [`Order::Prepare`]: it cannot be used, nothing has changed.
    pub fn refused(&self, generation: u64, why: impl Into<String>) {
        self.report(FromChild::Refused {
            generation,
            why: why.into(),
        });
    }

    /// The answer to [`Order::Commit`].
    pub fn committed(&self, generation: u64) {
        self.report(FromChild::Committed { generation });
    }

    /// Says what only this role says.
    ///
    /// # Errors
    /// [`LinkError::Full`] when the supervisor does not read; [`LinkError::Closed`] when it is gone.
    pub fn send(&self, message: C::From) -> Result<(), LinkError> {
        self.say(&FromChild::Role(message))
    }

    fn report(&self, message: FromChild<C::From>) {
        if let Err(error) = self.say(&message) {
            // The supervisor will miss the answer and replace this process.
            tracing::error!("cannot answer the supervisor: {error}");
        }
    }

    fn say(&self, message: &FromChild<C::From>) -> Result<(), LinkError> {
        self.link.send(message, &[])
    }
}

fn replace_log(descriptors: &[OwnedFd]) {
    let [log] = descriptors else {
        return tracing::warn!("the log file came without its descriptor");
    };
    if let Err(error) = process::replace_stderr(log) {
        tracing::warn!("cannot change to the new log file: {error}");
    }
}

fn read_snapshot<C: Child>(descriptors: &mut Vec<OwnedFd>) -> Result<C::Snapshot, String> {
    if descriptors.is_empty() {
        return Err("the configuration came without its memfd".into());
    }
    let bytes = platform::memfd::read_sealed(descriptors.remove(0), codec::SNAPSHOT_MAX)
        .map_err(|error| format!("the configuration cannot be read: {error}"))?;
    codec::decode(&bytes).map_err(|error| error.to_string())
}
