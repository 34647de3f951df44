//! Who may look, and what every answer says to browsers.
//!
//! On the Unix socket: root and the user that the product runs as. On TCP: whoever reaches the
//! address, but only under a name that no foreign web site can have pointed at it (DNS rebinding).

use std::net::{Ipv4Addr, Ipv6Addr};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, HOST, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpResponse};

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A process on this machine, by its user where the kernel tells.
    Local(Option<u32>),
    /// Somebody on the network.
    Remote,
}

/// What decides.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Who may use the Unix socket, beside root.
    pub(crate) uid: u32,
    /// A name under which the node may be asked.
    pub(crate) node: String,
}

/// Lets a request through or answers it with a refusal.
pub(crate) async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let verdict = match (
        request.app_data::<Data<Rules>>(),
        request.conn_data::<Peer>(),
    ) {
        (Some(rules), Some(peer)) => judge(rules, *peer, request.headers().get(HOST)),
        _ => Err((StatusCode::FORBIDDEN, "unknown peer")),
    };
    let mut response = match verdict {
        Ok(()) => next.call(request).await?.map_into_boxed_body(),
        Err((status, why)) => {
            let refusal = HttpResponse::build(status).body(format!("{why}\n"));
            request.into_response(refusal)
        }
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

type Refusal = (StatusCode, &'static str);

fn judge(rules: &Rules, peer: Peer, host: Option<&HeaderValue>) -> Result<(), Refusal> {
    match peer {
        Peer::Local(Some(uid)) if uid == 0 || uid == rules.uid => Ok(()),
        Peer::Local(_) => Err((
            StatusCode::FORBIDDEN,
            "only root and the service's own user may ask here",
        )),
        Peer::Remote => match host.and_then(|host| host.to_str().ok()) {
            Some(host) if is_own_name(host, &rules.node) => Ok(()),
            _ => Err((
                StatusCode::MISDIRECTED_REQUEST,
                "ask by IP address, by the node's name or by localhost",
            )),
        },
    }
}

/// Whether `host`, a Host field, is an IP address, `localhost` or the node's name, with or without a
/// port.
fn is_own_name(host: &str, node: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) if address.parse::<Ipv6Addr>().is_ok() => ("localhost", port),
        Some(_) => return false,
        None => match host.find(':') {
            Some(colon) => host.split_at(colon),
            None => (host, ""),
        },
    };
    let port_is_sound = match port.strip_prefix(':') {
        Some(number) => number.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    let name_is_own = name.parse::<Ipv4Addr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || name.eq_ignore_ascii_case(node);
    port_is_sound && name_is_own
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rule 46: the pages of other sites get no answer.
    #[test]
    fn who_may_ask() {
        use Peer::{Local, Remote};
        let cases = [
            (Local(Some(0)), None, 200),
            (Local(Some(990)), Some("anything.example"), 200),
            (Local(Some(1000)), None, 403),
            (Local(None), None, 403),
            (Remote, None, 421),
            (Remote, Some("192.168.0.101:9100"), 200),
            (Remote, Some("127.0.0.1"), 200),
            (Remote, Some("[::1]:9100"), 200),
            (Remote, Some("[fe80::1]"), 200),
            (Remote, Some("localhost:9100"), 200),
            (Remote, Some("LOCALHOST"), 200),
            (Remote, Some("Proxy101:9100"), 200),
            (Remote, Some("proxy101.evil.example"), 421),
            (Remote, Some("evil.example:9100"), 421),
            (Remote, Some("127.0.0.1.evil.example"), 421),
            (Remote, Some("127.0.0.1@evil.example"), 421),
            (Remote, Some("localhost:evil"), 421),
            (Remote, Some("[::1].evil.example"), 421),
            (Remote, Some("[evil]"), 421),
            (Remote, Some(""), 421),
        ];
        let rules = Rules {
            uid: 990,
            node: "proxy101".into(),
        };
        for (peer, host, status) in cases {
            let field = host.map(HeaderValue::from_static);
            let judged = judge(&rules, peer, field.as_ref());
            let judged = judged.map_or_else(|(status, _)| status.as_u16(), |()| 200);
            assert_eq!(judged, status, "{peer:?} {host:?}");
        }
    }
}
