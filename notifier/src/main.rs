//! The notifier: event journal, mail, SMS, log, web, exec.

fn main() {}
