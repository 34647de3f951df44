//! What a router does as Master, which RFC 9568 §6.4.3 calls Active.

use std::net::IpAddr;
use std::time::Duration;

use super::{Claim, Heard, Machine, Owning, Router, Turn};
use crate::announce::Announcer;
use crate::event::{Cause, Effect};
use crate::units::Time;

/// How long the advert of a successor may come after its first gratuitous ARP packet.
const SUCCESSION_PATIENCE: Duration = Duration::from_millis(100);
/// People are told of claims again when there were none for so long.
const CLAIMS_QUIET: Duration = Duration::from_secs(60);

impl Router {
    pub(super) fn master_hears(&mut self, mut master: Owning, heard: Heard, turn: &mut Turn<'_>) {
        let own = self.effective_priority();
        let Heard { peer, .. } = heard;
        let outranked =
            peer.priority > own || (peer.priority == own && peer.address > self.spec.source);
        if outranked {
            // RFC 9568 §6.4.3: give in. The last word, said when the addresses are gone, makes the
            // winner announce them once more, now that nobody contradicts.
            turn.push(Effect::RemoveAddresses);
            self.send(own, turn);
            self.follow(Some(heard), Cause::Outranked(peer), turn);
            return;
        }
        // RFC 9568 §6.4.3: say at once who is Master, to one who gives up and to one who errs.
        self.renew_if_due(&mut master.renew_at, turn.now, turn);
        self.send(own, turn);
        master.advert_at = turn.now + self.spec.protocol.interval();
        // Either was Master a moment ago, and neighbours may believe it.
        turn.announce(master.announcer.contested(turn.now, &self.spec.announce));
        self.machine = Machine::Master(master);
    }

    /// RFC 9568 §6.4.3, Adver_Timer; and the timers that the RFC does not have.
    pub(super) fn master_wakes(&mut self, mut master: Owning, turn: &mut Turn<'_>) {
        let interval = self.spec.protocol.interval();
        let said_at = master.advert_at.earlier(interval);
        if turn.now < master.advert_at {
            self.renew_if_due(&mut master.renew_at, said_at, turn);
        } else {
            self.renew_if_due(&mut master.renew_at, turn.now, turn);
            self.send(self.effective_priority(), turn);
            // On the beat while it is kept; after a delay, a full interval from now.
            let next = master.advert_at + interval;
            master.advert_at = if next > turn.now {
                next
            } else {
                turn.now + interval
            };
        }
        if let Some(claim) = master.claim.filter(|claim| claim.answer_at <= turn.now) {
            master.claim = None;
            self.answer(claim, &mut master, turn);
        }
        turn.announce(master.announcer.poll(turn.now, &self.spec.announce));
        self.machine = Machine::Master(master);
    }

    /// Somebody else says that an address is theirs: to be answered, unless an advert says why.
    pub(super) fn master_contested(
        &mut self,
        mut master: Owning,
        address: IpAddr,
        mac: [u8; 6],
        turn: &Turn<'_>,
    ) {
        let was_quiet = |last: Time| turn.now.since(last) >= CLAIMS_QUIET;
        let is_news = self.claimed_at.is_none_or(was_quiet);
        self.claimed_at = Some(turn.now);
        let answer_at = master.announcer.answer_at(turn.now + SUCCESSION_PATIENCE);
        let claim = master.claim.get_or_insert(Claim {
            address,
            mac,
            answer_at,
            times: 0,
            is_news,
        });
        claim.times += 1;
        self.machine = Machine::Master(master);
    }

    fn answer(&mut self, claim: Claim, master: &mut Owning, turn: &mut Turn<'_>) {
        let Claim { address, mac, .. } = claim;
        self.counters.contested += claim.times;
        turn.announce(master.announcer.contested(turn.now, &self.spec.announce));
        if claim.is_news {
            turn.push(Effect::Contested { address, mac });
        }
    }

    /// State and address are kept; one additional advert tells what is new.
    pub(super) fn master_reloads(
        &mut self,
        mut master: Owning,
        readdressed: bool,
        turn: &mut Turn<'_>,
    ) {
        turn.push(Effect::AddAddresses);
        master.renew_at = self.next_renewal(turn.now, turn);
        if readdressed {
            let (announcer, times) = Announcer::begin(turn.now, &self.spec.announce);
            master.announcer = announcer;
            turn.announce(times);
        }
        self.send(self.effective_priority(), turn);
        master.advert_at = turn.now + self.spec.protocol.interval();
        self.machine = Machine::Master(master);
    }

    /// Backup to Master (RFC 9568 §6.4.2).
    pub(super) fn lead(&mut self, cause: Cause, turn: &mut Turn<'_>) {
        let from = self.state();
        self.own(turn);
        self.tell(from, cause, turn);
    }

    /// Addresses first, then those who must know: nobody hears of us before we can answer.
    pub(super) fn own(&mut self, turn: &mut Turn<'_>) {
        let (announcer, times) = Announcer::begin(turn.now, &self.spec.announce);
        turn.push(Effect::AddAddresses);
        turn.announce(times);
        self.send(self.effective_priority(), turn);
        self.machine = Machine::Master(Owning {
            advert_at: turn.now + self.spec.protocol.interval(),
            renew_at: self.next_renewal(turn.now, turn),
            announcer,
            claim: None,
        });
    }
}
