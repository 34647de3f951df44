//! The network falls into two halves, each with a node and a client, and grows together again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use lab::{Load, Moment};

use crate::contender::{Contender, LONG, Rig, wait_for, wait_out_of_step};
use crate::figure::Figure;

/// One half, and the other. `app202` is the client of the second.
const HALVES: [&[&str]; 2] = [&["proxy101", "app201", "client"], &["proxy102", "app202"]];

/// Requests a second of each client: enough to see a hole, few enough for two.
const RATE: u32 = 100;

/// A client without an answer for longer than this has been left with a dead address.
const HOLE: Duration = Duration::from_secs(1);

/// A hole is watched no longer than this; neighbour entries live shorter.
const HOLE_WATCH: Duration = Duration::from_secs(45);

/// How long is watched after the heal where nothing happens.
const AFTERMATH: Duration = Duration::from_secs(3);

/// How long a busy machine is watched after the heal.
const BUSY_WATCH: Duration = Duration::from_secs(10);

/// For how long, after the heal, a client in one of the halves has no answer.
pub(crate) fn healed(contender: Contender) -> Vec<Figure> {
    let rig = Rig::start(contender);
    let loads = ["client", "app202"].map(|client| rig.load(client, "/", RATE));
    rig.lan.split(HALVES);
    rig.watch.wait_for_owner("proxy102", LONG);
    // Until the client there has found its own.
    wait_until_answered(&loads, Moment::now(), LONG);
    wait_out_of_step(contender.interval);
    let healed = Moment::now();
    rig.lan.heal();
    rig.watch.wait_for_loss("proxy102", LONG);
    wait_for(healed + AFTERMATH);
    wait_until_answered(&loads, Moment::now(), HOLE_WATCH);
    let end = Moment::now();
    let hole = loads
        .map(|load| load.stop().longest_silence(healed, end))
        .into_iter()
        .max()
        .unwrap_or(Duration::ZERO);
    vec![
        Figure::occurrence("black hole", hole > HOLE),
        Figure::time("longest silence", hole),
    ]
}

/// Waits until both clients have got an answer to something asked after `from`, or `most` is over.
fn wait_until_answered(loads: &[Load], from: Moment, most: Duration) {
    let answered = || loads.iter().all(|load| load.answered_since(from) > 10);
    while !answered() && Moment::now() < from + most {
        thread::sleep(Duration::from_millis(50));
    }
}

/// How often the address moves after the heal, with every processor busy.
pub(crate) fn healed_while_busy(contender: Contender) -> Vec<Figure> {
    let rig = Rig::start(contender);
    let busy = Busy::start();
    wait_for(Moment::now() + Duration::from_secs(1));
    rig.lan.split(HALVES);
    rig.watch.wait_for_owner("proxy102", LONG);
    wait_for(Moment::now() + Duration::from_secs(1));
    let before = rig.arrivals();
    let healed = Moment::now();
    rig.lan.heal();
    wait_for(healed + BUSY_WATCH);
    let moves = rig.arrivals() - before;
    drop(busy);
    vec![Figure::count("moves", moves)]
}

/// One thread for each processor that never rests.
struct Busy {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Busy {
    fn start() -> Self {
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let ended = Arc::new(AtomicBool::new(false));
        let spin = || {
            let ended = Arc::clone(&ended);
            thread::spawn(move || while !ended.load(Ordering::Relaxed) {})
        };
        let threads = (0..processors).map(|_| spin()).collect();
        Self { ended, threads }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot panic.
            let _ = thread.join();
        }
    }
}
