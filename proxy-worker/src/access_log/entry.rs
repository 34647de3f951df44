//! A line of an access log, as it is until the answer is known, and as it is written.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use core_http1::{RequestHead, Version};
use ipc::proxy::LogFormat;

use super::json::member;

/// Octets of a request line that could not be parsed.
const RAW_LINE_MAX: usize = 2 * 1024;

/// What a line says of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) status: u16,
    pub(crate) body_octets: u64,
}

/// The time of the second at hand, as lines show it.
#[derive(Debug, Default)]
pub(crate) struct Moment {
    /// Local, as nginx has it.
    pub(crate) combined: String,
    /// In UTC, as RFC 3339 has it.
    pub(crate) json: String,
}

/// What a line says of the request, kept until the answer is known.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Rendered and escaped already.
    text: Vec<u8>,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// nginx's combined format.
    Combined {
        /// Where the request line ends and the referrer begins.
        split: usize,
    },
    /// An object of JSON; the text is members of it, each behind a comma.
    Json {
        begun: Instant,
        /// The last one that the request went to.
        server: Option<SocketAddr>,
        /// How often it went to one.
        tries: u32,
    },
}

impl Form {
    fn json() -> Self {
        Self::Json {
            begun: Instant::now(),
            server: None,
            tries: 0,
        }
    }
}

impl Entry {
    /// Notes a request, in memory that is lent. `http2`: the client sent it in that version.
    pub(crate) fn new(
        mut text: Vec<u8>,
        request: &RequestHead<'_, '_>,
        http2: bool,
        format: LogFormat,
    ) -> Self {
        let protocol: &[u8] = match request.version {
            _ if http2 => b"HTTP/2.0",
            Version::Http10 => b"HTTP/1.0",
            Version::Http11 => b"HTTP/1.1",
        };
        let form = match format {
            LogFormat::Combined => combined(request, protocol, &mut text),
            LogFormat::Json => {
                members(request, protocol, &mut text);
                Form::json()
            }
        };
        Self { text, form }
    }

    /// Notes octets that are no request: their first line.
    pub(crate) fn of_garbage(mut text: Vec<u8>, octets: &[u8], format: LogFormat) -> Self {
        let end = octets.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
        let end = end.unwrap_or(octets.len()).min(RAW_LINE_MAX);
        let line = octets.get(..end).unwrap_or_default();
        let form = match format {
            LogFormat::Combined => {
                escape(line, &mut text);
                let split = text.len();
                text.extend_from_slice(b"-\" \"-");
                Form::Combined { split }
            }
            LogFormat::Json => {
                member("garbage", line, &mut text);
                Form::json()
            }
        };
        Self { text, form }
    }

    /// Notes by which name the request goes to which group of servers, where the format has that.
    pub(crate) fn note_upstream(&mut self, upstream: &str, request_id: &[u8]) {
        if let Form::Json { .. } = self.form {
            member("request_id", request_id, &mut self.text);
            member("upstream", upstream.as_bytes(), &mut self.text);
        }
    }

    /// Notes that it goes to a server, where the format has that.
    pub(crate) const fn note_server(&mut self, address: SocketAddr) {
        if let Form::Json { server, tries, .. } = &mut self.form {
            *server = Some(address);
            *tries = tries.saturating_add(1);
        }
    }

    /// Writes the line.
    pub(super) fn write(&self, client: IpAddr, now: &Moment, end: End, out: &mut Vec<u8>) {
        let End {
            status,
            body_octets,
        } = end;
        // Writing to a vector cannot fail.
        match &self.form {
            Form::Combined { split } => {
                let (request, origin) = self.text.split_at_checked(*split).unwrap_or_default();
                let _ = write!(out, "{client} - - [{}] \"", now.combined);
                out.extend_from_slice(request);
                let _ = write!(out, "\" {status} {body_octets} \"");
                out.extend_from_slice(origin);
                out.extend_from_slice(b"\"\n");
            }
            Form::Json {
                begun,
                server,
                tries,
            } => {
                let _ = write!(out, r#"{{"time":"{}","client":"{client}""#, now.json);
                out.extend_from_slice(&self.text);
                if let Some(server) = server {
                    let _ = write!(out, r#","server":"{server}","tries":{tries}"#);
                }
                let _ = write!(out, r#","status":{status},"body_octets":{body_octets}"#);
                let duration = begun.elapsed().as_millis();
                let _ = writeln!(out, r#","duration_ms":{duration}}}"#);
            }
        }
    }

    /// Gives the memory back.
    pub(crate) fn into_memory(self) -> Vec<u8> {
        self.text
    }
}

fn combined(request: &RequestHead<'_, '_>, protocol: &[u8], text: &mut Vec<u8>) -> Form {
    escape(request.method.as_bytes(), text);
    text.push(b' ');
    escape(request.raw_target.as_bytes(), text);
    text.push(b' ');
    text.extend_from_slice(protocol);
    let split = text.len();
    escape(request.field("referer").unwrap_or(b"-"), text);
    text.extend_from_slice(b"\" \"");
    escape(request.field("user-agent").unwrap_or(b"-"), text);
    Form::Combined { split }
}

/// What is not there is left out.
fn members(request: &RequestHead<'_, '_>, protocol: &[u8], text: &mut Vec<u8>) {
    member("method", request.method.as_bytes(), text);
    member("target", request.raw_target.as_bytes(), text);
    member("protocol", protocol, text);
    let host = request.host.map(str::as_bytes);
    let fields = [
        ("host", host),
        ("referer", request.field("referer")),
        ("user_agent", request.field("user-agent")),
    ];
    for (name, value) in fields {
        if let Some(value) = value {
            member(name, value, text);
        }
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
