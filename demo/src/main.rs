//! A pair on this machine: two nodes, two back ends, a client.

fn main() {}
