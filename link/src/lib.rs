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
use platform::memfd;
use platform::seqpacket::SeqPacket;
use platform::watch;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::unix::AsyncFd;

/// Messages that may wait because the other end reads too slowly.
pub const BACKLOG_MAX: usize = 1024;

/// A packet of this one octet says that the message is in a sealed memfd, the first descriptor that
/// comes along, because it is larger than a packet may be. No message begins with this octet: it
/// would be the first of a variant's number above 127, and no enum of `ipc` has so many.
pub const IN_MEMFD: u8 = 0xff;

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
    /// is queued, and so does the next message.
    ///
    /// # Errors
    /// [`LinkError::Full`] when the backlog is full: the message is not sent, and a peer that lets
    /// it come to this is stuck. [`LinkError::Closed`] when the peer is gone.
    pub fn send(&self, message: &Out, descriptors: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        let bytes = codec::encode_snapshot(message)?;
        if bytes.len() <= PACKET_MAX {
            return self.send_packet(bytes, descriptors);
        }
        let memfd = memfd::sealed("evenkeel-message", &bytes)?;
        let mut all = vec![memfd.as_fd()];
        all.extend_from_slice(descriptors);
        self.send_packet(vec![IN_MEMFD], &all)
    }

    fn send_packet(&self, bytes: Vec<u8>, descriptors: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        // What waits goes first; it may go now, whether or not somebody receives on this end.
        match self.send_queued(self.socket.get_ref()) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => result.map_err(from_io)?,
        }
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
        Ok(read(&buffer[..packet.length], packet.descriptors))
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

/// A message from its packet, or from the memfd that came in its place.
///
/// # Errors
/// [`LinkError::Codec`] when the peer talks nonsense, [`LinkError::Io`] when what came is no sealed
/// memfd.
pub fn read<M: DeserializeOwned>(
    packet: &[u8],
    mut descriptors: Vec<OwnedFd>,
) -> Result<Received<M>, LinkError> {
    let message = if packet == [IN_MEMFD] && !descriptors.is_empty() {
        let bytes = memfd::read_sealed(descriptors.remove(0), codec::SNAPSHOT_MAX)?;
        codec::decode(&bytes)?
    } else {
        codec::decode(packet)?
    };
    Ok(Received {
        message,
        descriptors,
    })
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
    async fn what_is_larger_than_a_packet_arrives_with_its_descriptors() {
        let (a, b) = SeqPacket::pair().unwrap();
        let a: Link<Vec<u64>, u8> = Link::new(a).unwrap();
        let b: Link<u8, Vec<u64>> = Link::new(b).unwrap();
        let large: Vec<u64> = (0..PACKET_MAX as u64).collect();
        let (pipe, _) = io::pipe().unwrap();
        a.send(&large, &[pipe.as_fd()]).unwrap();
        let received = b.receive().await.unwrap();
        assert_eq!(received.message, large);
        assert_eq!(received.descriptors.len(), 1);
    }

    #[tokio::test]
    async fn a_large_message_without_its_memfd_is_none() {
        let (a, b) = SeqPacket::pair().unwrap();
        let b: End = Link::new(b).unwrap();
        a.send(&[IN_MEMFD], &[]).unwrap();
        assert!(matches!(b.receive().await, Err(LinkError::Codec(_))));
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
