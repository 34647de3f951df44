//! Which route serves a request, without I/O.
