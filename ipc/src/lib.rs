//! The messages between the processes.
