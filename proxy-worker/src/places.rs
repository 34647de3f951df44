//! Memory that is used again: values on the heap without an allocation for each.
//!
//! What a connection needs only while it is busy is kept here, so that an idle one is small.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

/// Places that are kept for the next value.
const KEPT_MAX: usize = 1024;

/// The places that are free.
pub(crate) struct Places<T>(RefCell<Vec<Box<Option<T>>>>);

/// A value in such a place, until [`Places::free`].
pub(crate) struct Placed<T>(Box<Option<T>>);

impl<T> Places<T> {
    /// Puts a value into a free place, or a new one.
    pub(crate) fn put(&self, value: T) -> Placed<T> {
        let mut place = self.0.borrow_mut().pop().unwrap_or_default();
        *place = Some(value);
        Placed(place)
    }

    /// Drops a value where it is; the place is free then.
    pub(crate) fn free(&self, Placed(mut place): Placed<T>) {
        *place = None;
        let mut free = self.0.borrow_mut();
        if free.len() < KEPT_MAX {
            free.push(place);
        }
    }
}

/// A place is only emptied by who frees it.
const HAS_A_VALUE: &str = "a placed value is there until its place is freed";

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<T> fmt::Debug for Places<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Places({} free)", self.0.borrow().len())
    }
}

impl<T> Deref for Placed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().as_ref().expect(HAS_A_VALUE)
    }
}

impl<T> DerefMut for Placed<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().as_mut().expect(HAS_A_VALUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_used_again() {
        let places = Places::default();
        let first = places.put(1);
        let place = std::ptr::from_ref(&*first);
        assert_eq!(*first, 1);
        places.free(first);
        let second = places.put(2);
        assert_eq!(*second, 2);
        assert!(std::ptr::eq(place, &raw const *second));
    }
}
