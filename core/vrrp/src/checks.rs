//! The receive checks (RFC 9568 §7.1, RFC 3768 §7.1): why an advert is not listened to.

use std::fmt;

use crate::address_list::AddressList;
use crate::packet::{Auth, ChecksumForm, Protocol, Received, Route, TTL};
use crate::spec::{Spec, Transport};
use crate::units::Priority;

/// Why a packet was discarded. None of them restarts a Backup's timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Discard {
    /// The TTL, or hop limit, is not 255: it did not come from this link (RFC 9568 §5.1.1.3,
    /// §5.1.2.3). Or, where a unicast router allows less, it is below that.
    Ttl,
    /// Neither version 2 nor 3, or not the one that is configured.
    Version,
    /// Not an advertisement (RFC 9568 §5.2.2).
    Type,
    /// Shorter or longer than its count of addresses demands.
    Length,
    /// Damaged.
    Checksum,
    /// For another virtual router.
    Vrid,
    /// Without any address (RFC 9568 erratum 8299).
    Count,
    /// Another authentication type than configured (RFC 3768 §7.1).
    AuthType,
    /// The wrong password (RFC 2338 §7.1).
    AuthPassword,
    /// An interval of zero (RFC 9568 erratum 8301); in version 2 also another one than configured,
    /// since a receiver there does not learn it (RFC 3768 §7.1).
    Interval,
    /// Multicast heard by a router that speaks unicast, or the reverse.
    Transport,
    /// Sent by somebody who is not in the list of unicast peers.
    NotAPeer,
    /// From this node's own address: an echo, or somebody else uses it.
    OwnAddress,
    /// Over the other family of IP than the virtual router's (RFC 9568 §5.2.9).
    Family,
    /// With an HMAC trailer, of which this router knows nothing.
    HmacUnexpected,
    /// Without the HMAC trailer that this router enforces.
    HmacMissing,
    /// With a trailer of an unknown form.
    HmacMalformed,
    /// Its trailer is from another time than this node's.
    HmacStale,
    /// Signed with a key whose number this router does not have.
    HmacUnknownKey,
    /// Changed on its way, or signed with another key of that number.
    HmacWrong,
    /// Heard before, or older than what was heard before.
    HmacReplay,
}

impl Discard {
    /// All reasons, in the order of the counters.
    pub const ALL: [Self; 21] = [
        Self::Ttl,
        Self::Version,
        Self::Type,
        Self::Length,
        Self::Checksum,
        Self::Vrid,
        Self::Count,
        Self::AuthType,
        Self::AuthPassword,
        Self::Interval,
        Self::Transport,
        Self::NotAPeer,
        Self::OwnAddress,
        Self::Family,
        Self::HmacUnexpected,
        Self::HmacMissing,
        Self::HmacMalformed,
        Self::HmacStale,
        Self::HmacUnknownKey,
        Self::HmacWrong,
        Self::HmacReplay,
    ];

    /// The reason as a word for metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttl => "ttl",
            Self::Version => "version",
            Self::Type => "type",
            Self::Length => "length",
            Self::Checksum => "checksum",
            Self::Vrid => "vrid",
            Self::Count => "count",
            Self::AuthType => "auth_type",
            Self::AuthPassword => "auth_password",
            Self::Interval => "interval",
            Self::Transport => "transport",
            Self::NotAPeer => "not_a_peer",
            Self::OwnAddress => "own_address",
            Self::Family => "family",
            Self::HmacUnexpected => "hmac_unexpected",
            Self::HmacMissing => "hmac_missing",
            Self::HmacMalformed => "hmac_malformed",
            Self::HmacStale => "hmac_stale",
            Self::HmacUnknownKey => "hmac_unknown_key",
            Self::HmacWrong => "hmac_wrong",
            Self::HmacReplay => "hmac_replay",
        }
    }
}

/// The reason as a phrase for people.
impl fmt::Display for Discard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ttl => "wrong TTL or hop limit",
            Self::Version => "another version",
            Self::Type => "not an advertisement",
            Self::Length => "wrong length",
            Self::Checksum => "wrong checksum",
            Self::Vrid => "another virtual router",
            Self::Count => "without any address",
            Self::AuthType => "another kind of authentication",
            Self::AuthPassword => "wrong password",
            Self::Interval => "another interval",
            Self::Transport => "multicast for unicast, or the reverse",
            Self::NotAPeer => "not from a peer",
            Self::OwnAddress => "from this node's own address",
            Self::Family => "the other family of IP",
            Self::HmacUnexpected => "an HMAC that nothing is known of",
            Self::HmacMissing => "without an HMAC",
            Self::HmacMalformed => "an HMAC of unknown form",
            Self::HmacStale => "an HMAC from another time",
            Self::HmacUnknownKey => "an HMAC with an unknown key",
            Self::HmacWrong => "wrong HMAC",
            Self::HmacReplay => "an HMAC that was heard before",
        })
    }
}

/// What a router has sent and heard since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Adverts sent, those of priority 0 included.
    pub sent: u64,
    /// Of the sent: those of priority 0, by which a Master gives up.
    pub releases_sent: u64,
    /// Adverts that passed all checks.
    pub received: u64,
    /// Of the received: those of priority 0.
    pub releases_received: u64,
    /// Of the received: those whose list of addresses differs from the configured one.
    pub address_list_differs: u64,
    /// Of the received version 3: those whose checksum leaves the pseudo-header out (RFC 9568).
    pub message_only_checksums: u64,
    /// How often this router became Master.
    pub became_master: u64,
    /// How often it ceased to be Master.
    pub ceased_master: u64,
    /// How often somebody else claimed an address while this router was Master and stayed it.
    pub contested: u64,
    discarded: [u64; Discard::ALL.len()],
}

impl Counters {
    /// How many packets were discarded for `reason`.
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded[reason as usize]
    }

    pub(crate) fn count_discarded(&mut self, reason: Discard) {
        self.discarded[reason as usize] += 1;
    }

    pub(crate) fn count_received(&mut self, spec: &Spec, received: &Received<'_>) {
        self.received += 1;
        self.releases_received += u64::from(received.advert.priority == Priority::RELEASE);
        let own = AddressList::from(spec.addresses.as_slice());
        let is_same = own.names_the_same(received.advert.addresses);
        self.address_list_differs += u64::from(!is_same);
        let is_v3 = matches!(received.advert.protocol, Protocol::V3 { .. });
        let message_only = is_v3 && received.checksum == ChecksumForm::Message;
        self.message_only_checksums += u64::from(message_only);
    }
}

/// The checks that need the router's configuration; those of the packet alone are in
/// [`crate::decode`].
///
/// A different list of addresses is counted, but is no reason to discard: it would make two Masters
/// of two nodes whose lists are changed one after the other. Nor does a router of priority 255
/// ignore others (RFC 9568 §7.1): two owners would both stay for ever.
///
/// # Errors
/// The first check that failed.
pub(crate) fn check(spec: &Spec, received: &Received<'_>) -> Result<(), Discard> {
    let advert = &received.advert;
    if received.ttl < ttl_min(&spec.transport) {
        return Err(Discard::Ttl);
    }
    if received.route.source.is_ipv4() != spec.source.is_ipv4() {
        return Err(Discard::Family);
    }
    if advert.vrid != spec.vrid {
        return Err(Discard::Vrid);
    }
    check_protocol(&spec.protocol, &advert.protocol)?;
    if received.route.source == spec.source {
        return Err(Discard::OwnAddress);
    }
    check_transport(spec, received.route)
}

/// The least TTL, or hop limit, that adverts may arrive with.
pub(crate) fn ttl_min(transport: &Transport) -> u8 {
    match transport {
        Transport::Multicast => TTL,
        Transport::Unicast { min_ttl, .. } => *min_ttl,
    }
}

fn check_protocol(own: &Protocol, heard: &Protocol) -> Result<(), Discard> {
    match (own, heard) {
        (Protocol::V3 { .. }, Protocol::V3 { .. }) => Ok(()),
        (
            Protocol::V2 { interval, auth },
            Protocol::V2 {
                interval: interval_heard,
                auth: auth_heard,
            },
        ) => {
            check_auth(auth, auth_heard)?;
            if interval == interval_heard {
                Ok(())
            } else {
                Err(Discard::Interval)
            }
        }
        (Protocol::V2 { .. }, Protocol::V3 { .. }) | (Protocol::V3 { .. }, Protocol::V2 { .. }) => {
            Err(Discard::Version)
        }
    }
}

fn check_auth(own: &Auth, heard: &Auth) -> Result<(), Discard> {
    match (own, heard) {
        (Auth::None, Auth::None) => Ok(()),
        (Auth::Pass(own), Auth::Pass(heard)) if own == heard => Ok(()),
        (Auth::Pass(_), Auth::Pass(_)) => Err(Discard::AuthPassword),
        (Auth::None, Auth::Pass(_)) | (Auth::Pass(_), Auth::None) => Err(Discard::AuthType),
    }
}

fn check_transport(spec: &Spec, route: Route) -> Result<(), Discard> {
    match &spec.transport {
        Transport::Multicast if route.destination == spec.group() => Ok(()),
        Transport::Multicast => Err(Discard::Transport),
        Transport::Unicast { .. } if route.destination.is_multicast() => Err(Discard::Transport),
        Transport::Unicast { peers, .. } if peers.contains(&route.source) => Ok(()),
        Transport::Unicast { .. } => Err(Discard::NotAPeer),
    }
}
