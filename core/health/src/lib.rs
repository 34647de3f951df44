//! When a check has decided that something is up or down, without I/O.
