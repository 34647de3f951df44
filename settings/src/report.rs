//! What is wrong with a configuration, and where: positions, findings, and how they are shown.
//!
//! This module knows nothing of TOML or of keys; callers outside this crate use it to report what
//! only the running system can tell (an address in use, an interface that does not exist).

use std::fmt;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

/// A text that values come from: a file, or one environment variable written as `NAME=value`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// What it is called in messages: a path, or "the environment".
    pub(crate) name: String,
    /// All of it.
    pub(crate) content: String,
    /// What of it no finding shows: the places of secrets, in octets.
    pub(crate) secrets: Vec<Range<usize>>,
}

/// A place in a text that the configuration was read from. Cheap to clone; keeps its text alive.
#[derive(Clone, PartialEq, Eq)]
pub struct Position {
    text: Arc<Text>,
    /// In octets; `None` means the text as a whole. Each value has a place, and few are ever shown: lines
    /// are counted when somebody asks.
    range: Option<Range<usize>>,
}

impl Position {
    /// A file as a whole, for what is wrong with the system rather than with a text.
    pub fn of_file(path: &Path) -> Self {
        let name = path.display().to_string();
        Self::whole(Arc::new(Text {
            name,
            content: String::new(),
            secrets: Vec::new(),
        }))
    }

    /// The text as a whole, for what has no line: a file that cannot be read.
    pub(crate) fn whole(text: Arc<Text>) -> Self {
        Self { text, range: None }
    }

    /// The place of a range of octets. A range that spans lines is cut at the end of its first.
    pub(crate) const fn of_range(text: Arc<Text>, range: Range<usize>) -> Self {
        let range = Some(range);
        Self { text, range }
    }

    /// The octet that it begins with; `None` when the text as a whole is meant, which comes first.
    pub(crate) fn start(&self) -> Option<usize> {
        self.range.as_ref().map(|range| range.start)
    }

    /// What stands before it; `None` when the text as a whole is meant.
    fn before(&self) -> Option<&str> {
        let content = self.text.content.as_str();
        let start = self.start()?;
        Some(content.get(..start).unwrap_or(content))
    }

    /// In characters, within the line; at least 1.
    fn width(&self) -> usize {
        let marked = self
            .range
            .clone()
            .and_then(|range| self.text.content.get(range));
        let first = marked.and_then(|marked| marked.lines().next());
        first.map_or(1, |line| line.trim_end().chars().count().max(1))
    }

    /// The path of the file, or "the environment".
    pub fn file(&self) -> &str {
        &self.text.name
    }

    /// The line, from 1; 0 when the file as a whole is meant.
    pub fn line(&self) -> usize {
        self.before()
            .map_or(0, |before| before.matches('\n').count() + 1)
    }

    /// The column in characters, from 1; 0 when the file as a whole is meant.
    pub fn column(&self) -> usize {
        self.before().map_or(0, |before| {
            let line = before.rsplit('\n').next().unwrap_or_default();
            line.chars().count() + 1
        })
    }

    /// The line itself, without its end, a star for each character of a secret; quotes stay. Empty
    /// when the file as a whole is meant.
    pub fn line_text(&self) -> String {
        let content = self.text.content.as_str();
        let mut lines = content.split_inclusive('\n');
        let number = self.line();
        let before = number.saturating_sub(1);
        let start: usize = lines.by_ref().take(before).map(str::len).sum();
        let line = lines.next().filter(|_| number > 0).unwrap_or("");
        // A CR alone ends no line: what is wrong may stand at it.
        let end = ["\r\n", "\n"].iter().find_map(|end| line.strip_suffix(end));
        let line = end.unwrap_or(line);
        let is_secret = |at: usize| {
            let mut secrets = self.text.secrets.iter();
            secrets.any(|secret| secret.contains(&at))
        };
        let shown = line.char_indices().map(|(index, c)| match c {
            '"' | '\'' => c,
            _ if is_secret(start + index) => '*',
            _ => c,
        });
        shown.collect()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line() {
            0 => f.write_str(self.file()),
            line => write!(f, "{}:{}:{}", self.file(), line, self.column()),
        }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A value and where it was written, so that a later finding about it can point there. Two are
/// equal when their values are, wherever they stand: moving a line is no change.
#[derive(Clone, Debug)]
pub struct Spanned<T> {
    value: T,
    position: Position,
}

impl<T> Spanned<T> {
    pub(crate) const fn new(value: T, position: Position) -> Self {
        Self { value, position }
    }

    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// Where the value is written; for a default, the table that leaves it out, or the file.
    pub const fn position(&self) -> &Position {
        &self.position
    }
}

impl<T> Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: PartialEq> PartialEq for Spanned<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T: Eq> Eq for Spanned<T> {}

/// Whether a finding forbids the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but probably does not do what is meant.
    Warning,
}

/// One thing that is wrong. `Display` shows it in the way of compilers: what, where, the line, and
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Whether it forbids the configuration.
    pub level: Level,
    /// Where.
    pub position: Position,
    /// What is wrong, a phrase without a full stop.
    pub message: String,
    /// What to do about it, a phrase without a full stop; may be empty.
    pub advice: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        writeln!(f, "{level}: {}", self.message)?;
        if self.position.range.is_none() {
            writeln!(f, "  --> {}", self.position)?;
            if self.advice.is_empty() {
                return Ok(());
            }
            return writeln!(f, "   = {}", self.advice);
        }
        self.fmt_line(f)
    }
}

impl Finding {
    /// The line of the text with the marks below it.
    fn fmt_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.position.line().to_string();
        let gutter = " ".repeat(number.len());
        let shown = self.position.line_text();
        // Tabs are kept, so that the marks stand below what they mark at any tab width.
        let blank: String = shown
            .chars()
            .take(self.position.column() - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marks = "^".repeat(self.position.width());
        writeln!(f, "{gutter}--> {}", self.position)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {shown}")?;
        writeln!(
            f,
            "{}",
            format!("{gutter} | {blank}{marks} {}", self.advice).trim_end()
        )
    }
}

/// Everything that was found, in the order of files and lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// An empty report.
    pub const fn new() -> Self {
        Self {
            findings: Vec::new(),
        }
    }

    /// Adds an error: what is wrong at `position`, and what to do about it (may be empty).
    pub fn push(
        &mut self,
        position: &Position,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Level::Error, position, message.into(), advice.into());
    }

    /// Adds a warning.
    pub fn warn(
        &mut self,
        position: &Position,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.add(Level::Warning, position, message.into(), advice.into());
    }

    fn add(&mut self, level: Level, position: &Position, message: String, advice: String) {
        let finding = Finding {
            level,
            position: position.clone(),
            message,
            advice,
        };
        // A value that several entries share (a default, a name) is reported once.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether an error was found.
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.level == Level::Error)
    }

    /// What was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was found, for keeping.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Sorts by position, the files in the order in which they were read.
    pub(crate) fn finish(&mut self, files: &[Arc<Text>]) {
        self.findings.sort_by_key(|finding| {
            let text = &finding.position.text;
            let file = files.iter().position(|file| Arc::ptr_eq(file, text));
            (file.unwrap_or(files.len()), finding.position.start())
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{finding}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
