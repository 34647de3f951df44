//! Which route serves a request, without I/O: by host, by the longest prefix of a path in its one
//! normal form, and by who may pass.

mod access;
mod host;
mod path;
mod table;

pub use access::Access;
pub use path::{PathFault, normalise};
pub use table::{Action, Route, Table, Verdict};
