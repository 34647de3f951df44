//! What the channels that speak HTTP have in common: one request on a connection of its own, and
//! what its answer means.

use std::sync::Arc;
use std::time::Duration;

use awc::http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use awc::http::{Method, StatusCode, Uri};
use awc::{Client, Connector};
use jiff::Timestamp;
use rustls::{ClientConfig, RootCertStore};

use super::{refused, retry};
use crate::sink::delivery::Outcome;

/// The client's TLS, with the certificates that this system trusts.
///
/// # Errors
/// A sentence when no protocol version can be offered.
pub(crate) fn tls_client() -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!("a trusted certificate cannot be read: {error}");
    }
    let (_, unusable) = roots.add_parsable_certificates(native.certs);
    if unusable > 0 {
        tracing::debug!("{unusable} of the system's certificates cannot be used");
    }
    with_roots(roots)
}

fn with_roots(roots: RootCertStore) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS is not usable: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A client without redirects, which would send secrets to whoever the answer names. It speaks
/// HTTP/1.1: `tls` offers no other protocol.
fn client(tls: &Arc<ClientConfig>, timeout: Duration) -> Client {
    let connector = Connector::new()
        .rustls_0_23(Arc::clone(tls))
        .timeout(timeout)
        .handshake_timeout(timeout);
    Client::builder()
        .connector(connector)
        .timeout(timeout)
        .disable_redirects()
        .add_default_header((
            "User-Agent",
            concat!("Evenkeel/", env!("CARGO_PKG_VERSION")),
        ))
        .finish()
}

/// Where requests go, checked.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// The method.
    pub(crate) method: Method,
    /// The URL as it was configured; there may be places for text in it.
    pub(crate) url: String,
    /// More header fields.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Until an answer counts as missing.
    pub(crate) timeout: Duration,
    /// For https.
    pub(crate) tls: Arc<ClientConfig>,
}

impl Target {
    /// Checks the parts.
    ///
    /// # Errors
    /// A sentence that names the wrong part.
    pub(crate) fn new(
        method: &str,
        url: &str,
        headers: &[(String, String)],
        timeout: Duration,
        tls: &Arc<ClientConfig>,
    ) -> Result<Self, String> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| format!("{method:?} is not an HTTP method"))?;
        let filled = url.replace("{to}", "0").replace("{text}", "0");
        // What follows the question mark may be a password and is not repeated.
        let shown = url.split('?').next().unwrap_or_default();
        let uri: Uri = filled
            .parse()
            .map_err(|error| format!("{shown:?} is not a URL: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none() {
            return Err(format!("{shown:?} is not an http or https URL with a host"));
        }
        let checked = headers.iter().map(|(name, value)| {
            let name: HeaderName = name
                .parse()
                .map_err(|_| format!("{name:?} is not a header field's name"))?;
            // The value may be a secret and is not repeated.
            let value = HeaderValue::from_str(value)
                .map_err(|_| format!("the value of header field {name} cannot be sent"))?;
            Ok((name, value))
        });
        Ok(Self {
            method,
            url: url.into(),
            headers: checked.collect::<Result<_, String>>()?,
            timeout: timeout.max(Duration::from_millis(1)),
            tls: Arc::clone(tls),
        })
    }

    /// Sends one request and reads the head of its answer. The connection is closed behind it:
    /// messages are rare, and a connection that was kept may be dead when the next one comes.
    ///
    /// # Errors
    /// A failure that may pass: no connection, no answer in time.
    pub(crate) async fn request(
        &self,
        url: &str,
        more: &[(HeaderName, HeaderValue)],
        body: String,
    ) -> Result<(StatusCode, HeaderMap), Outcome> {
        let client = client(&self.tls, self.timeout);
        let mut request = client.request(self.method.clone(), url).force_close();
        for (name, value) in more.iter().chain(&self.headers) {
            request.headers_mut().insert(name.clone(), value.clone());
        }
        let answer = tokio::time::timeout(self.timeout, request.send_body(body)).await;
        match answer {
            Ok(Ok(answer)) => Ok((answer.status(), answer.headers().clone())),
            Ok(Err(error)) => Err(retry(error.to_string())),
            Err(_) => Err(retry(format!("no answer within {:?}", self.timeout))),
        }
    }
}

/// What a status that is no success means: busy and broken servers are tried again.
pub(crate) fn failure(status: StatusCode, headers: &HeaderMap, now_unix_ms: u64) -> Outcome {
    let passes = status.is_server_error()
        || status == StatusCode::TOO_MANY_REQUESTS
        || status == StatusCode::REQUEST_TIMEOUT;
    if !passes {
        return refused(format!("the server answers {status}"));
    }
    let asked = headers
        .get(RETRY_AFTER)
        .and_then(|value| value.to_str().ok());
    Outcome::Retry {
        why: format!("the server answers {status}"),
        after: asked.and_then(|text| retry_after(text, now_unix_ms)),
    }
}

/// RFC 9110 §10.2.3: seconds or a date.
fn retry_after(text: &str, now_unix_ms: u64) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date: Timestamp = jiff::fmt::rfc2822::DateTimeParser::new()
        .parse_timestamp(text.trim())
        .ok()?;
    let at = u64::try_from(date.as_millisecond()).ok()?;
    Some(Duration::from_millis(at.saturating_sub(now_unix_ms)))
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3).
pub(crate) fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            encoded.push(char::from(octet));
        } else {
            encoded.push_str(&format!("%{octet:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unreserved_characters_stay() {
        let cases = [
            ("+491721234567", "%2B491721234567"),
            ("a b&c=d/e?f", "a%20b%26c%3Dd%2Fe%3Ff"),
            ("-._~aZ9", "-._~aZ9"),
            ("\u{fc}", "%C3%BC"),
        ];
        for (text, encoded) in cases {
            assert_eq!(percent_encoded(text), encoded);
        }
    }

    #[test]
    fn waits_that_servers_ask_for() {
        let now = 1_445_412_480_000 - 5_000;
        let cases = [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(5)),
            ("Wed, 21 Oct 2015 07:27:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
        ];
        for (text, seconds) in cases {
            assert_eq!(
                retry_after(text, now),
                seconds.map(Duration::from_secs),
                "{text}"
            );
        }
    }

    #[test]
    fn what_statuses_mean() {
        let cases = [
            (429, true),
            (408, true),
            (500, true),
            (503, true),
            (302, false),
            (400, false),
            (404, false),
        ];
        for (status, again) in cases {
            let status = StatusCode::from_u16(status).unwrap();
            let outcome = failure(status, &HeaderMap::new(), 0);
            assert_eq!(matches!(outcome, Outcome::Retry { .. }), again, "{status}");
        }
    }

    #[test]
    fn wrong_parts_are_named() {
        let tls = tls_client().unwrap();
        let field = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        let good = "http://127.0.0.1:13013/send?to={to}&text={text}";
        let cases = [
            ("GET", good, vec![], None),
            ("G T", good, vec![], Some("method")),
            ("GET", "127.0.0.1/x", vec![], Some("URL")),
            ("GET", "ftp://h/x", vec![], Some("URL")),
            ("GET", "/x", vec![], Some("URL")),
            ("GET", good, field("a b", "x"), Some("a b")),
            ("GET", good, field("token", "x\ny"), Some("token")),
        ];
        for (method, url, headers, part) in cases {
            let result = Target::new(method, url, &headers, Duration::ZERO, &tls);
            match (part, result) {
                (None, result) => assert!(result.is_ok(), "{url}"),
                (Some(part), Ok(_)) => panic!("{part} was taken"),
                (Some(part), Err(why)) => assert!(why.contains(part), "{why}"),
            }
        }
    }

    /// openssl as an HTTPS server with a certificate that it has signed itself.
    fn https_server(place: &std::path::Path) -> (std::process::Child, String) {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            command
                .args(arguments.split(' '))
                .current_dir(place)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null());
            command.spawn().unwrap()
        };
        let mut made = openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out cert \
             -outform DER -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
             -addext basicConstraints=critical,CA:FALSE",
        );
        assert!(made.wait().unwrap().success());
        let mut server =
            openssl("s_server -accept 127.0.0.1:0 -cert cert -certform DER -key key -www");
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let accepting = lines.find_map(|line| {
            let line = line.unwrap();
            line.strip_prefix("ACCEPT 127.0.0.1:").map(str::to_owned)
        });
        std::thread::spawn(move || lines.count());
        (server, format!("https://localhost:{}/", accepting.unwrap()))
    }

    #[actix_rt::test]
    async fn only_trusted_certificates_are_spoken_with() {
        let place = tempfile::tempdir().unwrap();
        let (mut server, url) = https_server(place.path());
        let mut roots = RootCertStore::empty();
        let certificate = std::fs::read(place.path().join("cert")).unwrap();
        roots.add(certificate.into()).unwrap();
        let mut results = Vec::new();
        for tls in [with_roots(roots).unwrap(), tls_client().unwrap()] {
            let target = Target::new("GET", &url, &[], Duration::from_secs(10), &tls).unwrap();
            let answer = target.request(&url, &[], String::new()).await;
            results.push(answer.map(|(status, _)| status));
        }
        server.kill().unwrap();
        server.wait().unwrap();
        assert_eq!(results[0], Ok(StatusCode::OK));
        let Err(Outcome::Retry { why, .. }) = &results[1] else {
            panic!("a stranger was trusted: {results:?}");
        };
        assert!(why.contains("certificate"), "{why}");
    }
}
