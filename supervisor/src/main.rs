//! The evenkeel command: supervisor and command line.

fn main() {}
