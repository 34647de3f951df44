//! Where values come from: the file, `conf.d`, the node's override, the environment; and how the
//! later goes over the earlier.
//!
//! Merging is the `config` crate's: tables merge, everything else replaces. As its values know no
//! line, the places of all values are kept beside them, by path. This module knows the names of
//! the sections and nothing else of what the keys mean.

mod environment;
mod places;
mod secrets;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::{Config, ConfigError, Map, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use crate::Source;
use crate::report::{Position, Report, Text};
use crate::text::read_text;
use crate::words::{near, quoted_list};

use environment::{ENVIRONMENT, environment_text};
use places::{Place, Places, path_of};
pub(crate) use places::{TreePath, below, last_key};
use secrets::{secrets_of, secrets_of_broken};

/// The sections that a file may have.
const SECTIONS: &[&str] = &[
    "cluster",
    "nodes",
    "global",
    "virtual_routers",
    "scripts",
    "files",
    "processes",
    "proxy",
    "listeners",
    "routes",
    "upstreams",
    "notify",
    "admin",
];

/// What a file may be long, in octets: far above what people write.
const FILE_OCTETS_MAX: u64 = 1 << 20;
/// Errors of syntax that are shown for one file: the later ones tend to follow from the first.
const SYNTAX_ERRORS_MAX: usize = 3;

/// All layers in one tree.
#[derive(Debug)]
pub(crate) struct Merged {
    /// The tree; always a table.
    pub(crate) root: Value,
    places: Places,
    /// What was read, in order, the main file first.
    pub(crate) texts: Vec<Arc<Text>>,
}

impl Merged {
    /// Where the value at `path` stands.
    pub(crate) fn value_position(&self, path: &str) -> Position {
        self.position(path, |place| place.value.clone())
    }

    /// Where the key at the end of `path` stands.
    pub(crate) fn key_position(&self, path: &str) -> Position {
        self.position(path, |place| place.key.clone())
    }

    fn position(&self, path: &str, range: impl Fn(&Place) -> Range<usize>) -> Position {
        match (self.places.find(path), self.texts.first()) {
            (Some(place), _) => Position::of_range(Arc::clone(&place.text), range(place)),
            (None, Some(file)) => Position::whole(Arc::clone(file)),
            (None, None) => Position::whole(environment_text("", "")),
        }
    }

    /// The text as written of a value that one environment variable gave; variables have no
    /// quotes, so a number there may be meant as a string.
    pub(crate) fn environment_value(&self, path: &str) -> Option<&str> {
        let place = self.places.get(path)?;
        let is_all_of_it = place.text.name == ENVIRONMENT && place.key != place.value;
        is_all_of_it.then(|| place.text.content.get(place.value.clone()))?
    }
}

/// A layer as the `config` crate wants it.
#[derive(Clone, Debug)]
struct Layer(Map<String, Value>);

impl config::Source for Layer {
    fn clone_into_box(&self) -> Box<dyn config::Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

/// Reads and merges all layers. What is wrong goes into the report; `None` when it is such that
/// reading on would only add noise (a file that is missing or is not TOML).
pub(crate) fn read(source: &Source, report: &mut Report) -> Option<Merged> {
    let mut reading = Reading {
        report,
        texts: Vec::new(),
        places: Places::default(),
    };
    let root = reading.read_all(source)?;
    let Reading { texts, places, .. } = reading;
    Some(Merged {
        root,
        places,
        texts,
    })
}

/// What is at hand while layers are read.
struct Reading<'a> {
    report: &'a mut Report,
    texts: Vec<Arc<Text>>,
    places: Places,
}

impl Reading<'_> {
    fn read_all(&mut self, source: &Source) -> Option<Value> {
        let mut layers = Vec::new();
        let mut routes = Vec::new();
        let mut readable = true;
        for path in self.files_of(&source.file)? {
            match self.read_file(&path, &mut routes) {
                Some(layer) => layers.push(layer),
                None => readable = false,
            }
        }
        if !readable {
            return None;
        }
        let root = self.merge(layers)?;
        let root = self.with_override(root, &source.node)?;
        self.with_environment(root, &source.environment)
    }

    fn merge(&mut self, layers: Vec<Layer>) -> Option<Value> {
        let builder = layers
            .into_iter()
            .fold(Config::builder(), |builder, layer| {
                builder.add_source(layer)
            });
        match builder.build() {
            Ok(config) => Some(config.cache),
            Err(error) => {
                let text = self.texts.first().cloned();
                let text = text.unwrap_or_else(|| environment_text("", ""));
                self.report
                    .push(&Position::whole(text), error.to_string(), "");
                None
            }
        }
    }

    /// The file, then `conf.d/*.toml` beside it in name order.
    fn files_of(&mut self, file: &Path) -> Option<Vec<PathBuf>> {
        let mut files = vec![file.to_owned()];
        let folder = file.with_file_name("conf.d");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(files),
            Err(error) => {
                self.unreadable(&folder, &error);
                return None;
            }
        };
        let mut more: Vec<PathBuf> = entries
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == "toml")
            })
            .collect();
        more.sort();
        files.extend(more);
        Some(files)
    }

    fn unreadable(&mut self, path: &Path, error: &dyn std::fmt::Display) {
        let text = Text {
            name: path.display().to_string(),
            content: String::new(),
            secrets: Vec::new(),
        };
        let position = Position::whole(Arc::new(text));
        self.report
            .push(&position, format!("cannot be read: {error}"), "");
    }

    fn read_file(&mut self, path: &Path, routes: &mut Vec<Value>) -> Option<Layer> {
        let content = match read_text(path, FILE_OCTETS_MAX) {
            Ok(content) => content,
            Err(error) => {
                self.unreadable(path, &error);
                return None;
            }
        };
        let (table, errors) = DeTable::parse_recoverable(&content);
        let secrets = if errors.is_empty() {
            secrets_of(table.get_ref())
        } else {
            secrets_of_broken(&content)
        };
        let text = Arc::new(Text {
            name: path.display().to_string(),
            content: content.clone(),
            secrets,
        });
        self.texts.push(Arc::clone(&text));
        for error in errors.iter().take(SYNTAX_ERRORS_MAX) {
            let range = error.span().unwrap_or(0..0);
            let position = Position::of_range(Arc::clone(&text), range);
            self.report
                .push(&position, format!("not TOML: {}", error.message()), "");
        }
        if !errors.is_empty() {
            return None;
        }
        let mut layer = self.sections(&text, table.get_ref(), routes.len());
        // Routes of all files stand in one list; whatever else is a list replaces.
        if let Some(Value {
            kind: ValueKind::Array(more),
            ..
        }) = layer.get_mut("routes")
        {
            routes.append(more);
            more.clone_from(routes);
        }
        Some(Layer(layer))
    }

    fn sections(
        &mut self,
        text: &Arc<Text>,
        table: &DeTable<'_>,
        routes_before: usize,
    ) -> Map<String, Value> {
        let mut sections = Map::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let place = Place {
                text: Arc::clone(text),
                key: key.span(),
                value: value.span(),
            };
            if !SECTIONS.contains(&name) {
                let position = Position::of_range(Arc::clone(text), key.span());
                self.unknown_section(&position, name);
                continue;
            }
            let first_index = if name == "routes" { routes_before } else { 0 };
            let kind = self.convert(text, value.get_ref(), &below("", name), first_index);
            let is_table = matches!(kind, ValueKind::Table(_));
            self.places.put(below("", name), place, is_table);
            sections.insert(name.to_owned(), Value::new(None, kind));
        }
        sections
    }

    fn unknown_section(&mut self, position: &Position, name: &str) {
        let advice = near(name, SECTIONS)
            .unwrap_or_else(|| format!("the sections are {}", quoted_list(SECTIONS)));
        self.report
            .push(position, format!("unknown section {name:?}"), advice);
    }

    /// Converts a value and notes the places of what is below it. `first_index` is what the first
    /// entry is counted as, when the value is a list that will stand behind another.
    fn convert(
        &mut self,
        text: &Arc<Text>,
        value: &DeValue<'_>,
        path: &str,
        first_index: usize,
    ) -> ValueKind {
        match value {
            DeValue::String(string) => ValueKind::String(string.to_string()),
            DeValue::Boolean(boolean) => ValueKind::Boolean(*boolean),
            DeValue::Integer(integer) => {
                match i64::from_str_radix(integer.as_str(), integer.radix()) {
                    Ok(integer) => ValueKind::I64(integer),
                    // Out of every range there is: the reader of the key says so.
                    Err(_) => ValueKind::I64(i64::MAX),
                }
            }
            DeValue::Float(float) => ValueKind::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            // No key takes a date; as nothing, it is refused with the type that the key takes.
            DeValue::Datetime(_) => ValueKind::Nil,
            DeValue::Array(array) => {
                let mut values = Vec::with_capacity(array.len());
                for (index, entry) in (first_index..).zip(array.iter()) {
                    let path = below(path, &index.to_string());
                    let place = Place {
                        text: Arc::clone(text),
                        key: entry.span(),
                        value: entry.span(),
                    };
                    let kind = self.convert(text, entry.get_ref(), &path, 0);
                    self.places.put(path, place, false);
                    values.push(Value::new(None, kind));
                }
                ValueKind::Array(values)
            }
            DeValue::Table(table) => {
                let mut values = Map::new();
                for (key, entry) in table {
                    let path = below(path, key.get_ref());
                    let place = Place {
                        text: Arc::clone(text),
                        key: key.span(),
                        value: entry.span(),
                    };
                    let kind = self.convert(text, entry.get_ref(), &path, 0);
                    self.places
                        .put(path, place, matches!(kind, ValueKind::Table(_)));
                    values.insert(key.get_ref().to_string(), Value::new(None, kind));
                }
                ValueKind::Table(values)
            }
        }
    }

    /// Puts `[nodes.NAME.override]` of this node over everything.
    fn with_override(&mut self, root: Value, node: &str) -> Option<Value> {
        let path = ["nodes", node, "override"];
        let Some(ValueKind::Table(over)) = path
            .iter()
            .try_fold(&root, |value, key| child(value, key))
            .map(|value| value.kind.clone())
        else {
            return Some(root); // Absent, or not a table, which the reader of [nodes] reports.
        };
        let path = path_of(&path);
        let mut known = Map::new();
        for (name, value) in over {
            if SECTIONS.contains(&name.as_str()) {
                known.insert(name, value);
                continue;
            }
            let place = self.places.find(&below(&path, &name)).cloned();
            if let Some(place) = place {
                self.unknown_section(&Position::of_range(place.text, place.key), &name);
            }
        }
        self.places.copy_to_root(&path);
        let ValueKind::Table(table) = root.kind else {
            return Some(root);
        };
        self.merge(vec![Layer(table), Layer(known)])
    }
}

fn child<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match &value.kind {
        ValueKind::Table(table) => table.get(key),
        _ => None,
    }
}
