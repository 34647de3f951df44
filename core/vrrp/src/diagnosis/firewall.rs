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
    /// What `ip6tables-save` prints; empty when there is none.
    pub ip6tables: String,
    /// `net.netfilter.nf_conntrack_tcp_loose` is 0: what belongs to no connection that was seen from
    /// its beginning is invalid.
    pub is_tcp_strict: bool,
}

impl Firewall {
    /// The rules that packets of one family meet.
    pub(super) fn rules(&self, is_ipv6: bool) -> Rules<'_> {
        let (other_tables, saved) = match is_ipv6 {
            false => ("ip6", &self.iptables),
            true => ("ip", &self.ip6tables),
        };
        let mut family = "";
        let nft = self.nft.lines().map(str::trim).filter(|line| {
            if let Some(table) = line.strip_prefix("table ") {
                family = words(table).next().unwrap_or_default();
            }
            family != other_tables
        });
        let all = nft.chain(saved.lines().map(str::trim));
        Rules {
            lines: all.filter(|line| !line.starts_with('#')).collect(),
            is_ipv6,
            is_tcp_strict: self.is_tcp_strict,
        }
    }
}

/// The rules for one family.
#[derive(Debug)]
pub(super) struct Rules<'f> {
    lines: Vec<&'f str>,
    is_ipv6: bool,
    is_tcp_strict: bool,
}

impl Rules<'_> {
    /// Rules that drop protocol 112.
    pub(super) fn vrrp_drops(&self) -> Vec<String> {
        self.those(|line| self.names_vrrp(line) && drops(line))
    }

    /// [`Self::vrrp_drops`], and chains that let nothing in unless it is named, where VRRP is not.
    pub(super) fn against_vrrp(&self) -> Vec<String> {
        let mut rules = self.vrrp_drops();
        let mut lines = self.lines.iter();
        if !lines.any(|line| self.names_vrrp(line) && accepts(line)) {
            rules.extend(self.those(is_closed));
        }
        rules
    }

    /// The rule by which a segment of a connection that this node does not know is dropped instead of
    /// answered: clients of a dead peer would wait instead of connecting again.
    pub(super) fn swallows_unknown_segments(&self) -> Option<String> {
        let swallows = |line: &str| {
            let lower = line.to_lowercase();
            let is_about_state = lower.contains("ct state") || lower.contains("state ");
            let is_invalid = self.is_tcp_strict && lower.contains("invalid");
            let is_new = lower.contains("new") && lower.contains("syn");
            drops(line) && is_about_state && (is_invalid || is_new)
        };
        self.those(swallows).into_iter().next()
    }

    fn those(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let lines = self.lines.iter().filter(|line| wanted(line));
        lines.map(|line| (*line).to_owned()).collect()
    }

    /// `ip protocol 112`, `ip6 nexthdr 112`, `meta l4proto vrrp`, `-p vrrp`, also within a set.
    fn names_vrrp(&self, line: &str) -> bool {
        let is_about_protocol = words(line).any(|word| match word {
            "l4proto" | "p" => true,
            "protocol" => !self.is_ipv6,
            "nexthdr" => self.is_ipv6,
            _ => false,
        });
        is_about_protocol && words(line).any(|word| matches!(word, "112" | "vrrp"))
    }
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric())
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
            let firewall = nft(rules);
            let found = firewall.rules(false).against_vrrp();
            assert_eq!(!found.is_empty(), expected, "{rules}");
        }
    }

    #[test]
    fn rules_count_for_the_family_that_they_are_for() {
        // rules, against VRRP over IPv4, over IPv6
        let cases = [
            ("ip protocol 112 drop", true, false),
            ("ip6 nexthdr 112 drop", false, true),
            ("ip6 nexthdr { 58, vrrp } drop", false, true),
            ("meta l4proto vrrp drop", true, true),
            ("table ip filter {\nmeta l4proto 112 drop\n}", true, false),
            ("table ip6 filter {\nmeta l4proto 112 drop\n}", false, true),
            ("table inet filter {\nmeta l4proto 112 drop\n}", true, true),
            (
                "table ip6 filter {\n}\ntable ip filter {\nmeta l4proto 112 drop\n}",
                true,
                false,
            ),
            // What lets IPv4 through does not let IPv6 through.
            (
                "type filter hook input priority 0; policy drop;\nip protocol vrrp accept",
                false,
                true,
            ),
            (
                "type filter hook input priority 0; policy drop;\nmeta l4proto vrrp accept",
                false,
                false,
            ),
        ];
        for (rules, over_ipv4, over_ipv6) in cases {
            for (is_ipv6, expected) in [(false, over_ipv4), (true, over_ipv6)] {
                let firewall = nft(rules);
                let found = firewall.rules(is_ipv6).against_vrrp();
                assert_eq!(!found.is_empty(), expected, "IPv6 {is_ipv6}: {rules}");
            }
        }
        let saved = Firewall {
            iptables: ":INPUT DROP [0:0]".into(),
            ip6tables: "-A INPUT -p vrrp -j DROP".into(),
            ..Firewall::default()
        };
        assert_eq!(saved.rules(false).against_vrrp(), [":INPUT DROP [0:0]"]);
        let expected = ["-A INPUT -p vrrp -j DROP"];
        assert_eq!(saved.rules(true).against_vrrp(), expected);
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
            let found = firewall.rules(false).swallows_unknown_segments();
            assert_eq!(found.is_some(), expected, "{rule}");
            let elsewhere = Firewall {
                nft: format!("table ip6 filter {{\n{rule}\n}}"),
                ..firewall
            };
            let found = elsewhere.rules(false).swallows_unknown_segments();
            assert_eq!(found, None, "{rule}");
        }
    }
}
