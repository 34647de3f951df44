//! A proxy worker: accepts, routes and relays HTTP.

fn main() {}
