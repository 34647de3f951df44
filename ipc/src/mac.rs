//! MAC addresses, as people write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A MAC address of Ethernet; `02:00:00:00:00:0a` for people and in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Mac(pub [u8; 6]);

/// A text that is no MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a MAC address has six octets of two hexadecimal digits each, between colons")]
pub struct NoMac;

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl From<Mac> for String {
    fn from(mac: Mac) -> Self {
        mac.to_string()
    }
}

impl TryFrom<String> for Mac {
    type Error = NoMac;

    fn try_from(text: String) -> Result<Self, NoMac> {
        let octet = |digits: &str| match digits.as_bytes() {
            [first, second] => {
                let digit = |it: &u8| u8::try_from(char::from(*it).to_digit(16)?).ok();
                Some(digit(first)? << 4 | digit(second)?)
            }
            _ => None,
        };
        let octets: Option<Vec<u8>> = text.split(':').map(octet).collect();
        let octets = octets.and_then(|octets| octets.try_into().ok());
        octets.map(Self).ok_or(NoMac)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mac_addresses_are_read_as_they_are_written() {
        let mac = Mac([2, 0, 0x5e, 0xff, 0, 0x0a]);
        assert_eq!(mac.to_string(), "02:00:5e:ff:00:0a");
        assert_eq!(Mac::try_from(mac.to_string()), Ok(mac));
        for wrong in [
            "",
            "02:00:5e:ff:00",
            "02:00:5e:ff:00:0a:0b",
            "2:00:5e:ff:00:0a",
            "+2:00:5e:ff:00:0a",
        ] {
            assert_eq!(Mac::try_from(wrong.to_owned()), Err(NoMac), "{wrong}");
        }
    }
}
