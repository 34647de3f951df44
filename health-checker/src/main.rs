//! The health checker: back ends and track scripts.

fn main() {}
