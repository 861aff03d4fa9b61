//! Which keys a document has and of what kind their values are, read off the JSON Schema.
//!
//! serde stops at the first thing that does not fit; a [`Shape`] lets [`super::fit`] find them all.
//! It is made from the schema, so that it can never say anything else than the manual does.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;

/// The shape of the whole document.
pub(super) static DOCUMENT: LazyLock<Shape> = LazyLock::new(|| {
    let schema = super::schema();
    Shape::new(&schema, &schema["$defs"])
});

/// What a value may be.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    /// A table.
    Table(Table),
    /// A list of values of one shape.
    List(Box<Shape>),
    /// A text.
    Text(Form),
    /// One of several words.
    Choice(Vec<String>),
    /// A whole number; `i128` holds every bound.
    Number { min: i128, max: i128 },
    /// true or false.
    Flag,
    /// One of several shapes, told apart by the kind of the value.
    Either(Vec<Shape>),
    /// Whatever the type itself makes of it.
    Anything,
}

/// A table's keys.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Table {
    /// The keys that have a meaning.
    pub(super) fields: BTreeMap<String, Field>,
    /// The shape of all other keys' values, if there may be any.
    pub(super) rest: Option<Box<Shape>>,
}

/// What belongs to one key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    /// What its value may be.
    pub(super) shape: Shape,
    /// Whether the key must be there.
    pub(super) required: bool,
    /// What the manual says of it, in one line.
    pub(super) description: String,
}

/// What a text must be readable as.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Form {
    /// Any text.
    Plain,
    /// A [`super::Span`].
    Duration,
    /// A [`super::Size`].
    Size,
    /// An IP address.
    Address,
    /// An IP address and a port.
    AddressAndPort,
}

impl Shape {
    /// The shape that `schema` describes; `definitions` is what its references lead to.
    fn new(schema: &Value, definitions: &Value) -> Self {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/");
            return Self::new(&definitions[name], definitions);
        }
        if let Some(word) = schema["const"].as_str() {
            return Self::Choice(vec![word.to_owned()]);
        }
        if let Some(words) = schema["enum"].as_array() {
            let word = |word: &Value| word.as_str().map(str::to_owned);
            return Self::Choice(words.iter().filter_map(word).collect());
        }
        for several in ["oneOf", "anyOf"] {
            if let Some(alternatives) = schema[several].as_array() {
                return Self::either(alternatives, definitions);
            }
        }
        match kind(schema) {
            "object" => Self::Table(Table::new(schema, definitions)),
            "array" => Self::List(Box::new(Self::new(&schema["items"], definitions))),
            "string" => Self::Text(Form::new(schema)),
            "integer" => Self::number(schema),
            "boolean" => Self::Flag,
            _ => Self::Anything,
        }
    }

    /// Whether it is a table in which the key has a meaning.
    pub(super) fn has_key(&self, key: &str) -> bool {
        matches!(self, Self::Table(table) if table.fields.contains_key(key))
    }

    /// Whether its values are tables, or lists of tables, in which the key has a meaning.
    pub(super) fn leads_to(&self, key: &str) -> bool {
        match self {
            Self::List(element) => element.leads_to(key),
            Self::Either(shapes) => shapes.iter().any(|shape| shape.leads_to(key)),
            shape => shape.has_key(key),
        }
    }

    /// Whether a text may stand for it.
    pub(super) fn takes_text(&self) -> bool {
        match self {
            Self::Text(_) | Self::Choice(_) => true,
            Self::Either(shapes) => shapes.iter().any(Self::takes_text),
            _ => false,
        }
    }

    /// Words become one choice; an alternative of nothing is only another way to say optional.
    fn either(alternatives: &[Value], definitions: &Value) -> Self {
        let mut words = Vec::new();
        let mut shapes = Vec::new();
        for alternative in alternatives {
            match Self::new(alternative, definitions) {
                _ if kind(alternative) == "null" => {}
                Self::Choice(choice) => words.extend(choice),
                shape => shapes.push(shape),
            }
        }
        if !words.is_empty() {
            shapes.push(Self::Choice(words));
        }
        if shapes.len() > 1 {
            return Self::Either(shapes);
        }
        shapes.pop().unwrap_or(Self::Anything)
    }

    fn number(schema: &Value) -> Self {
        let (least, most) = match schema["format"].as_str() {
            Some("uint8") => (0, u8::MAX.into()),
            Some("uint16") => (0, u16::MAX.into()),
            Some("uint32") => (0, u32::MAX.into()),
            Some("uint" | "uint64") => (0, u64::MAX.into()),
            _ => (i64::MIN.into(), i64::MAX.into()),
        };
        let bound = |name: &str| schema[name].as_i64().map(i128::from);
        Self::Number {
            min: bound("minimum").unwrap_or(least),
            max: bound("maximum").unwrap_or(most),
        }
    }
}

impl Table {
    fn new(schema: &Value, definitions: &Value) -> Self {
        let required = |key: &str| {
            let keys = schema["required"].as_array();
            keys.is_some_and(|keys| keys.iter().any(|required| required == key))
        };
        let field = |(key, schema): (&String, &Value)| {
            let description = schema["description"].as_str().unwrap_or_default();
            let field = Field {
                shape: Shape::new(schema, definitions),
                required: required(key),
                description: description.replace('\n', " "),
            };
            (key.clone(), field)
        };
        let properties = schema["properties"].as_object();
        let rest = &schema["additionalProperties"];
        Self {
            fields: properties.into_iter().flatten().map(field).collect(),
            rest: rest
                .is_object()
                .then(|| Box::new(Shape::new(rest, definitions))),
        }
    }
}

impl Table {
    /// The one key that was left out where a text stands in the place of the table: the one that
    /// must be there, or the only one that takes a text.
    pub(super) fn only_key(&self) -> Option<&str> {
        let only = |wanted: fn(&Field) -> bool| {
            let mut fields = self.fields.iter().filter(|(_, field)| wanted(field));
            fields.next().filter(|_| fields.next().is_none())
        };
        let (key, field) =
            only(|field| field.required).or_else(|| only(|field| field.shape.takes_text()))?;
        field.shape.takes_text().then_some(key)
    }
}

impl Form {
    fn new(schema: &Value) -> Self {
        match (schema["x-form"].as_str(), schema["format"].as_str()) {
            (Some("duration"), _) => Self::Duration,
            (Some("size"), _) => Self::Size,
            (Some("address-and-port"), _) => Self::AddressAndPort,
            (_, Some("ip")) => Self::Address,
            _ => Self::Plain,
        }
    }
}

/// The kind of JSON value; an optional one has two, of which one is nothing.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            let mut kinds = kinds.iter().filter_map(Value::as_str);
            kinds.find(|&kind| kind != "null").unwrap_or_default()
        }
        _ => "",
    }
}

/// What is expected, to go on after the word "expected".
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(_) => f.write_str("a table"),
            Self::List(shape) => match **shape {
                Self::Table(_) => f.write_str("a list of tables"),
                Self::Text(_) => f.write_str("a list of texts"),
                _ => f.write_str("a list"),
            },
            Self::Text(form) => form.fmt(f),
            Self::Choice(words) => {
                f.write_str(&either(words.iter().map(|word| format!("\"{word}\""))))
            }
            // A bound that is only the type's says nothing to the reader.
            Self::Number { min, max } if *max >= u32::MAX.into() => {
                write!(f, "a whole number of at least {min}")
            }
            Self::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Flag => f.write_str("true or false"),
            Self::Either(shapes) => f.write_str(&either(shapes.iter().map(Self::to_string))),
            Self::Anything => f.write_str("something else"),
        }
    }
}

/// All of them, with "or" before the last.
fn either(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match &words[..] {
        [all_but_last @ .., last] if !all_but_last.is_empty() => {
            format!("{} or {last}", all_but_last.join(", "))
        }
        words => words.concat(),
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "a text",
            Self::Duration => "a duration such as \"30s\", \"500ms\" or \"5m\"",
            Self::Size => "a size such as \"64KiB\", \"1MiB\" or \"512B\"",
            Self::Address => "an IP address such as \"127.0.0.1\" or \"::1\"",
            Self::AddressAndPort => {
                "an IP address and a port such as \"127.0.0.1:9900\" or \"[::1]:9900\""
            }
        })
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    /// Whether every part of the document has a shape.
    fn is_known(shape: &Shape) -> bool {
        match shape {
            Shape::Anything => false,
            Shape::List(shape) => is_known(shape),
            Shape::Either(shapes) => shapes.iter().all(is_known),
            Shape::Table(table) => {
                let fields = table.fields.values().map(|field| &field.shape);
                let rest = table.rest.as_deref();
                !(table.fields.is_empty() && rest.is_none()) && fields.chain(rest).all(is_known)
            }
            _ => true,
        }
    }

    fn field(path: &[&str]) -> Field {
        let mut shape = DOCUMENT.clone();
        for (place, key) in path.iter().enumerate() {
            let shape_of_table = match shape {
                Shape::List(element) => *element,
                other => other,
            };
            let Shape::Table(mut table) = shape_of_table else {
                panic!("{key} is not in a table")
            };
            let Some(field) = table.fields.remove(*key) else {
                panic!("no key {key}")
            };
            if place + 1 == path.len() {
                return field;
            }
            shape = field.shape;
        }
        panic!("an empty path")
    }

    #[test]
    fn every_part_of_the_schema_has_a_shape() {
        assert!(is_known(&DOCUMENT));
    }

    #[test]
    fn every_key_is_described() {
        fn described(shape: &Shape) {
            match shape {
                Shape::List(shape) => described(shape),
                Shape::Either(shapes) => shapes.iter().for_each(described),
                Shape::Table(table) => {
                    for (key, field) in &table.fields {
                        assert!(!field.description.is_empty(), "{key}");
                        described(&field.shape);
                    }
                }
                _ => {}
            }
        }
        described(&DOCUMENT);
    }

    #[test]
    fn shapes_say_what_is_expected() {
        let expected = |path: &[&str]| field(path).shape.to_string();
        let health_check = |key| expected(&["target_group", "health_check", key]);
        assert_eq!(health_check("port"), "a number from 1 to 65535");
        assert_eq!(health_check("enabled"), "true or false");
        assert_eq!(
            health_check("protocol"),
            "\"HTTP\", \"HTTPS\", \"TCP\" or \"SSL\""
        );
        assert!(health_check("interval").starts_with("a duration"));
        assert_eq!(expected(&["workers"]), "a number from 1 to 1024");
        assert_eq!(
            expected(&["load_balancer", "listener", "rule", "forward"]),
            "a text, a list of tables or a table"
        );
        assert!(expected(&["admin", "address"]).contains("and a port"));
    }

    #[test]
    fn required_keys_are_known() {
        assert!(field(&["target_group", "name"]).required);
        assert!(!field(&["target_group", "targets"]).required);
    }
}
