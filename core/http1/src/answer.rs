//! Answers that the proxy gives by itself.

use crate::Version;
use crate::forward::{write_connection, write_line};

/// A status with the short body that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortAnswer {
    /// Status line and the fields that never change, each with its CRLF.
    head: &'static str,
    /// The body.
    body: &'static str,
    /// The status.
    pub status: u16,
}

macro_rules! short_answers {
    ($($status:literal $length:literal $reason:literal)*) => {
        /// The short answer of a status; 500 for one that the proxy never gives.
        pub const fn short_answer(status: u16) -> ShortAnswer {
            match status {
                $($status => {
                    let answer = ShortAnswer {
                        head: concat!(
                            "HTTP/1.1 ", $status, " ", $reason, "\r\n",
                            "Content-Type: text/plain\r\n",
                            "Content-Length: ", $length, "\r\n",
                        ),
                        body: concat!($status, " ", $reason, "\n"),
                        status: $status,
                    };
                    const { assert!(concat!($status, " ", $reason, "\n").len() == $length) };
                    answer
                })*
                _ => ShortAnswer {
                    head: "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n",
                    body: "",
                    status: 500,
                },
            }
        }
    };
}

short_answers! {
    400 16 "Bad Request"
    403 14 "Forbidden"
    404 14 "Not Found"
    405 23 "Method Not Allowed"
    408 20 "Request Timeout"
    413 22 "Content Too Large"
    414 17 "URI Too Long"
    417 23 "Expectation Failed"
    431 36 "Request Header Fields Too Large"
    501 20 "Not Implemented"
    502 16 "Bad Gateway"
    503 24 "Service Unavailable"
    504 20 "Gateway Timeout"
    505 31 "HTTP Version Not Supported"
}

/// How an own answer is given.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The version that the client speaks.
    pub version: Version,
    /// Whether the connection stays open.
    pub keep_alive: bool,
    /// The request was a HEAD: no body.
    pub asked_head: bool,
    /// The value of `Date`.
    pub date: &'a [u8],
}

impl Answer<'_> {
    /// Appends a short answer; says how many octets of body it has.
    pub fn write_short(&self, short: &ShortAnswer, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(short.head.as_bytes());
        if short.status == 405 {
            out.extend_from_slice(b"Allow: GET, HEAD\r\n");
        }
        if short.status == 503 {
            out.extend_from_slice(b"Retry-After: 1\r\n");
        }
        self.finish(short.body.as_bytes(), out)
    }

    /// Appends a 200 with a page that is not to be stored; says how many octets of body it has.
    pub fn write_page(&self, content_type: &str, page: &[u8], out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(b"HTTP/1.1 200 OK\r\n");
        write_line(b"Content-Type: ", content_type.as_bytes(), out);
        write_line(b"Content-Length: ", page.len().to_string().as_bytes(), out);
        out.extend_from_slice(b"Cache-Control: no-store\r\n");
        self.finish(page, out)
    }

    fn finish(&self, body: &[u8], out: &mut Vec<u8>) -> usize {
        write_line(b"Date: ", self.date, out);
        write_connection(self.version, self.keep_alive, out);
        out.extend_from_slice(b"\r\n");
        if self.asked_head {
            return 0;
        }
        out.extend_from_slice(body);
        body.len()
    }
}
