//! `evenkeel events`: reads the journal's files, of a running instance or of one that has ended.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::{FAILED, fail, status};
use crate::cli::Events;
use crate::control::client::ask;
use crate::control::{Answer, Request};

/// The file that is written; what was put aside has a number behind, the oldest the highest.
const ACTIVE: &str = "events.jsonl";
/// The highest number.
const PUT_ASIDE_MAX: u32 = 5;
/// Between two looks with `--follow`.
const FOLLOW_INTERVAL: Duration = Duration::from_millis(200);

/// Prints what is there, and what comes.
pub(super) fn perform(arguments: &Events) -> ExitCode {
    let folder = folder(arguments);
    match show(arguments, &folder) {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever reads us has enough: `evenkeel events | head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::NotFound => fail(
            FAILED,
            format!("there is no journal in {}", folder.display()),
        ),
        Err(error) => fail(FAILED, format!("{}: {error}", folder.display())),
    }
}

/// The running instance knows best; without one it is the folder of the command line.
fn folder(arguments: &Events) -> PathBuf {
    match ask(&arguments.run_dir.run_dir, &Request::Journal).map(|asked| asked.answer) {
        Ok(Answer::Journal { folder }) => folder,
        _ => arguments.state_dir.clone(),
    }
}

fn show(arguments: &Events, folder: &Path) -> io::Result<()> {
    let mut active = BufReader::new(File::open(folder.join(ACTIVE))?);
    let mut lines = Vec::new();
    for number in (1..=PUT_ASIDE_MAX).rev() {
        if let Ok(file) = File::open(folder.join(format!("{ACTIVE}.{number}"))) {
            read_lines(&mut BufReader::new(file), &mut lines)?;
        }
    }
    read_lines(&mut active, &mut lines)?;
    let first = arguments
        .lines
        .map_or(0, |count| lines.len().saturating_sub(count));
    let mut out = io::stdout().lock();
    print(&mut out, &lines[first..], arguments.json)?;
    if arguments.follow {
        follow(folder, active, &mut out, arguments.json)
    } else {
        Ok(())
    }
}

/// Ends when nobody reads any more.
fn follow(
    folder: &Path,
    mut active: BufReader<File>,
    out: &mut impl Write,
    json: bool,
) -> io::Result<()> {
    loop {
        std::thread::sleep(FOLLOW_INTERVAL);
        let mut lines = Vec::new();
        read_lines(&mut active, &mut lines)?;
        if let Some(next) = put_aside_since(folder, active.get_ref())? {
            // What was written between the last look and the change is in the old file.
            read_lines(&mut active, &mut lines)?;
            active = BufReader::new(next);
        }
        print(out, &lines, json)?;
    }
}

/// Reads whole lines; a line that is still being written stays for the next look.
fn read_lines(file: &mut BufReader<File>, lines: &mut Vec<String>) -> io::Result<()> {
    loop {
        let mut line = String::new();
        let length = file.by_ref().read_line(&mut line)?;
        if !line.ends_with('\n') {
            return file.seek_relative(-i64::try_from(length).unwrap_or(0));
        }
        lines.push(line);
    }
}

/// The active file, when it is another one by now.
fn put_aside_since(folder: &Path, current: &File) -> io::Result<Option<File>> {
    let now = match File::open(folder.join(ACTIVE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok((now.metadata()?.ino() != current.metadata()?.ino()).then_some(now))
}

fn print(out: &mut impl Write, lines: &[String], json: bool) -> io::Result<()> {
    for line in lines {
        if json {
            out.write_all(line.as_bytes())?;
        } else {
            writeln!(out, "{}", text(line))?;
        }
    }
    out.flush()
}

/// An entry for people; a line that is no entry is shown as it is.
fn text(line: &str) -> String {
    let Ok(entry) = serde_json::from_str::<Value>(line) else {
        return line.trim_end().to_owned();
    };
    let word = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or("?");
    let time = entry
        .get("at_unix_ms")
        .and_then(Value::as_u64)
        .map_or_else(|| "?".into(), status::time);
    format!(
        "{time}  {:<8}  {}  {}",
        word("severity"),
        word("node"),
        word("text")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_shown_for_people_and_anything_else_as_it_is() {
        let entry = r#"{"seq":1,"at_unix_ms":0,"node":"a","severity":"info","text":"stopping"}"#;
        assert!(text(entry).ends_with("  info      a  stopping"));
        assert_eq!(text("torn {\n"), "torn {");
    }
}
