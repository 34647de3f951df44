//! The admin process: dashboard, metrics, API.

fn main() {}
