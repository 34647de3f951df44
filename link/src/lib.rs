//! One end of the message channel between the supervisor and a child: typed messages over
//! `platform`'s socket pair, and what every child does first ([`child`]).
//!
//! It decides nothing about any role. Sending never blocks: what the kernel does not take at once
//! waits in a bounded backlog, and when that is full the sender is told.

pub mod child;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ipc::codec::{self, CodecError, PACKET_MAX};
use platform::seqpacket::SeqPacket;
use platform::watch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::unix::AsyncFd;

/// Messages that may wait because the other end reads too slowly.
pub const BACKLOG_MAX: usize = 1024;

/// Why a message could not be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The other end is gone.
    #[error("the other process has closed its end")]
    Closed,
    /// The other end does not read: [`BACKLOG_MAX`] messages wait. The message was not queued.
    #[error("the other process does not read its messages")]
    Full,
    /// The other end sent what is no message of this edge.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The socket failed.
    #[error("the socket failed: {0}")]
    Io(#[from] io::Error),
}

/// A message with the descriptors that came along.
#[derive(Debug)]
pub struct Received<M> {
    /// What was said.
    pub message: M,
    /// Owned by the receiver; their number is to be checked against what the message promises.
    pub descriptors: Vec<OwnedFd>,
}

/// One end, sending `Out` and receiving `In`. For one thread.
#[derive(Debug)]
pub struct Link<Out, In> {
    socket: AsyncFd<SeqPacket>,
    backlog: RefCell<VecDeque<(Vec<u8>, Vec<OwnedFd>)>>,
    buffer: RefCell<Vec<u8>>,
    edge: PhantomData<fn(Out) -> In>,
}

impl<Out: Serialize, In: DeserializeOwned> Link<Out, In> {
    /// Takes over one end. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the runtime cannot watch the socket.
    pub fn new(socket: SeqPacket) -> io::Result<Self> {
        Ok(Self {
            socket: watch::seqpacket(socket)?,
            backlog: RefCell::default(),
            buffer: RefCell::new(vec![0; PACKET_MAX]),
            edge: PhantomData,
        })
    }

    /// Sends a message, or queues it when the kernel's buffer is full; [`Link::receive`] sends what
    /// is queued.
    ///
    /// # Errors
    /// [`LinkError::Full`] when the backlog is full: the message is not sent, and a peer that lets
    /// it come to this is stuck. [`LinkError::Closed`] when the peer is gone.
    pub fn send(&self, message: &Out, descriptors: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        let bytes = codec::encode_packet(message)?;
        let mut backlog = self.backlog.borrow_mut();
        if backlog.is_empty() {
            match self.socket.get_ref().send(&bytes, descriptors) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result.map_err(from_io),
            }
        }
        if backlog.len() >= BACKLOG_MAX {
            return Err(LinkError::Full);
        }
        let owned = descriptors
            .iter()
            .map(|fd| fd.try_clone_to_owned())
            .collect::<Result<_, _>>()?;
        backlog.push_back((bytes, owned));
        Ok(())
    }

    /// Waits for the next message, sending what is queued meanwhile. May be dropped at any time
    /// without losing a message.
    ///
    /// # Errors
    /// [`LinkError::Closed`] at the end; [`LinkError::Codec`] when the peer talks nonsense.
    pub async fn receive(&self) -> Result<Received<In>, LinkError> {
        loop {
            let queued = !self.backlog.borrow().is_empty();
            tokio::select! {
                biased;
                guard = self.socket.readable() => {
                    let mut guard = guard?;
                    if let Ok(result) = guard.try_io(|socket| self.receive_now(socket.get_ref())) {
                        return result.map_err(from_io)?;
                    }
                }
                guard = self.socket.writable(), if queued => {
                    let mut guard = guard?;
                    if let Ok(result) = guard.try_io(|socket| self.send_queued(socket.get_ref())) {
                        result.map_err(from_io)?;
                    }
                }
            }
        }
    }

    fn receive_now(&self, socket: &SeqPacket) -> io::Result<Result<Received<In>, LinkError>> {
        let mut buffer = self.buffer.borrow_mut();
        let packet = socket.receive(&mut buffer)?;
        if packet.length == 0 {
            return Ok(Err(LinkError::Closed));
        }
        let message = codec::decode(&buffer[..packet.length]);
        Ok(message
            .map(|message| Received {
                message,
                descriptors: packet.descriptors,
            })
            .map_err(LinkError::from))
    }

    fn send_queued(&self, socket: &SeqPacket) -> io::Result<()> {
        let mut backlog = self.backlog.borrow_mut();
        while let Some((bytes, owned)) = backlog.front() {
            let descriptors: Vec<_> = owned.iter().map(AsFd::as_fd).collect();
            socket.send(bytes, &descriptors)?;
            backlog.pop_front();
        }
        Ok(())
    }
}

fn from_io(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::BrokenPipe
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::NotConnected => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type End = Link<u64, u64>;

    fn ends() -> (End, End) {
        let (a, b) = SeqPacket::pair().unwrap();
        (Link::new(a).unwrap(), Link::new(b).unwrap())
    }

    #[tokio::test]
    async fn what_waits_in_the_backlog_arrives_in_order() {
        let (a, b) = ends();
        let sent = (0u64..)
            .find(|number| a.send(number, &[]).is_err())
            .unwrap();
        assert!(sent > BACKLOG_MAX as u64);
        assert!(matches!(a.send(&0, &[]), Err(LinkError::Full)));
        for number in 0..sent {
            let received = tokio::select! {
                received = b.receive() => received.unwrap(),
                _ = a.receive() => unreachable!("nothing was sent this way"),
            };
            assert_eq!(received.message, number);
        }
    }

    #[tokio::test]
    async fn the_end_is_told() {
        let (a, b) = ends();
        a.send(&1, &[]).unwrap();
        drop(a);
        assert_eq!(b.receive().await.unwrap().message, 1);
        assert!(matches!(b.receive().await, Err(LinkError::Closed)));
        assert!(matches!(b.send(&1, &[]), Err(LinkError::Closed)));
    }
}
