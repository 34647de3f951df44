//! The operating system: sockets, processes, privileges, network interfaces.
