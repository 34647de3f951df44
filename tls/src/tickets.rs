//! Session tickets (RFC 8446 §2.2, RFC 5077): a session's state, sealed with a key that all workers
//! of a node have, so that a client may come back to any of them.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::rand::fill;
use ipc::proxy::{SecretOctets, TICKET_LIFETIME, TicketKey};
use rustls::server::ProducesTickets;

use crate::Mark;

const NAME_LEN: usize = 16;

/// The keys of a worker, which all its listeners share. Keys are replaced while connections run. The
/// lock is for rustls, which wants to be used by many threads: here there is one.
#[derive(Clone, Debug, Default)]
pub struct TicketKeys(Arc<RwLock<Vec<Key>>>);

struct Key {
    name: [u8; NAME_LEN],
    secret: RandomizedNonceKey,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").finish_non_exhaustive()
    }
}

impl TicketKeys {
    /// Takes the keys that count from now on: the first makes tickets, all open them. Before the
    /// first call, and with no keys, sessions are not resumed.
    pub fn replace(&self, keys: &[TicketKey]) {
        let keys = keys.iter().filter_map(|key| {
            let secret = RandomizedNonceKey::new(&AES_256_GCM, &key.secret.0).ok()?;
            let name = key.name;
            Some(Key { name, secret })
        });
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys.collect();
    }

    /// What makes the tickets of a listener. They are of no use where `policy`, which stands for the
    /// listener and for which clients it admits, is another (CVE-2025-23419).
    pub(crate) fn ticketer(&self, policy: Mark) -> Arc<dyn ProducesTickets> {
        Arc::new(Ticketer {
            keys: self.clone(),
            policy,
        })
    }
}

/// A new key; `None` when there is no randomness.
pub fn fresh_ticket_key() -> Option<TicketKey> {
    let (mut name, mut secret) = ([0; NAME_LEN], vec![0; 32]);
    fill(&mut name).ok()?;
    fill(&mut secret).ok()?;
    let secret = SecretOctets(secret);
    Some(TicketKey { name, secret })
}

/// A ticket is the key's name, a nonce, and the sealed state with its tag.
#[derive(Debug)]
struct Ticketer {
    keys: TicketKeys,
    policy: Mark,
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        TICKET_LIFETIME
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let keys = self.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.first()?;
        let mut sealed = plain.to_vec();
        let aad = Aad::from(self.policy.octets());
        let nonce = key.secret.seal_in_place_append_tag(aad, &mut sealed).ok()?;
        Some([&key.name, nonce.as_ref().as_slice(), &sealed].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (name, rest) = ticket.split_at_checked(NAME_LEN)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let keys = self.keys.0.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.name == name)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut opened = sealed.to_vec();
        let aad = Aad::from(self.policy.octets());
        let plain = key.secret.open_in_place(nonce, aad, &mut opened).ok()?;
        Some(plain.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u8) -> TicketKey {
        TicketKey {
            name: [number; NAME_LEN],
            secret: SecretOctets(vec![number; 32]),
        }
    }

    fn keys(numbers: &[u8]) -> TicketKeys {
        let keys = TicketKeys::default();
        keys.replace(
            &numbers
                .iter()
                .map(|number| key(*number))
                .collect::<Vec<_>>(),
        );
        keys
    }

    #[test]
    fn rules_43_and_45_tickets_open_with_their_key_for_their_policy_only() {
        let ours: &[&[u8]] = &[b"public", b"off"];
        let ticket = keys(&[1, 2])
            .ticketer(Mark::of(ours))
            .encrypt(b"state")
            .unwrap();
        type Case = (&'static [u8], &'static [&'static [u8]], bool);
        let cases: &[Case] = &[
            (&[1, 2], ours, true),
            // The next key makes tickets by now.
            (&[2, 1], ours, true),
            (&[2, 3], ours, false),
            (&[], ours, false),
            (&[1], &[b"private", b"off"], false),
            (&[1], &[b"public", b"required"], false),
            // The same octets in other parts.
            (&[1], &[b"publico", b"ff"], false),
        ];
        for (numbers, policy, opens) in cases {
            let opened = keys(numbers).ticketer(Mark::of(policy)).decrypt(&ticket);
            let expected = opens.then(|| b"state".to_vec());
            assert_eq!(opened, expected, "{numbers:?} {policy:?}");
        }
    }

    #[test]
    fn broken_tickets_are_no_tickets() {
        let ticketer = keys(&[1]).ticketer(Mark::of(&[]));
        let ticket = ticketer.encrypt(b"state").unwrap();
        assert!(!ticket.windows(5).any(|window| window == b"state"));
        for end in 0..ticket.len() {
            assert_eq!(ticketer.decrypt(&ticket[..end]), None, "{end} octets");
        }
        for place in 0..ticket.len() {
            let mut broken = ticket.clone();
            broken[place] ^= 1;
            assert_eq!(ticketer.decrypt(&broken), None, "octet {place}");
        }
    }

    #[test]
    fn without_keys_there_are_no_tickets() {
        assert_eq!(
            TicketKeys::default()
                .ticketer(Mark::of(&[]))
                .encrypt(b"state"),
            None
        );
    }
}
