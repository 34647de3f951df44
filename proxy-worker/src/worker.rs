//! What all connections of this worker share. One thread, so no lock.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use core_http1::FieldSlots;
use ipc::proxy::{Counter, ProxySnapshot};
use ipc::status::NodeStatus;
use jiff::{Timestamp, tz::TimeZone};

use crate::access_log::{AccessLog, End, Entry, Moment};
use crate::counters::Counters;
use crate::deadline::Deadlines;
use crate::gauges::Gauges;
use crate::http2::Kept;
use crate::hush::Hush;
use crate::io::Dial;
use crate::overload::Overload;
use crate::pages;
use crate::places::Places;
use crate::plan::{ListenerNames, Plan};
use crate::request_id::RequestIds;
use crate::session::Exchange;

/// Octets that are read at once.
const READ_BUFFER: usize = 256 * 1024;

/// Small buffers that are kept for the next request.
const BUFFERS_MAX: usize = 1024;

/// A buffer that has grown past this is not kept.
const BUFFER_KEPT: usize = 8 * 1024;

/// Memory for the moment: what is read is written out, or kept elsewhere, in the same poll.
#[derive(Debug)]
pub(crate) struct Scratch {
    pub(crate) read: Box<[u8]>,
    pub(crate) head: Vec<u8>,
    pub(crate) slots: FieldSlots,
}

/// The shared part.
#[derive(Debug)]
pub(crate) struct Worker<D: Dial> {
    pub(crate) dial: D,
    plan: RefCell<Option<Rc<Plan<D::Io>>>>,
    /// Configurations before it, as long as requests are served by them.
    former: RefCell<Vec<Weak<Plan<D::Io>>>>,
    names: RefCell<ListenerNames>,
    pub(crate) scratch: RefCell<Scratch>,
    buffers: RefCell<Vec<Vec<u8>>>,
    pub(crate) kept: Kept,
    /// Requests that are being relayed, or their places.
    pub(crate) exchanges: Places<Exchange<D>>,
    pub(crate) deadlines: Deadlines,
    pub(crate) counters: Counters,
    pub(crate) gauges: Rc<Gauges>,
    /// What seals session tickets, over all configurations.
    pub(crate) tickets: tls::TicketKeys,
    logs: RefCell<Vec<AccessLog>>,
    status: RefCell<Option<NodeStatus>>,
    stage: Cell<Stage>,
    pub(crate) request_ids: RequestIds,
    pub(crate) overload: Overload,
    /// Of connections from whom a PROXY header is not taken.
    pub(crate) strangers: Hush,
    /// Of connections that are past a limit.
    pub(crate) crowded: Hush,
    /// Of handshakes that fail.
    pub(crate) insecure: Hush,
    open: Cell<u32>,
    /// Connections of HTTP/1 and TCP, and streams of HTTP/2: what carries a request, or is a tunnel.
    pub(crate) sessions: Cell<u32>,
    tunnels: Rc<Cell<u32>>,
    time: RefCell<WallTime>,
}

/// How far a worker is from its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// It serves.
    #[default]
    Serving,
    /// Connections end as soon as they can.
    Draining,
    /// The time for requests is over, that for tunnels is not.
    TunnelsOnly,
}

/// Counts as a tunnel as long as it is there.
#[derive(Debug)]
pub(crate) struct CountedTunnel(Rc<Cell<u32>>);

impl Drop for CountedTunnel {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// The wall clock as messages show it, set anew every second.
#[derive(Debug)]
struct WallTime {
    second: i64,
    date: [u8; 29],
    log: Moment,
}

impl<D: Dial> Worker<D> {
    pub(crate) fn new(dial: D, counters: Counters, gauges: Rc<Gauges>) -> Self {
        let worker = Self {
            dial,
            plan: RefCell::default(),
            former: RefCell::default(),
            names: RefCell::default(),
            scratch: RefCell::new(Scratch {
                read: vec![0; READ_BUFFER].into_boxed_slice(),
                head: Vec::new(),
                slots: FieldSlots::default(),
            }),
            buffers: RefCell::default(),
            kept: Kept::default(),
            exchanges: Places::default(),
            deadlines: Deadlines::new(),
            counters,
            gauges,
            tickets: tls::TicketKeys::default(),
            logs: RefCell::default(),
            status: RefCell::default(),
            stage: Cell::default(),
            request_ids: RequestIds::default(),
            overload: Overload::default(),
            strangers: Hush::default(),
            crowded: Hush::default(),
            insecure: Hush::default(),
            open: Cell::default(),
            sessions: Cell::default(),
            tunnels: Rc::default(),
            time: RefCell::new(WallTime {
                second: -1,
                date: [b' '; 29],
                log: Moment::default(),
            }),
        };
        worker.read_clock();
        worker
    }

    /// The configuration in force; `None` before the first one.
    pub(crate) fn plan(&self) -> Option<Rc<Plan<D::Io>>> {
        self.plan.borrow().clone()
    }

    /// All configurations that requests are served by.
    fn plans(&self) -> Vec<Rc<Plan<D::Io>>> {
        let former = self.former.borrow();
        let former = former.iter().filter_map(Weak::upgrade);
        self.plan().into_iter().chain(former).collect()
    }

    /// Makes a configuration ready without using it.
    pub(crate) fn prepare(&self, snapshot: &ProxySnapshot) -> Result<Plan<D::Io>, String> {
        Plan::new(
            snapshot,
            &mut self.names.borrow_mut(),
            &self.gauges,
            self.plan().as_deref(),
            &self.tickets,
        )
    }

    /// The listener of this name.
    pub(crate) fn listener_id(&self, name: &str) -> crate::plan::ListenerId {
        self.names.borrow_mut().id(name)
    }

    /// Switches to a configuration. Requests in flight end with the one they began with.
    pub(crate) fn commit(&self, plan: Plan<D::Io>, logs: Vec<AccessLog>) {
        if let Some(old) = self.plan() {
            plan.carry_over(&old);
        }
        if let Some(status) = &*self.status.borrow() {
            plan.apply(status);
        }
        if let Some(old) = self.plan.replace(Some(Rc::new(plan))) {
            let mut former = self.former.borrow_mut();
            former.retain(|plan| plan.strong_count() > 0);
            former.push(Rc::downgrade(&old));
        }
        self.replace_logs(logs);
        self.look_at_resources();
        // Connections of listeners that are gone are to see it.
        self.deadlines.wake_all();
    }

    pub(crate) fn replace_logs(&self, logs: Vec<AccessLog>) {
        self.flush_logs();
        self.logs.replace(logs);
    }

    /// Waits until the access logs are written: the last thing before the end.
    pub(crate) fn close_logs(&self) {
        self.logs.take().into_iter().for_each(AccessLog::close);
    }

    /// Takes the node's state: verdicts at once, the rest for the status page.
    pub(crate) fn handle_status(&self, status: NodeStatus) {
        for plan in self.plans() {
            plan.apply(&status);
        }
        self.status.replace(Some(status));
    }

    /// The status page, and its type.
    pub(crate) fn status_page(&self, accept: &[u8]) -> (&'static str, String) {
        let zone = TimeZone::system();
        let status = self.status.borrow();
        match &*status {
            Some(status) if pages::prefers_html(accept) => (
                "text/html; charset=utf-8",
                pages::status_html(status, &zone),
            ),
            Some(status) => ("text/plain", pages::status_text(status, &zone)),
            None => ("text/plain", String::new()),
        }
    }

    /// Whether connections are to end as soon as they can.
    pub(crate) fn is_draining(&self) -> bool {
        self.stage.get() != Stage::Serving
    }

    /// Whether everything that is no tunnel is to end at once.
    pub(crate) fn serves_tunnels_only(&self) -> bool {
        self.stage.get() == Stage::TunnelsOnly
    }

    /// From now on, connections end as soon as they can.
    pub(crate) fn drain(&self) {
        self.stage.set(Stage::Draining);
        self.deadlines.wake_all();
    }

    /// Ends everything that is no tunnel; says how many clients, or requests of one, notice it.
    pub(crate) fn cut_requests(&self) -> u32 {
        self.stage.set(Stage::TunnelsOnly);
        self.deadlines.wake_all();
        self.sessions.get().saturating_sub(self.tunnels.get())
    }

    /// Whether connections are to end as soon as they can, for whatever reason.
    pub(crate) fn saves_connections(&self) -> bool {
        self.is_draining() || self.overload.is_on()
    }

    /// Ends connections that nothing happens on, on both sides.
    pub(crate) fn close_what_is_idle(&self) {
        for plan in self.plans() {
            plan.upstreams
                .iter()
                .for_each(|upstream| upstream.close_idle());
        }
        self.deadlines.wake_all();
    }

    /// Open connections.
    pub(crate) const fn open(&self) -> u32 {
        self.open.get()
    }

    /// Tunnels, each of which is a session; a connection of HTTP/2 may have several.
    pub(crate) fn tunnels(&self) -> u32 {
        self.tunnels.get()
    }

    /// There is another tunnel from now on.
    pub(crate) fn count_tunnel(&self) -> CountedTunnel {
        self.tunnels.set(self.tunnels.get().saturating_add(1));
        CountedTunnel(Rc::clone(&self.tunnels))
    }

    pub(crate) fn handle_opened(&self) {
        self.open.set(self.open.get() + 1);
    }

    pub(crate) fn handle_closed(&self) {
        self.open.set(self.open.get().saturating_sub(1));
    }

    /// A small empty buffer.
    pub(crate) fn lend(&self) -> Vec<u8> {
        self.buffers.borrow_mut().pop().unwrap_or_default()
    }

    /// Takes a buffer back.
    pub(crate) fn take_back(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < BUFFERS_MAX && (1..=BUFFER_KEPT).contains(&buffer.capacity()) {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    /// The value of `Date`.
    pub(crate) fn date(&self) -> [u8; 29] {
        self.time.borrow().date
    }

    /// Writes a line to an access log and takes the entry's memory back.
    pub(crate) fn log(&self, log: usize, client: std::net::IpAddr, entry: Entry, end: End) {
        if let Some(log) = self.logs.borrow().get(log) {
            let lost = log.add(client, &self.time.borrow().log, &entry, end);
            self.counters.add(Counter::LogLinesLost, lost);
        }
        self.take_back(entry.into_memory());
    }

    fn flush_logs(&self) {
        let lost = self.logs.borrow().iter().map(AccessLog::flush).sum();
        self.counters.add(Counter::LogLinesLost, lost);
    }

    /// What has to be done again and again; every [`crate::deadline::TICK`].
    pub(crate) fn tick(&self) {
        self.deadlines.sweep();
        self.flush_logs();
        if self.read_clock() {
            self.look_at_resources();
        }
        let now = self.deadlines.now();
        for plan in self.plans() {
            plan.upstreams
                .iter()
                .for_each(|upstream| upstream.tick(now));
        }
    }

    /// Looks at the wall clock, and renders it when a new second has begun; says whether one has.
    fn read_clock(&self) -> bool {
        let now = Timestamp::now();
        let mut time = self.time.borrow_mut();
        if time.second == now.as_second() {
            return false;
        }
        time.second = now.as_second();
        time.date = core_http1::http_date(u64::try_from(now.as_second()).unwrap_or(0));
        time.log = Moment {
            combined: pages::log_time(&now.to_zoned(TimeZone::system())),
            json: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        };
        true
    }

    /// The time by which servers are judged.
    pub(crate) const fn now(&self) -> Duration {
        self.deadlines.now()
    }
}
