//! What the supervisor does when signals, commands and deaths come at a bad time, and what it leaves
//! open, lying around or within reach of others.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Host, Lan, Node, Signal, pair_configuration, signal, wait_until};

const LONG: Duration = Duration::from_secs(40);

/// The article's configuration with an access log.
fn logging_configuration(host: &Host) -> String {
    let access = host.files().join("access.log");
    pair_configuration(host).replace(
        "[listeners.public]\n",
        &format!(
            "[listeners.public]\naccess_log = {{ path = \"{}\" }}\n",
            access.display()
        ),
    )
}

fn started(host: &Host, configuration: &str) -> Node {
    let node = Node::start(host, configuration);
    node.wait_for_service();
    node
}

/// Asks the node itself for a page, which writes a line into its access log.
fn request(host: &Host) {
    let url = format!("http://{}/", host.address());
    wait_until("an answer", LONG, || {
        host.inside(|| lab::succeeds(&["curl", "-sf", "-m", "2", &url]))
            .then_some(())
    });
}

fn lines_of(path: &Path) -> usize {
    fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

fn wait_for_line(path: &Path) {
    wait_until(&format!("a line in {}", path.display()), LONG, || {
        (lines_of(path) > 0).then_some(())
    });
}

/// Speaks to the control socket as a client that keeps to nothing.
fn connect(node: &Node) -> UnixStream {
    UnixStream::connect(node.run_dir().join("control.sock")).expect("the socket is listened on")
}

fn descriptors_of(pid: u32) -> BTreeMap<u32, String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process is there");
    entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.parse().ok()?;
            let target = fs::read_link(entry.path()).ok()?;
            Some((number, target.display().to_string()))
        })
        .collect()
}

#[test]
fn term_before_everybody_is_in_service_ends_it_at_once() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let mut node = Node::prepare(host, &pair_configuration(host));
    for _ in 0..5 {
        node.launch();
        // The children are started, and cannot be in service yet.
        wait_until("the first child", LONG, || {
            (!node.children().is_empty()).then_some(())
        });
        node.signal(Signal::Term);
        let status = wait_until("its end", Duration::from_secs(20), || node.ended());
        assert!(status.success(), "{status}\n{}", node.log());
        assert!(!node.run_dir().join("evenkeel.pid").exists());
    }
}

#[test]
fn a_second_term_does_not_cut_what_the_first_lets_end() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let mut node = started(host, &pair_configuration(host));
    // A request that takes its time: its head is not complete.
    let mut slow = host.connect(80);
    slow.write_all(b"GET / HTTP/1.1\r\nHost: slow\r\n")
        .expect("it reads");
    node.wait_for_status("a connection", |status| status["traffic"]["reading"] == 1);
    node.signal(Signal::Term);
    wait_until("the addresses are handed over", LONG, || {
        node.pids_of("vrrp").is_empty().then_some(())
    });
    node.signal(Signal::Term);
    slow.write_all(b"\r\n").expect("it is still there");
    let mut line = String::new();
    BufReader::new(slow)
        .read_line(&mut line)
        .expect("it answers");
    assert_eq!(line, "HTTP/1.1 200 OK\r\n");
    assert!(node.wait_for_end().success());
}

#[test]
fn int_in_a_drain_ends_the_waiting() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let mut node = started(host, &pair_configuration(host));
    let mut slow = host.connect(80);
    slow.write_all(b"GET / HTTP/1.1\r\n").expect("it reads");
    node.wait_for_status("a connection", |status| status["traffic"]["reading"] == 1);
    node.signal(Signal::Term);
    wait_until("the addresses are handed over", LONG, || {
        node.pids_of("vrrp").is_empty().then_some(())
    });
    node.signal(Signal::Int);
    let status = wait_until("its end", Duration::from_secs(8), || node.ended());
    assert!(status.success());
}

#[test]
fn a_reload_that_meets_a_child_in_its_pause_changes_nothing_and_the_next_one_works() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let node = started(host, &pair_configuration(host));
    let changed = format!(
        "{}\n[[routes]]\nlistener = \"public\"\npath = \"/more/\"\nupstream = \"app\"\n",
        pair_configuration(host)
    );
    // Two deaths at a young age: the second is followed by a pause.
    for _ in 0..3 {
        let victim = wait_until("a notifier", LONG, || {
            node.pids_of("notify").first().copied()
        });
        signal(Signal::Kill, &[victim]);
        wait_until("its end", LONG, || {
            (!node.pids_of("notify").contains(&victim)).then_some(())
        });
    }
    node.write_configuration(&changed);
    let refused = node.control(&["reload"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("notify 0"),
        "{refused:?}"
    );
    assert_eq!(node.status().expect("it answers")["generation"], 1);
    node.wait_for_service();
    let reloaded = node.control(&["reload"]);
    assert!(reloaded.status.success(), "{reloaded:?}");
    assert!(
        !node.log().contains("in force is refused"),
        "{}",
        node.log()
    );
}

#[test]
fn a_worker_started_after_a_rotation_writes_into_the_new_log() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let node = started(host, &logging_configuration(host));
    let (log, rotated) = (
        host.files().join("access.log"),
        host.files().join("access.log.1"),
    );
    request(host);
    wait_for_line(&log);
    fs::rename(&log, &rotated).expect("a file can be renamed");
    node.signal(Signal::Usr1);
    wait_until("the new file", LONG, || log.exists().then_some(()));
    let victims = node.pids_of("proxy");
    signal(Signal::Kill, &victims);
    wait_until("other workers", LONG, || {
        let workers = node.pids_of("proxy");
        (workers.len() == victims.len() && workers.iter().all(|pid| !victims.contains(pid)))
            .then_some(())
    });
    node.wait_for_service();
    let before = lines_of(&rotated);
    request(host);
    wait_for_line(&log);
    assert_eq!(lines_of(&rotated), before);
}

#[test]
fn logs_that_cannot_be_opened_again_stay_in_use() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let folder = host.files().join("logs");
    let access = folder.join("access.log");
    let configuration = pair_configuration(host).replace(
        "[listeners.public]\n",
        &format!(
            "[listeners.public]\naccess_log = {{ path = \"{}\" }}\n",
            access.display()
        ),
    );
    let node = started(host, &configuration);
    let aside = host.files().join("aside");
    fs::rename(&folder, &aside).expect("a folder can be renamed");
    // Where the folder was is a file now: even root cannot make one there.
    fs::write(&folder, "").expect("a file can be written");
    node.signal(Signal::Usr1);
    wait_until("a word about it", LONG, || {
        node.log()
            .contains("cannot open the log file")
            .then_some(())
    });
    request(host);
    wait_for_line(&aside.join("access.log"));
    node.wait_for_service();
}

#[test]
fn clients_that_say_nothing_or_too_much_or_leave_do_not_hold_up_the_others() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let node = started(host, &pair_configuration(host));
    let silent: Vec<UnixStream> = (0..40).map(|_| connect(&node)).collect();
    let mut garbled = connect(&node);
    garbled.write_all(&[b'x'; 100_000]).err();
    let mut gone = connect(&node);
    gone.write_all(b"{\"command\":\"reload\"}\n")
        .expect("it is read");
    drop(gone);
    node.wait_for_status("an answer", |_| true);
    drop((silent, garbled));
    // Clients that ask and never read.
    let deaf: Vec<UnixStream> = (0..20)
        .map(|_| {
            let mut client = connect(&node);
            client
                .write_all(b"{\"command\":\"status\"}\n")
                .expect("it is read");
            client
        })
        .collect();
    node.wait_for_status("an answer", |_| true);
    drop(deaf);
}

#[test]
fn nothing_of_ours_is_inherited_by_a_script() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let seen = host.files().join("seen");
    let script = host.files().join("list.sh");
    fs::write(
        &script,
        format!(
            "#!/bin/sh\n{{ ls -l /proc/$$/fd; tr '\\0' '\\n' </proc/$$/environ; umask; id -G; \
             grep Sig /proc/self/status; }} >{}.new 2>&1\nmv {0}.new {0}\n",
            seen.display()
        ),
    )
    .expect("a file can be written");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("an own file");
    let configuration = pair_configuration(host).replace(
        "command = [\"/bin/true\"]",
        &format!("command = [\"{}\"]\nuser = \"root\"", script.display()),
    );
    let node = started(host, &configuration);
    let text = wait_until("the script's word", LONG, || fs::read_to_string(&seen).ok());
    let open: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split_once(" -> "))
        .map(|(_, target)| target)
        .filter(|target| {
            *target != "/dev/null" && !target.contains("seen") && !target.contains("list.sh")
        })
        .collect();
    assert_eq!(open, [""; 0], "{text}");
    let environment: Vec<&str> = text
        .lines()
        .filter(|line| line.contains('=') && !line.starts_with("PATH="))
        .collect();
    assert_eq!(environment, [""; 0], "{text}");
    assert!(text.contains("SigBlk:\t0000000000000000"), "{text}");
    drop(node);
}

#[test]
fn many_reloads_leave_no_descriptor_and_no_process_behind() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let few = logging_configuration(host);
    let more = few.replace(
        "bind = [\"192.168.0.101:80\",",
        "bind = [\"192.168.0.101:8081\", \"192.168.0.101:8082\", \"192.168.0.101:80\",",
    );
    assert_ne!(few, more);
    let node = started(host, &few);
    let reload = |configuration: &str| {
        node.write_configuration(configuration);
        let answer = node.control(&["reload"]);
        assert!(answer.status.success(), "{answer:?}");
    };
    let count = || -> Vec<(u32, usize)> {
        let pids = node.all_pids().into_iter();
        pids.map(|pid| (pid, descriptors_of(pid).len())).collect()
    };
    // Once there and back: whatever is opened late is open now.
    reload(&more);
    reload(&few);
    let settled = |what: &str, wanted: &[(u32, usize)]| {
        wait_until(what, LONG, || {
            let now = count();
            (now.len() == wanted.len()
                && now.iter().zip(wanted).all(|(now, wanted)| {
                    // A check or a client of the moment has a few.
                    now.0 == wanted.0 && now.1 <= wanted.1 + 8
                }))
            .then_some(())
        });
    };
    let before = count();
    for _ in 0..25 {
        reload(&more);
        reload(&few);
    }
    settled("as many descriptors as before", &before);
}

/// Rule 48: no process leaves its memory, with secrets in it, in a core file, nor lets others trace it. Then
/// the kernel gives what says more of it to root, whoever it runs as.
#[test]
fn no_process_leaves_a_core_dump() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let node = started(host, &pair_configuration(host));
    let owner = |path: String| fs::metadata(path).expect("it runs").uid();
    let children = node.children();
    assert!(children.len() >= 5, "{children:?}");
    for child in children {
        let (pid, title) = (child.pid, child.title);
        assert_ne!(owner(format!("/proc/{pid}")), 0, "{title} runs as root");
        assert_eq!(owner(format!("/proc/{pid}/environ")), 0, "{title}");
    }
}

/// Rule 46, and others' eyes on logs.
#[test]
fn what_is_made_is_not_for_others() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let access = host.files().join("new").join("access.log");
    let configuration = pair_configuration(host).replace(
        "[listeners.public]\n",
        &format!(
            "[listeners.public]\naccess_log = {{ path = \"{}\" }}\n",
            access.display()
        ),
    );
    let mut node = Node::prepare(host, &configuration);
    // Whatever the umask that it is started with.
    node.launch_with_umask("000");
    node.wait_for_service();
    let run = node.run_dir();
    for (path, mode) in [
        (run.clone(), 0o755),
        (run.join("evenkeel.pid"), 0o644),
        (run.join("control.sock"), 0o600),
        (run.join("admin.sock"), 0o660),
        (host.files().join("state"), 0o750),
        (access.parent().expect("it has a folder").to_owned(), 0o750),
        (access.clone(), 0o640),
        (host.files().join("ha.log"), 0o640),
    ] {
        let entry =
            fs::metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            entry.mode() & 0o7777,
            mode,
            "{}: {:o}",
            path.display(),
            entry.mode()
        );
    }
    // A process without privileges cannot put something else in a log's place.
    let folder = fs::metadata(access.parent().expect("it has a folder")).expect("it is there");
    assert_eq!(folder.uid(), 0);
}

#[test]
fn a_run_directory_or_log_that_could_be_somebody_elses_is_refused() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let refused = |configuration: &str, prepare: &dyn Fn(&Path), word: &str| {
        let node = Node::prepare(host, configuration);
        prepare(&node.run_dir());
        let output = node.refused_start();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(word), "{text}");
        let _ = fs::remove_file(node.run_dir());
        let _ = fs::remove_dir_all(node.run_dir());
    };
    let plain = pair_configuration(host);
    refused(
        &plain,
        &|run| symlink("/etc", run).expect("a link can be made"),
        "symbolic link",
    );
    let foreign = |run: &Path| {
        fs::create_dir(run).expect("a directory can be made");
        std::os::unix::fs::chown(run, Some(4711), None).expect("root may");
    };
    refused(&plain, &foreign, "4711");
    let open = |run: &Path| {
        fs::create_dir(run).expect("a directory can be made");
        fs::set_permissions(run, fs::Permissions::from_mode(0o1777)).expect("an own directory");
    };
    refused(&plain, &open, "others");

    let log = host.files().join("access.log");
    type Make<'a> = &'a dyn Fn(&PathBuf);
    let make: [(Make<'_>, &str); 3] = [
        (
            &|log| symlink("/etc/hosts", log).expect("a link can be made"),
            "cannot open",
        ),
        (
            &|log| drop(lab::run(&["mkfifo", &log.display().to_string()])),
            "not a regular file",
        ),
        (
            &|log| {
                let target = host.files().join("other");
                fs::write(&target, "").expect("a file can be written");
                fs::hard_link(target, log).expect("a link can be made");
            },
            "another name",
        ),
    ];
    for (make, word) in make {
        make(&log);
        refused(&logging_configuration(host), &|_| {}, word);
        fs::remove_file(&log).expect("it was made");
    }
}

#[test]
fn a_start_right_after_a_death_takes_over() {
    let lan = Lan::new();
    let host = lan.host("proxy101");
    let mut node = started(host, &pair_configuration(host));
    node.wait_for_state("MASTER");
    for _ in 0..3 {
        // The old workers have a connection to end, and are still there.
        let mut slow = host.connect(80);
        slow.write_all(b"GET / HTTP/1.1\r\n").expect("it reads");
        request(host);
        node.signal(Signal::Kill);
        node.wait_for_end();
        // The init system tries again after 100 ms.
        wait_until("a start that holds", LONG, || {
            node.launch();
            wait_until("its word", LONG, || {
                (node.ended().is_some() || node.status().is_some()).then_some(())
            });
            node.ended().is_none().then_some(())
        });
        node.wait_for_service();
        request(host);
        node.wait_for_state("MASTER");
    }
    let log = node.log();
    assert!(!log.contains("in use"), "{log}");
}
