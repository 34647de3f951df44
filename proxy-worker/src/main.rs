//! A proxy worker: accepts, routes and relays HTTP.
//!
//! One thread, one event loop. The data plane is plain futures, one per connection (`session`); two
//! kinds of actors stand beside it: the supervisor's link, and a listener for each socket.

mod access_log;
mod counters;
mod crowd;
mod deadline;
mod front;
mod gauges;
mod http2;
mod hush;
mod introduction;
mod io;
mod listener;
mod overload;
mod pages;
mod places;
mod plan;
mod pool;
mod port;
mod queue;
mod request_id;
mod session;
mod shed;
mod supervisor_link;
mod transport;
mod tunnel;
mod upstream;
mod worker;

use std::process::ExitCode;
use std::rc::Rc;

use actix::Actor as _;
use ipc::proxy::Proxy;
use link::child::Start;
use platform::counters::SharedCounters;
use platform::gauges::SharedGauges;

use crate::counters::Counters;
use crate::gauges::Gauges;
use crate::io::Network;
use crate::supervisor_link::SupervisorLink;
use crate::worker::Worker;

fn main() -> ExitCode {
    let start = match link::child::start::<Proxy>(&[]) {
        Ok(start) => start,
        Err(error) => {
            eprintln!("evenkeel-proxy: {error}");
            return ExitCode::from(2);
        }
    };
    match serve(start) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(mut start: Start<Proxy>) -> std::io::Result<()> {
    let slot = usize::from(start.welcome.slot);
    let mut along = std::mem::take(&mut start.descriptors).into_iter();
    let mut shared = || {
        let descriptor = along.next();
        descriptor.ok_or_else(|| {
            std::io::Error::other("the shared memory did not come with the greeting")
        })
    };
    let counters = SharedCounters::open(shared()?)?;
    let gauges = Gauges::new(SharedGauges::open(shared()?)?, slot);
    let counters = Counters::new(counters, Rc::clone(&gauges));
    let system = actix::System::new();
    system.block_on(async move {
        let supervisor = start.into_link().map_err(std::io::Error::other)?;
        let worker = Rc::new(Worker::new(Network::default(), counters, gauges));
        worker.overload.watch();
        SupervisorLink::new(supervisor, worker).start();
        Ok::<_, std::io::Error>(())
    })?;
    system.run()
}
