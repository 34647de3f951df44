//! One end of the message channel between the supervisor and a child.
