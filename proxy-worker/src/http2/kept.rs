//! Memory for what waits to be sent, which connections and streams share.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use core_http2::decode::Memory;

/// A larger buffer is not kept.
const SPARE_MAX: usize = 128 * 1024;

/// A handle of the memory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Kept(Rc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    pieces: RefCell<Memory>,
    spare: RefCell<Vec<u8>>,
}

impl Kept {
    /// For heads and what is copied of bodies, until the `h2` crate has written it; there, what is large
    /// has memory of its own.
    pub(super) fn pieces(&self) -> RefMut<'_, Memory> {
        self.0.pieces.borrow_mut()
    }

    /// A buffer for frames. Most often they are sent in the turn in which they are made, so that one
    /// large buffer serves all.
    pub(super) fn lend(&self) -> Vec<u8> {
        self.0.spare.take()
    }

    /// Takes a buffer back.
    pub(super) fn take_back(&self, mut buffer: Vec<u8>) {
        let mut spare = self.0.spare.borrow_mut();
        if (spare.capacity()..=SPARE_MAX).contains(&buffer.capacity()) {
            buffer.clear();
            *spare = buffer;
        }
    }
}
