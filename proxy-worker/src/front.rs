//! From an accepted socket to whoever serves it: what comes before HTTP is dealt with here, in the
//! order in which it is on the wire: a PROXY header, TLS, the preface of HTTP/2.

use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;

use crate::io::{Network, Peer, Tcp};
use crate::plan::ListenerId;
use crate::session::Session;
use crate::worker::Worker;

/// Serves a connection that was just accepted, to its end.
pub(crate) fn serve(
    worker: &Rc<Worker<Network>>,
    stream: TcpStream,
    address: SocketAddr,
    id: ListenerId,
) {
    let peer = Peer {
        address,
        local: None,
        secure: false,
    };
    let session = Session::new(Rc::clone(worker), Tcp::fresh(stream), peer, id);
    // The task ends with its connection; nobody waits for it.
    drop(actix_rt::spawn(session));
}
