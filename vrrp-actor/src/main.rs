//! The VRRP process: virtual addresses of this node.

fn main() {}
