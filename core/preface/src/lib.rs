//! What a connection says before its protocol begins: a PROXY header, the server name of a TLS hello,
//! the preface of HTTP/2. Without I/O.

pub mod proxy_header;
