//! Reading one value of the merged tree: its type, its range, and the error when it has neither.
//!
//! A reader returns `None` after it has reported why. So every value is read, all errors are found
//! at once, and a structure is built only when nothing was wrong in it. This module knows types;
//! which keys there are is known by the modules of the sections.

mod context;
mod table;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Value, ValueKind};

use crate::layers::{TreePath, below, last_key};
use crate::report::{Position, Spanned};
use crate::text::read_text;
use crate::units;
use crate::words::{near, quoted_list};

pub(crate) use context::Context;
pub(crate) use table::Table;

/// A string that is kept in a file of its own, in octets.
const SECRET_OCTETS_MAX: u64 = 64 << 10;
/// Names, in octets: they stand in lines of logs, in metrics and on the status page.
const NAME_OCTETS_MAX: usize = 64;

/// One value, where it stands, and how to complain about it.
#[derive(Clone, Debug)]
pub(crate) struct Item<'a> {
    context: &'a Context<'a>,
    value: &'a Value,
    path: TreePath,
}

impl<'a> Item<'a> {
    pub(crate) const fn context(&self) -> &'a Context<'a> {
        self.context
    }

    pub(crate) fn position(&self) -> Position {
        self.context.merged.value_position(&self.path)
    }

    pub(crate) fn key_position(&self) -> Position {
        self.context.merged.key_position(&self.path)
    }

    /// What messages call the value: its key, or "an entry of" the list.
    pub(crate) fn name(&self) -> String {
        let key = last_key(&self.path);
        if !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_digit()) {
            let list = &self.path[..self.path.len() - key.len() - 1];
            return format!("an entry of {:?}", last_key(list));
        }
        format!("{key:?}")
    }

    pub(crate) fn spanned<T>(&self, value: T) -> Spanned<T> {
        Spanned::new(value, self.position())
    }

    /// Reports that the value is wrong.
    pub(crate) fn error<T>(
        &self,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) -> Option<T> {
        self.context.error(&self.position(), message.into(), advice);
        None
    }

    pub(crate) fn warning(&self, message: impl Into<String>, advice: impl Into<String>) {
        self.context
            .warning(&self.position(), message.into(), advice);
    }

    /// Reports that the value is not what it must be.
    pub(crate) fn not<T>(&self, expected: impl Display, got: impl Display) -> Option<T> {
        self.error(format!("{} must be {expected}, not {got}", self.name()), "")
    }

    fn wrong_type<T>(&self, expected: &str, example: &str) -> Option<T> {
        let got = match &self.value.kind {
            ValueKind::Nil => "a date or time",
            ValueKind::Boolean(_) => "a boolean",
            ValueKind::I64(_) | ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
                "a number"
            }
            ValueKind::Float(_) => "a number with a fraction",
            ValueKind::String(_) => "a string",
            ValueKind::Table(_) => "a table",
            ValueKind::Array(_) => "a list",
        };
        let advice = if example.is_empty() {
            String::new()
        } else {
            format!("write it as {example}")
        };
        self.error(
            format!("{} must be {expected}, not {got}", self.name()),
            advice,
        )
    }

    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.value.kind, ValueKind::Table(_))
    }

    pub(crate) const fn is_list(&self) -> bool {
        matches!(self.value.kind, ValueKind::Array(_))
    }

    pub(crate) const fn is_string(&self) -> bool {
        matches!(self.value.kind, ValueKind::String(_))
    }

    pub(crate) const fn is_boolean(&self) -> bool {
        matches!(self.value.kind, ValueKind::Boolean(_))
    }

    pub(crate) const fn is_number(&self) -> bool {
        matches!(self.value.kind, ValueKind::I64(_))
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self.value.kind {
            ValueKind::Boolean(boolean) => Some(boolean),
            _ => self.wrong_type("true or false", ""),
        }
    }

    /// A whole number from `min` to `max`.
    pub(crate) fn number<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i64> + PartialOrd + Display,
    {
        let ValueKind::I64(number) = self.value.kind else {
            return self.wrong_type("a whole number", "");
        };
        match T::try_from(number) {
            Ok(value) if range.contains(&value) => Some(value),
            _ => {
                let (min, max) = (range.start(), range.end());
                self.not(format_args!("a whole number from {min} to {max}"), number)
            }
        }
    }

    /// A string, given as such or as `{ file = "/path" }` or `{ env = "NAME" }`.
    pub(crate) fn string(&self) -> Option<String> {
        match &self.value.kind {
            ValueKind::String(string) => Some(string.clone()),
            ValueKind::Table(_) => self.secret(),
            ValueKind::I64(_) | ValueKind::Boolean(_) => {
                match self.context.merged.environment_value(&self.path) {
                    Some(text) => Some(text.to_owned()),
                    None => self.wrong_type("a string", "\"...\", in quotes"),
                }
            }
            _ => self.wrong_type("a string", "\"...\", in quotes"),
        }
    }

    /// A string that is kept elsewhere. One line end at the end of a file does not belong to it.
    fn secret(&self) -> Option<String> {
        let mut table = self.table()?;
        let file = table.maybe("file", Item::absolute_path);
        let variable = table.maybe("env", Item::string);
        table.finish();
        match (file?, variable?) {
            (Some(path), None) => match read_text(&path, SECRET_OCTETS_MAX) {
                Ok(content) => {
                    let content = content.strip_suffix('\n').unwrap_or(&content);
                    Some(content.strip_suffix('\r').unwrap_or(content).to_owned())
                }
                Err(error) => {
                    let message = format!("{} cannot be read: {error}", path.display());
                    let advice = "write the secret there, in a file that only root can read";
                    self.context.error(path.position(), message, advice);
                    None
                }
            },
            (None, Some(variable)) => {
                let found = self
                    .context
                    .environment
                    .iter()
                    .find(|(name, _)| *name == variable);
                match found {
                    Some((_, value)) => Some(value.clone()),
                    None => self.error(
                        format!("the environment variable {variable:?} is not set"),
                        "set it where the program is started, or use { file = \"/path\" }",
                    ),
                }
            }
            _ => self.error(
                format!(
                    "{} must be a string, or a table with either \"file\" or \"env\"",
                    self.name()
                ),
                "",
            ),
        }
    }

    /// A string that is not empty.
    pub(crate) fn filled_string(&self) -> Option<String> {
        let string = self.string()?;
        if string.is_empty() {
            return self.error(format!("{} must not be empty", self.name()), "");
        }
        Some(string)
    }

    /// A string that is not empty, and that others should not read. That no finding shows it follows
    /// from its key.
    pub(crate) fn secret_string(&self) -> Option<String> {
        if let ValueKind::Table(table) = &self.value.kind
            && let Some(ValueKind::String(path)) = table.get("file").map(|file| &file.kind)
        {
            self.warn_of_readers(Path::new(path));
        }
        self.filled_string()
    }

    /// A secret that others on this machine can read is none.
    pub(crate) fn warn_of_readers(&self, path: &Path) {
        const OTHERS: u32 = 0o004;
        let mode = path.metadata().map(|it| it.permissions().mode());
        if mode.is_ok_and(|mode| mode & OTHERS != 0) {
            let path = path.display();
            self.warning(
                format!("everyone on this machine can read the secret in {path}"),
                format!("`chmod 600 {path}`, and change the secret"),
            );
        }
    }

    /// A string on one line that is not empty: it stands in headers, log lines and datagrams.
    pub(crate) fn line(&self) -> Option<String> {
        let string = self.filled_string()?;
        if string.chars().any(char::is_control) {
            return self.error(
                format!("{} must not have control characters", self.name()),
                "",
            );
        }
        Some(string)
    }

    /// One of the words given, and what it means.
    pub(crate) fn one_of<T: Copy>(&self, words: &[(&str, T)]) -> Option<T> {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        if !self.is_string() && !self.is_table() {
            return self.wrong_type(&format!("one of {}", quoted_list(&known)), "");
        }
        let given = self.string()?;
        match words.iter().find(|(word, _)| *word == given) {
            Some((_, meaning)) => Some(*meaning),
            None => {
                let expected = match known.as_slice() {
                    [one] => format!("{one:?}"),
                    _ => format!("one of {}", quoted_list(&known)),
                };
                let message = format!("{} must be {expected}, not {given:?}", self.name());
                self.error(message, near(&given, &known).unwrap_or_default())
            }
        }
    }

    /// The name of something that `section` defines.
    pub(crate) fn reference(&self, section: &str, what: &str) -> Option<Spanned<String>> {
        let name = self.string()?;
        let known = self.context.names(section);
        if known.contains(&name) {
            return Some(self.spanned(name));
        }
        let advice = near(&name, &known).unwrap_or_else(|| match known.as_slice() {
            [] => format!("define it as [{section}.{name}]"),
            known => format!("there are {}", quoted_list(known)),
        });
        self.error(format!("there is no {what} {name:?}"), advice)
    }

    /// A span of time within a range, such as "100ms".
    pub(crate) fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        if !self.is_string() && !self.is_table() {
            return self.wrong_type("a duration", "\"1s\": a number with ms, s, m, h or d");
        }
        let text = self.string()?;
        let Some(duration) = units::parse_duration(&text) else {
            return self.error(
                format!("{} must be a duration, not {text:?}", self.name()),
                "write a whole number with ms, s, m, h or d, such as \"1s\"",
            );
        };
        if !range.contains(&duration) {
            let (min, max) = (range.start(), range.end());
            let (min, max) = (units::show_duration(*min), units::show_duration(*max));
            return self.not(format_args!("from {min} to {max}"), text);
        }
        Some(duration)
    }

    /// A number of octets within a range, such as "64KiB".
    pub(crate) fn size(&self, range: RangeInclusive<u64>) -> Option<u64> {
        let text = match &self.value.kind {
            ValueKind::I64(0) => "0".to_owned(),
            ValueKind::String(_) | ValueKind::Table(_) => self.string()?,
            _ => return self.wrong_type("a size", "\"64KiB\": a number with B, KiB, MiB or GiB"),
        };
        let Some(size) = units::parse_size(&text) else {
            return self.error(
                format!("{} must be a size, not {text:?}", self.name()),
                "write a whole number with B, KiB, MiB or GiB, such as \"64KiB\"",
            );
        };
        if !range.contains(&size) {
            let (min, max) = (
                units::show_size(*range.start()),
                units::show_size(*range.end()),
            );
            return self.not(format_args!("from {min} to {max}"), text);
        }
        Some(size)
    }

    /// A path from the root of the file system.
    pub(crate) fn absolute_path(&self) -> Option<Spanned<PathBuf>> {
        let text = self.line()?;
        let path = PathBuf::from(&text);
        if !path.is_absolute() {
            return self.error(
                format!("{} must be an absolute path, not {text:?}", self.name()),
                "paths begin with \"/\": where a program is started must not matter",
            );
        }
        Some(self.spanned(path))
    }

    /// A program with its arguments; the program by its absolute path.
    pub(crate) fn command(&self) -> Option<Spanned<Vec<String>>> {
        if self.is_string() {
            let message = format!("{} must be a list, not a string", self.name());
            return self.error(
                message,
                "write program and arguments as [\"/path/program\", \"argument\"]",
            );
        }
        let words = self.list(Item::string)?;
        let Some(program) = words.first() else {
            return self.error(format!("{} must not be empty", self.name()), "");
        };
        if !program.starts_with('/') {
            return self.error(
                format!("the program {program:?} must be given by its absolute path"),
                "no shell and no search path is used; see `command -v`",
            );
        }
        if words.iter().any(|word| word.contains('\0')) {
            return self.error(format!("{} must not have NUL characters", self.name()), "");
        }
        Some(self.spanned(words))
    }

    /// A list, each entry read by `read`.
    pub(crate) fn list<T>(&self, read: impl Fn(&Item<'a>) -> Option<T>) -> Option<Vec<T>> {
        let ValueKind::Array(values) = &self.value.kind else {
            return self.wrong_type("a list", "[...]");
        };
        // All entries are read before any failure ends it, so that all errors are shown.
        let entries: Vec<Option<T>> = (values.iter().enumerate())
            .map(|(index, value)| {
                let path = below(&self.path, &index.to_string());
                read(&Item {
                    context: self.context,
                    value,
                    path,
                })
            })
            .collect();
        entries.into_iter().collect()
    }

    /// A list of tables, such as `[[routes]]`; what could not be read is left out, as in `named`.
    pub(crate) fn readable<T>(&self, read: impl Fn(&Item<'a>) -> Option<T>) -> Option<Vec<T>> {
        if !self.is_list() {
            return self.wrong_type("a list", &format!("[[{}]]", last_key(&self.path)));
        }
        let entries = self.list(|item| Some(read(item)))?;
        Some(entries.into_iter().flatten().collect())
    }

    /// A list with at least one entry.
    pub(crate) fn filled_list<T>(&self, read: impl Fn(&Item<'a>) -> Option<T>) -> Option<Vec<T>> {
        let entries = self.list(read)?;
        if entries.is_empty() {
            return self.error(format!("{} must not be empty", self.name()), "");
        }
        Some(entries)
    }

    /// A table whose keys are known.
    pub(crate) fn table(&self) -> Option<Table<'a>> {
        if !self.is_table() {
            return self.wrong_type("a table", "{ ... }");
        }
        Some(Table::new(self.clone()))
    }

    /// The value of a key, where this is a table that has it.
    fn child(&self, key: &str) -> Option<Self> {
        let ValueKind::Table(table) = &self.value.kind else {
            return None;
        };
        Some(Item {
            context: self.context,
            value: table.get(key)?,
            path: below(&self.path, key),
        })
    }

    /// A table whose keys are chosen by the user, in the order in which they stand.
    pub(crate) fn entries(&self) -> Option<Vec<(String, Item<'a>)>> {
        let ValueKind::Table(table) = &self.value.kind else {
            return self.wrong_type("a table", "{ NAME = ... }");
        };
        let mut entries: Vec<(String, Item<'a>)> = (table.iter())
            .map(|(key, value)| {
                let path = below(&self.path, key);
                (
                    key.clone(),
                    Item {
                        context: self.context,
                        value,
                        path,
                    },
                )
            })
            .collect();
        entries.sort_by_cached_key(|(_, item)| self.context.order(&item.path));
        Some(entries)
    }

    /// The tables of a section `[section.NAME]`, names checked, each read by `read`. What could not
    /// be read is left out: it is in the report, and what is around it can still be checked.
    pub(crate) fn named<T>(&self, read: impl Fn(&str, Table<'a>) -> Option<T>) -> Option<Vec<T>> {
        let mut all = Vec::new();
        if !self.is_table() {
            return self.wrong_type("a table", &format!("[{}.NAME]", last_key(&self.path)));
        }
        for (name, item) in self.entries()? {
            let good_name = item.check_name(&name);
            let read = item.table().and_then(|table| read(&name, table));
            all.extend(good_name.and(read));
        }
        Some(all)
    }

    fn check_name(&self, name: &str) -> Option<()> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
        if name.is_empty() || name.len() > NAME_OCTETS_MAX || !name.chars().all(plain) {
            let message = format!("{name:?} cannot be a name");
            let advice = "names have 1 to 64 letters, digits, \"_\", \"-\" and \".\"";
            self.context.error(&self.key_position(), message, advice);
            return None;
        }
        Some(())
    }
}
