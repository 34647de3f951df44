//! Frames on the link: what is read of them stands in them, at its place.

use std::net::IpAddr;

use platform::claims::{advertised, arp_sender};
use platform::wire::{Frame, read};

use super::leave;
use crate::Target;

/// What the doctor sees.
pub(crate) const LINK: Target = Target {
    name: "link-frames",
    seeds: || vec![arp_answer(OTHER), arp_answer(OWN), advertisement(), vrrp()],
    repair: leave,
    check: |input| match read(input, OWN) {
        Some(Frame::Vrrp { mac, packet }) => {
            assert_eq!(input.get(6..12), Some(mac.as_slice()), "its sender");
            assert_eq!(input.get(ETHERNET..), Some(packet.as_slice()), "all of it");
        }
        Some(Frame::Answer { address, mac }) => {
            assert_ne!(mac, OWN, "this node does not answer itself");
            match address {
                IpAddr::V4(address) => {
                    assert_eq!(input.get(22..28), Some(mac.as_slice()), "who has it");
                    assert_eq!(input.get(28..32), Some(address.octets().as_slice()));
                    assert_eq!(input.get(32..38), Some(OWN.as_slice()), "who asked");
                }
                IpAddr::V6(address) => {
                    assert_eq!(input.get(62..78), Some(address.octets().as_slice()));
                    assert_eq!(input.get(..6), Some(OWN.as_slice()), "who asked");
                }
            }
        }
        None => {}
    },
};

/// What routers hear of others who claim their addresses.
pub(crate) const CLAIMS: Target = Target {
    name: "claims",
    seeds: || vec![arp_answer(OTHER), advertisement().split_off(ETHERNET + 40)],
    repair: leave,
    check: |input| {
        if let Some((address, mac)) = arp_sender(input) {
            assert_eq!(input.get(22..28), Some(mac.as_slice()), "who says so");
            assert_eq!(input.get(28..32), Some(address.octets().as_slice()));
        }
        if let Some((address, mac)) = advertised(input) {
            assert_eq!(input.get(8..24), Some(address.octets().as_slice()));
            let mut options = input[24..].chunks_exact(8);
            let says_so = |option: &[u8]| option[0] == 2 && option[2..] == mac;
            assert!(options.any(says_so), "the option of the target");
            let longer = [input, &[0; 8]].concat();
            assert_eq!(advertised(&longer), Some((address, mac)), "what follows");
        }
    },
};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const OTHER: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ETHERNET: usize = 14;

fn frame(ethertype: [u8; 2], payload: &[u8]) -> Vec<u8> {
    [&OWN, &OTHER, ethertype.as_slice(), payload].concat()
}

fn arp_answer(sender: [u8; 6]) -> Vec<u8> {
    let [asked, asker] = [[192, 168, 0, 105], [192, 168, 0, 101]];
    let head = [0, 1, 8, 0, 6, 4, 0, 2].as_slice();
    frame([8, 6], &[head, &sender, &asked, &OWN, &asker].concat())
}

fn ipv6(next_header: u8, payload: &[u8]) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap_or(u8::MAX);
    let head = [0x60, 0, 0, 0, 0, length, next_header, 255];
    let [from, to] = [2, 1].map(|host| [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host]);
    frame(
        [0x86, 0xdd],
        &[&head, from.as_slice(), &to, payload].concat(),
    )
}

fn advertisement() -> Vec<u8> {
    let target = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 5];
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    let head = [136, 0, 0, 0, 0x60, 0, 0, 0].as_slice();
    ipv6(58, &[head, &target, &nonce, &[2, 1], &OTHER].concat())
}

fn vrrp() -> Vec<u8> {
    ipv6(112, &[0x31, 101, 200, 1, 0, 100, 0, 0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_inputs_are_understood() {
        for (frame, is_understood) in [
            (arp_answer(OTHER), true),
            (arp_answer(OWN), false),
            (advertisement(), true),
            (vrrp(), true),
        ] {
            assert_eq!(read(&frame, OWN).is_some(), is_understood, "{frame:?}");
        }
        assert!(arp_sender(&arp_answer(OTHER)).is_some());
        assert!(advertised(&advertisement()[ETHERNET + 40..]).is_some());
    }
}
