//! From text to document: TOML's grammar, then the shape, then presets, then the values.

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::document::Config;
use super::fit::{Removed, fit};
use super::preset::{self, PresetReport};
use super::problem::Problem;
use super::shape;
use super::source::Source;

/// What could be read of a text.
pub(super) struct Reading {
    /// The document, less what does not fit; none if the text is not TOML.
    pub(super) config: Option<Config>,
    /// What does not fit, located.
    pub(super) problems: Vec<Problem>,
    /// What was therefore taken out.
    pub(super) removed: Removed,
    /// What presets laid under it.
    pub(super) presets: Vec<PresetReport>,
}

/// Reads as much as can be read.
pub(super) fn read(source: &Source<'_>) -> Reading {
    let mut document = match DeTable::parse(source.text) {
        Ok(document) => document,
        Err(error) => return refused(source, &error, syntax(source, &error)),
    };
    let (problems, removed) = fit(document.get_mut(), &shape::DOCUMENT, source);
    let presets = preset::lay_under(document.get_mut());
    match Config::deserialize(Deserializer::from(document)) {
        Ok(config) => Reading {
            config: Some(config),
            problems,
            removed,
            presets,
        },
        // The shape comes from the same types, so this is left to what only a type itself knows.
        Err(error) if problems.is_empty() => {
            let message = error.message().to_owned();
            refused(source, &error, Problem::error("", message))
        }
        Err(_) => Reading {
            config: None,
            problems,
            removed,
            presets,
        },
    }
}

/// The document with the spans of all that is in it; `None` if the text is not TOML.
pub(super) fn spanned<'a>(source: &Source<'a>) -> Option<Spanned<DeValue<'a>>> {
    let document = DeTable::parse(source.text).ok()?;
    Some(Spanned::new(
        document.span(),
        DeValue::Table(document.into_inner()),
    ))
}

fn refused(source: &Source<'_>, error: &toml::de::Error, problem: Problem) -> Reading {
    let location = source.location(error.span().unwrap_or(0..0));
    Reading {
        config: None,
        problems: vec![Problem {
            location: Some(location),
            ..problem
        }],
        removed: Removed::default(),
        presets: Vec::new(),
    }
}

/// TOML's own errors are well said, but for the commonest one.
fn syntax(source: &Source<'_>, error: &toml::de::Error) -> Problem {
    let written = error.span().and_then(|span| source.text.get(span));
    match (error.message(), written) {
        ("duplicate key", Some(key)) => {
            let problem = Problem::error("", format!("`{key}` is there twice"));
            problem.with_help(
                "keep one of them; a table of a list has a header in two brackets: [[...]]",
            )
        }
        (message, _) => Problem::error("", format!("this is not TOML: {message}")),
    }
}
