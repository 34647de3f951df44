//! What becomes of new connections while a worker is overloaded: [`Shed`] decides, here it is done.

use std::cell::{OnceCell, RefCell};
use std::io::{self, IoSlice};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::task::{Context, Waker};

use core_http1::{Answer, Version, short_answer};
use ipc::proxy::Counter;
use platform::resources::{self, MemoryGauge};
use platform::shortage;

use crate::io::{Dial, Io as _, Tcp};
use crate::plan::Listener;
use crate::shed::{Change, Scarce, Shed};
use crate::worker::Worker;

/// What a worker watches of itself. Before [`Overload::watch`] nothing is.
#[derive(Debug)]
pub(crate) struct Overload {
    shed: RefCell<Shed>,
    memory: OnceCell<MemoryGauge>,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            shed: RefCell::new(Shed::new(u64::MAX)),
            memory: OnceCell::new(),
        }
    }
}

impl Overload {
    /// From now on, this process is watched.
    pub(crate) fn watch(&self) {
        self.memory.get_or_init(MemoryGauge::open);
    }

    /// Whether new connections are turned away.
    pub(crate) fn is_on(&self) -> bool {
        self.shed.borrow().is_on()
    }
}

impl<D: Dial> Worker<D> {
    /// Whether a connection that was just accepted has to be turned away.
    pub(crate) fn is_too_much(&self, stream: &TcpStream) -> bool {
        let descriptor = u64::try_from(stream.as_raw_fd()).unwrap_or(0);
        let change = self.overload.shed.borrow_mut().handle_accepted(descriptor);
        self.handle_overload(change);
        self.overload.is_on()
    }

    /// Takes notice of an error by which the system says that something has run out.
    pub(crate) fn handle_shortage(&self, error: &io::Error) {
        if shortage::is_ours(error) {
            let change = self.overload.shed.borrow_mut().handle_shortage();
            self.handle_overload(change);
        }
    }

    /// Looks at what is left; every second, and with a new configuration.
    pub(crate) fn look_at_resources(&self) {
        let Some(memory) = self.overload.memory.get() else {
            return;
        };
        // It may be changed at any time, by prlimit(1).
        if let Ok(max) = resources::descriptors_max() {
            self.overload.shed.borrow_mut().set_descriptors_max(max);
        }
        if self.overload.shed.borrow().wants_count()
            && let Ok(open) = resources::descriptors_open()
        {
            let change = self.overload.shed.borrow_mut().handle_count(open);
            self.handle_overload(change);
        }
        if let Some(memory) = memory.read() {
            let mut shed = self.overload.shed.borrow_mut();
            let change = shed.handle_memory(memory.available, memory.total);
            drop(shed);
            self.handle_overload(change);
        }
    }

    fn handle_overload(&self, change: Option<Change>) {
        match change {
            None => {}
            Some(Change::Begun(scarce)) => {
                let what = match scarce {
                    Scarce::Descriptors => "descriptors",
                    Scarce::Memory => "memory",
                };
                tracing::error!("{what} run out: new connections are turned away with 503");
                self.close_what_is_idle();
            }
            Some(Change::Ended) => tracing::info!("new connections are served again"),
        }
    }
}

/// Turns a connection away: with an answer, where HTTP is spoken without TLS. Nothing
/// waits for it, so what the client has sent is read first, or the close would be a reset that takes
/// the answer with it.
pub(crate) fn turn_away<D: Dial>(worker: &Worker<D>, mut tcp: Tcp, listener: &Listener) {
    worker.counters.add(Counter::Accepted, 1);
    if !listener.begins_with_http {
        return;
    }
    let date = worker.date();
    let answer = Answer {
        version: Version::Http11,
        keep_alive: false,
        asked_head: false,
        date: &date,
    };
    let mut octets = worker.lend();
    answer.write_short(&short_answer(503), &mut octets);
    if let Ok(mut scratch) = worker.scratch.try_borrow_mut() {
        let mut cx = Context::from_waker(Waker::noop());
        // Nobody cares for what it was, or whether it still hears.
        tcp.forget_unread();
        drop(tcp.poll_read(&mut cx, &mut scratch.read));
        drop(tcp.poll_write(&mut cx, &[IoSlice::new(&octets)]));
        tcp.shut_down(&mut cx);
    }
    worker.take_back(octets);
}
