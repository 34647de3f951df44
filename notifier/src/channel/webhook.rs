//! The event as JSON, posted to a URL, signed when there is a secret.

use std::fmt::Write;

use awc::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::http::{self, Target, percent_encoded};
use super::refused;
use crate::journal::line::Entry;
use crate::sink::delivery::Outcome;

/// A receiver of events.
pub(crate) struct WebhookChannel {
    target: Target,
    secret: Option<String>,
    cluster: String,
}

impl WebhookChannel {
    /// Posts to `target`, signed with `secret`.
    pub(crate) fn new(target: Target, secret: Option<String>, cluster: &str) -> Self {
        Self {
            target,
            secret,
            cluster: cluster.into(),
        }
    }

    /// Posts the entry.
    pub(crate) async fn send(&self, entry: &Entry, now_unix_ms: u64) -> Outcome {
        let body = match entry.to_line() {
            Ok(line) => line,
            Err(error) => return refused(error.to_string()),
        };
        let headers = match self.headers(entry, &body, now_unix_ms) {
            Ok(headers) => headers,
            Err(why) => return refused(why),
        };
        let url = &self.target.url;
        match self.target.request(url, &headers, body).await {
            Ok((status, _)) if status.is_success() => Outcome::Done,
            Ok((status, headers)) => http::failure(status, &headers, now_unix_ms),
            Err(outcome) => outcome,
        }
    }

    fn headers(
        &self,
        entry: &Entry,
        body: &str,
        now_unix_ms: u64,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let value = |text: &str| HeaderValue::from_str(text).map_err(|error| error.to_string());
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/json")),
            (
                HeaderName::from_static("idempotency-key"),
                value(&idempotency_key(&self.cluster, entry))?,
            ),
            (
                HeaderName::from_static("x-evenkeel-cluster"),
                value(&percent_encoded(&self.cluster))?,
            ),
        ];
        if let Some(secret) = &self.secret {
            let signature = signature(secret, now_unix_ms / 1000, body)?;
            headers.push((
                HeaderName::from_static("x-evenkeel-signature"),
                value(&signature)?,
            ));
        }
        Ok(headers)
    }
}

/// The same for every attempt at the same event, and for no other event.
fn idempotency_key(cluster: &str, entry: &Entry) -> String {
    format!(
        "{}/{}/{}/{}",
        percent_encoded(cluster),
        percent_encoded(&entry.node),
        entry.seq,
        entry.event.at_unix_ms
    )
}

/// HMAC-SHA256 over the time, a full stop and the body: an old request cannot be sent again later.
fn signature(secret: &str, unix_seconds: u64, body: &str) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .map_err(|error| format!("the secret is no key: {error}"))?;
    mac.update(format!("{unix_seconds}.{body}").as_bytes());
    let mut text = format!("t={unix_seconds},v1=");
    for octet in mac.finalize().into_bytes() {
        write!(text, "{octet:02x}").map_err(|error| error.to_string())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples;

    #[test]
    fn signatures_can_be_checked_by_others() {
        // printf '1450110430.{"seq":41}' | openssl dgst -sha256 -hmac key
        let expected =
            "t=1450110430,v1=f72e0d13105ee5eb7a8a742cebc477bebfb2e4ea046726c64c20ce8b71b0c6b8";
        assert_eq!(
            signature("key", 1_450_110_430, r#"{"seq":41}"#).unwrap(),
            expected
        );
    }

    #[test]
    fn the_key_is_the_events_own() {
        assert_eq!(
            idempotency_key("api gateway", &examples::master()),
            "api%20gateway/proxy101/41/1450110430250"
        );
    }
}
