//! Presets: what a target group is set to for a well-known application, unless it says otherwise.
//!
//! A preset is a layer of defaults and nothing else: whatever it sets is a setting that one could write
//! by hand, and what is written by hand goes before it, key by key. It is laid under the document before
//! that is read; `elbow check --explain-presets` prints what came of it, and why.

mod wordpress;

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing that a preset decides.
struct Choice {
    /// Where the setting is, from the target group on.
    keys: &'static [&'static str],
    /// What it is set to.
    value: Value,
    /// From what the application does.
    reason: &'static str,
    /// What says the same in other words, in the same table.
    unless: Option<&'static str>,
}

/// What a setting is set to.
#[derive(Clone, Copy)]
enum Value {
    /// This, in TOML.
    Is(&'static str),
    /// The only host for which a rule forwards to the group, if there is one.
    Host,
    /// Nothing: it is worth saying why.
    None,
}

/// What a preset did to a target group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PresetReport {
    /// The group.
    pub target_group: String,
    /// The preset.
    pub preset: String,
    /// Its choices, in its order.
    pub choices: Vec<Explained>,
}

/// What became of one choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// `health_check.path`
    pub setting: String,
    /// Whose value is in force.
    pub outcome: Outcome,
    /// Why the preset chooses as it does.
    pub reason: &'static str,
}

/// Whose value is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The preset's, in TOML.
    Set(String),
    /// The document's own.
    Yours,
    /// Nobody's: it stays at its default.
    Left,
}

impl fmt::Display for PresetReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (group, preset) = (&self.target_group, &self.preset);
        write!(f, "target group {group}, preset \"{preset}\":")?;
        for choice in &self.choices {
            let setting = &choice.setting;
            match &choice.outcome {
                Outcome::Set(value) => write!(f, "\n\n  {setting} = {value}")?,
                Outcome::Yours => write!(f, "\n\n  {setting}: as you have written it")?,
                Outcome::Left => write!(f, "\n\n  {setting}: left alone")?,
            }
            for line in wrapped(choice.reason, 90) {
                write!(f, "\n      {line}")?;
            }
        }
        Ok(())
    }
}

/// Lays under each target group of a document the preset that it names. What does not have the shape of
/// a configuration has been taken out already.
pub(super) fn lay_under(document: &mut DeTable<'_>) -> Vec<PresetReport> {
    let hosts = wordpress::hosts(document);
    let Some(groups) = document.get_mut("target_group") else {
        return Vec::new();
    };
    let DeValue::Array(groups) = groups.get_mut() else {
        return Vec::new();
    };
    let mut reports = Vec::new();
    for group in groups.iter_mut() {
        let span = group.span();
        let DeValue::Table(group) = group.get_mut() else {
            continue;
        };
        let Some("wordpress") = text(group, "preset") else {
            continue;
        };
        let name = text(group, "name").unwrap_or_default().to_owned();
        let choices = wordpress::CHOICES.iter().map(|choice| {
            let value = match (choice.value, hosts.get(&name)) {
                (Value::Is(value), _) => DeValue::parse(value).ok().map(Spanned::into_inner),
                (Value::Host, Some(host)) => Some(DeValue::String(host.clone().into())),
                (Value::Host, None) | (Value::None, _) => None,
            };
            Explained {
                setting: choice.keys.join("."),
                outcome: set(group, choice, value, &span),
                reason: choice.reason,
            }
        });
        let choices = choices.collect();
        reports.push(PresetReport {
            target_group: name,
            preset: "wordpress".to_owned(),
            choices,
        });
    }
    reports
}

/// Whether there is something at these keys.
fn has(table: &DeTable<'_>, keys: &[&str]) -> bool {
    let Some((first, rest)) = keys.split_first() else {
        return true;
    };
    match table.get(*first).map(Spanned::get_ref) {
        Some(DeValue::Table(inner)) => has(inner, rest),
        Some(_) => true,
        None => false,
    }
}

type Bytes = std::ops::Range<usize>;

/// Sets what a choice says, if nothing is there.
fn set<'d>(
    group: &mut DeTable<'d>,
    choice: &Choice,
    value: Option<DeValue<'d>>,
    span: &Bytes,
) -> Outcome {
    let Some((last, tables)) = choice.keys.split_last() else {
        return Outcome::Left;
    };
    if value.is_none() && !has(group, choice.keys) {
        return Outcome::Left;
    }
    let mut table = group;
    for key in tables {
        let inner = table
            .entry(Spanned::new(span.clone(), (*key).into()))
            .or_insert_with(|| Spanned::new(span.clone(), DeValue::Table(DeTable::new())));
        let DeValue::Table(inner) = inner.get_mut() else {
            return Outcome::Yours;
        };
        table = inner;
    }
    let is_there = |wanted: &str| {
        let mut keys = table.keys();
        keys.any(|key| key.get_ref().eq_ignore_ascii_case(wanted))
    };
    if is_there(last) || choice.unless.is_some_and(is_there) {
        return Outcome::Yours;
    }
    let Some(value) = value else {
        return Outcome::Left;
    };
    let written = match (choice.value, &value) {
        (Value::Is(written), _) => written.to_owned(),
        (_, DeValue::String(text)) => format!("{text:?}"),
        _ => String::new(),
    };
    let key = Spanned::new(span.clone(), (*last).into());
    table.insert(key, Spanned::new(span.clone(), value));
    Outcome::Set(written)
}

/// The text at a key of a table.
fn text<'t>(table: &'t DeTable<'_>, key: &str) -> Option<&'t str> {
    match table.get(key)?.get_ref() {
        DeValue::String(text) => Some(text),
        _ => None,
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, String::len);
        if line > 0 && line + 1 + word.len() > width {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
