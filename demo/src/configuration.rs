//! The nodes' configuration: the same file on both, as in a real pair.

use std::fmt::Write;
use std::path::Path;

use crate::network::{BACKENDS, GATEWAYS, INTERFACE, NODES};

/// Writes the file's text. `sole_user` when there is no user but root (a user namespace);
/// `notifications` is the file that transitions are written to.
pub(crate) fn text(sole_user: bool, notifications: &Path) -> String {
    let mut text = String::from("[cluster]\nname = \"demo\"\n");
    if sole_user {
        text.push_str("\n[global]\nuser = \"root\"\ngroup = \"root\"\n");
    }
    for node in NODES {
        push(
            &mut text,
            format_args!("\n[nodes.{}]\naddress = \"{}\"\n", node.name, node.address),
        );
    }
    for gateway in GATEWAYS {
        let priority = |node| if node == gateway.preferred { 200 } else { 100 };
        push(
            &mut text,
            format_args!(
                "\n[virtual_routers.{}]\ninterface = \"{INTERFACE}\"\nvrid = {}\nversion = 3\n\
                 advert_interval = \"100ms\"\npriority = {{ {} = {}, {} = {} }}\n\
                 addresses = [\"{}/32\"]\nnotify = [\"log\"]\n",
                gateway.name,
                gateway.vrid,
                NODES[0].name,
                priority(0),
                NODES[1].name,
                priority(1),
                gateway.address,
            ),
        );
    }
    let bind = GATEWAYS.map(|gateway| format!("\"{}:80\"", gateway.address));
    let servers = BACKENDS.map(|backend| format!("{{ address = \"{}\" }}", backend.service()));
    push(
        &mut text,
        format_args!(
            "\n[proxy]\nworkers = 2\n\
             \n[listeners.public]\nbind = [{}]\nnode_header = true\n\
             \n[upstreams.app]\nservers = [{}]\n\
             check = {{ http = \"/healthz\", interval = \"500ms\", fall = 2, rise = 2 }}\n\
             \n[[routes]]\nlistener = \"public\"\npath = \"/\"\nupstream = \"app\"\n\
             \n[[routes]]\nlistener = \"public\"\npath = \"/status\"\nstatus_page = true\n\
             \n[notify.log]\nfile = \"{}\"\n",
            bind.join(", "),
            servers.join(", "),
            notifications.display(),
        ),
    );
    text
}

fn push(text: &mut String, part: std::fmt::Arguments<'_>) {
    text.write_fmt(part).expect("a String takes all");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_node_is_preferred_for_one_address() {
        let text = text(false, Path::new("/mnt/proxy101/notifications.log"));
        for line in [
            "priority = { proxy101 = 200, proxy102 = 100 }\naddresses = [\"192.168.0.105/32\"]",
            "priority = { proxy101 = 100, proxy102 = 200 }\naddresses = [\"192.168.0.106/32\"]",
            "bind = [\"192.168.0.105:80\", \"192.168.0.106:80\"]",
        ] {
            assert!(text.contains(line), "{line}\nis not in\n{text}");
        }
    }

    #[test]
    fn only_a_world_without_users_names_one() {
        for sole_user in [false, true] {
            let text = text(sole_user, Path::new("/x"));
            assert_eq!(text.contains("[global]"), sole_user);
        }
    }
}
