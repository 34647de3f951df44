//! `EVENKEEL__SECTION__KEY=value`: what the environment puts over the files.

use std::sync::Arc;

use config::{Map, Value, ValueKind};
use toml::de::DeValue;

use super::places::{Place, Places, TreePath, path_of};
use super::secrets::is_secret;
use super::{Layer, Reading, SECTIONS, child};
use crate::report::{Position, Text};

/// The prefix of environment variables that override values.
const ENVIRONMENT_PREFIX: &str = "EVENKEEL__";
/// Words of a variable's name: more than any key is deep.
const WORDS_MAX: usize = 16;
/// What the environment is called in positions.
pub(super) const ENVIRONMENT: &str = "the environment";

/// The text that positions in a variable point into. Its value is a secret where the name says so,
/// and where it is a table or is meant as one, which may have some.
pub(super) fn environment_text(name: &str, value: &str) -> Arc<Text> {
    let content = format!("{name}={value}");
    let is_hidden = name.split("__").any(is_secret) || value.contains('{');
    let secrets = is_hidden.then(|| name.len() + 1..content.len());
    Arc::new(Text {
        name: ENVIRONMENT.to_owned(),
        content,
        secrets: secrets.into_iter().collect(),
    })
}

impl Reading<'_> {
    /// Puts the variables that override values over everything, in the order of their names.
    pub(super) fn with_environment(
        &mut self,
        mut root: Value,
        environment: &[(String, String)],
    ) -> Option<Value> {
        let mut variables: Vec<(&str, &str, &str)> = (environment.iter())
            .filter_map(|(name, value)| {
                let words = name.strip_prefix(ENVIRONMENT_PREFIX)?;
                Some((name.as_str(), words, value.as_str()))
            })
            .collect();
        variables.sort_unstable();
        for (name, words, value) in variables {
            let text = environment_text(name, value);
            self.texts.push(Arc::clone(&text));
            let values = name.len() + 1..text.content.len();
            let place = Place {
                text,
                key: 0..name.len(),
                value: values,
            };
            let Some(keys) = self.variable_keys(&root, words, &place) else {
                continue;
            };
            let layer = self.variable_layer(keys, value, place);
            let ValueKind::Table(table) = root.kind else {
                return Some(root);
            };
            root = self.merge(vec![Layer(table), Layer(layer)])?;
        }
        Some(root)
    }

    /// The keys that a variable's name means, unless it means none.
    fn variable_keys(&mut self, root: &Value, words: &str, place: &Place) -> Option<Vec<String>> {
        let position = Position::of_range(Arc::clone(&place.text), place.key.clone());
        let words: Vec<&str> = words.split("__").collect();
        if !(2..=WORDS_MAX).contains(&words.len()) || words.iter().any(|word| word.is_empty()) {
            let advice = "its name has the form EVENKEEL__SECTION__KEY";
            self.report
                .push(&position, "this variable names no value", advice);
            return None;
        }
        let keys = keys_of_words(root, &words);
        let section = keys.first()?;
        if !SECTIONS.contains(&section.as_str()) {
            self.unknown_section(&position, section);
            return None;
        }
        let mut level = Some(root);
        for key in &keys {
            if level.is_some_and(|value| matches!(value.kind, ValueKind::Array(_))) {
                let advice = "set the list as a whole, written as in TOML";
                self.report.push(
                    &position,
                    "one entry of a list cannot be overridden",
                    advice,
                );
                return None;
            }
            level = level.and_then(|value| child(value, key));
        }
        Some(keys)
    }

    /// A layer with this value alone.
    fn variable_layer(
        &mut self,
        keys: Vec<String>,
        text: &str,
        place: Place,
    ) -> Map<String, Value> {
        let path = path_of(&keys);
        let kind = self.variable_value(text, &place, &path);
        self.places.put(path, place, false);
        let leaf = Value::new(None, kind);
        let mut outer_to_inner = keys.into_iter();
        let section = outer_to_inner.next().unwrap_or_default();
        let value = outer_to_inner.rev().fold(leaf, |value, key| {
            Value::new(None, ValueKind::Table(Map::from([(key, value)])))
        });
        Map::from([(section, value)])
    }

    /// What TOML reads from the value, where that is what a key can take; else the string as it is.
    /// Everything in it stands at the value as a whole.
    fn variable_value(&mut self, text: &str, place: &Place, path: &str) -> ValueKind {
        let as_it_is = || ValueKind::String(text.to_owned());
        let Ok(parsed) = DeValue::parse(text) else {
            return as_it_is();
        };
        let mut inner = Reading {
            report: self.report,
            texts: Vec::new(),
            places: Places::default(),
        };
        let kind = inner.convert(&place.text, parsed.get_ref(), path, 0);
        let paths: Vec<TreePath> = inner.places.into_paths();
        let inside = Place {
            key: place.value.clone(),
            ..place.clone()
        };
        for path in paths {
            self.places.put(path, inside.clone(), false);
        }
        match kind {
            ValueKind::Nil | ValueKind::Float(_) => as_it_is(),
            kind => kind,
        }
    }
}

/// The keys that the words of a variable's name mean: an existing key that differs in case or has
/// `-` where shells allow only `_`, else the word in lower case.
fn keys_of_words(root: &Value, words: &[&str]) -> Vec<String> {
    let plain = |word: &str| word.to_ascii_lowercase().replace('-', "_");
    let mut level = Some(root);
    let mut keys = Vec::with_capacity(words.len());
    for word in words {
        let existing = match level.map(|value| &value.kind) {
            Some(ValueKind::Table(table)) => {
                let mut same: Vec<&String> = table
                    .keys()
                    .filter(|key| plain(key) == plain(word))
                    .collect();
                same.sort_by_key(|key| (key.as_str() != *word, *key));
                same.first().map(|key| (*key).clone())
            }
            _ => None,
        };
        let key = existing.unwrap_or_else(|| word.to_ascii_lowercase());
        level = level.and_then(|value| child(value, &key));
        keys.push(key);
    }
    keys
}
