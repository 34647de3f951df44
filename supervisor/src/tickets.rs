//! The keys of session tickets: made here, in memory only, and the same for all workers.

use ipc::proxy::TicketKey;

/// The key that makes tickets, the one before it, and the one after it, which workers know early: so
/// a ticket opens everywhere, whoever hears of a change first.
#[derive(Debug)]
pub(crate) struct Tickets {
    previous: Option<TicketKey>,
    current: Option<TicketKey>,
    next: Option<TicketKey>,
}

impl Tickets {
    /// With new keys.
    pub(crate) fn new() -> Self {
        Self {
            previous: None,
            current: fresh(),
            next: fresh(),
        }
    }

    /// Makes the next key the one that counts; owed every [`ipc::proxy::TICKET_LIFETIME`] seconds.
    pub(crate) fn rotate(&mut self) {
        let next = std::mem::replace(&mut self.next, fresh());
        self.previous = std::mem::replace(&mut self.current, next);
    }

    /// As workers get them: the first makes tickets.
    pub(crate) fn keys(&self) -> Vec<TicketKey> {
        // Without a current one there would be tickets that are made with the next.
        let current = self.current.iter();
        let others = self.next.iter().chain(&self.previous);
        current.chain(others).cloned().collect()
    }
}

/// `None` when there is no randomness, without which there are no tickets.
fn fresh() -> Option<TicketKey> {
    let key = tls::fresh_ticket_key();
    if key.is_none() {
        tracing::error!("no randomness for the keys of session tickets");
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_45_a_key_is_known_before_it_counts_and_after() {
        let mut tickets = Tickets::new();
        let first = tickets.keys();
        assert_eq!(first.len(), 2);
        tickets.rotate();
        let second = tickets.keys();
        assert_eq!(second.len(), 3);
        assert_eq!((&second[0], &second[2]), (&first[1], &first[0]));
        tickets.rotate();
        let third = tickets.keys();
        assert_eq!((&third[0], &third[2]), (&second[1], &second[0]));
        assert!(!third.contains(&first[0]));
    }
}
