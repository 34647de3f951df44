//! One node of the product: the real programs with run and state directories of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::process::{Signal, children_of, in_namespace, signal, title_of};
use crate::{Host, Running, wait_until};

/// A generous limit for everything that takes well under a second on an idle machine.
const LONG: Duration = Duration::from_secs(30);

/// A node, started and ended at will.
#[derive(Debug)]
pub struct Node {
    host: Host,
    program: PathBuf,
    running: Option<Running>,
}

/// A process with what `ps` shows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Titled {
    /// Its process id.
    pub pid: u32,
    /// Such as `evenkeel: proxy 1`.
    pub title: String,
}

impl Node {
    /// Writes the configuration, starts the node, and waits until its control socket answers.
    pub fn start(host: &Host, configuration: &str) -> Self {
        let mut node = Self::prepare(host, configuration);
        node.start_again();
        node
    }

    /// Writes the configuration alone.
    pub fn prepare(host: &Host, configuration: &str) -> Self {
        let node = Self {
            host: host.clone(),
            program: program(),
            running: None,
        };
        node.write_configuration(configuration);
        node
    }

    /// Starts it after it was ended, or for the first time.
    pub fn start_again(&mut self) {
        self.launch();
        self.wait_for_status("an answer", |_| true);
    }

    /// Starts it and does not look what comes of it.
    pub fn launch(&mut self) {
        let command = self.run_command();
        self.launch_by(command);
    }

    /// As [`Node::launch`], from a shell with this umask.
    pub fn launch_with_umask(&mut self, umask: &str) {
        let run = self.run_command();
        let mut command = Command::new("sh");
        command
            .args(["-c", "umask \"$0\" && exec \"$@\"", umask])
            .arg(run.get_program())
            .args(run.get_args());
        self.launch_by(command);
    }

    fn launch_by(&mut self, command: Command) {
        let log = self.host.files().join("evenkeel.log");
        self.running = Some(self.host.inside(|| Running::start(command, &log)));
    }

    /// Lets it be run from `folder`, where copies of the programs lie.
    pub fn install_in(&mut self, folder: &Path) {
        self.program = folder.join("evenkeel");
    }

    fn run_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("run")
            .arg("--config")
            .arg(self.configuration_file())
            .args(["--node", self.host.name()])
            .arg("--run-dir")
            .arg(self.run_dir())
            .arg("--state-dir")
            .arg(self.host.files().join("state"));
        command
    }

    /// Replaces the configuration file; the running node does not know yet.
    pub fn write_configuration(&self, configuration: &str) {
        fs::write(self.configuration_file(), configuration).expect("a file can be written");
    }

    /// Where its configuration is.
    pub fn configuration_file(&self) -> PathBuf {
        self.host.files().join("evenkeel.toml")
    }

    /// Where its pid file and control socket are.
    pub fn run_dir(&self) -> PathBuf {
        self.host.files().join("run")
    }

    /// The machine it runs on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// What its supervisor and children have printed.
    pub fn log(&self) -> String {
        fs::read_to_string(self.host.files().join("evenkeel.log")).unwrap_or_default()
    }

    /// Runs a command that acts on the running node: `reload`, `status` ...
    pub fn control(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program());
        command.args(arguments).arg("--run-dir").arg(self.run_dir());
        self.output(command)
    }

    /// Runs `evenkeel check` on its configuration.
    pub fn check(&self) -> Output {
        let mut command = Command::new(program());
        command
            .arg("check")
            .arg("--config")
            .arg(self.configuration_file())
            .args(["--node", self.host.name()])
            .arg("--run-dir")
            .arg(self.run_dir());
        self.output(command)
    }

    /// Runs `evenkeel run --daemon`, which returns while the node goes on, and ends with nobody here as
    /// its parent.
    pub fn run_in_background(&self) -> Output {
        let mut command = self.run_command();
        command.arg("--daemon");
        self.output(command)
    }

    /// Runs `evenkeel run` with a configuration that is expected to be refused, to its end.
    pub fn refused_start(&self) -> Output {
        self.output(self.run_command())
    }

    fn output(&self, mut command: Command) -> Output {
        command.stdin(Stdio::null());
        self.host
            .inside(|| command.output())
            .expect("evenkeel can be run")
    }

    /// What `evenkeel status --json` says; `None` when it does not answer.
    pub fn status(&self) -> Option<Value> {
        let output = self.control(&["status", "--json"]);
        if !output.status.success() {
            return None;
        }
        serde_json::from_slice(&output.stdout).ok()
    }

    /// Waits for a status that fulfils `wanted`.
    pub fn wait_for_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let what = format!("{} shows {what}", self.host.name());
        wait_until(&what, LONG, || self.status().filter(&wanted))
    }

    /// Waits until all children's configuration is in force.
    pub fn wait_for_service(&self) {
        self.wait_for_status("all processes in service", |status| {
            let processes = status["processes"].as_array();
            processes.is_some_and(|processes| {
                !processes.is_empty() && processes.iter().all(|one| one["in_service"] == true)
            })
        });
    }

    /// Waits until so many servers are up, and for this reason.
    pub fn wait_for_checks(&self, count: usize, reason: &str) {
        self.wait_for_status(&format!("{count} servers up: {reason}"), |status| {
            let servers = status["servers"].as_array().map_or(&[][..], Vec::as_slice);
            let is_well = |server: &&Value| server["up"] == true && server["reason"] == reason;
            servers.iter().filter(is_well).count() == count
        });
    }

    /// Waits until its virtual router is in `state`.
    pub fn wait_for_state(&self, state: &str) {
        self.wait_for_status(state, |status| status["routers"][0]["state"] == state);
    }

    /// When its virtual router came into its state, in milliseconds since 1970: another value means
    /// that there was a transition.
    pub fn since(&self) -> u64 {
        let status = self.status().expect("the node answers");
        status["routers"][0]["since_unix_ms"]
            .as_u64()
            .expect("a router has a state")
    }

    /// The supervisor's process id; panics when it was never started or is stopped.
    pub fn supervisor(&self) -> u32 {
        self.running.as_ref().expect("the node is started").pid()
    }

    /// The supervisor's children that are there now.
    pub fn children(&self) -> Vec<Titled> {
        let children = children_of(self.supervisor()).into_iter();
        children.filter_map(titled).collect()
    }

    /// Processes of the product on its host, whoever their parent is now.
    pub fn on_its_host(&self) -> Vec<Titled> {
        let here = in_namespace(self.host.namespace()).into_iter();
        here.filter_map(titled)
            .filter(|process| process.title.starts_with("evenkeel: "))
            .collect()
    }

    /// The children whose title begins with `evenkeel: role`.
    pub fn pids_of(&self, role: &str) -> Vec<u32> {
        let title = format!("evenkeel: {role} ");
        self.children()
            .into_iter()
            .filter(|child| child.title.starts_with(&title))
            .map(|child| child.pid)
            .collect()
    }

    /// The supervisor and all its children.
    pub fn all_pids(&self) -> Vec<u32> {
        let mut pids = vec![self.supervisor()];
        pids.extend(self.children().iter().map(|child| child.pid));
        pids
    }

    /// Sends a signal to the supervisor alone.
    pub fn signal(&self, what: Signal) {
        signal(what, &[self.supervisor()]);
    }

    /// How the supervisor ended, when it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let running = self.running.as_mut().expect("the node is started");
        running.ended()
    }

    /// Waits until the supervisor has ended, and forgets it: [`Node::start_again`] may follow.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let mut running = self.running.take().expect("the node is started");
        running.wait(Duration::from_secs(60))
    }

    /// Stops it in good order.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::Term);
        self.wait_for_end()
    }

    /// Kills the supervisor and all its children at once, as a power failure would.
    pub fn kill_everything(&mut self) {
        signal(Signal::Kill, &self.all_pids());
        self.wait_for_end();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if self.running.is_some() {
            let pids = self.all_pids();
            signal(Signal::Kill, &pids);
        }
    }
}

fn titled(pid: u32) -> Option<Titled> {
    let title = title_of(pid)?;
    Some(Titled { pid, title })
}

/// The program under test: beside this one, where cargo puts what it builds.
pub fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its file");
    let folders = own.ancestors().skip(1).take(2);
    let program = folders
        .map(|folder: &Path| folder.join("evenkeel"))
        .find(|candidate| candidate.is_file());
    program.expect("evenkeel is not built: run `cargo build --workspace`, or `make test`")
}
