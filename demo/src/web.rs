//! The page and its two resources: what is seen, and what shall be done.
//!
//! Whoever can reach the port may use it; other pages in the user's browser may not: a foreign
//! origin, a foreign host name (DNS rebinding) and anything but JSON are refused.

use std::io;
use std::net::{IpAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::dev::Server;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, ORIGIN};
use actix_web::web::{Data, Json, JsonConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::action::{Order, Wish};

/// A wish is two words.
const WISH_OCTETS_MAX: usize = 1024;
/// The page is one file, and nothing is loaded into it from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; frame-ancestors 'none'";

/// What the page's server shares with the stage.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    view: Arc<Mutex<String>>,
    orders: mpsc::Sender<Order>,
}

impl Shared {
    /// Nothing seen yet; wishes go to `orders`.
    pub(crate) fn new(orders: mpsc::Sender<Order>) -> Self {
        Self {
            view: Arc::new(Mutex::new("null".to_owned())),
            orders,
        }
    }

    /// Shows `view`, a JSON document, from now on.
    pub(crate) fn show(&self, view: String) {
        *self.view() = view;
    }

    fn view(&self) -> MutexGuard<'_, String> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves on `listener`, to be awaited.
///
/// # Errors
/// When the listener cannot be watched.
pub(crate) fn serve(listener: TcpListener, shared: Shared) -> io::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .app_data(Data::new(shared.clone()))
            .app_data(JsonConfig::default().limit(WISH_OCTETS_MAX))
            .route("/", web::get().to(page))
            .route("/api/state", web::get().to(state))
            .route("/api/action", web::post().to(act))
    });
    Ok(server.workers(1).disable_signals().listen(listener)?.run())
}

async fn page(request: HttpRequest) -> HttpResponse {
    if !is_meant(&request) {
        return HttpResponse::Forbidden().finish();
    }
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(include_str!("page.html"))
}

async fn state(request: HttpRequest, shared: Data<Shared>) -> HttpResponse {
    if !is_meant(&request) {
        return HttpResponse::Forbidden().finish();
    }
    HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body(shared.view().clone())
}

async fn act(request: HttpRequest, shared: Data<Shared>, wish: Json<Wish>) -> HttpResponse {
    if !is_meant(&request) {
        return HttpResponse::Forbidden().finish();
    }
    let (answer, answered) = oneshot::channel();
    let wish = wish.into_inner();
    // A full queue is a user who is faster than the stage: refused, to be pressed again.
    if shared.orders.try_send(Order { wish, answer }).is_err() {
        return HttpResponse::ServiceUnavailable().json(json!({ "error": "too many wishes" }));
    }
    match answered.await {
        Ok(Ok(done)) => HttpResponse::Ok().json(json!({ "done": done })),
        Ok(Err(error)) => HttpResponse::Conflict().json(json!({ "error": error })),
        Err(_) => HttpResponse::ServiceUnavailable().json(json!({ "error": "the demo is ending" })),
    }
}

fn is_meant(request: &HttpRequest) -> bool {
    let field = |name| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or("?"))
    };
    is_own(field(HOST), field(ORIGIN))
}

/// Whether a request is for this server by an address or by `localhost`, and from its own page or
/// from no page.
fn is_own(host: Option<&str>, origin: Option<&str>) -> bool {
    let Some(host) = host else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|octet| octet.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let addressed = name == "localhost" || bare.parse::<IpAddr>().is_ok();
    addressed && origin.is_none_or(|origin| origin.strip_prefix("http://") == Some(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_page_may_act() {
        for (host, origin, own) in [
            (Some("127.0.0.1:8480"), None, true),
            (Some("127.0.0.1:8480"), Some("http://127.0.0.1:8480"), true),
            (Some("localhost:8480"), Some("http://localhost:8480"), true),
            (Some("[::1]:8480"), Some("http://[::1]:8480"), true),
            (Some("192.0.2.1"), None, true),
            (Some("127.0.0.1:8480"), Some("http://127.0.0.1:9000"), false),
            (Some("127.0.0.1:8480"), Some("https://example.org"), false),
            (Some("127.0.0.1:8480"), Some("null"), false),
            (Some("rebound.example.org:8480"), None, false),
            (
                Some("rebound.example.org:8480"),
                Some("http://rebound.example.org:8480"),
                false,
            ),
            (None, None, false),
        ] {
            assert_eq!(is_own(host, origin), own, "{host:?} {origin:?}");
        }
    }
}
