//! What all readers share: the tree, the environment, the report.

use std::cell::RefCell;

use config::{Value, ValueKind};

use super::Item;
use crate::layers::{Merged, TreePath, below};
use crate::report::{Position, Report};

/// What all readers share.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) merged: &'a Merged,
    pub(crate) environment: &'a [(String, String)],
    pub(crate) report: RefCell<Report>,
}

impl<'a> Context<'a> {
    /// The tree as a whole.
    pub(crate) fn root(&'a self) -> Item<'a> {
        Item {
            context: self,
            value: &self.merged.root,
            path: String::new(),
        }
    }

    /// The value that these keys lead to, where it is given.
    pub(crate) fn find(&'a self, keys: &[&str]) -> Option<Item<'a>> {
        (keys.iter()).try_fold(self.root(), |item, key| item.child(key))
    }

    /// The names that a section defines, `[section.NAME]`, in the order of the file.
    pub(crate) fn names(&'a self, section: &str) -> Vec<String> {
        let section = match &self.merged.root.kind {
            ValueKind::Table(root) => root.get(section).map(|value| (section, value)),
            _ => None,
        };
        let Some((
            section,
            Value {
                kind: ValueKind::Table(table),
                ..
            },
        )) = section
        else {
            return Vec::new();
        };
        let path = below("", section);
        let mut names: Vec<String> = table.keys().cloned().collect();
        names.sort_by_cached_key(|name| self.order(&below(&path, name)));
        names
    }

    /// Where the section stands; the file as a whole where it is left out.
    pub(crate) fn position_of_section(&self, section: &str) -> Position {
        self.merged.key_position(&below("", section))
    }

    /// Where `[section.NAME]` stands.
    pub(crate) fn position_of_name(&self, section: &str, name: &str) -> Position {
        self.merged.key_position(&below(&below("", section), name))
    }

    /// Sorts paths as they were read.
    pub(super) fn order(&self, path: &str) -> (usize, Option<usize>, TreePath) {
        let position = self.merged.key_position(path);
        let file = self
            .merged
            .texts
            .iter()
            .position(|text| text.name == position.file());
        (
            file.unwrap_or(usize::MAX),
            position.start(),
            path.to_owned(),
        )
    }

    pub(crate) fn error(&self, position: &Position, message: String, advice: impl Into<String>) {
        self.report.borrow_mut().push(position, message, advice);
    }

    pub(crate) fn warning(&self, position: &Position, message: String, advice: impl Into<String>) {
        self.report.borrow_mut().warn(position, message, advice);
    }
}
