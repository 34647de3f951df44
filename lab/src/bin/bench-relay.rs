//! A relay that reads nothing of what it passes on: what `make bench` compares proxies with to tell what they do from
//! what the system asks for.
//!
//! `bench-relay PORT SERVER_PORT` relays from 127.0.0.1 until it is killed, each connection to one of its own.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let ports: Vec<u16> = std::env::args()
        .skip(1)
        .flat_map(|port| port.parse())
        .collect();
    let [port, server_port] = ports[..] else {
        return Err(std::io::Error::other("usage: bench-relay PORT SERVER_PORT"));
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let served = async {
        loop {
            let (client, _) = listener.accept().await?;
            client.set_nodelay(true)?;
            tokio::task::spawn_local(relay(client, server_port));
        }
    };
    tokio::task::LocalSet::new().run_until(served).await
}

/// Relays until one side ends.
async fn relay(mut client: TcpStream, server_port: u16) -> std::io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", server_port)).await?;
    server.set_nodelay(true)?;
    let (mut unsent_up, mut unsent_down) = (Vec::new(), Vec::new());
    poll_fn(|cx| {
        SCRATCH.with_borrow_mut(|room| {
            let up = pass_on(cx, &mut client, &mut server, &mut unsent_up, room);
            let down = pass_on(cx, &mut server, &mut client, &mut unsent_down, room);
            if up.is_ready() { up } else { down }
        })
    })
    .await
}

/// Passes on what is there; ready at the end.
fn pass_on(
    cx: &mut Context<'_>,
    from: &mut TcpStream,
    to: &mut TcpStream,
    unsent: &mut Vec<u8>,
    room: &mut [u8],
) -> Poll<std::io::Result<()>> {
    loop {
        while !unsent.is_empty() {
            let count = ready!(Pin::new(&mut *to).poll_write(cx, unsent))?;
            unsent.drain(..count);
        }
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(&mut *from).poll_read(cx, &mut room))?;
        let octets = room.filled();
        if octets.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let sent = match Pin::new(&mut *to).poll_write(cx, octets)? {
            Poll::Ready(count) => count,
            Poll::Pending => 0,
        };
        unsent.extend_from_slice(octets.get(sent..).unwrap_or_default());
    }
}
