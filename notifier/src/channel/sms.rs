//! Short messages by an HTTP gateway: one request per receiver, one segment per message.

use awc::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use ipc::event::What;
use ipc::notify::SmsSpec;
use jiff::tz::TimeZone;

use super::http::{self, Target, percent_encoded};
use super::{Surroundings, refused};
use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;
use crate::wording;

/// Characters of GSM 03.38 in one segment.
const GSM_MAX: usize = 160;

/// UTF-16 units in one segment when a character is not in GSM 03.38.
const UCS2_MAX: usize = 70;

/// The characters of GSM 03.38's basic table that are neither ASCII letters nor digits.
const GSM_BASIC: &str = "@\u{a3}$\u{a5}\u{e8}\u{e9}\u{f9}\u{ec}\u{f2}\u{c7}\n\u{d8}\u{f8}\r\u{c5}\
    \u{e5}\u{394}_\u{3a6}\u{393}\u{39b}\u{3a9}\u{3a0}\u{3a8}\u{3a3}\u{398}\u{39e}\u{c6}\u{e6}\
    \u{df}\u{c9} !\"#\u{a4}%&'()*+,-./:;<=>?\u{a1}\u{c4}\u{d6}\u{d1}\u{dc}\u{a7}\u{bf}\u{e4}\
    \u{f6}\u{f1}\u{fc}\u{e0}";

/// Those of its extension table, which take two places.
const GSM_EXTENSION: &str = "\u{c}^{}\\[~]|\u{20ac}";

/// A gateway.
pub(crate) struct SmsChannel {
    target: Target,
    body: Option<Body>,
    to: Vec<String>,
    success_statuses: Vec<u16>,
    zone: TimeZone,
}

/// The template of a request's body.
struct Body {
    template: String,
    json: bool,
}

impl SmsChannel {
    /// The gateway that `spec` describes.
    ///
    /// # Errors
    /// A sentence that names what is wrong.
    pub(crate) fn new(spec: &SmsSpec, around: &Surroundings) -> Result<Self, String> {
        if let Some(wrong) = spec.to.iter().find(|to| !is_e164(to)) {
            return Err(format!("{wrong:?} is not a number like +491721234567"));
        }
        let tls = &around.tls;
        let mut target = Target::new(&spec.method, &spec.url, &spec.headers, spec.timeout, tls)?;
        let body = spec.body.clone().map(|template| Body {
            template,
            json: prepare_content_type(&mut target.headers),
        });
        Ok(Self {
            target,
            body,
            to: spec.to.clone(),
            success_statuses: spec.success_statuses.clone(),
            zone: around.zone.clone(),
        })
    }

    /// How many numbers there are.
    pub(crate) fn receivers(&self) -> usize {
        self.to.len()
    }

    /// Hands the entry's text for one number to the gateway.
    pub(crate) async fn send(&self, entry: &Entry, receiver: usize) -> Outcome {
        let Some(to) = self.to.get(receiver) else {
            return refused("the receiver is no longer configured");
        };
        let text = text(entry, &self.zone);
        let url = filled(&self.target.url, to, &text, percent_encoded);
        let body = self.body.as_ref().map_or_else(String::new, |body| {
            let encode = if body.json {
                json_escaped
            } else {
                percent_encoded
            };
            filled(&body.template, to, &text, encode)
        });
        match self.target.request(&url, &[], body).await {
            Ok((status, _)) if self.success_statuses.contains(&status.as_u16()) => Outcome::Done,
            Ok((status, headers)) => http::failure(status, &headers, entry.event.at_unix_ms),
            Err(outcome) => outcome,
        }
    }
}

/// Adds the form's content type where none is given; says whether it is JSON.
fn prepare_content_type(headers: &mut Vec<(HeaderName, HeaderValue)>) -> bool {
    match headers.iter().find(|(name, _)| name == CONTENT_TYPE) {
        Some((_, value)) => value.to_str().is_ok_and(|value| value.contains("json")),
        None => {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.push((CONTENT_TYPE, form));
            false
        }
    }
}

/// ITU-T E.164: a plus, then 7 to 15 digits.
fn is_e164(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|digits| {
        (7..=15).contains(&digits.len()) && digits.bytes().all(|octet| octet.is_ascii_digit())
    })
}

/// Puts both texts into the template, in one pass: what looks like a place in them is none.
fn filled(template: &str, to: &str, text: &str, encode: fn(&str) -> String) -> String {
    let mut result = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        let (before, place) = rest.split_at(at);
        result.push_str(before);
        if let Some(behind) = place.strip_prefix("{to}") {
            result.push_str(&encode(to));
            rest = behind;
        } else if let Some(behind) = place.strip_prefix("{text}") {
            result.push_str(&encode(text));
            rest = behind;
        } else {
            result.push('{');
            rest = &place[1..];
        }
    }
    result + rest
}

/// The inside of a JSON string.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    let inside = quoted
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or_default().to_owned()
}

/// The message: one segment. What must be shortened is the reason, never what follows it.
fn text(entry: &Entry, zone: &TimeZone) -> String {
    let time = wording::time_of_day(entry.event.at_unix_ms, zone);
    let (head, reason) = match &entry.event.what {
        What::Transition(transition) => (
            format!(
                "{} {} {} prio {} ",
                entry.node, transition.to, transition.router, transition.priority
            ),
            wording::one_line(&transition.cause),
        ),
        what => (format!("{} ", entry.node), wording::sentence(what)),
    };
    let head = wording::one_line(&head);
    one_segment(&head, &reason, &format!(" {time}"))
}

fn one_segment(head: &str, reason: &str, end: &str) -> String {
    let mut reason: Vec<char> = reason.chars().collect();
    loop {
        let text: String = head
            .chars()
            .chain(reason.iter().copied())
            .chain(end.chars())
            .collect();
        if fits(&text) || reason.pop().is_none() {
            return text;
        }
    }
}

fn fits(text: &str) -> bool {
    match text.chars().map(gsm_places).sum::<Option<usize>>() {
        Some(places) => places <= GSM_MAX,
        None => text.encode_utf16().count() <= UCS2_MAX,
    }
}

/// How many places a character takes in GSM 03.38; `None` when it is not in it.
fn gsm_places(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || GSM_BASIC.contains(c) {
        Some(1)
    } else if GSM_EXTENSION.contains(c) {
        Some(2)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use ipc::status::RouterState;

    use super::*;
    use crate::examples;

    fn caused(cause: &str) -> Entry {
        let what = examples::transition(RouterState::Backup, RouterState::Master, cause);
        examples::entry(1, What::Transition(what))
    }

    #[test]
    fn messages_are_one_segment() {
        let short = "proxy101 MASTER YN_API_GATEWAY prio 202 master timed out 16:27:10";
        let down = What::ProxyIll;
        assert_eq!(text(&examples::master(), &TimeZone::UTC), short);
        assert_eq!(
            text(&examples::entry(1, down), &TimeZone::UTC),
            "proxy101 the proxy no longer serves 16:27:10"
        );
        let cases = [
            ("x", GSM_MAX),
            ("[", 104), // 49 letters that take one place, 55 that take two
            ("\u{4e2d}", UCS2_MAX),
        ];
        for (letter, length) in cases {
            let text = text(&caused(&letter.repeat(300)), &TimeZone::UTC);
            assert_eq!(text.chars().count(), length, "{text}");
            assert!(text.ends_with(" 16:27:10"), "{text}");
        }
    }

    #[test]
    fn places_are_filled_once() {
        let cases = [
            ("?to={to}&text={text}", "?to=%2B49&text=a%20%7Bto%7D"),
            ("{}{to}{x", "{}%2B49{x"),
            ("plain", "plain"),
        ];
        for (template, expected) in cases {
            assert_eq!(filled(template, "+49", "a {to}", percent_encoded), expected);
        }
        assert_eq!(
            filled(
                r#"{"to":"{to}","text":"{text}"}"#,
                "+49",
                "say \"{to}\"",
                json_escaped
            ),
            r#"{"to":"+49","text":"say \"{to}\""}"#
        );
    }

    #[test]
    fn numbers_are_e164() {
        let cases = [
            ("+491721234567", true),
            ("491721234567", false),
            ("+49 172", false),
            ("+123456", false),
            ("+1234567890123456", false),
        ];
        for (number, good) in cases {
            assert_eq!(is_e164(number), good, "{number}");
        }
    }
}
