//! HTTP/2 messages as HTTP/1.1 text and back: RFC 9113 §8, without I/O.
