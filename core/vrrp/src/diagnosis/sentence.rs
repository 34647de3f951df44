//! Findings as sentences: what is wrong, and what to do about it.

use std::fmt;
use std::net::IpAddr;

use super::{Finding, Holder, Mac};
use crate::checks::Discard;
use crate::packet::{Auth, Protocol, TTL};

/// What systems send ordinary packets with, and keepalived 2.2.7 its unicast adverts over IPv6.
const ORDINARY_HOP_LIMIT: u8 = 64;

/// Seen with keepalived 2.2.7: each advert that it discards sets its own timer back.
const SILENT_REJECTION: &str = "a keepalived that is MASTER falls silent while it rejects the \
                                adverts of another MASTER: compare password, interval, version and \
                                addresses";

impl Finding {
    /// What to do about it: sentences, without the last full stop.
    pub fn advice(&self) -> String {
        match self {
            Self::InterfaceMissing => "`ip link` lists the interfaces; correct `interface`".into(),
            Self::InterfaceDown => "switch it on (`ip link set ... up`), look at the cable".into(),
            Self::NoLinkLocal => "Until it has one the router is FAULT: `ip -6 addr` shows whether \
                                  another machine has the same (`dadfailed`); switch IPv6 on \
                                  (net.ipv6.conf.*.disable_ipv6 = 0)"
                .into(),
            Self::Foreign { is_accepted, .. } => {
                let danger = if *is_accepted {
                    "It takes part in the election. "
                } else {
                    ""
                };
                format!(
                    "{danger}If it belongs to the pair, add it to [nodes]; else give one of the two \
                     another vrid"
                )
            }
            Self::Rejected {
                speaker,
                reason: Discard::Ttl,
                ttl,
                ..
            } if speaker.is_ipv6() && *ttl == ORDINARY_HOP_LIMIT => {
                "keepalived sends unicast over IPv6 so: set `unicast_min_ttl = 64` beside it, or \
                 transport = \"multicast\" on all nodes. Without keepalived there, a router or a \
                 tunnel lies between the nodes: they must share a link"
                    .into()
            }
            Self::Rejected { reason, .. } => remedy(*reason).into(),
            Self::OtherFamily { .. } => "An identifier means another virtual router in each family. \
                                         If this one is meant, give all nodes virtual addresses of \
                                         the same family; else nothing"
                .into(),
            Self::AddressList { .. } => "Let the lists agree. This node tolerates the difference, \
                                         keepalived before 2.3.3 does not, and two of them own then"
                .into(),
            Self::IntervalLearned { .. } => "Set the same `advert_interval` on all nodes: a Backup \
                                             learns that of its Master, and takes over later or \
                                             sooner than you expect"
                .into(),
            Self::ChecksumForm { .. } => "Nothing, if it listens to us: we accept both forms, and \
                                          send the one with the pseudo-header. If it does not, both \
                                          will be MASTER"
                .into(),
            Self::Unsigned { .. } => "Give it the same `auth`, then set mode = \"enforce\" on all \
                                      nodes: until then anybody on the link can speak in its name"
                .into(),
            Self::ClocksApart { .. } => remedy(Discard::HmacStale).into(),
            Self::Swallowed {
                rules,
                has_strict_rp_filter,
                ..
            } => {
                let mut advice = with_rules("Let protocol 112 in (`meta l4proto vrrp accept`)", rules);
                if *has_strict_rp_filter {
                    advice.push_str(". rp_filter is 1: if the way back to the sender is another \
                                     interface, set it to 2");
                }
                advice
            }
            Self::NodeAddressTaken { .. } => "Give one of the two machines another address".into(),
            Self::HeldSilently { rules, .. } => {
                let advice = format!(
                    "If evenkeel is running, something drops what it sends: let protocol 112 out. \
                     If keepalived is, the same, or {SILENT_REJECTION}. If nothing is, remove the \
                     address (`ip addr del`)"
                );
                with_rules(&advice, rules)
            }
            Self::SeveralMasters { .. } => "They do not hear, or do not accept, one another: see \
                                            the other findings, and run this on the other node"
                .into(),
            Self::NoMaster { group, rules } => {
                let network = match group {
                    Some(IpAddr::V4(_)) => {
                        "a switch that snoops IGMP may lose multicast (transport = \"unicast\" \
                         avoids it)"
                    }
                    Some(IpAddr::V6(_)) => {
                        "a switch that snoops MLD may lose multicast (transport = \"unicast\" \
                         avoids it)"
                    }
                    None => "see that the peers list this node's address",
                };
                let advice = format!(
                    "Start evenkeel on a node; if it runs, let protocol 112 through all firewalls \
                     between the nodes, and {network}"
                );
                with_rules(&advice, rules)
            }
            Self::TooShort { needed } => {
                format!("Listen longer: --seconds {}", needed.as_secs().saturating_add(1))
            }
            Self::SeveralOwners { has_silent, .. } => {
                let advice = "Clients reach either. Find out why both own it: see the other \
                              findings; remove it where it was put by hand";
                if *has_silent {
                    format!("{advice}. One of them sends no adverts: {SILENT_REJECTION}")
                } else {
                    advice.into()
                }
            }
            Self::Unanswered {
                address: IpAddr::V4(_),
            } => "Look at the MASTER: `ip addr`, and net.ipv4.conf.*.arp_ignore".into(),
            Self::Unanswered {
                address: IpAddr::V6(_),
            } => "Look at the MASTER: `ip -6 addr` (neither `tentative` nor `dadfailed`), and whether \
                  firewalls let ICMPv6 through"
                .into(),
            Self::HeldByStranger { .. } => "Find the machine, and remove the address from it".into(),
            Self::ClaimedByOtherVrid { .. } => {
                "An address belongs to one virtual router: remove it from one".into()
            }
            Self::ArpIgnored { .. } => "Set net.ipv4.conf.all.arp_ignore and that of the interface \
                                        to 0"
                .into(),
            Self::FirewallDrops { rules } => with_rules("Let protocol 112 through", rules),
            Self::UnknownSegments { rule } => format!(
                "After a takeover clients of the dead node then wait for minutes instead of \
                 connecting again. Reject such segments with a TCP reset, or set \
                 net.netfilter.nf_conntrack_tcp_loose = 1. The rule: {rule}"
            ),
        }
    }
}

fn with_rules(advice: &str, rules: &[String]) -> String {
    match rules {
        [] => advice.to_owned(),
        rules => format!("{advice}. Rules that look like it: {}", rules.join(" | ")),
    }
}

/// For packets that are discarded.
fn remedy(reason: Discard) -> &'static str {
    match reason {
        Discard::Ttl => "A router or a tunnel lies between the nodes: they must share a link",
        Discard::Version => "Set the same `version` on all nodes (keepalived: vrrp_version)",
        Discard::AuthType | Discard::AuthPassword => {
            "Set the same `auth` on all nodes (keepalived: auth_type, auth_pass); until then each \
             takes itself for the MASTER"
        }
        Discard::Interval => {
            "Set the same `advert_interval` on all nodes (keepalived: advert_int); until then each \
             takes itself for the MASTER"
        }
        Discard::HmacUnexpected => {
            "Set the same `auth` on all nodes: mode = \"receive-only\" on each first, then \
             \"permissive\", then \"enforce\""
        }
        Discard::HmacMissing => {
            "Set the same `auth` on all nodes (keepalived: auth_hmac, from 2.4.2 on); until it signs, \
             mode = \"permissive\" here"
        }
        Discard::HmacMalformed => "The node speaks another draft of the trailer: update it",
        Discard::HmacStale => {
            "Let both nodes take their time from NTP: `chronyc tracking`, `timedatectl`"
        }
        Discard::HmacUnknownKey => {
            "Give all nodes the same `keys`, and only then let one sign with another (`active`)"
        }
        Discard::HmacWrong | Discard::HmacReplay => {
            "Compare the `keys` of the nodes; keepalived before 2.4.2 signs in another way. If all is \
             the same, somebody tampers with adverts"
        }
        Discard::Transport => {
            "Set the same `transport` on all nodes (keepalived: unicast_peer for unicast)"
        }
        Discard::NotAPeer => "Add it to `peers`",
        Discard::Length | Discard::Checksum | Discard::Type | Discard::Count | Discard::Vrid => {
            "Something damages packets on their way, or a program there is broken: look with \
             `tcpdump -vvi INTERFACE proto 112`"
        }
        Discard::OwnAddress => "Give one of the two machines another address",
        Discard::Family => "Give all nodes virtual addresses of the same family",
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InterfaceMissing => f.write_str("the interface does not exist on this node"),
            Self::InterfaceDown => f.write_str("the interface is down"),
            Self::NoLinkLocal => f.write_str(
                "the interface has no link-local IPv6 address, from which adverts go out",
            ),
            Self::Foreign {
                speaker,
                priority,
                adverts,
                ..
            } => write!(
                f,
                "{speaker} speaks for this virtual router (priority {priority}, {adverts} adverts) \
                 and is none of [nodes]"
            ),
            Self::Rejected {
                speaker,
                reason,
                ttl,
                ttl_min,
                heard,
                own,
            } => {
                let protocols = (heard.unwrap_or(*own), *own);
                write_rejected(f, *speaker, *reason, (*ttl, *ttl_min), protocols)
            }
            Self::OtherFamily { speaker } => write!(
                f,
                "{speaker} speaks for this identifier over {}, and is none of [nodes]",
                if speaker.is_ipv6() { "IPv6" } else { "IPv4" }
            ),
            Self::AddressList {
                speaker,
                missing,
                added,
            } => {
                write!(f, "{speaker} has other virtual addresses:")?;
                let parts = [("without", missing), ("also with", added)];
                for (word, addresses) in parts.iter().filter(|(_, list)| !list.is_empty()) {
                    write!(f, " {word} {}", list(addresses))?;
                }
                Ok(())
            }
            Self::IntervalLearned {
                speaker,
                heard,
                own,
            } => write!(
                f,
                "{speaker} sends every {heard:?}, this node every {own:?}"
            ),
            Self::ChecksumForm { speaker } => write!(
                f,
                "{speaker} leaves the pseudo-header out of its checksum (RFC 9568)"
            ),
            Self::Unsigned { speaker } => write!(
                f,
                "{speaker} does not sign its adverts, and this node listens to them all the same"
            ),
            Self::ClocksApart {
                speaker,
                apart,
                window,
            } => write!(
                f,
                "the clocks of {speaker} and of this node are {apart:.1?} apart; at {window:?} its \
                 adverts are not listened to any more"
            ),
            Self::Swallowed {
                speaker, packets, ..
            } => write!(
                f,
                "{packets} adverts of {speaker} reached the interface, and none a program: \
                 this node drops them"
            ),
            Self::NodeAddressTaken { address, mac } => write!(
                f,
                "{} sends adverts from {address}, this node's own address",
                Hex(mac)
            ),
            Self::HeldSilently { addresses, .. } => write!(
                f,
                "this node has {}, and no advert leaves it",
                list(addresses)
            ),
            Self::SeveralMasters { masters } => {
                let one = |(address, priority): &(IpAddr, u8)| format!("{address} ({priority})");
                let all: Vec<String> = masters.iter().map(one).collect();
                write!(f, "there are {} MASTERs: {}", all.len(), all.join(", "))
            }
            Self::NoMaster { .. } => f.write_str("nobody is MASTER: not one advert was seen"),
            Self::TooShort { needed } => write!(
                f,
                "no advert was seen, but a Backup too would wait for {needed:.1?}"
            ),
            Self::SeveralOwners {
                address, holders, ..
            } => {
                let one = |holder: &Holder| match holder {
                    Holder::Here => "this node".to_owned(),
                    Holder::There(mac) => Hex(mac).to_string(),
                };
                let all: Vec<String> = holders.iter().map(one).collect();
                write!(f, "{address} has {} owners: {}", all.len(), all.join(", "))
            }
            Self::Unanswered { address } => {
                let question = if address.is_ipv6() {
                    "neighbour solicitations"
                } else {
                    "ARP"
                };
                write!(
                    f,
                    "there is a MASTER, but nobody answers {question} for {address}"
                )
            }
            Self::HeldByStranger { address, mac } => write!(
                f,
                "{address} is answered for by {}, from whom no advert comes",
                Hex(mac)
            ),
            Self::ClaimedByOtherVrid {
                vrid,
                speaker,
                address,
            } => write!(f, "{speaker} has {address} in its virtual router {vrid}"),
            Self::ArpIgnored { arp_ignore } => write!(
                f,
                "arp_ignore is {arp_ignore}: as MASTER this node would not answer ARP for all of \
                 its virtual addresses"
            ),
            Self::FirewallDrops { .. } => f.write_str("the firewall of this node drops VRRP"),
            Self::UnknownSegments { .. } => {
                f.write_str("the firewall of this node drops segments of unknown connections")
            }
        }
    }
}

fn write_rejected(
    f: &mut fmt::Formatter<'_>,
    speaker: IpAddr,
    reason: Discard,
    (ttl, ttl_min): (u8, u8),
    (heard, own): (Protocol, Protocol),
) -> fmt::Result {
    write!(f, "adverts of {speaker} are not listened to: ")?;
    match reason {
        Discard::Ttl => {
            let name = if speaker.is_ipv6() {
                "hop limit"
            } else {
                "TTL"
            };
            let or_more = if ttl_min < TTL { " or more" } else { "" };
            write!(f, "their {name} is {ttl}, it must be {ttl_min}{or_more}")
        }
        Discard::Version => match heard == own {
            true => f.write_str("their version is neither 2 nor 3"),
            false => write!(f, "version {}, here {}", version(&heard), version(&own)),
        },
        Discard::AuthType => write!(f, "{}, here {}", password(&heard), password(&own)),
        Discard::AuthPassword => f.write_str("another password"),
        Discard::Interval => match heard == own {
            true => f.write_str("their interval is zero"),
            false => write!(
                f,
                "their interval is {:?}, here {:?}",
                heard.interval(),
                own.interval()
            ),
        },
        Discard::HmacUnexpected => f.write_str("they have an HMAC trailer, this node has no key"),
        Discard::HmacMissing => f.write_str("they have no HMAC trailer, which this node enforces"),
        Discard::HmacMalformed => f.write_str("their HMAC trailer has an unknown form"),
        Discard::HmacStale => {
            f.write_str("they are signed at another time than this node's clock has")
        }
        Discard::HmacUnknownKey => f.write_str("they are signed with a key that this node lacks"),
        Discard::HmacWrong => f.write_str("their HMAC is wrong"),
        Discard::HmacReplay => f.write_str("they were sent before"),
        Discard::Transport => f.write_str("one sends to the group, the other to single nodes"),
        Discard::NotAPeer => f.write_str("it is not in the list of peers"),
        Discard::Length => f.write_str("their length is wrong"),
        Discard::Checksum => f.write_str("their checksum is wrong"),
        Discard::Type => f.write_str("they are no advertisements"),
        Discard::Count => f.write_str("they have no address"),
        Discard::Vrid => f.write_str("their virtual router is wrong"),
        Discard::OwnAddress => f.write_str("they come from this node's own address"),
        Discard::Family => f.write_str("they come over the other family of IP"),
    }
}

fn version(protocol: &Protocol) -> u8 {
    match protocol {
        Protocol::V2 { .. } => 2,
        Protocol::V3 { .. } => 3,
    }
}

fn password(protocol: &Protocol) -> &'static str {
    match protocol {
        Protocol::V2 {
            auth: Auth::Pass(_),
            ..
        } => "with a password",
        Protocol::V2 {
            auth: Auth::None, ..
        }
        | Protocol::V3 { .. } => "without a password",
    }
}

fn list(addresses: &[IpAddr]) -> String {
    let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
    addresses.join(", ")
}

/// An Ethernet address as people write it.
struct Hex<'m>(&'m Mac);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}
