//! The example files: each is right, and the full one is full.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::config::{Span, check_text, schema};

const MINIMAL: &str = include_str!("../../../config/minimal.toml");
const WORDPRESS: &str = include_str!("../../../config/wordpress.toml");
pub(super) const FULL: &str = include_str!("../../../config/full.toml");

/// The full file with the settings that are absent by default: those behind a "#" without a blank.
pub(super) fn full_with_absent_settings() -> String {
    let setting = |line: &str| {
        let begins = |c: char| c.is_ascii_lowercase() || c == '[';
        let word = line.starts_with('#') && line[1..].starts_with(begins);
        match word {
            true => line[1..].to_owned(),
            false => line.to_owned(),
        }
    };
    FULL.lines().map(|line| setting(line) + "\n").collect()
}

#[test]
fn every_example_is_a_configuration_without_a_warning() {
    for (name, text) in [
        ("minimal.toml", MINIMAL),
        ("wordpress.toml", WORDPRESS),
        ("full.toml", FULL),
        ("full.toml with all settings", &full_with_absent_settings()),
    ] {
        let report = check_text(text, name);
        assert!(report.problems.is_empty(), "{}", report.problems);
        assert!(report.config.is_some());
    }
}

#[test]
fn the_full_example_shows_every_setting_with_its_default() {
    let schema = schema();
    let shown = tables(&schema, &toml::from_str(FULL).unwrap());
    let all = tables(
        &schema,
        &toml::from_str(&full_with_absent_settings()).unwrap(),
    );
    let mut settings = 0;
    for (kind, definition) in definitions(&schema) {
        for (key, property) in definition["properties"].as_object().unwrap() {
            let values = |tables: &Tables| -> Vec<Value> {
                let tables = tables.get(kind).into_iter().flatten();
                tables.filter_map(|table| table.get(key)).cloned().collect()
            };
            let place = format!("`{key}` of {kind}");
            assert!(!values(&all).is_empty(), "{place} is not in full.toml");
            // A table that is absent by default shows its defaults behind the "#".
            let tables = if shown.contains_key(kind) {
                &shown
            } else {
                &all
            };
            assert_default(&place, &property["default"], &values(tables));
            settings += 1;
        }
    }
    assert!(settings > 60, "{settings}");
}

/// The tables of a document by their kind, which is the name of a definition in the schema.
type Tables = BTreeMap<String, Vec<Value>>;

fn tables(schema: &Value, document: &Value) -> Tables {
    let mut tables = Tables::new();
    collect(schema, "", schema, document, &mut tables);
    tables
}

fn collect(schema: &Value, kind: &str, shape: &Value, value: &Value, tables: &mut Tables) {
    if let Some(name) = shape["$ref"].as_str() {
        let name = name.trim_start_matches("#/$defs/");
        return collect(schema, name, &schema["$defs"][name], value, tables);
    }
    for alternative in shape["anyOf"].as_array().into_iter().flatten() {
        collect(schema, kind, alternative, value, tables);
    }
    match value {
        Value::Array(list) if shape["type"] == "array" => {
            for element in list {
                collect(schema, kind, &shape["items"], element, tables);
            }
        }
        Value::Object(table) if shape["properties"].is_object() => {
            tables
                .entry(kind.to_owned())
                .or_default()
                .push(value.clone());
            for (key, value) in table {
                collect(schema, kind, &shape["properties"][key], value, tables);
            }
        }
        _ => {}
    }
}

/// The kinds of tables that there are; the document itself has no name.
fn definitions(schema: &Value) -> impl Iterator<Item = (&str, &Value)> {
    let named = schema["$defs"].as_object().unwrap().iter();
    let named = named.map(|(name, definition)| (name.as_str(), definition));
    let tables = named.filter(|(_, definition)| definition["properties"].is_object());
    std::iter::once(("", schema)).chain(tables)
}

/// Examples may have other values, if one of them has the default.
fn assert_default(place: &str, default: &Value, shown: &[Value]) {
    let is_default = |value: &Value| match (value.as_str(), default.as_str()) {
        (Some(value), Some(default)) => value == default || same_duration(value, default),
        _ => value == default,
    };
    // A list is shown filled, and a table key by key: there would be nothing to see otherwise.
    if !(default.is_null() || default.is_array() || default.is_object()) {
        let shows = shown.iter().any(is_default);
        assert!(shows, "{place} is {default} by default, not {shown:?}");
    }
}

fn same_duration(one: &str, other: &str) -> bool {
    let parse = |text: &str| text.parse::<Span>();
    matches!((parse(one), parse(other)), (Ok(one), Ok(other)) if one == other)
}
