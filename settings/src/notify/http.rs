//! `sms = { ... }` and `webhook = { ... }`: those who are told by HTTP.

use std::fmt;

use super::Secret;
use crate::item::{Item, Table};
use crate::units;

/// Short messages, by an HTTP gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// The receivers in E.164 form, at least one.
    pub to: Vec<String>,
    /// With `{to}` and `{text}`, unless they are in the body.
    pub url: HttpUrl,
    /// Default: POST with a body, GET without.
    pub method: SmsMethod,
    /// With `{to}` and `{text}`. Default: none.
    pub body: Option<String>,
    /// More header fields. Default: none.
    pub headers: Vec<(String, Secret)>,
    /// What means that it was accepted. Default: 200 to 299.
    pub success_status: Vec<u16>,
}

/// How a gateway is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsMethod {
    /// Without a body.
    Get,
    /// With a body, if there is one.
    Post,
}

impl SmsMethod {
    /// The method as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A POST with JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where to.
    pub url: HttpUrl,
    /// More header fields. Default: none.
    pub headers: Vec<(String, Secret)>,
    /// The key of the HMAC-SHA256 signature. Default: none.
    pub secret: Option<Secret>,
}

/// An `http` or `https` URL. What follows the host may hold passwords and is not shown in logs.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(String);

impl HttpUrl {
    /// All of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        write!(f, "HttpUrl({host}/..)")
    }
}

impl Sms {
    pub(super) fn read(mut table: Table<'_>) -> Option<Self> {
        let to = table.required("to", |item| item.filled_list(phone_number));
        let http = table.required("http", Gateway::read);
        table.finish();
        let Gateway {
            url,
            method,
            body,
            headers,
            success_status,
        } = http?;
        Some(Self {
            to: to?,
            url,
            method,
            body,
            headers,
            success_status,
        })
    }
}

/// `sms.http`.
struct Gateway {
    url: HttpUrl,
    method: SmsMethod,
    body: Option<String>,
    headers: Vec<(String, Secret)>,
    success_status: Vec<u16>,
}

impl Gateway {
    fn read(item: &Item<'_>) -> Option<Self> {
        let mut table = item.table()?;
        let url = table.required("url", |item| http_url(item, &["{to}", "{text}"]));
        let body = table.maybe("body", Item::filled_string);
        let method = table.maybe("method", |item| {
            item.one_of(&[("GET", SmsMethod::Get), ("POST", SmsMethod::Post)])
        });
        let headers = table.or("headers", Vec::new(), headers);
        let success_status = table.or("success_status", (200..=299).collect(), |item| {
            item.filled_list(|item| item.number(100..=599))
        });
        table.finish();
        let (url, body) = (url?, body?);
        for place in ["{to}", "{text}"] {
            if !url.as_str().contains(place) && !body.as_deref().unwrap_or("").contains(place) {
                return item.error(
                    format!("{place} is neither in \"url\" nor in \"body\""),
                    "it stands where the gateway expects the receiver or the text",
                );
            }
        }
        let default = if body.is_some() {
            SmsMethod::Post
        } else {
            SmsMethod::Get
        };
        let method = method?.unwrap_or(default);
        if method == SmsMethod::Get && body.is_some() {
            return item.error(
                "a GET has no body",
                "set method = \"POST\", or remove \"body\"",
            );
        }
        Some(Self {
            url,
            method,
            body,
            headers: headers?,
            success_status: success_status?,
        })
    }
}

/// ITU-T E.164 §6.2.1: at most 15 digits, the first of the country code not zero.
fn phone_number(item: &Item<'_>) -> Option<String> {
    let text = item.string()?;
    let digits = text.strip_prefix('+').unwrap_or("");
    let good = (7..=15).contains(&digits.len())
        && digits.bytes().all(|octet| octet.is_ascii_digit())
        && !digits.starts_with('0');
    if !good {
        return item.error(
            format!("{text:?} is no telephone number in E.164 form"),
            "write \"+\", country code and number without blanks: \"+491721234567\"",
        );
    }
    Some(text)
}

impl Webhook {
    pub(super) fn read(mut table: Table<'_>) -> Option<Self> {
        let url = table.required("url", |item| http_url(item, &[]));
        let headers = table.or("headers", Vec::new(), headers);
        let secret = table.maybe("secret", |item| item.secret_string().map(Secret));
        table.finish();
        Some(Self {
            url: url?,
            headers: headers?,
            secret: secret?,
        })
    }
}

/// `http://host[:port][/path]`, with the places that may stand in it.
fn http_url(item: &Item<'_>, places: &[&str]) -> Option<HttpUrl> {
    let text = item.string()?;
    let plain = places
        .iter()
        .fold(text.clone(), |text, place| text.replace(place, ""));
    let scheme_end = ["http://", "https://"]
        .into_iter()
        .find(|scheme| plain.starts_with(scheme));
    let Some(rest) = scheme_end.and_then(|scheme| plain.strip_prefix(scheme)) else {
        return item.error(
            format!(
                "{} must begin with \"http://\" or \"https://\"",
                item.name()
            ),
            "",
        );
    };
    let authority = rest.split(['/', '?']).next().unwrap_or("");
    if authority.contains('@') {
        return item.error(
            "a URL with user and password is not sent as such",
            "give headers = { Authorization = \"Basic ...\" }",
        );
    }
    let with_port = units::parse_host_port(authority).is_some();
    let without_port = units::is_host(authority)
        || authority
            .strip_prefix('[')
            .and_then(|ip| ip.strip_suffix(']'))
            .is_some_and(|ip| ip.parse::<std::net::Ipv6Addr>().is_ok());
    if !with_port && !without_port {
        return item.error(
            format!("the URL has no host that could be asked: {authority:?}"),
            "",
        );
    }
    if let Some(bad) = rest
        .chars()
        .find(|&c| !c.is_ascii_graphic() || "\"<>\\^`{|}#".contains(c))
    {
        return item.error(
            format!("a URL cannot have {bad:?}"),
            "write it percent-encoded",
        );
    }
    Some(HttpUrl(text))
}

/// Names and values of header fields, in the order of the file.
fn headers(item: &Item<'_>) -> Option<Vec<(String, Secret)>> {
    let mut headers = Vec::new();
    for (name, value) in item.entries()? {
        let is_token_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        let is_token = !name.is_empty() && name.chars().all(is_token_char);
        let good_name = if is_token {
            Some(())
        } else {
            // Behind the first character that is wrong may stand the value.
            let begin = name.split(|c| !is_token_char(c)).next().unwrap_or("");
            let message = format!("what begins with {begin:?} is no name of a header field");
            item.context().error(&value.key_position(), message, "");
            None
        };
        headers.push(
            good_name
                .and_then(|()| value.line())
                .map(|value| (name, Secret(value))),
        );
    }
    headers.into_iter().collect()
}
