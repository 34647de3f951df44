//! A plain HTTP/1.1 server on a host: back end, SMS gateway, whatever answers a request. It shares
//! no code with the product's codec, and remembers what it was asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Host;

/// One request that came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// GET, POST ...
    pub method: String,
    /// Path and query as they came.
    pub target: String,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// The value of a field, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let field = self.headers.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Decides what is answered.
type Handler = dyn Fn(&Request) -> Answer + Send + Sync;

/// A server; it stops listening when this value goes.
pub struct HttpStub {
    host: Host,
    address: String,
    shared: Arc<Shared>,
    accepting: Option<thread::JoinHandle<()>>,
}

struct Shared {
    handler: Box<Handler>,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
    ended: AtomicBool,
}

impl HttpStub {
    /// Listens on `address` of `host`.
    pub fn start(
        host: &Host,
        address: &str,
        handler: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = host.inside(|| TcpListener::bind(address));
        let listener = listener
            .unwrap_or_else(|error| panic!("{}: cannot listen on {address}: {error}", host.name()));
        let shared = Arc::new(Shared {
            handler: Box::new(handler),
            requests: Mutex::default(),
            connections: Mutex::default(),
            ended: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        Self {
            host: host.clone(),
            address: address.to_owned(),
            shared,
            accepting: Some(thread::spawn(move || accept(&listener, &accepting))),
        }
    }

    /// A back end of the article: well on `/healthz`, and its name on everything else.
    pub fn backend(host: &Host) -> Self {
        let name = host.name();
        Self::start(host, &format!("{}:80", host.address()), move |request| {
            let body = match request.target.as_str() {
                "/healthz" => "well\n".to_owned(),
                target => format!("{name} {target}\n"),
            };
            Answer { status: 200, body }
        })
    }

    /// What has come so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).clone()
    }
}

impl HttpStub {
    /// Stops listening and cuts all connections, as a server that dies.
    pub fn close(&mut self) {
        let Some(accepting) = self.accepting.take() else {
            return;
        };
        self.shared.ended.store(true, Ordering::Relaxed);
        // Wakes accept(). That it fails, or that the thread had panicked, changes nothing.
        let _ = self.host.inside(|| TcpStream::connect(&self.address));
        let _ = accepting.join();
        for connection in lock(&self.shared.connections).drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for HttpStub {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for connection in listener.incoming().flatten() {
        if shared.ended.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(handle) = connection.try_clone() {
            lock(&shared.connections).push(handle);
        }
        let shared = Arc::clone(shared);
        // A connection that ends is no news.
        thread::spawn(move || serve(&connection, &shared));
    }
}

/// Answers requests until the other side ends the connection; `None` then.
fn serve(connection: &TcpStream, shared: &Shared) -> Option<()> {
    connection.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(connection);
    loop {
        let request = read_request(&mut reader)?;
        let answer = (shared.handler)(&request);
        let close = request.header("connection") == Some("close");
        lock(&shared.requests).push(request);
        let mut writer = connection;
        let head = format!(
            "HTTP/1.1 {} Stub\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n{}",
            answer.status,
            answer.body.len(),
            answer.body
        );
        writer.write_all(head.as_bytes()).ok()?;
        if close {
            return None;
        }
    }
}

fn read_request(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let line = read_line(reader)?;
    let mut words = line.split(' ');
    let mut request = Request {
        method: words.next()?.to_owned(),
        target: words.next()?.to_owned(),
        ..Request::default()
    };
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        let field = (name.to_ascii_lowercase(), value.trim().to_owned());
        request.headers.push(field);
    }
    let length: u64 = request
        .header("content-length")
        .map_or(Some(0), |length| length.parse().ok())?;
    reader.take(length).read_to_end(&mut request.body).ok()?;
    Some(request)
}

/// One line without its end; `None` at the end of the connection.
fn read_line(reader: &mut BufReader<&TcpStream>) -> Option<String> {
    let mut line = String::new();
    match reader.read_line(&mut line).ok()? {
        0 => None,
        _ => Some(line.trim_end().to_owned()),
    }
}
