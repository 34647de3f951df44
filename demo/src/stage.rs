//! The half inside: builds everything, looks at it four times a second, does what is asked, ends.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use ipc::status::NodeStatus;
use platform::{clock, isolate};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::action::{Action, Order, Wish};
use crate::admin;
use crate::backend::Backend;
use crate::client::Client;
use crate::journal::Journal;
use crate::keys::Pressed;
use crate::network::{BACKENDS, GATEWAYS, NODES, Network};
use crate::node::Node;
use crate::ownership::Ownership;
use crate::processes::{self, Process};
use crate::programs::Programs;
use crate::say;
use crate::terminal::Terminal;
use crate::view::node::NodeSeen;
use crate::view::{Seen, View};
use crate::web::{self, Shared};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long a pair may take until each node carries its address.
const START: Duration = Duration::from_secs(30);
/// How many events the page shows.
const EVENTS: usize = 40;
/// Wishes that wait.
const ORDERS: usize = 16;

/// Runs the demonstration until it is told to end.
///
/// # Errors
/// What could not be built or started, as a sentence.
pub(crate) fn play(
    programs: &Programs,
    listener: TcpListener,
    headless: bool,
    sole_user: bool,
) -> Result<(), Box<dyn Error>> {
    actix_rt::System::new().block_on(async {
        // First of all: a process 1 does not get the signals that it has no handler for.
        let mut signals = Signals::new()?;
        tokio::select! {
            played = perform(programs, listener, headless, sole_user) => played,
            () = signals.end() => Ok(()),
        }
    })
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn end(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

async fn perform(
    programs: &Programs,
    listener: TcpListener,
    headless: bool,
    sole_user: bool,
) -> Result<(), Box<dyn Error>> {
    let address = listener.local_addr()?;
    let mut ended = signal(SignalKind::child())?;
    let (orders, mut ordered) = mpsc::channel(ORDERS);
    let shared = Shared::new(orders);
    let mut stage = Stage::build(programs, sole_user)?;
    stage.raise_curtain(&mut ended).await?;
    actix_rt::spawn(web::serve(listener, shared.clone())?);
    say(format!(
        "open http://{address}/ in a browser; Ctrl-C ends it all and leaves nothing behind"
    ));

    let mut terminal = Terminal::new(headless)?;
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = look.tick() => {
                stage.look().await;
                let view = stage.view();
                shared.show(serde_json::to_string(&view)?);
                terminal.draw(&view)?;
            }
            _ = ended.recv() => stage.reap()?,
            Some(Order { wish, answer }) = ordered.recv() => {
                // Whoever asked may have gone away.
                let _ = answer.send(stage.perform(&wish));
            }
            key = terminal.key() => match terminal.handle_key(key, stage.listening()) {
                Some(Pressed::Quit) => return Ok(()),
                Some(Pressed::Act(wish)) => terminal.tell(stage.perform(&wish))?,
                _ => {}
            },
        }
    }
}

/// Everything that plays.
struct Stage {
    nodes: [Node; 2],
    backends: [Backend; 2],
    client: Client,
    ownerships: [Ownership; 2],
    journal: Journal,
    processes: Vec<Process>,
    /// What the nodes said last, as long as they answer.
    statuses: [Option<NodeStatus>; 2],
}

impl Stage {
    fn build(programs: &Programs, sole_user: bool) -> Result<Self, Box<dyn Error>> {
        say("building the network: a switch, two nodes, two back ends, a client");
        isolate::furnish(programs.scratch)?;
        let Network {
            nodes: [first, second],
            backends: [left, right],
            client,
        } = Network::build()?;
        let node = |index: usize, place| {
            let (program, scratch) = (&programs.evenkeel, programs.scratch);
            Node::new(NODES[index], place, program, scratch, sole_user)
        };
        let now = clock::unix_ms();
        Ok(Self {
            nodes: [node(0, first)?, node(1, second)?],
            backends: [
                Backend::start(BACKENDS[0], left)?,
                Backend::start(BACKENDS[1], right)?,
            ],
            client: Client::new(client),
            ownerships: GATEWAYS.map(|gateway| Ownership::new(gateway.address, now)),
            journal: Journal::default(),
            processes: Vec::new(),
            statuses: [None, None],
        })
    }

    /// Starts the nodes and waits until each carries its address.
    async fn raise_curtain(&mut self, ended: &mut Signal) -> Result<(), Box<dyn Error>> {
        for node in &mut self.nodes {
            say(format!("starting node {}", node.machine.name));
            node.start()?;
        }
        let deadline = Instant::now() + START;
        let mut up = [false; 2];
        let mut carried = [false; 2];
        while carried != [true; 2] {
            tokio::select! {
                () = sleep(LOOK / 5) => self.look().await,
                _ = ended.recv() => self.reap()?,
            }
            for index in 0..2 {
                self.check_alive(index)?;
                let node = self.nodes[index].machine.name;
                if !up[index] && self.statuses[index].is_some() {
                    up[index] = true;
                    say(format!("node {node} is up"));
                }
                let gateway = GATEWAYS[index];
                let is_home = self.ownerships[index].owners == [gateway.preferred];
                if !carried[index] && is_home {
                    carried[index] = true;
                    say(format!(
                        "node {node} carries {} ({})",
                        gateway.address, gateway.name
                    ));
                }
            }
            if Instant::now() > deadline {
                return Err(self.stuck().into());
            }
        }
        Ok(self.client.start()?)
    }

    fn check_alive(&self, index: usize) -> Result<(), String> {
        let node = &self.nodes[index];
        match node.ending {
            None => Ok(()),
            Some(ending) => Err(format!(
                "node {} ended by {ending} while it started; its last words:\n{}",
                node.machine.name,
                node.last_words()
            )),
        }
    }

    fn stuck(&self) -> String {
        let seconds = START.as_secs();
        let words = self
            .nodes
            .each_ref()
            .map(|node| format!("--- {}\n{}", node.machine.name, node.last_words()));
        format!(
            "the pair does not carry its addresses after {seconds} s; its last words:\n{}",
            words.join("\n")
        )
    }

    /// Looks at everything. A node whose processes are all frozen is not asked: it cannot answer.
    async fn look(&mut self) {
        let now = clock::unix_ms();
        // Without /proc, the last look stands.
        if let Ok(processes) = processes::all() {
            self.processes = processes;
        }
        let seen: [(bool, Vec<Ipv4Addr>); 2] = self.nodes.each_ref().map(|node| {
            let addresses = node.addresses().unwrap_or_default();
            (node.is_alive(&self.processes), addresses)
        });
        for ownership in &mut self.ownerships {
            ownership.handle_sight(&seen, now);
        }
        let (first, second) = tokio::join!(self.ask(0), self.ask(1));
        let mut fresh = Vec::new();
        for (index, report) in [first, second].into_iter().enumerate() {
            self.statuses[index] = report.map(|report| {
                fresh.push((index, self.nodes[index].machine.name, report.events));
                report.status
            });
        }
        self.journal.handle_events(fresh);
    }

    async fn ask(&self, index: usize) -> Option<admin::Report> {
        let node = &self.nodes[index];
        if !node.is_alive(&self.processes) {
            return None;
        }
        admin::report(&node.admin_socket()).await.ok()
    }

    fn view(&self) -> View {
        let now = clock::boottime();
        let nodes = [0, 1].map(|index| {
            let node: &Node = &self.nodes[index];
            NodeSeen {
                processes: node.own(&self.processes).collect(),
                supervisor: node.supervisor(),
                stopping: node.stopping,
                ending: node.ending,
                status: self.statuses[index].as_ref(),
            }
        });
        View::new(Seen {
            now_unix_ms: clock::unix_ms(),
            now,
            nodes,
            ownerships: &self.ownerships,
            summaries: &self.client.summaries(now),
            listening: self.listening(),
            events: self.journal.last(EVENTS),
        })
    }

    fn listening(&self) -> [bool; 2] {
        self.backends.each_ref().map(Backend::is_listening)
    }

    fn reap(&mut self) -> io::Result<()> {
        for (pid, ending) in isolate::reap()? {
            for node in &mut self.nodes {
                node.handle_end(pid, ending);
            }
        }
        Ok(())
    }

    /// Does what is wished, and remembers what was done.
    fn perform(&mut self, wish: &Wish) -> Result<String, String> {
        let Wish { node: name, action } = wish;
        let is_node = |node: &&mut Node| node.machine.name == *name;
        let is_backend = |backend: &&Backend| backend.machine.name == *name;
        let done = if let Some(node) = self.nodes.iter_mut().find(is_node) {
            node.perform(*action)?
        } else if let Some(backend) = self.backends.iter().find(is_backend) {
            match action {
                Action::Stop => {
                    backend.serve(false);
                    format!("stopped {name}")
                }
                Action::Start => {
                    backend.serve(true);
                    format!("started {name}")
                }
                _ => return Err(format!("{name} can be stopped and started, nothing else")),
            }
        } else {
            return Err(format!("there is no machine called {name}"));
        };
        self.journal.handle_deed(clock::unix_ms(), done.clone());
        Ok(done)
    }
}
