//! Access logs, written by a thread so that no disk stops the event loop.

mod entry;
mod json;

pub(crate) use entry::{End, Entry, Moment};

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::Write as _;
use std::net::IpAddr;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError};

/// Octets after which a batch goes to the writer at once; else it goes at the next tick.
const BATCH: usize = 32 * 1024;

/// Batches that may wait for the disk. One more is dropped, and its lines counted.
const WAITING_MAX: usize = 64;

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
    pub(crate) fn add(&self, client: IpAddr, now: &Moment, entry: &Entry, end: End) -> u64 {
        let mut batch = self.batch.borrow_mut();
        entry.write(client, now, end, &mut batch);
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use ipc::proxy::LogFormat;

    use core_http1::FieldSlots;

    use super::*;

    fn now() -> Moment {
        Moment {
            combined: "22/Nov/2026:19:28:13 +0000".into(),
            json: "2026-11-22T19:28:13Z".into(),
        }
    }

    fn entry_of(head: &[u8], format: LogFormat) -> Entry {
        noted(head, Vec::new(), &mut FieldSlots::default(), format)
    }

    fn noted(head: &[u8], memory: Vec<u8>, slots: &mut FieldSlots, format: LogFormat) -> Entry {
        let limits = core_http1::Limits {
            head_bytes: 4096,
            fields: 10,
        };
        let request = core_http1::RequestHead::parse(head, &limits, slots);
        Entry::new(memory, &request.unwrap().unwrap(), false, format)
    }

    fn log_of(entries: &[(Entry, End)]) -> String {
        let (mut read, write) = std::io::pipe().unwrap();
        let log = AccessLog::new(File::from(std::os::fd::OwnedFd::from(write))).unwrap();
        for (entry, end) in entries {
            assert_eq!(
                log.add("192.0.2.7".parse().unwrap(), &now(), entry, *end),
                0
            );
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
        let entries = [
            (
                entry_of(head, LogFormat::Combined),
                End {
                    status: 200,
                    body_octets: 5,
                },
            ),
            (
                Entry::of_garbage(Vec::new(), b"\x16\x03\n", LogFormat::Combined),
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
        let octets = [b'x'; 2048];
        let line = Entry::of_garbage(Vec::new(), &octets, LogFormat::Combined);
        let end = End {
            status: 400,
            body_octets: 0,
        };
        let (client, now) = ("192.0.2.7".parse().unwrap(), now());
        // The pipe takes 64 KiB, the channel WAITING_MAX batches; all beyond is lost.
        let lines = 4 * WAITING_MAX * BATCH / octets.len();
        let lost: u64 = (0..lines).map(|_| log.add(client, &now, &line, end)).sum();
        assert!(lost > 0, "nothing was lost");
        drop(read);
    }

    /// Rule 48 again: whatever clients send, a line is one object of JSON in printable ASCII.
    #[test]
    fn lines_of_json_are_objects() {
        let head = b"GET /a?b=%22 HTTP/1.1\r\nHost: x\r\nReferer: http://y/\"q\r\n\
            User-Agent: c\\\xe9\t1 \xc3\xa9 \xf0\x9f\x98\x80\r\n\r\n";
        let mut entry = entry_of(head, LogFormat::Json);
        entry.note_upstream("app", b"0123");
        entry.note_server("[2001:db8::1]:80".parse().unwrap());
        entry.note_server("192.0.2.9:80".parse().unwrap());
        let end = |status| End {
            status,
            body_octets: 5,
        };
        let garbage = Entry::of_garbage(Vec::new(), b"\x16\x03\n", LogFormat::Json);
        let text = log_of(&[(entry, end(200)), (garbage, end(400))]);
        let lines: Vec<_> = text.lines().collect();
        let expected = [
            r#"{"time":"2026-11-22T19:28:13Z","client":"192.0.2.7","method":"GET","target":"/a?b=%22","protocol":"HTTP/1.1","host":"x","referer":"http://y/\"q","user_agent":"c\\\ufffd\u00091 \u00e9 \ud83d\ude00","request_id":"0123","upstream":"app","server":"192.0.2.9:80","tries":2,"status":200,"body_octets":5,"duration_ms":"#,
            r#"{"time":"2026-11-22T19:28:13Z","client":"192.0.2.7","garbage":"\u0016\u0003","status":400,"body_octets":5,"duration_ms":"#,
        ];
        assert_eq!(lines.len(), expected.len(), "{text}");
        for (line, expected) in lines.into_iter().zip(expected) {
            let rest = line.strip_prefix(expected).expect(line);
            let duration = rest.strip_suffix('}').expect(line);
            assert!(duration.parse::<u64>().is_ok(), "{line}");
        }
    }

    #[test]
    fn line_costs_no_allocation() {
        let head = b"GET /a HTTP/1.1\r\nHost: x\r\nUser-Agent: \xc3\xa9\"\r\n\r\n";
        let (client, now) = ("192.0.2.7".parse().unwrap(), now());
        let end = End {
            status: 200,
            body_octets: 5,
        };
        for format in [LogFormat::Combined, LogFormat::Json] {
            let (mut memory, mut batch) = (Vec::with_capacity(1024), Vec::with_capacity(1024));
            // Room for fields grows once.
            let mut slots = FieldSlots::default();
            noted(head, Vec::new(), &mut slots, format);
            let allocated = allocation_counter::measure(|| {
                for _ in 0..10 {
                    let mut entry = noted(head, std::mem::take(&mut memory), &mut slots, format);
                    entry.note_upstream("app", b"0123");
                    entry.note_server("192.0.2.9:80".parse().unwrap());
                    entry.write(client, &now, end, &mut batch);
                    memory = entry.into_memory();
                    memory.clear();
                    batch.clear();
                }
            });
            assert_eq!(allocated.count_total, 0, "{format:?}");
        }
    }
}
