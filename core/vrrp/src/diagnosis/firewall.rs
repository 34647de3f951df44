//! What a firewall's rules, as `nft list ruleset` and `iptables-save` print them, do to VRRP and to
//! connections that move from node to node.
//!
//! It reads lines, not the language: enough to point at the line that a person should look at.

/// The rules of this node, as far as they can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Firewall {
    /// What `nft list ruleset` prints; empty when there is no nft.
    pub nft: String,
    /// What `iptables-save` prints; empty when there is none.
    pub iptables: String,
    /// `net.netfilter.nf_conntrack_tcp_loose` is 0: what belongs to no connection that was seen from
    /// its beginning is invalid.
    pub is_tcp_strict: bool,
}

impl Firewall {
    /// Rules that drop protocol 112.
    pub(super) fn vrrp_drops(&self) -> Vec<String> {
        let drops = self.lines().filter(|line| names_vrrp(line) && drops(line));
        drops.map(str::to_owned).collect()
    }

    /// [`Self::vrrp_drops`], and chains that let nothing in unless it is named, where VRRP is not.
    pub(super) fn against_vrrp(&self) -> Vec<String> {
        let mut rules = self.vrrp_drops();
        if !self.lines().any(|line| names_vrrp(line) && accepts(line)) {
            rules.extend(
                self.lines()
                    .filter(|line| is_closed(line))
                    .map(str::to_owned),
            );
        }
        rules
    }

    /// The rule by which a segment of a connection that this node does not know is dropped instead of
    /// answered: clients of a dead peer would wait instead of connecting again.
    pub(super) fn swallows_unknown_segments(&self) -> Option<String> {
        let swallows = |line: &&str| {
            let lower = line.to_lowercase();
            let is_about_state = lower.contains("ct state") || lower.contains("state ");
            let is_invalid = self.is_tcp_strict && lower.contains("invalid");
            let is_new = lower.contains("new") && lower.contains("syn");
            drops(line) && is_about_state && (is_invalid || is_new)
        };
        self.lines().find(swallows).map(str::to_owned)
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let lines = self.nft.lines().chain(self.iptables.lines());
        lines.map(str::trim).filter(|line| !line.starts_with('#'))
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric())
}

/// `ip protocol 112`, `meta l4proto vrrp`, `-p vrrp`, also within a set.
fn names_vrrp(line: &str) -> bool {
    let is_about_protocol =
        words(line).any(|word| matches!(word, "protocol" | "l4proto" | "p" | "nexthdr"));
    is_about_protocol && words(line).any(|word| matches!(word, "112" | "vrrp"))
}

fn drops(line: &str) -> bool {
    words(line).any(|word| matches!(word, "drop" | "reject" | "DROP" | "REJECT"))
}

fn accepts(line: &str) -> bool {
    words(line).any(|word| matches!(word, "accept" | "ACCEPT"))
}

/// `type filter hook input priority 0; policy drop;`, `:INPUT DROP [0:0]`.
fn is_closed(line: &str) -> bool {
    let is_nft = line.contains("hook input") || line.contains("hook output");
    let is_iptables = line.starts_with(":INPUT ") || line.starts_with(":OUTPUT ");
    (is_nft && line.contains("policy drop")) || (is_iptables && drops(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nft(rules: &str) -> Firewall {
        Firewall {
            nft: rules.into(),
            ..Firewall::default()
        }
    }

    #[test]
    fn rules_against_vrrp_are_found() {
        let cases = [
            ("ip protocol 112 drop", true),
            ("ip protocol vrrp counter packets 3 bytes 120 drop", true),
            ("iifname \"em1\" meta l4proto { 112, 51 } reject", true),
            ("-A INPUT -p vrrp -j DROP", true),
            (
                "-A INPUT -i em1 -p 112 -j REJECT --reject-with icmp-port-unreachable",
                true,
            ),
            ("type filter hook input priority filter; policy drop;", true),
            (":INPUT DROP [0:0]", true),
            (
                "type filter hook input priority 0; policy drop;\nip protocol vrrp accept",
                false,
            ),
            ("ip protocol 112 accept", false),
            ("tcp dport 112 drop", false),
            ("# ip protocol 112 drop", false),
            ("type filter hook forward priority 0; policy drop;", false),
            ("", false),
        ];
        for (rules, expected) in cases {
            assert_eq!(!nft(rules).against_vrrp().is_empty(), expected, "{rules}");
        }
    }

    #[test]
    fn rules_that_swallow_unknown_segments_are_found() {
        let cases = [
            ("ct state invalid drop", true, true),
            (
                "ct state { invalid } counter packets 0 bytes 0 drop",
                true,
                true,
            ),
            (
                "-A INPUT -m conntrack --ctstate INVALID -j DROP",
                true,
                true,
            ),
            // With tcp_loose the segment makes a connection of its own.
            ("ct state invalid drop", false, false),
            ("ct state established,related accept", true, false),
            (
                "tcp flags & (fin|syn|rst|ack) != syn ct state new drop",
                false,
                true,
            ),
            (
                "-A INPUT -p tcp ! --syn -m state --state NEW -j DROP",
                false,
                true,
            ),
            ("tcp dport 22 ct state new accept", true, false),
        ];
        for (rule, is_tcp_strict, expected) in cases {
            let firewall = Firewall {
                is_tcp_strict,
                ..nft(rule)
            };
            assert_eq!(
                firewall.swallows_unknown_segments().is_some(),
                expected,
                "{rule}"
            );
        }
    }
}
