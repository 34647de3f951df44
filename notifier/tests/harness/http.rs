//! An HTTP server that answers as it is told and keeps what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One request.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The server; it ends with the test.
pub(crate) struct Stub {
    pub(crate) base: String,
    requests: UnboundedReceiver<Request>,
}

impl Stub {
    /// Answers with these statuses in turn, and with the last one for ever.
    pub(crate) fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = unbounded_channel();
        std::thread::spawn(move || {
            let last = statuses.last().into_iter().cycle();
            for (connection, status) in listener.incoming().zip(statuses.iter().chain(last)) {
                if serve(connection.unwrap(), *status, &sender).is_none() {
                    return;
                }
            }
        });
        Self { base, requests }
    }

    pub(crate) async fn request(&mut self) -> Request {
        super::soon("a request", self.requests.recv())
            .await
            .unwrap()
    }

    pub(crate) fn is_idle(&mut self) -> bool {
        self.requests.try_recv().is_err()
    }
}

/// `None` when the test is over.
fn serve(connection: TcpStream, status: u16, sender: &UnboundedSender<Request>) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim_end().is_empty() {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let headers: Vec<(String, String)> = head
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut request = Request {
        target: head.first()?.split(' ').nth(1)?.to_owned(),
        headers,
        body: String::new(),
    };
    let length = request
        .header("content-length")
        .map_or(0, |n| n.parse().unwrap());
    reader
        .by_ref()
        .take(length)
        .read_to_string(&mut request.body)
        .unwrap();
    let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
    sender.send(request).ok()
}
