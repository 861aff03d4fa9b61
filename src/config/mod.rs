//! What the operator writes, and whether it makes sense.

pub mod document;
mod fit;
mod path;
mod problem;
mod read;
mod shape;
mod source;
mod suggest;
mod valid;
mod value;

pub use document::{Config, ForwardedFor, LogFormat, Ranges};
pub use problem::{Location, Problem, Problems, Severity};
pub use valid::*;
pub use value::{Size, Span};

/// The JSON Schema of the document, for editors; its descriptions are the manual.
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Config).to_value()
}

/// Reads a document. Whether it makes sense is another question.
pub fn parse(text: &str, source_name: &str) -> Result<Config, Problems> {
    let source = source::Source::new(source_name, text);
    let reading = read::read(&source);
    match reading.config {
        Some(config) if reading.problems.is_empty() => Ok(config),
        _ => Err(Problems::new(source.name, reading.problems)),
    }
}

/// Placeholder.
pub fn validate(_config: &Config) -> Result<ValidConfig, Problems> {
    Err(Problems::new("placeholder", Vec::new()))
}
