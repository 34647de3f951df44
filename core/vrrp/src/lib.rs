//! VRRP: packets, checks, timers and the state machine, without I/O.
