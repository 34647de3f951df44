//! Who has the address on which of two nodes, as their kernels say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use platform::topology::{Namespace, addresses};

use crate::node::Node;
use crate::{SAMPLE, VIP};

/// Who has the address, sampled.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    samples: JoinHandle<Vec<(Instant, [bool; 2])>>,
}

/// What was seen.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The longest time without an owner, after the first and before the last.
    pub(crate) nobody: Duration,
    /// The longest time with two.
    pub(crate) both: Duration,
    /// Who had it in the end.
    pub(crate) last: [bool; 2],
}

impl Watch {
    pub(crate) fn new(a: &Node, b: &Node) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let open = |node: &Node| {
            let opened = node.namespace.run(Namespace::of_this_thread);
            opened.expect("the namespace").expect("its handle")
        };
        let namespaces = [open(a), open(b)];
        let over = Arc::clone(&is_over);
        let samples = thread::spawn(move || {
            let mut samples = Vec::new();
            loop {
                // What holds in the end is sampled after the end, however seldom this thread runs.
                let is_last = over.load(Ordering::Relaxed);
                let owners = namespaces.each_ref().map(|namespace| {
                    namespace.enter().expect("the namespace");
                    addresses("em1").expect("its addresses").contains(&VIP)
                });
                samples.push((Instant::now(), owners));
                if is_last {
                    return samples;
                }
                thread::sleep(SAMPLE);
            }
        });
        Self { is_over, samples }
    }

    pub(crate) fn finish(self) -> Seen {
        self.is_over.store(true, Ordering::Relaxed);
        let samples = self.samples.join().expect("samples");
        let is_owned = |(_, owners): &(Instant, [bool; 2])| owners.contains(&true);
        let first = samples.iter().position(is_owned).expect("an owner");
        let end = samples.iter().rposition(is_owned).expect("an owner") + 1;
        let owned = &samples[first..end];
        Seen {
            nobody: longest(owned, [false, false]),
            both: longest(owned, [true, true]),
            last: samples.last().expect("samples").1,
        }
    }
}

fn longest(samples: &[(Instant, [bool; 2])], wanted: [bool; 2]) -> Duration {
    let mut longest = Duration::ZERO;
    let mut since = None;
    for (at, owners) in samples {
        if *owners == wanted {
            longest = longest.max(*at - *since.get_or_insert(*at));
        } else {
            since = None;
        }
    }
    longest
}
