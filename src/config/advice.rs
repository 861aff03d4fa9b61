//! What stands in the place of a value, and what was probably meant.

use toml::de::DeValue;

use super::shape::{Form, Shape};
use super::suggest::nearest;

/// What a value is, to go on after the word "found".
pub(super) fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the text {:?}", shortened(text)),
        DeValue::Integer(number) => format!("the number {}", shortened(&number.to_string())),
        DeValue::Float(number) => format!("the number {}", shortened(&number.to_string())),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn shortened(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

/// What was probably meant; `written` is the value as it stands in the text.
pub(super) fn advice(value: &DeValue<'_>, shape: &Shape, written: &str) -> Option<String> {
    let header = |brackets: usize| written.trim_matches(['[', ']']).len() + 2 * brackets;
    match (shape, value) {
        (Shape::Choice(words), DeValue::String(text)) => {
            let near = nearest(text, words.iter().map(String::as_str))?;
            Some(format!("did you mean \"{near}\"?"))
        }
        (Shape::Text(Form::Duration), DeValue::Integer(_)) => Some(format!(
            "a duration has a unit: \"{written}s\" or \"{written}ms\""
        )),
        (Shape::Text(Form::Duration), DeValue::String(text)) => {
            let bare = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            bare.then(|| format!("a duration has a unit: \"{text}s\" or \"{text}ms\""))
        }
        (Shape::Text(Form::Size), DeValue::Integer(_)) => Some(format!(
            "a size has a unit: \"{written}KiB\" or \"{written}B\""
        )),
        (Shape::Text(Form::Plain), DeValue::Integer(_) | DeValue::Float(_)) => {
            Some(format!("write it in quotes: \"{written}\""))
        }
        (Shape::Number { .. }, DeValue::String(text)) => {
            let text = text.trim();
            let is_number = text.parse::<u32>().is_ok();
            is_number.then(|| format!("write it without quotes: {text}"))
        }
        (Shape::Flag, DeValue::String(_)) => Some("write true or false, without quotes".to_owned()),
        (Shape::Table(table), DeValue::String(_)) => {
            let key = table.only_key()?;
            Some(format!("write {{ {key} = {written} }}"))
        }
        (Shape::List(element), DeValue::String(_)) if matches!(**element, Shape::Text(_)) => {
            Some(format!("write it in brackets: [{written}]"))
        }
        (Shape::List(_), DeValue::Table(_)) if written.len() == header(1) => Some(format!(
            "each element has a header in two brackets: [{written}]"
        )),
        (Shape::Table(_), DeValue::Array(_)) if written.len() == header(2) => {
            let inner = &written[1..written.len() - 1];
            Some(format!(
                "there is only one, so its header has one pair of brackets: {inner}"
            ))
        }
        _ => None,
    }
}
