//! What a client gets: requests at a steady rate, each recorded with its times and its outcome.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::{Host, Moment};

/// When a request counts as failed. Below a second, after which a lost SYN is sent again: an address
/// that nobody answered for shows as failures, not as latency.
const TIMEOUT: Duration = Duration::from_millis(900);

/// The most octets of an answer that are read.
const ANSWER_MAX: usize = 64 * 1024;

/// Whether connections are used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connections {
    /// A new one for each request.
    New,
    /// Kept open. One that the server closes between two requests is replaced without a failure, as
    /// every client does.
    Kept,
}

impl Connections {
    /// Threads enough that the rate is kept while every request waits for its timeout; with kept
    /// connections, as many as a client has.
    fn threads(self, rate: u32) -> usize {
        const SPARE: u128 = 16;
        match self {
            Self::New => {
                let waiting = u128::from(rate) * TIMEOUT.as_millis() / 1000;
                usize::try_from(waiting + SPARE).unwrap_or(usize::MAX)
            }
            Self::Kept => 32,
        }
    }
}

/// Requests that are being made.
#[derive(Debug)]
pub struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    target: SocketAddr,
    request: String,
    connections: Connections,
    begin: Instant,
    interval: Duration,
    next: AtomicU32,
    ended: AtomicBool,
    samples: Mutex<Vec<Sample>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Sample {
    /// When it began.
    pub start: Moment,
    /// When its answer was complete, or it had failed.
    pub end: Moment,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer with this status.
    Answered(u16),
    /// None, and why.
    Failed(String),
}

/// All requests of a load, by the time at which they began.
#[derive(Clone, Debug)]
pub struct LoadReport {
    samples: Vec<Sample>,
}

impl Load {
    /// Begins to ask `http://target/path` from `host`, `rate` times a second.
    pub fn start(
        host: &Host,
        target: &str,
        path: &str,
        rate: u32,
        connections: Connections,
    ) -> Self {
        let shared = Arc::new(Shared {
            target: target.parse().expect("an address and a port"),
            request: format!("GET {path} HTTP/1.1\r\nhost: {target}\r\n\r\n"),
            connections,
            begin: Instant::now(),
            interval: Duration::from_secs(1) / rate,
            next: AtomicU32::new(0),
            ended: AtomicBool::new(false),
            samples: Mutex::default(),
        });
        let threads = (0..connections.threads(rate))
            .map(|_| {
                let (host, shared) = (host.clone(), Arc::clone(&shared));
                thread::Builder::new()
                    .stack_size(128 * 1024)
                    .spawn(move || {
                        host.enter();
                        shared.work();
                    })
                    .expect("a thread can be started")
            })
            .collect();
        Self { shared, threads }
    }

    /// How many requests have been answered well so far.
    pub fn answered(&self) -> usize {
        let samples = self.shared.lock_samples();
        samples.iter().filter(|sample| sample.is_good()).count()
    }

    /// How many of the requests that began after `from` have been answered well so far.
    pub fn answered_since(&self, from: Moment) -> usize {
        let samples = self.shared.lock_samples();
        let good = samples.iter().filter(|sample| sample.is_good());
        good.filter(|sample| sample.start > from).count()
    }

    /// Ends the load, and waits for the requests under way.
    pub fn stop(mut self) -> LoadReport {
        self.end();
        let mut samples = std::mem::take(&mut *self.shared.lock_samples());
        samples.sort_by_key(|sample| sample.start);
        assert!(!samples.is_empty(), "a load without requests says nothing");
        LoadReport { samples }
    }

    fn end(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        for thread in &self.threads {
            thread.thread().unpark();
        }
        for thread in self.threads.drain(..) {
            // A panic of it has been printed, and the assertion of stop() notices missing samples.
            let _ = thread.join();
        }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// Takes one turn after the other, each at its time.
    fn work(&self) {
        let mut kept = None;
        loop {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            if !self.wait_for(self.begin + self.interval * turn) {
                return;
            }
            let start = Moment::now();
            let outcome = match self.ask(&mut kept) {
                Ok(status) => Outcome::Answered(status),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            let end = Moment::now();
            self.lock_samples().push(Sample {
                start,
                end,
                outcome,
            });
        }
    }

    /// Waits until `due`; false when the load ends before.
    fn wait_for(&self, due: Instant) -> bool {
        loop {
            if self.ended.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::park_timeout(left);
        }
    }

    fn lock_samples(&self) -> std::sync::MutexGuard<'_, Vec<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ask(&self, kept: &mut Option<TcpStream>) -> io::Result<u16> {
        let deadline = Instant::now() + TIMEOUT;
        if let Some(stream) = kept.take() {
            match self.exchange(stream, deadline, kept) {
                Err(error) if is_stale(&error) => {}
                decided => return decided,
            }
        }
        let stream = TcpStream::connect_timeout(&self.target, TIMEOUT)?;
        stream.set_nodelay(true)?;
        self.exchange(stream, deadline, kept)
    }

    fn exchange(
        &self,
        mut stream: TcpStream,
        deadline: Instant,
        kept: &mut Option<TcpStream>,
    ) -> io::Result<u16> {
        stream.write_all(self.request.as_bytes())?;
        let answer = read_answer(&mut stream, deadline)?;
        if self.connections == Connections::Kept && !answer.close {
            *kept = Some(stream);
        }
        Ok(answer.status)
    }
}

/// Whether the server had closed an idle connection before it saw the request.
fn is_stale(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

struct Answer {
    status: u16,
    close: bool,
}

fn read_answer(stream: &mut TcpStream, deadline: Instant) -> io::Result<Answer> {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = stream.read(&mut piece)?;
        answer.extend_from_slice(piece.get(..count).unwrap_or_default());
        if let Some(complete) = complete(&answer) {
            return Ok(complete);
        }
        match (count, answer.len()) {
            (0, 0) => return Err(io::ErrorKind::NotConnected.into()),
            (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
            (_, length) if length > ANSWER_MAX => return Err(io::ErrorKind::FileTooLarge.into()),
            _ => {}
        }
    }
}

/// The answer, once all of it is there. Every answer in the lab has a Content-Length.
fn complete(octets: &[u8]) -> Option<Answer> {
    let end = octets.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(octets.get(..end)?).ok()?;
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.trim())
    };
    let length: usize = field("content-length")?.parse().ok()?;
    if octets.len() < end + 4 + length {
        return None;
    }
    Some(Answer {
        status: head.get(9..12)?.parse().ok()?,
        close: field("connection") == Some("close"),
    })
}

impl Sample {
    /// Whether it was answered with a 2xx status.
    pub fn is_good(&self) -> bool {
        matches!(self.outcome, Outcome::Answered(200..=299))
    }

    /// How long it took.
    pub fn latency(&self) -> Duration {
        self.end.since(self.start)
    }
}

impl LoadReport {
    /// All requests.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// Those that were not answered well.
    pub fn failures(&self) -> Vec<&Sample> {
        self.samples
            .iter()
            .filter(|sample| !sample.is_good())
            .collect()
    }

    /// The most failures among the requests that began within one second.
    pub fn failures_in_worst_second(&self) -> usize {
        let starts: Vec<Moment> = self.failures().iter().map(|sample| sample.start).collect();
        let within = |first: Moment| {
            let later = starts.iter().filter(|start| **start >= first);
            later
                .filter(|start| start.since(first) < Duration::from_secs(1))
                .count()
        };
        starts.iter().map(|first| within(*first)).max().unwrap_or(0)
    }

    /// The longest that an answered request of those begun in the span took.
    pub fn slowest(&self, from: Moment, to: Moment) -> Duration {
        self.samples
            .iter()
            .filter(|sample| sample.is_good() && (from..=to).contains(&sample.start))
            .map(Sample::latency)
            .max()
            .unwrap_or(Duration::ZERO)
    }

    /// The end of the first good request that began after `from`.
    pub fn first_answer_after(&self, from: Moment) -> Option<Moment> {
        self.samples
            .iter()
            .filter(|sample| sample.is_good() && sample.start >= from)
            .map(|sample| sample.end)
            .min()
    }

    /// The longest time within the span in which no request was answered.
    pub fn longest_silence(&self, from: Moment, to: Moment) -> Duration {
        let mut answers: Vec<Moment> = self
            .samples
            .iter()
            .filter(|sample| sample.is_good())
            .map(|sample| sample.end)
            .filter(|end| (from..=to).contains(end))
            .collect();
        answers.push(to);
        answers.sort();
        let mut before = from;
        let mut longest = Duration::ZERO;
        for answer in answers {
            longest = longest.max(answer.since(before));
            before = answer;
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::from_epoch("100.000000").unwrap() + Duration::from_millis(millis)
    }

    fn report(samples: &[(u64, u64, u16)]) -> LoadReport {
        let samples = samples.iter().map(|(start, end, status)| Sample {
            start: at(*start),
            end: at(*end),
            outcome: Outcome::Answered(*status),
        });
        LoadReport {
            samples: samples.collect(),
        }
    }

    #[test]
    fn an_answer_is_complete_with_its_body() {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
        let mut answer = head.to_vec();
        answer.extend(b"ab");
        assert!(complete(&answer).is_none());
        answer.push(b'c');
        let complete = complete(&answer).unwrap();
        assert_eq!((complete.status, complete.close), (200, true));
    }

    #[test]
    fn the_worst_second_is_found() {
        let report = report(&[
            (0, 1, 502),
            (900, 901, 200),
            (1500, 1501, 503),
            (1600, 1601, 503),
            (2499, 2500, 500),
            (2500, 2501, 500),
        ]);
        assert_eq!(report.failures().len(), 5);
        assert_eq!(report.failures_in_worst_second(), 3);
    }

    #[test]
    fn silence_is_between_good_answers() {
        let report = report(&[(0, 10, 200), (20, 30, 500), (40, 50, 200), (60, 100, 200)]);
        let silence = |from, to| report.longest_silence(at(from), at(to)).as_millis();
        assert_eq!(silence(0, 100), 50);
        assert_eq!(silence(0, 400), 300);
        assert_eq!(report.first_answer_after(at(11)), Some(at(50)));
        assert_eq!(report.slowest(at(0), at(50)), Duration::from_millis(10));
    }
}
