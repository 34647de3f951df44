//! What can be wrong with a head, and which status a client is told.

/// Why a head was refused. In a request it is the client's fault and answered with
/// [`Fault::status`]; in a response it is the server's and becomes 502.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A line that ends in a bare LF, a CR within a line, or an empty line too many.
    #[error("a line does not end in CRLF")]
    LineEnding,
    /// The request line or status line has another shape than RFC 9112 §3 and §4.
    #[error("malformed start line")]
    StartLine,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    #[error("unsupported version")]
    Version,
    /// A field name that is no token, space before the colon, a folded line, a control character.
    #[error("malformed header field")]
    Field,
    /// More octets than [`crate::Limits::head_bytes`].
    #[error("head too large")]
    HeadTooLarge,
    /// More fields than [`crate::Limits::fields`].
    #[error("too many header fields")]
    TooManyFields,
    /// A target longer than [`crate::TARGET_MAX`].
    #[error("request target too long")]
    TargetTooLong,
    /// A target of none of the forms of RFC 9112 §3.2 that we serve.
    #[error("malformed request target")]
    Target,
    /// `Host` is missing, repeated or no authority.
    #[error("missing, repeated or malformed Host")]
    Host,
    /// A method that this proxy never serves (CONNECT, TRACE).
    #[error("method not allowed")]
    Method,
    /// `Content-Length` is repeated, no number, or contradicts `Transfer-Encoding`.
    #[error("contradictory or malformed message length")]
    Length,
    /// A transfer coding that exists but is not spoken here.
    #[error("unsupported transfer coding")]
    Coding,
    /// An expectation other than `100-continue`.
    #[error("unsupported expectation")]
    Expectation,
    /// WebSocket is asked for with a `Sec-WebSocket-Key` that is missing, repeated or malformed.
    #[error("malformed WebSocket handshake")]
    Handshake,
    /// A status that may not come here: a 101 that nobody asked for or that does not answer what was
    /// asked, or none of three digits.
    #[error("status that was not asked for")]
    Status,
}

impl Fault {
    /// The status that a client is told when its request has this fault.
    pub const fn status(self) -> u16 {
        match self {
            Self::LineEnding
            | Self::StartLine
            | Self::Field
            | Self::Target
            | Self::Host
            | Self::Length
            | Self::Handshake
            | Self::Status => 400,
            Self::Method => 405,
            Self::TargetTooLong => 414,
            Self::Expectation => 417,
            Self::HeadTooLarge | Self::TooManyFields => 431,
            Self::Coding => 501,
            Self::Version => 505,
        }
    }
}
