//! Reads typed fields out of a TOML table and remembers what was not asked for: that is then unknown.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fields;
use super::place::Places;
use crate::problem::{Problem, ProblemCode};

/// A value with the place it stands at.
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
    pub(super) path: String,
}

/// One table being read.
pub(super) struct Reader<'r, 't> {
    table: &'r DeTable<'t>,
    path: String,
    /// Key in [`fields`]: the path without indexes.
    kind: String,
    seen: BTreeSet<String>,
    place: &'r Places<'t>,
    problems: &'r mut Vec<Problem>,
}

impl<'r, 't> Reader<'r, 't> {
    pub(super) fn root(
        table: &'r DeTable<'t>,
        place: &'r Places<'t>,
        problems: &'r mut Vec<Problem>,
    ) -> Self {
        Self { table, path: String::new(), kind: String::new(), seen: BTreeSet::new(), place, problems }
    }

    fn join(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// Reports a problem at a place.
    pub(super) fn refuse(
        &mut self,
        span: &Range<usize>,
        path: String,
        code: ProblemCode,
        message: String,
        hint: &str,
    ) {
        self.problems.push(self.place.problem(span, path, code, message, hint));
    }

    /// Line of a place, from 1.
    pub(super) fn line(&self, span: &Range<usize>) -> usize {
        self.place.of(span.start).0
    }

    /// Path of this table, as `peer[2]`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Whether a field stands there, of any type.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    fn get(&mut self, key: &str) -> Option<&'r Spanned<DeValue<'t>>> {
        self.seen.insert(key.to_owned());
        self.table.get(key)
    }

    /// Reports a needed field as absent.
    pub(super) fn missing(&mut self, key: &str, hint: &str) {
        let span = self.table.values().next().map_or(0..0, Spanned::span);
        let path = self.join(key);
        self.refuse(&span, path, ProblemCode::Missing, "this is missing".to_owned(), hint);
    }

    fn typed<T>(
        &mut self,
        key: &str,
        what: &str,
        pick: impl Fn(&'r DeValue<'t>) -> Option<T>,
    ) -> Option<At<T>> {
        let path = self.join(key);
        let found = self.get(key)?;
        let span = found.span();
        match pick(found.get_ref()) {
            Some(value) => Some(At { value, span, path }),
            None => {
                let message = format!("this must be {what}, not {}", type_of(found.get_ref()));
                self.refuse(&span, path, ProblemCode::WrongType, message, "");
                None
            }
        }
    }

    /// A string, if present.
    pub(super) fn string(&mut self, key: &str) -> Option<At<String>> {
        self.typed(key, "a text in quotes", |v| v.as_str().map(str::to_owned))
    }

    /// A boolean, if present.
    pub(super) fn boolean(&mut self, key: &str) -> Option<At<bool>> {
        self.typed(key, "true or false", DeValue::as_bool)
    }

    /// An integer, if present.
    pub(super) fn integer(&mut self, key: &str) -> Option<At<i64>> {
        self.typed(key, "a whole number", |v| as_integer(v))
    }

    /// A list of strings, if present.
    pub(super) fn strings(&mut self, key: &str) -> Option<Vec<At<String>>> {
        self.list(key, "a list of texts in quotes, as [\"…\", \"…\"]", |v| v.as_str().map(str::to_owned))
    }

    /// A list of integers, if present.
    pub(super) fn integers(&mut self, key: &str) -> Option<Vec<At<i64>>> {
        self.list(key, "a list of whole numbers", as_integer)
    }

    fn list<T>(&mut self, key: &str, what: &str, pick: fn(&DeValue<'t>) -> Option<T>) -> Option<Vec<At<T>>> {
        let items = self.typed(key, what, |v| v.as_array())?;
        let mut out = Vec::new();
        for (index, item) in items.value.iter().enumerate() {
            let path = format!("{}[{index}]", items.path);
            match pick(item.get_ref()) {
                Some(value) => out.push(At { value, span: item.span(), path }),
                None => {
                    let message = format!("this must be {what}");
                    self.refuse(&item.span(), path, ProblemCode::WrongType, message, "");
                }
            }
        }
        Some(out)
    }

    /// A string or a list of strings, if present.
    pub(super) fn one_or_more(&mut self, key: &str) -> Option<Vec<At<String>>> {
        match self.table.get(key).map(Spanned::get_ref) {
            Some(DeValue::String(_)) => self.string(key).map(|at| vec![at]),
            _ => self.strings(key),
        }
    }

    /// Every field whose name is a number, with its text.
    pub(super) fn numbered(&mut self) -> Vec<(u64, At<String>)> {
        let is_number =
            |key: &&str| !key.is_empty() && key.len() < 10 && key.bytes().all(|b| b.is_ascii_digit());
        let keys = self.table.keys().map(|key| key.get_ref().as_ref());
        let keys: Vec<String> = keys.filter(is_number).map(str::to_owned).collect();
        let one = |key: String| Some((key.parse().ok()?, self.string(&key)?));
        keys.into_iter().filter_map(one).collect()
    }

    /// Reads a sub-table with `read`; absent is read as empty.
    pub(super) fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Reader<'_, 't>) -> T) -> T {
        let empty = DeTable::new();
        let found = self.typed(key, "a table", |v| v.as_table());
        let table = found.as_ref().map_or(&empty, |at| at.value);
        let (path, kind) = (self.join(key), join_kind(&self.kind, key));
        let mut inner =
            Reader { table, path, kind, seen: BTreeSet::new(), place: self.place, problems: self.problems };
        let value = read(&mut inner);
        inner.refuse_unknown();
        value
    }

    /// Reads each table of an array of tables with `read`, giving its span.
    pub(super) fn tables<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&mut Reader<'_, 't>, Range<usize>) -> Option<T>,
    ) -> Vec<T> {
        let Some(items) = self.typed(key, "a list of tables ([[…]])", |v| v.as_array()) else {
            return Vec::new();
        };
        let kind = join_kind(&self.kind, key);
        let mut out = Vec::new();
        for (index, item) in items.value.iter().enumerate() {
            let path = format!("{}[{index}]", items.path);
            let Some(table) = item.get_ref().as_table() else {
                let message = "this must be a table".to_owned();
                self.refuse(&item.span(), path, ProblemCode::WrongType, message, "");
                continue;
            };
            let mut inner = Reader {
                table,
                path,
                kind: kind.clone(),
                seen: BTreeSet::new(),
                place: self.place,
                problems: self.problems,
            };
            out.extend(read(&mut inner, item.span()));
            inner.refuse_unknown();
        }
        out
    }

    /// Reports every field that nobody asked for.
    pub(super) fn refuse_unknown(&mut self) {
        let unknown: Vec<_> = self
            .table
            .iter()
            .filter(|(key, _)| !self.seen.contains(key.get_ref().as_ref()))
            .map(|(key, _)| (key.get_ref().to_string(), key.span()))
            .collect();
        for (key, span) in unknown {
            let hint = match fields::nearest(&self.kind, &key) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "remove it, or see `man 5 cell.toml` for what there is".to_owned(),
            };
            let path = self.join(&key);
            let message = format!("`{}` is not a field of {}", key.escape_debug(), self.title());
            self.refuse(&span, path, ProblemCode::UnknownField, message, &hint);
        }
    }

    fn title(&self) -> String {
        if self.kind.is_empty() { "cell.toml".to_owned() } else { format!("[{}]", self.kind) }
    }
}

fn join_kind(kind: &str, key: &str) -> String {
    if kind.is_empty() { key.to_owned() } else { format!("{kind}.{key}") }
}

fn as_integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn type_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
