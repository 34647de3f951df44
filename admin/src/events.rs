//! The actor that holds the last events and feeds those who follow them.

use std::collections::VecDeque;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message};
use ipc::event::Event;
use serde_json::{Map, Value};
use tokio::sync::mpsc;

/// Events that are held; older ones are in the journal.
pub(crate) const RING_MAX: usize = 1000;

/// Events that may wait for one follower; who is slower is cut off, and may ask again from the last
/// one that it has.
const FOLLOWER_BACKLOG_MAX: usize = 256;

/// Followers at one time.
const FOLLOWERS_MAX: usize = 64;

/// One event, ready to be sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its number in the journal.
    pub(crate) seq: u64,
    /// Number and event as a JSON object on one line.
    pub(crate) json: String,
}

impl Entry {
    pub(crate) fn new(seq: u64, event: &Event) -> serde_json::Result<Arc<Self>> {
        let json = Value::Object(flatten(seq, event)?).to_string();
        Ok(Arc::new(Self { seq, json }))
    }
}

/// One level, as in the journal: what happened stands in `event`, its fields beside it.
fn flatten(seq: u64, event: &Event) -> serde_json::Result<Map<String, Value>> {
    let (name, mut object) = match serde_json::to_value(&event.what)? {
        Value::Object(tagged) => match tagged.into_iter().next() {
            Some((name, Value::Object(fields))) => (Value::String(name), fields),
            Some((name, _)) => (Value::String(name), Map::new()),
            None => (Value::Null, Map::new()),
        },
        name => (name, Map::new()),
    };
    object.insert("event".into(), name);
    object.insert("seq".into(), seq.into());
    object.insert("at_unix_ms".into(), event.at_unix_ms.into());
    object.insert("severity".into(), serde_json::to_value(event.severity)?);
    Ok(object)
}

/// An event was written to the journal.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Append(pub(crate) Arc<Entry>);

/// Asks for events, oldest first.
#[derive(Message)]
#[rtype(result = "Vec<Arc<Entry>>")]
pub(crate) struct GetEvents {
    /// Only later ones, the earliest of them first; without it the last ones.
    pub(crate) after: Option<u64>,
    /// At most so many.
    pub(crate) limit: usize,
}

/// Asks for all events from now on.
#[derive(Message)]
#[rtype(result = "Option<Subscription>")]
pub(crate) struct Follow {
    /// And for those that came after this one, as far as they are held.
    pub(crate) after: Option<u64>,
}

/// What a follower gets; `None` instead of it when there are too many.
pub(crate) struct Subscription {
    /// What has happened.
    pub(crate) past: Vec<Arc<Entry>>,
    /// What happens; ends when the follower was too slow.
    pub(crate) live: mpsc::Receiver<Arc<Entry>>,
}

/// The actor.
#[derive(Default)]
pub(crate) struct Events {
    ring: VecDeque<Arc<Entry>>,
    followers: Vec<mpsc::Sender<Arc<Entry>>>,
}

impl Actor for Events {
    type Context = Context<Self>;
}

impl Events {
    fn append(&mut self, entry: Arc<Entry>) {
        if self.ring.len() >= RING_MAX {
            self.ring.pop_front();
        }
        self.ring.push_back(Arc::clone(&entry));
        self.followers
            .retain(|follower| follower.try_send(Arc::clone(&entry)).is_ok());
    }

    fn get(&self, after: Option<u64>, limit: usize) -> Vec<Arc<Entry>> {
        match after {
            Some(after) => {
                let later = self.ring.iter().filter(|entry| entry.seq > after);
                later.take(limit).cloned().collect()
            }
            None => {
                let skipped = self.ring.len().saturating_sub(limit);
                self.ring.iter().skip(skipped).cloned().collect()
            }
        }
    }

    fn follow(&mut self, after: Option<u64>) -> Option<Subscription> {
        self.followers.retain(|follower| !follower.is_closed());
        if self.followers.len() >= FOLLOWERS_MAX {
            return None;
        }
        let (follower, live) = mpsc::channel(FOLLOWER_BACKLOG_MAX);
        self.followers.push(follower);
        let past = after.map(|after| self.get(Some(after), RING_MAX));
        Some(Subscription {
            past: past.unwrap_or_default(),
            live,
        })
    }
}

impl Handler<Append> for Events {
    type Result = ();

    fn handle(&mut self, Append(entry): Append, _: &mut Context<Self>) {
        self.append(entry);
    }
}

impl Handler<GetEvents> for Events {
    type Result = Vec<Arc<Entry>>;

    fn handle(&mut self, asked: GetEvents, _: &mut Context<Self>) -> Self::Result {
        self.get(asked.after, asked.limit)
    }
}

impl Handler<Follow> for Events {
    type Result = Option<Subscription>;

    fn handle(&mut self, asked: Follow, _: &mut Context<Self>) -> Self::Result {
        self.follow(asked.after)
    }
}

#[cfg(test)]
mod tests {
    use ipc::event::{Severity, What};

    use super::*;

    fn entry(seq: u64) -> Arc<Entry> {
        let event = Event {
            at_unix_ms: 1_000,
            severity: Severity::Info,
            what: What::Test,
        };
        Entry::new(seq, &event).unwrap()
    }

    fn events(count: u64) -> Events {
        let mut events = Events::default();
        (1..=count).for_each(|seq| events.append(entry(seq)));
        events
    }

    fn numbers(entries: &[Arc<Entry>]) -> Vec<u64> {
        entries.iter().map(|entry| entry.seq).collect()
    }

    #[test]
    fn an_entry_is_one_object_of_one_level() {
        let cases = [
            (
                What::Test,
                r#"{"at_unix_ms":1000,"event":"test","seq":7,"severity":"info"}"#,
            ),
            (
                What::ServerDown {
                    upstream: "app".into(),
                    address: "192.168.0.201:80".parse().unwrap(),
                    reason: "status 500".into(),
                },
                r#"{"address":"192.168.0.201:80","at_unix_ms":1000,"event":"server_down","reason":"status 500","seq":7,"severity":"info","upstream":"app"}"#,
            ),
        ];
        for (what, json) in cases {
            let event = Event {
                at_unix_ms: 1_000,
                severity: Severity::Info,
                what,
            };
            assert_eq!(Entry::new(7, &event).unwrap().json, json);
        }
    }

    #[test]
    fn events_are_found_by_number() {
        // how many there were, after, limit, what is got
        let cases: [(u64, Option<u64>, usize, &[u64]); 8] = [
            (0, None, 10, &[]),
            (3, None, 10, &[1, 2, 3]),
            (3, None, 2, &[2, 3]),
            (3, None, 0, &[]),
            (5, Some(0), 2, &[1, 2]),
            (5, Some(3), 10, &[4, 5]),
            (5, Some(5), 10, &[]),
            (1_002, Some(0), 2, &[3, 4]),
        ];
        for (count, after, limit, expected) in cases {
            let got = events(count).get(after, limit);
            assert_eq!(numbers(&got), expected, "{count} {after:?} {limit}");
        }
    }

    #[test]
    fn a_follower_misses_nothing_between_past_and_live() {
        let mut events = events(5);
        let mut subscription = events.follow(Some(3)).unwrap();
        events.append(entry(6));
        assert_eq!(numbers(&subscription.past), [4, 5]);
        assert_eq!(subscription.live.try_recv().unwrap().seq, 6);
        let mut from_now = events.follow(None).unwrap();
        assert!(from_now.past.is_empty());
        assert!(from_now.live.try_recv().is_err());
    }

    #[test]
    fn a_slow_follower_is_cut_off_and_the_others_are_not() {
        let mut events = Events::default();
        let mut slow = events.follow(None).unwrap();
        let mut quick = events.follow(None).unwrap();
        let count = FOLLOWER_BACKLOG_MAX as u64 + 1;
        for seq in 1..=count {
            events.append(entry(seq));
            assert_eq!(quick.live.try_recv().unwrap().seq, seq);
        }
        let mut got = 0;
        while slow.live.try_recv().is_ok() {
            got += 1;
        }
        assert_eq!(got, FOLLOWER_BACKLOG_MAX);
        assert_eq!(
            slow.live.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
        assert_eq!(quick.live.try_recv(), Err(mpsc::error::TryRecvError::Empty));
    }

    #[test]
    fn followers_have_a_limit_and_make_room_when_they_leave() {
        let mut events = Events::default();
        let mut followers: Vec<_> = std::iter::from_fn(|| events.follow(None)).collect();
        assert_eq!(followers.len(), FOLLOWERS_MAX);
        followers.pop();
        assert!(events.follow(None).is_some());
    }
}
