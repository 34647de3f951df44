//! How long a message's body is: RFC 9112 §6, without the tolerance that smuggling lives on.

use crate::field::members;
use crate::{Fault, Version};

/// Where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// After this many octets; 0: there is none.
    Fixed(u64),
    /// After the last chunk and its trailer section.
    Chunked,
    /// Where the server closes the connection; never in a request.
    UntilClose,
}

/// The length fields of a head, gathered while its fields are walked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LengthFields {
    content_length: Option<u64>,
    chunked: bool,
}

impl LengthFields {
    /// Takes a `Content-Length`: one, digits only, below 2^63.
    ///
    /// A list of identical values could be folded (RFC 9112 §6.3 rule 5); it is refused.
    pub(crate) fn add_content_length(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.content_length.is_some() {
            return Err(Fault::Length);
        }
        self.content_length = Some(parse_decimal(value).ok_or(Fault::Length)?);
        Ok(())
    }

    /// Takes a `Transfer-Encoding`: one, exactly `chunked`.
    pub(crate) fn add_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.chunked {
            return Err(Fault::Length);
        }
        if !value.eq_ignore_ascii_case(b"chunked") {
            return Err(if is_known_coding_list(value) {
                Fault::Coding
            } else {
                Fault::Length
            });
        }
        self.chunked = true;
        Ok(())
    }

    /// Both fields together are the classic of request smuggling; `chunked` is not for HTTP/1.0.
    fn check(self, version: Version) -> Result<(), Fault> {
        if self.chunked && (self.content_length.is_some() || version == Version::Http10) {
            return Err(Fault::Length);
        }
        Ok(())
    }

    /// A request's body: without a length field there is none.
    pub(crate) fn of_request(self, version: Version) -> Result<BodyLength, Fault> {
        self.check(version)?;
        if self.chunked {
            return Ok(BodyLength::Chunked);
        }
        Ok(BodyLength::Fixed(self.content_length.unwrap_or(0)))
    }

    /// A response's body. `asked_head`: the request was a HEAD, so there is none whatever it says.
    pub(crate) fn of_response(
        self,
        version: Version,
        status: u16,
        asked_head: bool,
    ) -> Result<BodyLength, Fault> {
        self.check(version)?;
        let never_a_body = status < 200 || status == 204;
        if never_a_body && self.chunked {
            return Err(Fault::Length);
        }
        if never_a_body || status == 304 || asked_head {
            return Ok(BodyLength::Fixed(0));
        }
        Ok(match (self.chunked, self.content_length) {
            (true, _) => BodyLength::Chunked,
            (false, Some(octets)) => BodyLength::Fixed(octets),
            (false, None) => BodyLength::UntilClose,
        })
    }
}

/// 1*DIGIT below 2^63.
fn parse_decimal(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    let mut number: u64 = 0;
    for byte in value {
        if !byte.is_ascii_digit() {
            return None;
        }
        number = number
            .checked_mul(10)?
            .checked_add(u64::from(byte - b'0'))?;
    }
    (number <= i64::MAX.unsigned_abs()).then_some(number)
}

/// A list that is well formed but names codings that we do not speak.
fn is_known_coding_list(value: &[u8]) -> bool {
    const KNOWN: [&[u8]; 5] = [b"gzip", b"x-gzip", b"compress", b"x-compress", b"deflate"];
    let known = |coding: &[u8]| KNOWN.iter().any(|name| coding.eq_ignore_ascii_case(name));
    let gaps = value.split(|&byte| byte == b',').count() != members(value).count();
    let mut before_last = members(value).collect::<Vec<_>>();
    if before_last
        .last()
        .is_some_and(|last| last.eq_ignore_ascii_case(b"chunked"))
    {
        before_last.pop();
    }
    !gaps && !before_last.is_empty() && before_last.into_iter().all(known)
}
