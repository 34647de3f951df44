//! Connections to servers.

use std::io::{self, IoSlice};
use std::task::{Context, Poll};

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::introduction::header_for;

use super::{Call, Connecting, Dial, Io, Tcp};

/// A connection to a server, whatever lies between TCP and HTTP.
#[derive(Debug)]
pub(crate) enum Back {
    /// Nothing.
    Plain(Tcp),
}

impl Io for Back {
    fn poll_read(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_read(cx, room),
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(io) => io.poll_write(cx, parts),
        }
    }

    fn shut_down(&mut self, cx: &mut Context<'_>) {
        match self {
            Self::Plain(io) => io.shut_down(cx),
        }
    }

    fn is_watched(&self) -> bool {
        match self {
            Self::Plain(io) => io.is_watched(),
        }
    }

    fn make_close_a_reset(&mut self) {
        match self {
            Self::Plain(io) => io.make_close_a_reset(),
        }
    }

    fn is_stale(&mut self) -> bool {
        match self {
            Self::Plain(io) => io.is_stale(),
        }
    }
}

/// Connects over the network.
#[derive(Debug)]
pub(crate) struct Network;

impl Dial for Network {
    type Io = Back;

    fn dial(&self, call: Call) -> Connecting<Back> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(call.server).await?;
            stream.set_nodelay(true)?;
            if let Some(version) = call.transport.send_proxy {
                stream.write_all(&header_for(&call.client, version)).await?;
            }
            Ok(Back::Plain(Tcp::watched(stream)))
        })
    }
}
