//! The client: asks both addresses at a steady pace, on new and on kept connections.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use platform::clock;
use platform::topology::Namespace;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::answer::{self, Answer};
use crate::network::{GATEWAYS, Gateway, PORT};
use crate::tally::{Outcome, Summary, Tally};

/// Between two requests of one kind to one address: 50 a second.
const PACE: Duration = Duration::from_millis(20);
/// What a person would wait for no longer.
const PATIENCE: Duration = Duration::from_secs(1);
/// Requests under way to one address; a request beyond it counts as failed at once. At the pace
/// above and with that patience there are never so many.
const UNDER_WAY_MAX: usize = 200;
/// Idle connections that are kept to one address; others are closed after their request.
const KEPT_MAX: usize = 8;

/// The client's counts, by the index in [`GATEWAYS`].
#[derive(Debug)]
pub(crate) struct Client {
    /// Until it is started.
    place: Option<Namespace>,
    targets: [Arc<Target>; 2],
}

/// One address.
#[derive(Debug)]
struct Target {
    address: SocketAddr,
    request: String,
    under_way: AtomicUsize,
    kept: Mutex<Vec<TcpStream>>,
    tally: Mutex<Tally>,
}

impl Client {
    /// One that does not ask yet, and will in `place`.
    pub(crate) fn new(place: Namespace) -> Self {
        Self {
            place: Some(place),
            targets: GATEWAYS.map(|gateway| Arc::new(Target::new(gateway))),
        }
    }

    /// Starts asking, on a thread of its own, for good. Only the first time counts.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(&mut self) -> io::Result<()> {
        let Some(place) = self.place.take() else {
            return Ok(());
        };
        let asked = self.targets.clone();
        thread::Builder::new()
            .name("client".to_owned())
            .spawn(move || {
                if let Err(error) = run(&place, asked) {
                    eprintln!("evenkeel demo: the client ends: {error}");
                }
            })?;
        Ok(())
    }

    /// What is to be shown at `now`.
    pub(crate) fn summaries(&self, now: Duration) -> [Summary; 2] {
        [0, 1].map(|index| lock(&self.targets[index].tally).summary(now))
    }
}

fn run(place: &Namespace, targets: [Arc<Target>; 2]) -> io::Result<()> {
    place.enter()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut pace = interval(PACE);
        // After a pause the missed requests are not made up for.
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        loop {
            pace.tick().await;
            for target in &targets {
                for on_kept in [false, true] {
                    tokio::spawn(target.clone().ask(on_kept));
                }
            }
        }
    })
}

impl Target {
    fn new(gateway: Gateway) -> Self {
        let address = SocketAddr::from((gateway.address, PORT));
        Self {
            address,
            request: format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.address),
            under_way: AtomicUsize::new(0),
            kept: Mutex::new(Vec::new()),
            tally: Mutex::new(Tally::new(clock::boottime())),
        }
    }

    /// One request, counted.
    async fn ask(self: Arc<Self>, on_kept: bool) {
        let began = clock::boottime();
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed);
        let answer = if under_way < UNDER_WAY_MAX {
            timeout(PATIENCE, self.exchange(on_kept)).await.ok()
        } else {
            None
        };
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let outcome = match answer {
            Some(Ok(answer)) if answer.status == 200 => Outcome::Served {
                node: answer.node,
                backend: answer.backend,
            },
            _ => Outcome::Failed,
        };
        lock(&self.tally).handle_end(clock::boottime(), began, outcome);
    }

    async fn exchange(&self, on_kept: bool) -> io::Result<Answer> {
        if on_kept && let Some(mut stream) = self.take_kept() {
            let mut heard = false;
            match answer::ask(&mut stream, self.request.as_bytes(), &mut heard).await {
                // The server may close an idle connection at any time. What every client does then
                // (RFC 9110 §9.2.2): ask again on a new one.
                Err(_) if !heard => lock(&self.tally).handle_repeat(),
                Ok(answer) => return Ok(self.keep(stream, answer)),
                Err(error) => return Err(error),
            }
        }
        let mut stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let answer = answer::ask(&mut stream, self.request.as_bytes(), &mut false).await?;
        Ok(if on_kept {
            self.keep(stream, answer)
        } else {
            answer
        })
    }

    /// An idle connection that the other side has not closed.
    fn take_kept(&self) -> Option<TcpStream> {
        let mut kept = lock(&self.kept);
        while let Some(stream) = kept.pop() {
            let open = stream.try_read(&mut [0]);
            if open.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                return Some(stream);
            }
        }
        None
    }

    fn keep(&self, stream: TcpStream, answer: Answer) -> Answer {
        let mut kept = lock(&self.kept);
        if answer.kept && kept.len() < KEPT_MAX {
            kept.push(stream);
        }
        answer
    }
}

/// Counts stay usable whatever happened to another thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
