//! A real mail server: aiosmtpd, which writes what it gets into a maildir.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use crate::{Host, PYTHON, Running, wait_until};

/// A mail server on one host.
#[derive(Debug)]
pub struct SmtpServer {
    maildir: PathBuf,
    // Ended when the server goes.
    _process: Running,
}

/// One mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    text: String,
}

impl SmtpServer {
    /// Listens on 127.0.0.1:25 of `host`.
    pub fn start(host: &Host) -> Self {
        let maildir = host.files().join("mail");
        let kept = maildir.display().to_string();
        let serve = ["-m", "aiosmtpd", "--nosetuid", "--listen", "127.0.0.1:25"];
        let keep = ["--class", "aiosmtpd.handlers.Mailbox", &kept];
        let process = host.start("smtp", &[&[PYTHON][..], &serve, &keep].concat());
        wait_until("mail server listens", Duration::from_secs(30), || {
            host.inside(|| TcpStream::connect("127.0.0.1:25")).ok()
        });
        Self {
            maildir,
            _process: process,
        }
    }

    /// What has come so far, in no order.
    pub fn mails(&self) -> Vec<Mail> {
        let Ok(entries) = fs::read_dir(self.maildir.join("new")) else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| fs::read_to_string(entry.path()).ok())
            .map(|text| Mail { text })
            .collect()
    }
}

impl Mail {
    /// The value of a field of its header, by its name; folded lines are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.text.replace("\r\n", "\n");
        let head = head.split("\n\n").next()?.replace("\n ", " ");
        head.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }

    /// All of it, as it came.
    pub fn text(&self) -> &str {
        &self.text
    }
}
