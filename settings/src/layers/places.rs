//! Where each value of the merged tree was written.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::report::Text;

/// The path of a value in the tree: keys and indices, each behind the separator.
pub(crate) type TreePath = String;

/// Cannot be typed in a TOML key without an escape, so that paths stay unambiguous.
const SEPARATOR: char = '\u{1f}';

/// The path of `key` below `path`.
pub(crate) fn below(path: &str, key: &str) -> TreePath {
    format!("{path}{SEPARATOR}{key}")
}

/// The path that these keys lead along, from the root.
pub(super) fn path_of(keys: &[impl AsRef<str>]) -> TreePath {
    keys.iter()
        .fold(String::new(), |path, key| below(&path, key.as_ref()))
}

/// The last key of a path.
pub(crate) fn last_key(path: &str) -> &str {
    path.rsplit(SEPARATOR).next().unwrap_or(path)
}

/// Where one key and its value stand.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) text: Arc<Text>,
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
}

/// Where everything stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Places(HashMap<TreePath, Place>);

impl Places {
    /// The place of a path that was written itself.
    pub(super) fn get(&self, path: &str) -> Option<&Place> {
        self.0.get(path)
    }

    /// All paths.
    pub(super) fn into_paths(self) -> Vec<TreePath> {
        self.0.into_keys().collect()
    }

    /// The place of a path, or of the nearest table around it that has one.
    pub(super) fn find(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.0.get(path) {
                return Some(place);
            }
            path = &path[..path.rfind(SEPARATOR)?];
        }
    }

    /// A table stays where it was opened first; everything else is where it was set last.
    pub(super) fn put(&mut self, path: TreePath, place: Place, is_table: bool) {
        if is_table {
            self.0.entry(path).or_insert(place);
        } else {
            self.0.insert(path, place);
        }
    }

    /// Makes what stands below `from` stand below the root as well.
    pub(super) fn copy_to_root(&mut self, from: &str) {
        let copies: Vec<(TreePath, Place)> = (self.0.iter())
            .filter_map(|(path, place)| {
                let rest = path.strip_prefix(from)?;
                rest.starts_with(SEPARATOR)
                    .then(|| (rest.to_owned(), place.clone()))
            })
            .collect();
        self.0.extend(copies);
    }
}
