//! A Unix socket that keeps message boundaries and carries descriptors: the wire between the
//! supervisor and a child. It knows bytes and descriptors, not what they mean.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::cmsg_space;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType,
    recvmsg, sendmsg, setsockopt, shutdown, socketpair, sockopt,
};

/// The most descriptors in one packet (the kernel's SCM_MAX_FD).
pub const DESCRIPTORS_MAX: usize = 253;

/// The kernel's buffer for what was sent and not yet read, in octets: several hundred messages.
const SEND_BUFFER: usize = 1024 * 1024;

/// One end of a socket pair of type SOCK_SEQPACKET, non-blocking, close-on-exec.
#[derive(Debug)]
pub struct SeqPacket {
    socket: OwnedFd,
}

/// One packet as it arrived.
#[derive(Debug)]
pub struct Packet {
    /// Octets at the front of the caller's buffer; 0 means that the other end is gone.
    pub length: usize,
    /// The descriptors that came along, close-on-exec.
    pub descriptors: Vec<OwnedFd>,
}

impl SeqPacket {
    /// Makes both ends.
    ///
    /// # Errors
    /// Those of socketpair(2).
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
        )?;
        for end in [&a, &b] {
            // Above the system's limit the kernel takes the limit, which is as good.
            setsockopt(end, sockopt::SndBuf, &SEND_BUFFER)?;
        }
        Ok((Self { socket: a }, Self { socket: b }))
    }

    /// Takes over a descriptor, after a look at what it is.
    ///
    /// # Errors
    /// `InvalidInput` when it is no Unix socket of type SOCK_SEQPACKET.
    pub fn from_descriptor(socket: OwnedFd) -> io::Result<Self> {
        use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
        let kind = nix::sys::socket::getsockopt(&socket, sockopt::SockType)
            .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
        if kind != SockType::SeqPacket {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
        fcntl(&socket, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
        Ok(Self { socket })
    }

    /// The same end once more.
    ///
    /// # Errors
    /// When descriptors run out.
    pub fn try_clone(&self) -> io::Result<Self> {
        let socket = self.socket.try_clone()?;
        Ok(Self { socket })
    }

    /// Sends nothing more: the other end reads the end, and may go on sending.
    ///
    /// # Errors
    /// Those of shutdown(2).
    pub fn end_sending(&self) -> io::Result<()> {
        Ok(shutdown(self.socket.as_raw_fd(), Shutdown::Write)?)
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// `WouldBlock` when the other end has not read enough; `BrokenPipe` when it is gone.
    pub fn send(&self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        let raw: Vec<RawFd> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() {
            &rights[..0]
        } else {
            &rights[..]
        };
        let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
        sendmsg::<()>(
            self.socket.as_raw_fd(),
            &[IoSlice::new(bytes)],
            control,
            flags,
            None,
        )?;
        Ok(())
    }

    /// Receives one packet into `buffer`.
    ///
    /// # Errors
    /// `WouldBlock` when nothing waits; `InvalidData` when the packet was larger than the buffer or
    /// carried more descriptors than [`DESCRIPTORS_MAX`] (what arrived is closed).
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Packet> {
        let mut control = cmsg_space!([RawFd; DESCRIPTORS_MAX]);
        let mut slices = [IoSliceMut::new(buffer)];
        let received = recvmsg::<()>(
            self.socket.as_raw_fd(),
            &mut slices,
            Some(&mut control),
            MsgFlags::MSG_CMSG_CLOEXEC | MsgFlags::MSG_DONTWAIT,
        )?;
        let mut descriptors = Vec::new();
        for message in received.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = message {
                descriptors.extend(raw.into_iter().map(own));
            }
        }
        if received
            .flags
            .intersects(MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC)
        {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Packet {
            length: received.bytes,
            descriptors,
        })
    }
}

/// Waits until a packet (or the end) can be received. For programs that have no event loop yet.
///
/// # Errors
/// Those of poll(2); interruptions by signals are waited out.
pub fn wait_readable(socket: &SeqPacket) -> io::Result<()> {
    loop {
        let mut wanted = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut wanted, PollTimeout::NONE) {
            Err(nix::Error::EINTR) => {}
            result => return result.map(drop).map_err(io::Error::from),
        }
    }
}

impl AsFd for SeqPacket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for SeqPacket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[expect(unsafe_code, reason = "recvmsg hands over descriptors as numbers")]
fn own(raw: RawFd) -> OwnedFd {
    // SAFETY: the kernel has just made this descriptor for this process in answer to recvmsg, and
    // the control message is read once, so nobody else owns it.
    unsafe { OwnedFd::from_raw_fd(raw) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors() {
        let (a, b) = SeqPacket::pair().unwrap();
        let (read, write) = nix::unistd::pipe().unwrap();
        a.send(b"hello", &[read.as_fd(), write.as_fd()]).unwrap();
        let mut buffer = [0u8; 16];
        let packet = b.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..packet.length], b"hello");
        assert_eq!(packet.descriptors.len(), 2);
    }

    #[test]
    fn a_packet_larger_than_the_buffer_is_refused() {
        let (a, b) = SeqPacket::pair().unwrap();
        a.send(&[1; 32], &[]).unwrap();
        assert_eq!(
            b.receive(&mut [0; 16]).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }

    #[test]
    fn the_end_is_a_packet_of_no_octets() {
        let (a, b) = SeqPacket::pair().unwrap();
        drop(a);
        assert_eq!(b.receive(&mut [0; 16]).unwrap().length, 0);
    }

    #[test]
    fn who_sends_nothing_more_still_receives() {
        let (a, b) = SeqPacket::pair().unwrap();
        let again = a.try_clone().unwrap();
        again.end_sending().unwrap();
        drop(a);
        let mut buffer = [0; 16];
        assert_eq!(b.receive(&mut buffer).unwrap().length, 0);
        b.send(b"alive", &[]).unwrap();
        let packet = again.receive(&mut buffer).unwrap();
        assert_eq!(&buffer[..packet.length], b"alive");
        drop(again);
        let gone = b.send(b"alive", &[]).unwrap_err();
        assert_eq!(gone.kind(), io::ErrorKind::BrokenPipe);
    }

    #[test]
    fn a_full_channel_says_so() {
        let (a, _b) = SeqPacket::pair().unwrap();
        let full = (0..1_000_000)
            .find_map(|_| a.send(&[0; 1024], &[]).err())
            .unwrap();
        assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_pipe_is_no_channel() {
        let (read, _write) = nix::unistd::pipe().unwrap();
        assert!(SeqPacket::from_descriptor(read).is_err());
    }
}
