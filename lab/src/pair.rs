//! The article's pair, of two nodes of the product.

use std::fs;
use std::time::Duration;

use crate::{AddressWatch, Host, HttpStub, Lan, Node, VIP, tool, wait_until};

/// The configuration that a user is given; only paths are adapted.
const PAIR: &str = include_str!("../tests/configs/pair.toml");

/// Two nodes and two back ends; `proxy101` owns the address.
pub struct Pair {
    /// `proxy101`, of higher priority.
    pub first: Node,
    /// `proxy102`.
    pub second: Node,
    /// Who owns the address, and when.
    pub watch: AddressWatch,
    /// `app201` and `app202`.
    pub backends: [HttpStub; 2],
    /// Where all this is; it goes last.
    pub lan: Lan,
}

impl Pair {
    /// Starts everything, and waits until `proxy101` owns the address and answers through it, and
    /// `proxy102` is ready to take over.
    pub fn start() -> Self {
        let lan = Lan::new();
        let backends = ["app201", "app202"].map(|name| HttpStub::backend(lan.host(name)));
        let watch = AddressWatch::start(&lan, VIP, &["proxy101", "proxy102"]);
        let node = |name| {
            let host = lan.host(name);
            Node::start(host, &pair_configuration(host))
        };
        let pair = Self {
            first: node("proxy101"),
            second: node("proxy102"),
            watch,
            backends,
            lan,
        };
        pair.wait_until_settled();
        pair
    }

    /// Waits until `proxy101` owns the address and answers through it, and `proxy102` is a Backup in
    /// full service.
    pub fn wait_until_settled(&self) {
        self.first.wait_for_service();
        self.second.wait_for_service();
        self.watch
            .wait_for_owner("proxy101", Duration::from_secs(60));
        self.first.wait_for_state("MASTER");
        self.second.wait_for_state("BACKUP");
        let client = self.lan.host("client");
        wait_until(
            "an answer through the address",
            Duration::from_secs(30),
            || {
                client.inside(|| {
                    tool::succeeds(&["curl", "-sf", "-m", "2", &url("/app/")]).then_some(())
                })
            },
        );
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> &Node {
        if name == "proxy101" {
            &self.first
        } else {
            &self.second
        }
    }
}

/// The article's configuration for `host` in version 3, without a password, with adverts at this interval.
pub fn paced_configuration(host: &Host, interval: Duration) -> String {
    let pace = format!("advert_interval = \"{}ms\"", interval.as_millis());
    let article = pair_configuration(host);
    let lines = article.lines().map(|line| match line.split(' ').next() {
        Some("version") => "version = 3",
        Some("advert_interval") => &pace,
        Some("auth") => "",
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// A URL at the virtual address.
pub(crate) fn url(path: &str) -> String {
    format!("http://{VIP}{path}")
}

/// The article's configuration for `host`, with the paths of files in the host's directory. The
/// script that it names is there too, and writes its arguments into `policy.log`.
pub fn pair_configuration(host: &Host) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let log = host.files().join("policy.log");
    fs::write(&log, "").expect("a file can be written");
    // The script runs as an unprivileged user.
    fs::set_permissions(&log, fs::Permissions::from_mode(0o666)).expect("an own file's mode");
    let script = host.files().join("keepalived_policy.sh");
    tool::write_script(&script, &format!("echo \"$*\" >> {}\n", log.display()));
    let files = host.files().to_str().expect("temporary paths are ASCII");
    PAIR.replace("/var/log/evenkeel", files)
        .replace("/usr/local/bin", files)
}
