//! What of a text no finding shows, told by where it stands: whatever is below a key that is for
//! secrets, or that was probably meant to be such a key, of whatever type it is.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// Keys with secrets at them or below them. URLs are among them because gateways take tokens there,
/// and the last is what others call `auth`.
const SECRET_KEYS: [&str; 11] = [
    "auth",
    "hmac",
    "keys",
    "pass",
    "password",
    "secret",
    "token",
    "headers",
    "url",
    "body",
    "authentication",
];
/// Keys, and a usual name of listeners, that are like one of them by chance: what is below is looked at.
const NO_SECRETS: [&str; 2] = ["certificates", "secure"];
/// How like one of them a key is that was meant as one: "adress" is like none.
const LIKENESS_MIN: f64 = 0.85;

/// Longer ones are like none.
const KEY_OCTETS_MAX: usize = 20;
/// In a file that is not TOML, a longer line is not searched for keys: it counts as one with a secret.
const LINE_OCTETS_MAX: usize = 1 << 10;

/// Whether a key is for secrets, as far as its name tells.
pub(super) fn is_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    let is_short = key.len() <= KEY_OCTETS_MAX && !NO_SECRETS.contains(&key.as_str());
    SECRET_KEYS.iter().any(|secret| {
        key.contains(secret) || is_short && strsim::jaro_winkler(&key, secret) >= LIKENESS_MIN
    })
}

/// The places of all secrets in a file, in octets.
pub(super) fn secrets_of(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    hide_in_table(table, &mut secrets);
    secrets
}

fn hide_in_table(table: &DeTable<'_>, secrets: &mut Vec<Range<usize>>) {
    for (key, value) in table {
        if is_plain(key.get_ref(), value.get_ref()) {
            continue;
        }
        if is_secret(key.get_ref()) {
            hide_all(value.get_ref(), value.span(), secrets);
        } else {
            hide_in_value(value.get_ref(), secrets);
        }
    }
}

/// Whether it is the path of a key, and no key that somebody has put there, or another word that TLS
/// is configured with.
fn is_plain(key: &str, value: &DeValue<'_>) -> bool {
    match (key, value) {
        ("client_auth", DeValue::String(_)) => true,
        ("key" | "client_key", DeValue::String(text)) => text.starts_with('/'),
        _ => false,
    }
}

fn hide_in_value(value: &DeValue<'_>, secrets: &mut Vec<Range<usize>>) {
    match value {
        DeValue::Table(table) => hide_in_table(table, secrets),
        DeValue::Array(array) => {
            for entry in array.iter() {
                hide_in_value(entry.get_ref(), secrets);
            }
        }
        _ => {}
    }
}

/// The values, and the keys that are none: a key or a header field may have been written as one.
fn hide_all(value: &DeValue<'_>, span: Range<usize>, secrets: &mut Vec<Range<usize>>) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    match value {
        DeValue::Table(table) => {
            for (key, entry) in table {
                if !key.get_ref().chars().all(is_plain) {
                    secrets.push(key.span());
                }
                hide_all(entry.get_ref(), entry.span(), secrets);
            }
        }
        DeValue::Array(array) => {
            for entry in array.iter() {
                hide_all(entry.get_ref(), entry.span(), secrets);
            }
        }
        _ => secrets.push(span),
    }
}

/// The same for a file that is not TOML, where nobody knows what is a value: what is in quotes, and
/// all that may belong to a secret.
pub(super) fn secrets_of_broken(content: &str) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    let mut start = 0;
    let mut section_is_secret = false;
    let mut is_in_string = false;
    for line in content.split_inclusive('\n') {
        let began_in_string = is_in_string;
        let ends = line.matches("\"\"\"").count() + line.matches("'''").count();
        is_in_string ^= ends % 2 == 1;
        let is_section = !began_in_string && line.trim_start().starts_with('[');
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let names_secret =
            line.len() > LINE_OCTETS_MAX || line.split(|c| !is_word(c)).any(is_secret);
        if is_section {
            section_is_secret = names_secret;
        }
        let equals = line.find('=').map(|index| index + 1);
        let from = match equals {
            _ if began_in_string => Some(0),
            None if is_section || line.trim_start().starts_with('#') => None,
            None => Some(0),
            equals if names_secret || section_is_secret => equals,
            Some(_) => None,
        };
        match from {
            Some(from) => secrets.push(start + from..start + line.len()),
            None => secrets.extend(quoted(line).map(|it| start + it.start..start + it.end)),
        }
        start += line.len();
    }
    secrets
}

/// From each quote to the next of its kind, or to the end of the line.
fn quoted(line: &str) -> impl Iterator<Item = Range<usize>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = line.get(from..)?;
        let start = from + rest.find(['"', '\''])?;
        let quote = line.get(start..)?.chars().next()?;
        let inside = line.get(start + 1..)?;
        // An escaped quote would end it too early: what follows one is no end.
        let end = inside
            .match_indices(quote)
            .map(|(index, _)| index)
            .find(|index| !inside.get(..*index).is_some_and(|it| it.ends_with('\\')))
            .map_or(line.len(), |index| start + 1 + index + 1);
        from = end;
        Some(start..end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_certificates_are_shown_and_a_key_that_stands_there_is_not() {
        let text = r#"secure.tls.certificates = [{ chain = "/c.pem", key = "/c.key" }, { chain = "/d.pem", key = "MHcC" }]"#;
        let table = DeTable::parse(text).unwrap();
        let hidden: Vec<&str> = (secrets_of(table.get_ref()).into_iter())
            .map(|range| &text[range])
            .collect();
        assert_eq!(hidden, [r#""MHcC""#]);
    }
}
