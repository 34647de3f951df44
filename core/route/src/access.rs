//! Who may use a route.

use std::net::IpAddr;

use ipnet::IpNet;

/// Networks that are let in and networks that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// Who may; empty: everybody who is not denied.
    pub allow: Vec<IpNet>,
    /// Who may not, also when `allow` has them.
    pub deny: Vec<IpNet>,
}

impl Access {
    /// Whether `client` may pass. An IPv4 address in IPv6 clothing counts as the IPv4 address.
    pub fn permits(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        let listed = |nets: &[IpNet]| nets.iter().any(|net| net.contains(&client));
        !listed(&self.deny) && (self.allow.is_empty() || listed(&self.allow))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_of_who_may_shuts_out_everybody_else() {
        let nets = |list: &[&str]| list.iter().map(|net| net.parse().unwrap()).collect();
        let cases: [(&[&str], &[&str], &str, bool); 8] = [
            (&[], &[], "203.0.113.9", true),
            (
                &["127.0.0.1/32", "192.168.0.0/24"],
                &[],
                "192.168.0.77",
                true,
            ),
            (
                &["127.0.0.1/32", "192.168.0.0/24"],
                &[],
                "192.168.1.1",
                false,
            ),
            (
                &["192.168.0.0/24"],
                &["192.168.0.9/32"],
                "192.168.0.9",
                false,
            ),
            (&[], &["10.0.0.0/8"], "10.1.2.3", false),
            (&[], &["10.0.0.0/8"], "11.1.2.3", true),
            (&["127.0.0.0/8"], &[], "::ffff:127.0.0.1", true),
            (&["2001:db8::/32"], &[], "2001:db8::1", true),
        ];
        for (allow, deny, client, permitted) in cases {
            let access = Access {
                allow: nets(allow),
                deny: nets(deny),
            };
            assert_eq!(
                access.permits(client.parse().unwrap()),
                permitted,
                "{allow:?} {client}"
            );
        }
    }
}
