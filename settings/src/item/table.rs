//! Reading the keys of a table, and telling which of them nobody knows.

use super::Item;
use crate::words::{near, quoted_list};

/// A table, and which of its keys were asked for.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    item: Item<'a>,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    /// `item` is a table.
    pub(super) const fn new(item: Item<'a>) -> Self {
        Self {
            item,
            known: Vec::new(),
        }
    }

    /// The table as a value.
    pub(crate) const fn item(&self) -> &Item<'a> {
        &self.item
    }

    pub(crate) fn get(&mut self, key: &'static str) -> Option<Item<'a>> {
        self.known.push(key);
        self.item.child(key)
    }

    /// A key that must be there.
    pub(crate) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        match self.get(key) {
            Some(item) => read(&item),
            None => self
                .item
                .error(format!("{key:?} is missing"), format!("add {key} = ...")),
        }
    }

    /// A key that may be left out.
    pub(crate) fn maybe<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<Option<T>> {
        match self.get(key) {
            Some(item) => read(&item).map(Some),
            None => Some(None),
        }
    }

    /// A key with a default.
    pub(crate) fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(&Item<'a>) -> Option<T>,
    ) -> Option<T> {
        self.maybe(key, read).map(|value| value.unwrap_or(default))
    }

    /// A table within the table; where it is left out, as if it were empty.
    pub(crate) fn or_empty<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Table<'a>) -> Option<T>,
    ) -> Option<T> {
        self.or(key, default, |item| item.table().and_then(read))
    }

    /// Reports the keys that nobody asked for. Called when all known ones were.
    pub(crate) fn finish(self) {
        let Some(entries) = self.item.entries() else {
            return;
        };
        for (key, item) in entries {
            if self.known.contains(&key.as_str()) {
                continue;
            }
            let advice = near(&key, &self.known)
                .unwrap_or_else(|| format!("the keys here are {}", quoted_list(&self.known)));
            let position = item.key_position();
            self.item
                .context
                .error(&position, format!("unknown key {key:?}"), advice);
        }
    }
}
