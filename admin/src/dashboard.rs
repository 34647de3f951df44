//! `/`: the dashboard, one page that asks the API.
//!
//! Style and script stand in the page, and the content security policy names them by their hashes:
//! nothing else runs, and nothing comes from anywhere else.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_SECURITY_POLICY;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("dashboard/page.html");
const STYLE: &str = include_str!("dashboard/style.css");
const SCRIPT: &str = include_str!("dashboard/script.js");

static WHOLE: LazyLock<String> = LazyLock::new(|| {
    PAGE.replacen("{{style}}", STYLE, 1)
        .replacen("{{script}}", SCRIPT, 1)
});

static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
});

/// The page.
pub(crate) async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, POLICY.as_str()))
        .content_type("text/html; charset=utf-8")
        .body(WHOLE.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone() {
        assert!(WHOLE.contains(STYLE) && WHOLE.contains(SCRIPT));
        for foreign in ["{{", "http://", "https://", "src=", "@import", "url("] {
            assert!(!WHOLE.contains(foreign), "{foreign}");
        }
        // attributes that the policy forbids
        for inline in [" style=", " onclick=", " onload=", "innerHTML", "eval("] {
            assert!(!WHOLE.contains(inline), "{inline}");
        }
    }

    #[test]
    fn the_policy_names_style_and_script() {
        // SHA-256 of nothing, in base64, to see that the hashes are written as browsers read them
        let nothing = BASE64_STANDARD.encode(Sha256::digest(""));
        assert_eq!(nothing, "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        assert_eq!(POLICY.matches("'sha256-").count(), 2);
    }
}
