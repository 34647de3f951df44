//! Which route serves a request, without I/O: paths in one normal form, the longest prefix, and who
//! may pass.

mod access;
mod path;
mod table;

pub use access::Access;
pub use path::{PathFault, normalise};
pub use table::{Action, Route, Table, Verdict};
