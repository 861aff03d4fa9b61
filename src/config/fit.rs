//! Whether a document has the shape of a configuration: unknown keys, missing keys, wrong kinds.
//!
//! [`fit`] finds every misfit in one pass and takes it out, so that what remains can be read and
//! checked further: a wrong value gives way to its default, and one that must be there to a stopgap.
//! [`Removed`] remembers what was taken out, so that nobody is blamed for its absence.

use std::net::{IpAddr, SocketAddr};

use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

use super::advice::{advice, found};
use super::path::{Path, Step, steps, written};
use super::problem::Problem;
use super::shape::{DOCUMENT, Field, Form, Shape, Table};
use super::source::Source;
use super::suggest::{listed, nearest};
use super::unoffered::{Unoffered, unoffered};
use super::value::{Size, Span};

/// Takes out of `document` whatever does not fit `shape`, and says what and why.
pub(super) fn fit(
    document: &mut DeTable<'_>,
    shape: &Shape,
    source: &Source<'_>,
) -> (Vec<Problem>, Removed) {
    let mut fitting = Fitting {
        source,
        problems: Vec::new(),
        removed: Removed::default(),
    };
    if let Shape::Table(table) = shape {
        fitting.table(document, table, &Path::Root, 0..0);
    }
    (fitting.problems, fitting.removed)
}

/// What was taken out of a document.
#[derive(Debug, Default)]
pub(super) struct Removed(Vec<Vec<Step>>);

impl Removed {
    /// Whether nothing was.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether all target groups that the document names are still there. An unknown key of the
    /// document itself may have been one of them, misspelt.
    pub(super) fn has_all_groups(&self) -> bool {
        let key = |name: &str| Step::Key(name.to_owned());
        let is_group = |steps: &Vec<Step>| match &steps[..] {
            [Step::Key(name)] => name == "target_group" || !DOCUMENT.has_key(name),
            [first, _] => *first == key("target_group"),
            [first, _, last] => *first == key("target_group") && *last == key("name"),
            _ => false,
        };
        !self.0.iter().any(is_group)
    }

    /// Whether nothing was taken out of what is at `path` of the original.
    pub(super) fn is_untouched(&self, path: &str) -> bool {
        let steps = steps(path);
        !self.0.iter().any(|removed| removed.starts_with(&steps))
    }

    /// Whether a problem at `path` of the original is one of what was taken out, or of what that
    /// was taken out of.
    pub(super) fn explains(&self, path: &str) -> bool {
        let steps = steps(path);
        let related =
            |removed: &Vec<Step>| removed.starts_with(&steps) || steps.starts_with(removed);
        self.0.iter().any(related)
    }

    /// The path in the original of what is at `path` in the remainder: lists have become shorter.
    pub(super) fn original(&self, path: &str) -> String {
        let mut original: Vec<Step> = Vec::new();
        for step in steps(path) {
            let step = match step {
                Step::Index(index) => Step::Index(self.original_index(&original, index)),
                key @ Step::Key(_) => key,
            };
            original.push(step);
        }
        written(&original)
    }

    /// Elements are taken out in ascending order, so each one moves the index along.
    fn original_index(&self, list: &[Step], index: usize) -> usize {
        let of_list = self
            .0
            .iter()
            .filter_map(|removed| match removed.split_last() {
                Some((&Step::Index(gone), before)) if before == list => Some(gone),
                _ => None,
            });
        of_list.fold(index, |index, gone| index + usize::from(gone <= index))
    }
}

struct Fitting<'a> {
    source: &'a Source<'a>,
    problems: Vec<Problem>,
    removed: Removed,
}

type Bytes = std::ops::Range<usize>;

impl Fitting<'_> {
    /// Returns whether the value fits, less what was taken out of it.
    fn value(&mut self, value: &mut Spanned<DeValue<'_>>, shape: &Shape, path: &Path<'_>) -> bool {
        let span = value.span();
        match (shape, value.get_mut()) {
            (Shape::Either(shapes), inner) => {
                match shapes.iter().find(|shape| same_kind(shape, inner)) {
                    Some(shape) => self.value(value, shape, path),
                    None => self.misfit(inner, shape, path, span),
                }
            }
            (Shape::Table(shape), DeValue::Table(table)) => {
                self.table(table, shape, path, span);
                true
            }
            (Shape::List(shape), DeValue::Array(list)) => {
                self.list(list, shape, path);
                true
            }
            (shape, value) => leaf_fits(value, shape) || self.misfit(value, shape, path, span),
        }
    }

    fn table(&mut self, table: &mut DeTable<'_>, shape: &Table, path: &Path<'_>, span: Bytes) {
        let mut remove = Vec::new();
        for (key, value) in table.iter_mut() {
            let name: &str = key.get_ref();
            let path = path.key(name);
            let fits = match (shape.fields.get(name), &shape.rest) {
                (Some(field), _) => self.value(value, &field.shape, &path),
                (None, Some(rest)) => self.value(value, rest, &path),
                (None, None) => self.unknown(name, shape, &path, key.span()),
            };
            if !fits {
                self.removed.0.push(steps(&path.to_string()));
                remove.push(name.to_owned());
            }
        }
        for (name, field) in &shape.fields {
            if field.required && !table.contains_key(name.as_str()) {
                let message = format!("missing key `{name}`");
                self.report(path, message, span.clone(), Some(field.description.clone()));
                self.removed.0.push(steps(&path.key(name).to_string()));
                remove.push(name.clone());
            }
        }
        for name in remove {
            table.remove(name.as_str());
            if let Some(field) = shape.fields.get(&name).filter(|field| field.required) {
                let stopgap = Spanned::new(span.clone(), stopgap(&field.shape));
                table.insert(Spanned::new(span.clone(), name.into()), stopgap);
            }
        }
    }

    fn list<'i>(&mut self, list: &mut DeArray<'i>, shape: &Shape, path: &Path<'_>) {
        let mut kept = Vec::with_capacity(list.len());
        for (index, element) in list.iter_mut().enumerate() {
            let path = path.index(index);
            let fits = self.value(element, shape, &path);
            if !fits {
                self.removed.0.push(steps(&path.to_string()));
            }
            kept.push(fits);
        }
        if kept.contains(&false) {
            let elements = std::mem::replace(list, DeArray::new())
                .into_iter()
                .zip(kept);
            *list = elements
                .filter(|(_, kept)| *kept)
                .map(|(element, _)| element)
                .collect();
        }
    }

    fn unknown(&mut self, name: &str, shape: &Table, path: &Path<'_>, span: Bytes) -> bool {
        let known = || shape.fields.keys().map(String::as_str);
        let inner = shape.fields.iter();
        let inner = inner.filter(|(_, field)| field.shape.leads_to(name));
        let inner: Vec<String> = inner.map(|(table, _)| format!("`{table}`")).collect();
        if let Some(Unoffered { what, instead }) = unoffered(name) {
            let message = format!("`{name}` is not offered: {what}");
            self.report(path, message, span, Some(instead.to_owned()));
            return false;
        }
        let (message, help) = match nearest(name, known()) {
            _ if !inner.is_empty() => (
                format!("unknown key `{name}`"),
                Some(format!("`{name}` belongs in {}", inner.join(" or "))),
            ),
            Some(near) => (
                format!("unknown key `{name}`; did you mean `{near}`?"),
                None,
            ),
            None => (
                format!("unknown key `{name}`"),
                Some(format!("known here: {}", listed(name, known()))),
            ),
        };
        self.report(path, message, span, help);
        false
    }

    fn misfit(&mut self, value: &DeValue<'_>, shape: &Shape, path: &Path<'_>, span: Bytes) -> bool {
        let written = self.source.text.get(span.clone()).unwrap_or_default();
        let message = format!("expected {shape}, found {}", found(value));
        let help = advice(value, shape, written);
        self.report(path, message, span, help);
        false
    }

    fn report(&mut self, path: &Path<'_>, message: String, span: Bytes, help: Option<String>) {
        self.problems.push(Problem {
            help,
            location: Some(self.source.location(span)),
            ..Problem::error(path, message)
        });
    }
}

/// A value of the shape, in the place of one that must be there. Whatever is wrong with it is
/// explained by what was taken out.
fn stopgap(shape: &Shape) -> DeValue<'static> {
    let text = |text: &'static str| DeValue::String(text.into());
    match shape {
        Shape::Table(table) => {
            let required = table.fields.iter().filter(|(_, field)| field.required);
            let filled = |(name, field): (&String, &Field)| {
                let name = Spanned::new(0..0, name.clone().into());
                (name, Spanned::new(0..0, stopgap(&field.shape)))
            };
            DeValue::Table(required.map(filled).collect())
        }
        Shape::List(_) => DeValue::Array(DeArray::new()),
        Shape::Text(Form::Duration) => text("1s"),
        Shape::Text(Form::Size) => text("1KiB"),
        // An address for documentation (RFC 5737), which nothing else in the file has.
        Shape::Text(Form::Address) => text("192.0.2.1"),
        Shape::Text(Form::AddressAndPort) => text("192.0.2.1:1"),
        Shape::Text(Form::Plain) | Shape::Anything => text(""),
        Shape::Choice(words) => DeValue::String(words.first().cloned().unwrap_or_default().into()),
        Shape::Number { .. } => DeValue::Integer(DeInteger::default()),
        Shape::Flag => DeValue::Boolean(false),
        Shape::Either(shapes) => shapes.first().map_or_else(|| text(""), stopgap),
    }
}

fn same_kind(shape: &Shape, value: &DeValue<'_>) -> bool {
    match shape {
        Shape::Table(_) => value.is_table(),
        Shape::List(_) => value.is_array(),
        Shape::Text(_) | Shape::Choice(_) => value.is_str(),
        Shape::Number { .. } => value.is_integer(),
        Shape::Flag => value.is_bool(),
        Shape::Either(shapes) => shapes.iter().any(|shape| same_kind(shape, value)),
        Shape::Anything => true,
    }
}

fn leaf_fits(value: &DeValue<'_>, shape: &Shape) -> bool {
    match (shape, value) {
        (Shape::Text(form), DeValue::String(text)) => match form {
            Form::Plain => true,
            Form::Duration => text.parse::<Span>().is_ok(),
            Form::Size => text.parse::<Size>().is_ok(),
            Form::Address => text.parse::<IpAddr>().is_ok(),
            Form::AddressAndPort => text.parse::<SocketAddr>().is_ok(),
        },
        (Shape::Choice(words), DeValue::String(text)) => words.iter().any(|word| word == text),
        (&Shape::Number { min, max }, DeValue::Integer(_)) => {
            number(value).is_some_and(|number| (min..=max).contains(&number))
        }
        (Shape::Flag, DeValue::Boolean(_)) | (Shape::Anything, _) => true,
        _ => false,
    }
}

fn number(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}
