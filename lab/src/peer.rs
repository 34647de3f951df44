//! Programs of others that a scenario starts on a host as it needs them, each with a log that a failure
//! shows.

use std::fs;
use std::process::Command;

use crate::{Host, Running};

/// Debian's python, which has the modules of Debian's packages.
pub const PYTHON: &str = "/usr/bin/python3";

impl Host {
    /// Starts a program in the host's folder. What it prints is in the file `name`.log there.
    pub fn start(&self, name: &str, argv: &[&str]) -> Running {
        let (program, arguments) = argv.split_first().expect("a command has a program");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.files());
        let log = self.files().join(format!("{name}.log"));
        self.inside(|| Running::start(command, &log))
    }

    /// Starts nginx with this configuration, in which DIR is the host's folder and ADDRESS its address.
    pub fn nginx(&self, configuration: &str) -> Running {
        let file = self.configure("nginx.conf", configuration);
        self.start("nginx", &["nginx", "-e", "stderr", "-c", &file])
    }

    /// Starts HAProxy with this configuration, in which DIR is the host's folder and ADDRESS its address.
    pub fn haproxy(&self, configuration: &str) -> Running {
        let file = self.configure("haproxy.cfg", configuration);
        self.start("haproxy", &["haproxy", "-db", "-f", &file])
    }

    fn configure(&self, name: &str, configuration: &str) -> String {
        let file = self.files().join(name);
        let configuration = configuration
            .replace("DIR", &self.files().display().to_string())
            .replace("ADDRESS", self.address());
        fs::write(&file, configuration).expect("a file can be written");
        file.display().to_string()
    }
}
