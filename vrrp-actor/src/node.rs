//! The routers of this node: one actor that owns them all, wakes those whose time has come and hands
//! each packet to the one that it is addressed to.

mod configuration;

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseFuture, WrapFuture,
};
use core_vrrp::{Event, Time, WallTime};
use ipc::vrrp::{FromVrrp, ToVrrp, TrackSubject, TrackVerdict, VrrpSnapshot};
use platform::clock::walltime;
use platform::vrrp_socket::Inbox;
use tokio::sync::oneshot;

use crate::groups::{Groups, Order};
use crate::host::Host;
use crate::lateness::Lateness;
use crate::links::Links;
use crate::ports::event_of;
use crate::reporter::Reporter;
use crate::router::{Leaving, Router};
use crate::schedule::Schedule;

/// How often a router that cannot speak is tried again, and all are told what the clock says.
const RETRY: Duration = Duration::from_secs(1);

/// How often the sync groups may ask their members, for each router.
const ROUNDS_PER_ROUTER: usize = 8;

/// Packets of a port that are listened to before it is looked whether somebody's time has come.
const PACKETS_AT_ONCE: usize = 256;

/// Go over to another configuration: routers that stay the same notice nothing, those that change
/// keep their state, those that are gone hand over. Answered when it is in force.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Configure(pub(crate) VrrpSnapshot);

/// Something changed that routers have to know.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct News(pub(crate) ToVrrp);

/// Hand over all addresses. Answered when that is done and reported.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Shutdown;

/// Some interface changed.
#[derive(Message)]
#[rtype(result = "()")]
struct LinksChanged;

/// The actor. Whatever its routers hold is taken off at the latest when it is dropped.
pub(crate) struct Node {
    routers: Vec<Router>,
    groups: Groups,
    schedule: Schedule,
    host: Host,
    inbox: Inbox,
    links: Links,
    known: Known,
    lateness: Lateness,
    retry_at: Time,
    is_configured: bool,
    /// Packets wait that were not yet looked at.
    is_behind: bool,
    /// Some router has handed over.
    has_finished: bool,
    /// Told when no router is left.
    ended: Option<oneshot::Sender<()>>,
}

/// What was told so far, for routers that come later.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) may_lead: bool,
    pub(crate) proxy_well: bool,
    pub(crate) tracks: BTreeMap<TrackSubject, TrackVerdict>,
    /// Addresses that are found were left to us in good order.
    pub(crate) succeeds: bool,
}

impl Node {
    /// Without a configuration. `scheduling` says how the process is scheduled.
    ///
    /// # Errors
    /// When there is no netlink or no timer.
    pub(crate) fn new(links: Links, reporter: Reporter, scheduling: String) -> io::Result<Self> {
        let interfaces = links.borrow().clone();
        Ok(Self {
            routers: Vec::new(),
            groups: Groups::default(),
            schedule: Schedule::new()?,
            host: Host::new(interfaces, reporter)?,
            inbox: Inbox::new(),
            links,
            known: Known {
                may_lead: false,
                proxy_well: true,
                tracks: BTreeMap::new(),
                succeeds: false,
            },
            lateness: Lateness::new(scheduling),
            retry_at: Time(Duration::ZERO),
            is_configured: false,
            is_behind: false,
            has_finished: false,
            ended: None,
        })
    }

    /// What has come in is heard first: it may be that nothing is due any more.
    fn wake(&mut self, is_claimed: bool) {
        self.host.look_at_clock();
        self.receive();
        if is_claimed {
            self.hear_claims();
        }
        // One moment for all: the work for the first is not to make the last one late.
        let now = self.host.look_at_clock();
        for place in 0..self.routers.len() {
            if let Some(due) = self.schedule.reached(place, now) {
                self.lateness.note(now.since(due));
                self.feed(place, Event::Timeout);
            }
        }
        self.end_turn();
    }

    fn receive(&mut self) {
        let mut inbox = std::mem::take(&mut self.inbox);
        for port in 0..self.host.ports.count() {
            for left in (0..PACKETS_AT_ONCE).rev() {
                let Some(packet) = self.host.ports.receive(port, &mut inbox) else {
                    break;
                };
                self.is_behind |= left == 0;
                let Some(vrid) = packet.vrid() else {
                    continue;
                };
                let mut next = self.host.ports.listener(port, vrid, 0);
                if next.is_none() {
                    self.host.ports.note_stranger(port, vrid);
                }
                while let Some(place) = next {
                    self.feed(place, event_of(packet));
                    next = self.host.ports.listener(port, vrid, place + 1);
                }
            }
        }
        self.inbox = inbox;
    }

    /// Somebody says that an address of ours is his.
    fn hear_claims(&mut self) {
        let interfaces = Rc::clone(&self.host.interfaces);
        let mut left = PACKETS_AT_ONCE;
        while let Some((interface, claim)) = self.host.claims.next(&interfaces) {
            for place in 0..self.routers.len() {
                if (self.routers.get(place)).is_some_and(|it| it.holds(claim.address, interface)) {
                    let (address, mac) = (claim.address, claim.mac);
                    self.feed(place, Event::Contested { address, mac });
                }
            }
            left -= 1;
            if left == 0 {
                self.is_behind = true;
                return;
            }
        }
    }

    fn feed(&mut self, place: usize, event: Event<'_>) {
        let Some(router) = self.routers.get_mut(place) else {
            return;
        };
        router.feed(event, &mut self.host);
        self.has_finished |= router.is_finished();
        self.schedule.note(place, router.due());
        if router.spec().sync_group.is_some() {
            self.settle();
        }
    }

    /// Lets the sync groups come to an agreement on what has changed.
    fn settle(&mut self) {
        // Far more than it takes: a group is agreed after two or three.
        for _ in 0..ROUNDS_PER_ROUTER * self.routers.len() {
            let reporter = &mut self.host.reporter;
            let tell = |event| reporter.event(FromVrrp::GroupTransition(event));
            let Some(Order { group, accord }) = self.groups.poll(&self.routers, tell) else {
                return;
            };
            for place in self.groups.places(group) {
                if let Some(router) = self.routers.get_mut(place) {
                    router.feed(Event::Group(accord), &mut self.host);
                    self.has_finished |= router.is_finished();
                    self.schedule.note(place, router.due());
                }
            }
        }
        if !self.routers.is_empty() {
            tracing::error!("the sync groups do not come to an agreement");
        }
    }

    /// Has every router do something that may change its deadline or its port.
    fn for_each(&mut self, act: impl Fn(&mut Router, &Known, &mut Host)) {
        for router in &mut self.routers {
            act(router, &self.known, &mut self.host);
            self.has_finished |= router.is_finished();
        }
        self.rearrange();
        self.settle();
    }

    /// Notes anew who listens where, and who is due when.
    fn rearrange(&mut self) {
        self.groups.locate(&self.routers);
        let routers = self.routers.iter();
        self.schedule.replace(routers.clone().map(Router::due));
        let listeners = routers.enumerate().flat_map(|(place, router)| {
            let vrid = router.spec().vrid;
            router.ports().map(move |port| (port, vrid, place))
        });
        self.host.ports.set_listeners(listeners);
        let held = self.routers.iter().flat_map(|router| router.spec().held());
        let held = held.map(|held| held.address).collect();
        self.host.claims.set_addresses(held);
    }

    /// Everything that was to be done is on its way when this returns.
    fn end_turn(&mut self) {
        self.host.flush();
        let now = self.host.look_at_clock();
        if self.retry_at <= now {
            self.retry_at = now + RETRY;
            self.retry();
            for place in 0..self.routers.len() {
                self.feed(place, Event::WallClock(WallTime(walltime())));
            }
            self.host.flush();
        }
        if self.host.reporter.due() <= now || self.has_finished {
            self.report(now);
        }
        if std::mem::take(&mut self.has_finished) {
            self.bury();
        }
        let next = self.retry_at.min(self.host.reporter.due());
        let due = self.host.virtual_macs.due();
        self.schedule
            .set_alarm(due.map_or(next, |due| next.min(due)));
    }

    fn retry(&mut self) {
        if self.routers.iter().any(Router::is_stuck) {
            self.host.look_again();
            self.for_each(|router, _, host| {
                if router.is_stuck() {
                    router.look_at_links(host);
                }
            });
        }
    }

    fn report(&mut self, now: Time) {
        let routers = self.routers.iter();
        let routers = routers.map(|router| router.status(&self.host)).collect();
        let timers = self.lateness.status(now);
        self.host.reporter.report(now, routers, timers);
    }

    /// Removes routers that have handed over.
    fn bury(&mut self) {
        let before = self.routers.len();
        let host = &mut self.host;
        self.routers.retain_mut(|router| {
            if router.is_finished() {
                router.release(host);
                if router.leaving() == Some(Leaving::ForEver) {
                    host.reporter.hurry();
                }
            }
            !router.is_finished()
        });
        if self.routers.len() != before {
            self.rearrange();
            // Those that are still handing over are not kept waiting.
            if self.routers.iter().all(|it| it.leaving().is_none()) {
                self.sweep();
            }
        }
        if self.routers.is_empty()
            && let Some(ended) = self.ended.take()
        {
            // Nobody waits when the process is ending anyway.
            let _ = ended.send(());
        }
    }

    fn told(&mut self, message: ToVrrp) {
        self.host.look_at_clock();
        match message {
            ToVrrp::MayLead => {
                self.known.may_lead = true;
                self.for_each(|router, _, host| router.feed(Event::MayLead, host));
            }
            ToVrrp::TrackChanged { subject, verdict } => {
                self.known.tracks.insert(subject.clone(), verdict);
                self.for_each(|router, _, host| router.track(&subject, verdict, host));
            }
            ToVrrp::ProxyHealth { well } => {
                self.known.proxy_well = well;
                self.for_each(|router, known, host| router.note_proxy(known, host));
            }
            ToVrrp::Leave => {
                self.for_each(|router, _, host| router.leave(host));
                self.host.virtual_macs.leave();
                self.routers.clear();
                self.rearrange();
                return self.host.reporter.fall_silent();
            }
        }
        self.host.reporter.hurry();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        for router in &mut self.routers {
            router.release(&mut self.host);
        }
        // What was there before a configuration is not ours to judge.
        if self.is_configured {
            self.routers.clear();
            self.sweep();
        }
    }
}

/// Wakes the node when its alarm rings or packets have come in.
struct Wakening;

impl ActorFuture<Node> for Wakening {
    type Output = ();

    fn poll(
        self: Pin<&mut Self>,
        node: &mut Node,
        _: &mut Context<Node>,
        task: &mut TaskContext<'_>,
    ) -> Poll<()> {
        loop {
            let has_rung = node.schedule.poll_rung(task);
            // Each is asked, or it would not wake us.
            let has_arrived = node.host.ports.poll_arrival(task);
            let is_claimed = node.host.claims.poll_arrival(task);
            let was_behind = std::mem::take(&mut node.is_behind);
            if !has_rung && !has_arrived && !is_claimed && !was_behind {
                return Poll::Pending;
            }
            node.wake(is_claimed || was_behind);
            if node.is_behind {
                // Whoever else has something to do is let before.
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl Actor for Node {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let mut links = self.links.clone();
        let node = context.address();
        let watcher = async move {
            while links.changed().await.is_ok() && node.send(LinksChanged).await.is_ok() {}
        };
        context.spawn(watcher.into_actor(self).map(|(), _, _| ()));
        context.spawn(Wakening);
    }
}

impl Handler<LinksChanged> for Node {
    type Result = ();

    fn handle(&mut self, _: LinksChanged, _: &mut Self::Context) {
        self.host.look_at_clock();
        self.host.interfaces = self.links.borrow_and_update().clone();
        self.host.look_again();
        self.host.ports.set_interfaces(&self.host.interfaces);
        self.for_each(|router, _, host| router.look_at_links(host));
        self.end_turn();
    }
}

impl Handler<Configure> for Node {
    type Result = ();

    fn handle(&mut self, Configure(snapshot): Configure, _: &mut Self::Context) {
        self.configure(snapshot);
        self.end_turn();
    }
}

impl Handler<News> for Node {
    type Result = ();

    fn handle(&mut self, News(message): News, _: &mut Self::Context) {
        self.told(message);
        self.end_turn();
    }
}

impl Handler<Shutdown> for Node {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Shutdown, _: &mut Self::Context) -> Self::Result {
        let (ended, until_ended) = oneshot::channel();
        self.ended = Some(ended);
        self.host.look_at_clock();
        self.for_each(|router, _, host| {
            if router.leaving().is_none() {
                router.shut_down(Leaving::ForNow, host);
            }
        });
        self.end_turn();
        self.bury();
        Box::pin(async move {
            // An error means that the actor is gone, and its routers with it.
            let _ = until_ended.await;
        })
    }
}
