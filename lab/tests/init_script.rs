//! The init script answers as the Linux Standard Base says (Core 5.0, chapter 22.2).

use std::fs;
use std::path::Path;
use std::time::Duration;

use lab::{Lan, Node, Signal, VIP, pair_configuration, signal, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// The script on one host, with a `/etc/default/evenkeel` of its own.
struct Service<'a> {
    node: &'a Node,
}

impl<'a> Service<'a> {
    fn new(node: &'a Node) -> Self {
        let files = node.host().files();
        let defaults = files.join("default");
        fs::create_dir(&defaults).expect("a directory can be made");
        let variables = format!(
            "DAEMON={}\nCONFIG={}\nRUN_DIR={}\nSTATE_DIR={}\nOPTIONS='--node {}'\n",
            lab::program().display(),
            node.configuration_file().display(),
            node.run_dir().display(),
            files.join("state").display(),
            node.host().name(),
        );
        fs::write(defaults.join("evenkeel"), variables).expect("a file can be written");
        Self { node }
    }

    /// The exit status of one action, called as the init system does.
    fn call(&self, action: &str) -> i32 {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../etc/init.d/evenkeel");
        let defaults = self.node.host().files().join("default");
        let line = format!(
            "mount --bind {} /etc/default && exec {} {action}",
            defaults.display(),
            script.display()
        );
        self.node
            .host()
            .inside(|| lab::exit_status(&["unshare", "--mount", "sh", "-c", &line]))
    }

    fn pid(&self) -> u32 {
        let file = self.node.run_dir().join("evenkeel.pid");
        let text = fs::read_to_string(file).expect("there is a pid file");
        text.trim().parse().expect("a pid file has a number")
    }
}

#[test]
fn every_action_answers_with_its_code() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let well = pair_configuration(host);
    let node = Node::prepare(host, &well);
    let service = Service::new(&node);

    // Not running.
    assert_eq!(service.call("status"), 3);
    assert_eq!(service.call("stop"), 0, "it was so already");
    assert_eq!(service.call("reload"), 7);
    assert_eq!(service.call("configtest"), 0);
    assert_eq!(service.call("nonsense"), 2);

    // Running, from the moment at which start returns.
    assert_eq!(service.call("start"), 0);
    assert_eq!(service.call("status"), 0);
    let first = service.pid();
    assert_eq!(service.call("start"), 0, "it was so already");
    assert_eq!(service.pid(), first);
    node.wait_for_state("MASTER");
    assert!(host.owns(VIP));
    assert_eq!(service.call("reload"), 0);
    assert_eq!(service.call("force-reload"), 0);
    assert_eq!(service.pid(), first);

    assert_eq!(service.call("restart"), 0);
    assert_eq!(service.call("status"), 0);
    let second = service.pid();
    assert_ne!(second, first);

    // A broken configuration ends nothing.
    node.write_configuration(&well.replace("vrid = 101", "vrid = 0"));
    for action in ["configtest", "reload", "restart"] {
        assert_eq!(service.call(action), 1, "{action}");
    }
    assert_eq!(service.call("status"), 0);
    assert_eq!(service.pid(), second);
    node.write_configuration(&well);

    // Dead, with a pid file left.
    signal(Signal::Kill, &[second]);
    wait_until("the children have ended", LONG, || {
        node.on_its_host().is_empty().then_some(())
    });
    assert_eq!(service.call("status"), 1);
    assert_eq!(service.call("start"), 0);
    assert_eq!(service.call("status"), 0);

    assert_eq!(service.call("stop"), 0);
    assert_eq!(service.call("status"), 3);
    assert!(!host.owns(VIP));
    assert_eq!(node.on_its_host(), []);

    fs::remove_file(node.configuration_file()).expect("it was there");
    assert_eq!(service.call("start"), 6);
    assert_eq!(service.call("status"), 3);
}
