//! HTTP/1: heads, body framing and header rules, without I/O.
