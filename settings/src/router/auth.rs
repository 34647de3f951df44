//! `auth`: how the nodes of a virtual router know one another.

use std::num::NonZeroU8;
use std::path::PathBuf;
use std::time::Duration;

use super::{Auth, HmacAuth, HmacKey, HmacMode, PASS_OCTETS, Pass, Version};
use crate::item::{Item, Table};
use crate::text::read_text;

/// A key is at least as strong as what is sent of its HMAC, and no longer than a block of SHA-256.
const KEY_OCTETS: std::ops::RangeInclusive<usize> = 32..=64;
/// A key file has a key in hexadecimal digits and a line end at most; there is room to spare.
const KEY_FILE_OCTETS_MAX: u64 = 1 << 10;

const KEY_ADVICE: &str = "make one with `openssl rand -hex 32`, and write \"hex:\" before it";

/// `interval` is the time between adverts, from which the window follows.
pub(super) fn auth(
    item: &Item<'_>,
    version: Option<Version>,
    interval: Option<Duration>,
) -> Option<Auth> {
    let mut table = item.table()?;
    let pass = table.maybe("pass", pass);
    let hmac = table.maybe("hmac", |item| hmac(item.table()?, interval));
    table.finish();
    match (version?, pass?, hmac?) {
        (_, Some(_), Some(_)) => item.error(
            "\"auth\" has both \"pass\" and \"hmac\"",
            "\"pass\" is of version 2, \"hmac\" of version 3: remove one",
        ),
        (_, None, None) => item.error(
            "\"auth\" needs \"pass\" or \"hmac\"",
            "leave \"auth\" out for none; \"pass\" is of version 2, \"hmac\" of version 3",
        ),
        (Version::V3, Some(_), None) => item.error(
            "version 3 has no password",
            "use \"hmac\", or set version = 2 (RFC 9568 took the password out)",
        ),
        (Version::V2, None, Some(_)) => item.error(
            "version 2 has no HMAC",
            "set version = 3: draft-cassen-vrrp-auth-hmac defines it for that alone",
        ),
        (Version::V2, Some(pass), None) => Some(Auth::Pass(pass)),
        (Version::V3, None, Some(hmac)) => Some(Auth::Hmac(hmac)),
    }
}

fn pass(item: &Item<'_>) -> Option<Pass> {
    let text = item.secret_string()?;
    let mut octets = [0; PASS_OCTETS];
    match octets.get_mut(..text.len()) {
        Some(begin) => begin.copy_from_slice(text.as_bytes()),
        None => {
            let message = format!("\"pass\" has {} octets; the protocol carries 8", text.len());
            return item.error(
                message,
                "shorten it on all nodes; keepalived cuts it silently",
            );
        }
    }
    Some(Pass(octets))
}

fn hmac(mut table: Table<'_>, interval: Option<Duration>) -> Option<HmacAuth> {
    let keys = table.required("keys", keys);
    let active = active(&mut table, keys.as_deref());
    let mode = table.or("mode", HmacMode::Enforce, |item| {
        item.one_of(&[
            ("enforce", HmacMode::Enforce),
            ("permissive", HmacMode::Permissive),
            ("receive-only", HmacMode::ReceiveOnly),
        ])
    });
    let compares_clocks = table.or("anti_replay", true, |item| {
        item.one_of(&[("time", true), ("monotonic", false)])
    });
    let default = interval.map(|interval| (3 * interval).max(Duration::from_secs(5)));
    let window = match table.get("time_window") {
        Some(item) => {
            if compares_clocks == Some(false) {
                item.warning(
                    "\"time_window\" has no effect",
                    "anti_replay = \"monotonic\" compares no clocks",
                );
            }
            item.duration(Duration::from_secs(1)..=Duration::from_secs(300))
        }
        None => default,
    };
    table.finish();
    Some(HmacAuth {
        keys: keys?,
        active: active?,
        mode: mode?,
        time_window: compares_clocks?.then_some(window?),
    })
}

/// The keys by their numbers.
fn keys(item: &Item<'_>) -> Option<Vec<(NonZeroU8, HmacKey)>> {
    let entries = item.entries()?;
    if entries.is_empty() {
        return item.error("\"keys\" must not be empty", KEY_ADVICE);
    }
    // All are read before any failure ends it, so that all errors are shown.
    let read: Vec<_> = (entries.iter())
        .map(|(name, entry)| {
            let id = key_id(name, entry)?;
            Some((id, key(name, entry)?))
        })
        .collect();
    read.into_iter().collect()
}

fn key_id(name: &str, entry: &Item<'_>) -> Option<NonZeroU8> {
    let id = name
        .parse()
        .ok()
        .filter(|id: &NonZeroU8| id.to_string() == name);
    if id.is_none() {
        entry.context().error(
            &entry.key_position(),
            match name.len() {
                0..=3 => format!("{name:?} is no number of a key"),
                // It may be the key itself.
                _ => "this is no number of a key".to_owned(),
            },
            "keys are numbered from 1 to 255, the same on all nodes",
        );
    }
    id
}

/// The key that adverts are signed with; it need not be said when there is but one.
fn active(table: &mut Table<'_>, keys: Option<&[(NonZeroU8, HmacKey)]>) -> Option<NonZeroU8> {
    let Some(item) = table.get("active") else {
        return match keys? {
            [(id, _)] => Some(*id),
            _ => table.item().error(
                "\"active\" is missing",
                "with several keys, say which one signs: active = ...",
            ),
        };
    };
    let active = NonZeroU8::new(item.number(1..=u8::MAX)?)?;
    let known: Vec<String> = keys?.iter().map(|(id, _)| id.to_string()).collect();
    if !known.contains(&active.to_string()) {
        let advice = format!("the keys are {}", known.join(", "));
        return item.error(format!("there is no key {active}"), advice);
    }
    Some(active)
}

/// "hex:" and digits, "file:" and the path of a file with either, or the octets themselves.
fn key(id: &str, item: &Item<'_>) -> Option<HmacKey> {
    let text = item.secret_string()?;
    let text = match text.strip_prefix("file:") {
        Some(path) => key_file(id, item, path)?,
        None => text,
    };
    let octets = match text.strip_prefix("hex:") {
        Some(digits) => match from_hex(digits) {
            Some(octets) => octets,
            None => {
                return item.error(
                    format!("key {id} is not hexadecimal"),
                    "after \"hex:\" come pairs of the digits 0 to 9 and a to f",
                );
            }
        },
        None => text.into_bytes(),
    };
    if !KEY_OCTETS.contains(&octets.len()) {
        let message = format!("key {id} has {} octets; keys have 32 to 64", octets.len());
        return item.error(message, KEY_ADVICE);
    }
    Some(HmacKey(octets))
}

/// What a file has, without its line end.
fn key_file(id: &str, item: &Item<'_>, path: &str) -> Option<String> {
    let path = PathBuf::from(path);
    if !path.is_absolute() {
        return item.error(
            format!("the path {path:?} of key {id} must be absolute"),
            "write \"file:/etc/evenkeel/keys/vrrp\"",
        );
    }
    let shown = path.display();
    let content = match read_text(&path, KEY_FILE_OCTETS_MAX) {
        Ok(content) => content,
        Err(error) => {
            return item.error(
                format!("{shown} cannot be read: {error}"),
                "write the key there, in a file that only root can read (chmod 600)",
            );
        }
    };
    item.warn_of_readers(&path);
    let content = content.strip_suffix('\n').unwrap_or(&content);
    Some(content.strip_suffix('\r').unwrap_or(content).to_owned())
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let octet = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    pairs.iter().map(octet).collect()
}
