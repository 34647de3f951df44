//! A synchronous route netlink socket: one request, its answers, done.
//!
//! The kernel carries a change out inside the sending call, so that the address is there when the
//! next packet is sent. That is why this is not rtnetlink's asynchronous handle, but the layers
//! below it.

use std::io;

use rtnetlink::packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kernel's parts of a dump are no longer than this.
const ANSWER_OCTETS_MAX: usize = 64 * 1024;

/// How often a dump is begun again because what it lists changed under way.
const DUMP_ATTEMPTS: usize = 5;

const NLM_F_DUMP_INTR: u16 = 0x10;

#[derive(Debug)]
pub(crate) struct RouteSocket {
    socket: Socket,
    sequence: u32,
    answer: Vec<u8>,
}

impl RouteSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        // Answers lie ready when the request has been sent; waiting for one could wait for ever.
        socket.set_non_blocking(true)?;
        Ok(Self {
            socket,
            sequence: 0,
            answer: Vec::with_capacity(ANSWER_OCTETS_MAX),
        })
    }

    /// Has the kernel carry out a change.
    pub(crate) fn change(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_ACK | flags)?;
        loop {
            for message in self.receive()? {
                match message.payload {
                    NetlinkPayload::Error(error) if error.code.is_none() => return Ok(()),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }

    /// Writes a request behind others for [`RouteSocket::change_all`].
    pub(crate) fn write(request: RouteNetlinkMessage, flags: u16, requests: &mut Vec<u8>) {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let begin = requests.len();
        requests.resize(begin + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut requests[begin..]);
    }

    /// Has the kernel carry out changes, all of them by one call. Nothing is answered that went well.
    ///
    /// # Errors
    /// One of those that the kernel had, when there are several; the other changes are done.
    pub(crate) fn change_all(&mut self, requests: &[u8]) -> io::Result<()> {
        self.socket.send(requests, 0)?;
        let mut outcome = Ok(());
        loop {
            match self.receive_any() {
                Ok(messages) => {
                    for message in messages {
                        if let NetlinkPayload::Error(error) = message.payload {
                            outcome = Err(error.to_io());
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return outcome,
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks for all that is of a kind.
    pub(crate) fn list(
        &mut self,
        request: &RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..DUMP_ATTEMPTS {
            if let Some(list) = self.dump(request.clone())? {
                return Ok(list);
            }
        }
        Err(io::Error::other("the list changed whenever it was read"))
    }

    /// `None` when the list changed while it was read and may have holes.
    fn dump(
        &mut self,
        request: RouteNetlinkMessage,
    ) -> io::Result<Option<Vec<RouteNetlinkMessage>>> {
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
        let mut list = Vec::new();
        let mut is_whole = true;
        loop {
            for message in self.receive()? {
                is_whole &= message.header.flags & NLM_F_DUMP_INTR == 0;
                match message.payload {
                    NetlinkPayload::InnerMessage(part) => list.push(part),
                    NetlinkPayload::Done(_) => return Ok(is_whole.then_some(list)),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(request));
        message.finalize();
        let mut octets = vec![0; message.buffer_len()];
        message.serialize(&mut octets);
        self.socket.send_to(&octets, &SocketAddr::new(0, 0), 0)?;
        Ok(())
    }

    /// The messages of the next datagram that answer the last request.
    fn receive(&mut self) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        let mut messages = self.receive_any()?;
        messages.retain(|message| message.header.sequence_number == self.sequence);
        Ok(messages)
    }

    /// The messages of the next datagram. Only the kernel is believed: any process may send to a
    /// netlink socket.
    fn receive_any(&mut self) -> io::Result<Vec<NetlinkMessage<RouteNetlinkMessage>>> {
        self.answer.clear();
        let (_, sender) = self.socket.recv_from(&mut self.answer, 0)?;
        if sender.port_number() != 0 {
            return Ok(Vec::new());
        }
        let mut messages = Vec::new();
        let mut rest = self.answer.as_slice();
        while !rest.is_empty() {
            let message = NetlinkMessage::deserialize(rest).map_err(io::Error::other)?;
            let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            messages.push(message);
        }
        Ok(messages)
    }
}
