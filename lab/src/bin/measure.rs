//! Measures what the tests only bound, and prints it as a table.

fn main() {}
