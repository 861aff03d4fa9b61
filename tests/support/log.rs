//! The access log as a test reads it.

use std::path::Path;

use serde_json::Value;

/// One line in the JSON format, by Athena's column names.
#[derive(Clone, Debug)]
pub(crate) struct LogLine(Value);

impl LogLine {
    /// The complete lines of a file.
    pub(crate) fn read(path: &Path) -> Vec<Self> {
        read(path)
    }

    /// A number; `None` for what ALB's format writes as `-` or `-1`.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.field(name).as_f64()
    }

    /// A text; "-" when there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.field(name).as_str().unwrap_or("-")
    }

    /// Any field.
    pub(crate) fn field(&self, name: &str) -> &Value {
        self.0
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {}", self.0))
    }
}

/// The complete lines written so far.
pub(super) fn read(path: &Path) -> Vec<LogLine> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |line| LogLine(serde_json::from_str(line).expect("a line of JSON"));
    whole.lines().map(line).collect()
}
