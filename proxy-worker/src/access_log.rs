//! Access logs in nginx's combined format, written by a thread so that no disk stops the event loop.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::thread::JoinHandle;

use core_http1::RequestHead;
use crossbeam_channel::{Receiver, Sender, TrySendError};

/// Octets after which a batch goes to the writer at once; else it goes at the next tick.
const BATCH: usize = 32 * 1024;

/// Batches that may wait for the disk. One more is dropped, and its lines counted.
const WAITING_MAX: usize = 64;

/// Octets of a request line that could not be parsed.
const RAW_LINE_MAX: usize = 2 * 1024;

/// One log file.
#[derive(Debug)]
pub(crate) struct AccessLog {
    batch: RefCell<Vec<u8>>,
    lines: Cell<u64>,
    sender: Option<Sender<Vec<u8>>>,
    writer: Option<JoinHandle<()>>,
}

impl AccessLog {
    /// Writes to `file` from now on.
    ///
    /// # Errors
    /// When no thread can be started.
    pub(crate) fn new(file: File) -> std::io::Result<Self> {
        let (sender, batches) = crossbeam_channel::bounded(WAITING_MAX);
        let writer = std::thread::Builder::new().name("access-log".into());
        let writer = writer.spawn(move || write_batches(file, &batches))?;
        Ok(Self {
            batch: RefCell::default(),
            lines: Cell::new(0),
            sender: Some(sender),
            writer: Some(writer),
        })
    }

    /// Adds a line. Answers how many lines were lost because the disk is too slow.
    pub(crate) fn add(&self, client: IpAddr, local_time: &str, entry: &Entry, end: End) -> u64 {
        let mut batch = self.batch.borrow_mut();
        // Writing to a vector cannot fail.
        let _ = write!(batch, "{client} - - [{local_time}] \"");
        batch.extend_from_slice(entry.request());
        let _ = write!(batch, "\" {} {} \"", end.status, end.body_octets);
        batch.extend_from_slice(entry.origin());
        batch.extend_from_slice(b"\"\n");
        self.lines.set(self.lines.get() + 1);
        let full = batch.len() >= BATCH;
        drop(batch);
        if full { self.flush() } else { 0 }
    }

    /// Hands the batch to the writer. Answers how many lines were lost.
    pub(crate) fn flush(&self) -> u64 {
        let batch = self.batch.take();
        let lines = self.lines.take();
        let Some(sender) = self.sender.as_ref().filter(|_| !batch.is_empty()) else {
            return 0;
        };
        match sender.try_send(batch) {
            Ok(()) => 0,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => lines,
        }
    }
}

impl AccessLog {
    /// Waits until all is written; for the end of the process, since a disk may take its time. A log
    /// that is just dropped is written to its end by its thread.
    pub(crate) fn close(mut self) {
        self.flush();
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            // It does not panic; if it did, there is nothing left to log to.
            let _ = writer.join();
        }
    }
}

fn write_batches(mut file: File, batches: &Receiver<Vec<u8>>) {
    let mut failing = false;
    for batch in batches {
        let result = file.write_all(&batch);
        if let Err(error) = &result
            && !failing
        {
            tracing::error!("cannot write an access log: {error}");
        }
        failing = result.is_err();
    }
}

/// What a line says of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: u16,
    pub(crate) body_octets: u64,
}

/// What a line says of the request, kept until the answer is known.
#[derive(Debug)]
pub(crate) struct Entry {
    text: Vec<u8>,
    /// Where the request line ends and the referrer begins.
    split: usize,
}

impl Entry {
    /// Notes a request, in memory that is lent. `http2`: the client sent it in that version.
    pub(crate) fn new(mut text: Vec<u8>, request: &RequestHead<'_, '_>, http2: bool) -> Self {
        escape(request.method.as_bytes(), &mut text);
        text.push(b' ');
        escape(request.raw_target.as_bytes(), &mut text);
        text.extend_from_slice(match request.version {
            _ if http2 => b" HTTP/2.0",
            core_http1::Version::Http10 => b" HTTP/1.0",
            core_http1::Version::Http11 => b" HTTP/1.1",
        });
        let split = text.len();
        escape(request.field("referer").unwrap_or(b"-"), &mut text);
        text.extend_from_slice(b"\" \"");
        escape(request.field("user-agent").unwrap_or(b"-"), &mut text);
        Self { text, split }
    }

    /// Notes octets that are no request: their first line.
    pub(crate) fn of_garbage(mut text: Vec<u8>, octets: &[u8]) -> Self {
        let end = octets.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let end = end.unwrap_or(octets.len()).min(RAW_LINE_MAX);
        escape(octets.get(..end).unwrap_or_default(), &mut text);
        let split = text.len();
        text.extend_from_slice(b"-\" \"-");
        Self { text, split }
    }

    fn request(&self) -> &[u8] {
        self.text.get(..self.split).unwrap_or_default()
    }

    fn origin(&self) -> &[u8] {
        self.text.get(self.split..).unwrap_or_default()
    }

    /// Gives the memory back.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.text
    }
}

/// Escapes as nginx does: quotes, backslashes and everything outside printable ASCII as `\xHH`, so
/// that no client can forge a line or speak to a terminal.
fn escape(octets: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &octet in octets {
        if matches!(octet, b' '..=b'~') && !matches!(octet, b'"' | b'\\') {
            out.push(octet);
        } else {
            let digit = |value: u8| HEX.get(usize::from(value)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'x', digit(octet >> 4), digit(octet & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    fn log_of(entries: &[(Entry, End)]) -> String {
        let (mut read, write) = std::io::pipe().unwrap();
        let log = AccessLog::new(File::from(std::os::fd::OwnedFd::from(write))).unwrap();
        for (entry, end) in entries {
            let time = "22/Nov/2026:19:28:13 +0000";
            assert_eq!(log.add("192.0.2.7".parse().unwrap(), time, entry, *end), 0);
        }
        log.close();
        let mut text = String::new();
        read.read_to_string(&mut text).unwrap();
        text
    }

    /// Rule 48: what clients send is escaped.
    #[test]
    fn lines_are_those_of_nginx() {
        let head = b"GET /a?b=%22 HTTP/1.1\r\nHost: x\r\nReferer: http://y/\"q\r\n\
            User-Agent: curl\\\xe9\t1\r\n\r\n";
        let mut slots = core_http1::field_slots();
        let limits = core_http1::Limits {
            head_bytes: 4096,
            fields: 10,
        };
        let request = RequestHead::parse(head, &limits, &mut slots)
            .unwrap()
            .unwrap();
        let entries = [
            (
                Entry::new(Vec::new(), &request, false),
                End {
                    status: 200,
                    body_octets: 5,
                },
            ),
            (
                Entry::of_garbage(Vec::new(), b"\x16\x03\n"),
                End {
                    status: 400,
                    body_octets: 0,
                },
            ),
        ];
        assert_eq!(
            log_of(&entries),
            "192.0.2.7 - - [22/Nov/2026:19:28:13 +0000] \"GET /a?b=%22 HTTP/1.1\" 200 5 \
             \"http://y/\\x22q\" \"curl\\x5C\\xE9\\x091\"\n\
             192.0.2.7 - - [22/Nov/2026:19:28:13 +0000] \"\\x16\\x03\" 400 0 \"-\" \"-\"\n"
        );
    }

    #[test]
    fn lines_are_dropped_and_counted_when_the_disk_stands_still() {
        let (read, write) = std::io::pipe().unwrap();
        let log = AccessLog::new(File::from(std::os::fd::OwnedFd::from(write))).unwrap();
        let line = Entry::of_garbage(Vec::new(), &[b'x'; RAW_LINE_MAX]);
        let end = End {
            status: 400,
            body_octets: 0,
        };
        let client = "192.0.2.7".parse().unwrap();
        // The pipe takes 64 KiB, the channel WAITING_MAX batches; all beyond is lost.
        let lines = 4 * WAITING_MAX * BATCH / RAW_LINE_MAX;
        let lost: u64 = (0..lines).map(|_| log.add(client, "t", &line, end)).sum();
        assert!(lost > 0, "nothing was lost");
        drop(read);
    }
}
