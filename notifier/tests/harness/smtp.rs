//! aiosmtpd, a real mail server.

use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

/// The server; it ends with the test.
pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl Smtp {
    pub(crate) async fn start() -> Self {
        // It cannot be told to choose a port and to say which: a free one is chosen for it.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let mut child = Command::new("/usr/bin/python3")
            .args(["-u", "-m", "aiosmtpd", "-n", "-l", &address.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        super::soon("the mail server", async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            address,
            lines,
            _child: child,
        }
    }

    /// The next mail, as the server prints it.
    pub(crate) async fn mail(&mut self) -> String {
        super::soon("a mail", async {
            let mut mail = String::new();
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line.contains("END MESSAGE") {
                    return mail;
                }
                if !line.contains("MESSAGE FOLLOWS") {
                    mail.push_str(&line);
                    mail.push('\n');
                }
            }
            panic!("the mail server has ended");
        })
        .await
    }
}
