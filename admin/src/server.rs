//! The HTTP server: one worker thread on the Unix socket and, where configured, on a TCP socket.

use std::any::Any;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use actix::Addr;
use actix_web::dev::{Extensions, ServerHandle};
use actix_web::middleware::from_fn;
use actix_web::rt::net::UnixStream;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};

use crate::access::{self, Peer, Rules};
use crate::events::Events;
use crate::state::State;
use crate::{api, dashboard, metrics};

/// Connections at one time; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;

/// For a request head.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two requests.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is shown, and by whom.
#[derive(Clone)]
pub(crate) struct Site {
    /// The user that this process runs as.
    pub(crate) uid: u32,
    /// What the node looks like.
    pub(crate) state: Addr<State>,
    /// What has happened.
    pub(crate) events: Addr<Events>,
}

/// The supervisor's sockets.
#[derive(Debug)]
pub(crate) struct Listeners {
    /// Always there.
    pub(crate) unix: UnixListener,
    /// Where `admin.bind` is given.
    pub(crate) tcp: Option<TcpListener>,
}

/// Begins to serve.
///
/// # Errors
/// When a socket cannot be taken over.
pub(crate) fn start(listeners: Listeners, node: String, site: Site) -> io::Result<ServerHandle> {
    let rules = Rules {
        uid: site.uid,
        node,
    };
    let application = move || {
        App::new()
            .app_data(Data::new(rules.clone()))
            .app_data(Data::new(site.clone()))
            .wrap(from_fn(access::admit))
            .configure(resources)
    };
    let mut server = HttpServer::new(application)
        .workers(1)
        .max_connections(CONNECTIONS_MAX)
        .client_request_timeout(REQUEST_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        .disable_signals()
        .on_connect(remember_peer)
        .listen_uds(listeners.unix)?;
    if let Some(tcp) = listeners.tcp {
        server = server.listen(tcp)?;
    }
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!("the HTTP server ended: {error}");
        }
    });
    Ok(handle)
}

/// What there is to see. Anything but GET and HEAD is answered with 405.
fn resources(config: &mut ServiceConfig) {
    config
        .service(
            web::resource("/")
                .route(web::get().to(dashboard::page))
                .route(web::head().to(dashboard::page)),
        )
        .service(
            web::resource("/metrics")
                .route(web::get().to(metrics::page))
                .route(web::head().to(metrics::page)),
        )
        .service(
            web::resource("/api/v1/status")
                .route(web::get().to(api::status))
                .route(web::head().to(api::status)),
        )
        .service(
            web::resource("/api/v1/events")
                .route(web::get().to(api::events))
                .route(web::head().to(api::events)),
        );
}

fn remember_peer(connection: &dyn Any, extensions: &mut Extensions) {
    let peer = match connection.downcast_ref::<UnixStream>() {
        Some(stream) => Peer::Local(stream.peer_cred().ok().map(|peer| peer.uid())),
        None => Peer::Remote,
    };
    extensions.insert(peer);
}
