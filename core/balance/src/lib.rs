//! Which server of an upstream is asked, without I/O.
