//! A broken configuration is refused by check, start and reload, with file, line, column and a
//! sentence; the running instance goes on unchanged.

use std::process::Output;

use lab::{Answer, HttpStub, Lan, Node, pair_configuration};

/// One way to break the article's configuration.
struct Broken {
    /// What is wrong, for a reader.
    what: &'static str,
    /// A part of the configuration ...
    old: &'static str,
    /// ... and what a hurried operator writes in its place.
    new: &'static str,
    /// Stands in the line that must be shown, and nowhere before it.
    shown: &'static str,
    /// Stands in the message or the advice.
    says: &'static str,
}

const fn broken(
    what: &'static str,
    old: &'static str,
    new: &'static str,
    shown: &'static str,
    says: &'static str,
) -> Broken {
    Broken {
        what,
        old,
        new,
        shown,
        says,
    }
}

const SECOND_ROUTER: &str = "[scripts.chk_gateway]";

#[rustfmt::skip]
const CASES: &[Broken] = &[
    broken("not TOML", "[cluster]", "[cluster", "[cluster", "not TOML"),
    broken("a key twice", "vrid = 101", "vrid = 101\nvrid = 102", "vrid = 102", "duplicate key"),
    broken("unknown section", "[cluster]", "[clustre]", "[clustre]", "cluster"),
    broken("unknown key", "vrid = 101", "vird = 101", "vird", "vrid"),
    broken("missing key", "interface = \"em1\"", "", "[virtual_routers.YN_API_GATEWAY]", "interface"),
    broken("text for a number", "vrid = 101", "vrid = \"many\"", "many", "vrid"),
    broken("number for text", "interface = \"em1\"", "interface = 1", "interface = 1", "interface"),
    broken("number for a list", "bind = [\"192.168.0.101:80\", \"192.168.0.102:80\", \"192.168.0.105:80\"]", "bind = 80", "bind = 80", "bind"),
    broken("virtual router identifier out of range", "vrid = 101", "vrid = 256", "vrid = 256", "255"),
    broken("priority out of range", "proxy101 = 200", "proxy101 = 0", "proxy101 = 0", "priority"),
    broken("priority of an unknown node", "proxy102 = 199 }", "proxy103 = 199 }", "proxy103", "proxy103"),
    broken("unknown version", "version = 2 ", "version = 4 ", "version = 4", "version"),
    broken("unknown transport", "transport = \"unicast\"", "transport = \"unicats\"", "unicats", "unicast"),
    broken("interval that version 2 cannot say", "advert_interval = \"1s\"", "advert_interval = \"100ms\"", "100ms", "whole seconds"),
    broken("duration without a unit", "advert_interval = \"1s\"", "advert_interval = \"1\"", "advert_interval", "1s"),
    broken("password that is too long", "pass = \"testpass\"", "pass = \"testpassword\"", "testpassword", "8"),
    broken("address that is none", "192.168.0.105/32", "192.168.0.555/32", "192.168.0.555", "192.168.0.555"),
    broken("prefix that is too long", "192.168.0.105/32", "192.168.0.105/33", "/33", "/33"),
    broken("virtual address that is a node's", "192.168.0.105/32", "192.168.0.102/32", "192.168.0.102/32", "proxy102"),
    broken("virtual router identifier twice", SECOND_ROUTER,
        "[virtual_routers.OTHER]\ninterface = \"em1\"\nvrid = 101 # again\naddresses = [\"192.168.0.106/32\"]\n[scripts.chk_gateway]",
        "vrid = 101 # again", "twice"),
    broken("virtual address twice", SECOND_ROUTER,
        "[virtual_routers.OTHER]\ninterface = \"em1\"\nvrid = 102\naddresses = [ \"192.168.0.105/32\" ]\n[scripts.chk_gateway]",
        "[ \"192.168.0.105/32\" ]", "twice"),
    broken("node's address twice", "address = \"192.168.0.102\"", "address = \"192.168.0.101\" # 2", "# 2", "twice"),
    broken("dangling upstream", "upstream = \"app\"", "upstream = \"ap\"", "upstream = \"ap\"", "app"),
    broken("dangling listener", "listener = \"public\"", "listener = \"pubic\"", "pubic", "public"),
    broken("dangling script", "track_scripts = [\"chk_gateway\"]", "track_scripts = [\"chk_gatway\"]", "chk_gatway", "chk_gateway"),
    broken("dangling sink", "notify = [\"ha-log\"", "notify = [\"ha-lgo\"", "ha-lgo", "ha-log"),
    broken("bind without a port", "bind = [\"192.168.0.101:80\"", "bind = [\"192.168.0.101\"", "bind =", "port"),
    broken("bind twice", "\"192.168.0.102:80\", \"192.168.0.105:80\"", "\"192.168.0.105:80\", \"192.168.0.105:80\"", "bind =", "twice"),
    broken("port in use", "\"192.168.0.105:80\"]", "\"192.168.0.105:80\", \"192.168.0.101:8080\", \"192.168.0.102:8080\"]", "bind =", "in use"),
    broken("unknown balance", "\"round_robin\"", "\"roundrobin\"", "roundrobin", "round_robin"),
    broken("server that is none", "address = \"192.168.0.201:80\"", "address = \"app201\"", "app201", "app201"),
    broken("server twice", "address = \"192.168.0.202:80\"", "address = \"192.168.0.201:80\" # again\n", "# again", "twice"),
    broken("check of two kinds", "http = \"/healthz\"", "tcp = true, http = \"/healthz\"", "tcp = true", "either"),
    broken("route that does two things", "status_page = true", "status_page = true\nupstream = \"app\"", "the article's page", "two"),
    broken("route that does nothing", "status_page = true", "", "the article's page", "nothing"),
    broken("path without a slash", "path = \"/app/\"", "path = \"app/\"", "path = \"app/\"", "/app/"),
    broken("network that is none", "\"192.168.0.0/24\"", "\"192.168.0.0/240\"", "/240", "network"),
    broken("sink that tells nobody", "mail = {", "# mail = {", "[notify.ops-mail]", "nobody"),
    broken("file that is not absolute", "file = \"/", "file = \"./", "file = \"./", "absolute"),
    broken("command without a program", "command = [\"/bin/true\"]", "command = []", "command = []", "command"),
    broken("weight out of range", "weight = 2 ", "weight = 300 ", "weight = 300", "253"),
];

/// The article's configuration with one fault, and the line that must be shown.
fn break_it(host: &lab::Host, case: &Broken) -> (String, usize) {
    let well = pair_configuration(host).replace("weight = 2\n", "weight = 2 \n");
    let text = well.replacen(case.old, case.new, 1);
    assert_ne!(
        text, well,
        "{}: the configuration has no {:?}",
        case.what, case.old
    );
    let found = text.lines().position(|line| line.contains(case.shown));
    let line = found.unwrap_or_else(|| panic!("{}: no line with {:?}", case.what, case.shown));
    (text, line + 1)
}

/// What is wrong with a refusal; nothing when it is as it must be.
fn fault(output: &Output, file: &str, line: usize, case: &Broken) -> Option<String> {
    let text = String::from_utf8_lossy(&output.stderr);
    let place = format!("{file}:{line}:");
    let wrong = if output.status.code() != Some(1) {
        format!("ended with {}", output.status)
    } else if !text.contains(&place) {
        format!("does not show {place}")
    } else if !text.contains(case.says) {
        format!("does not say {:?}", case.says)
    } else {
        return None;
    };
    Some(format!("{}: {wrong}:\n{text}", case.what))
}

#[test]
fn every_fault_is_refused_by_check_start_and_reload() {
    let lan = Lan::new();
    let _in_the_way = ["proxy101", "proxy102"].map(|name| {
        let host = lan.host(name);
        HttpStub::start(host, &format!("{}:8080", host.address()), |_| Answer {
            status: 200,
            body: String::new(),
        })
    });
    let running = Node::start(
        lan.host("proxy101"),
        &pair_configuration(lan.host("proxy101")),
    );
    running.wait_for_service();
    running.wait_for_state("MASTER");
    let stopped = Node::prepare(lan.host("proxy102"), "");
    let before = running.status().expect("the node answers");
    let children = running.children();

    let mut faults = Vec::new();
    for case in CASES {
        let file_of = |node: &Node| node.configuration_file().display().to_string();
        let (text, line) = break_it(stopped.host(), case);
        stopped.write_configuration(&text);
        let file = file_of(&stopped);
        faults
            .extend(fault(&stopped.check(), &file, line, case).map(|why| format!("check: {why}")));
        let started = stopped.refused_start();
        faults.extend(fault(&started, &file, line, case).map(|why| format!("start: {why}")));

        let (text, line) = break_it(running.host(), case);
        running.write_configuration(&text);
        let file = file_of(&running);
        let answer = running.control(&["reload"]);
        faults.extend(fault(&answer, &file, line, case).map(|why| format!("reload: {why}")));
        faults.extend(
            fault(&running.check(), &file, line, case)
                .map(|why| format!("check beside a running one: {why}")),
        );
    }
    assert!(
        faults.is_empty(),
        "{} faults\n{}",
        faults.len(),
        faults.join("\n")
    );

    let after = running.status().expect("the node answers");
    for same in ["generation", "started_unix_ms", "proxy_well"] {
        assert_eq!(after[same], before[same], "{same}");
    }
    assert_eq!(
        after["routers"][0]["since_unix_ms"],
        before["routers"][0]["since_unix_ms"]
    );
    assert_eq!(running.children(), children, "no process was restarted");
    let page = lan
        .host("client")
        .run(&["curl", "-sf", "-m", "5", "http://192.168.0.105/"]);
    assert!(
        page.contains("INSTANCE YN_API_GATEWAY MASTER 202"),
        "{page}"
    );

    // And with the fault mended, it is taken.
    running.write_configuration(&pair_configuration(running.host()));
    assert!(running.control(&["reload"]).status.success());
}

#[test]
fn several_faults_are_shown_at_once() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let text = pair_configuration(host)
        .replace("vrid = 101", "vrid = 0")
        .replace("\"round_robin\"", "\"roundrobin\"")
        .replace("upstream = \"app\"", "upstream = \"ap\"");
    let node = Node::prepare(host, &text);
    let output = node.check();
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8_lossy(&output.stderr);
    for word in ["vrid", "round_robin", "\"ap\""] {
        assert!(shown.contains(word), "{word:?} not in\n{shown}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let lan = Lan::new();
    let node = Node::prepare(lan.host("proxy101"), "");
    std::fs::remove_file(node.configuration_file()).expect("it was there");
    for output in [node.check(), node.refused_start()] {
        assert_eq!(output.status.code(), Some(1));
        let shown = String::from_utf8_lossy(&output.stderr);
        let file = node.configuration_file().display().to_string();
        assert!(shown.contains(&file), "{file:?} not in\n{shown}");
    }
}
