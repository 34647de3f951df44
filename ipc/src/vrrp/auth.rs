//! How the nodes of a virtual router know one another. No secret is ever shown.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How adverts are authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auth {
    /// Version 2's password, sent in the clear.
    Pass(Pass),
    /// Adverts are signed (draft-cassen-vrrp-auth-hmac).
    Hmac(HmacAuth),
}

/// A password, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass(pub [u8; 8]);

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pass(..)")
    }
}

/// How adverts are signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacAuth {
    /// At least one, by their numbers, 1 to 255.
    pub keys: Vec<(u8, HmacKey)>,
    /// The number of the key that this node signs with.
    pub active: u8,
    /// What is done with adverts that are not signed.
    pub mode: HmacMode,
    /// How far the clocks of the nodes may differ; `None`: they are not compared.
    pub time_window: Option<Duration>,
}

/// A secret of 32 to 64 octets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HmacKey(pub Vec<u8>);

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(..)")
    }
}

/// What is done with adverts that are not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HmacMode {
    /// They are discarded; this node signs its own.
    Enforce,
    /// They are accepted; this node signs its own.
    Permissive,
    /// They are accepted; this node does not sign.
    ReceiveOnly,
}
