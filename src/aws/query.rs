//! Requests: a form of AWS's Query protocol as a value of a type.
//!
//! `Actions.member.1.TargetGroupArn=...` is a list of tables. All leaves are text, which becomes what the type asks
//! for. An empty list may be written `Names=` (boto3 leaves it out).

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, DeserializeOwned, IntoDeserializer, Visitor};

use super::error::ApiError;

/// Deeper ones are nobody's request.
const DEEPEST: usize = 16;

/// The parameters of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    Leaf(String),
    Node(BTreeMap<String, Tree>),
}

impl Tree {
    /// Reads a form.
    pub(super) fn read(form: &[u8]) -> Result<Self, ApiError> {
        let mut root = Self::Node(BTreeMap::new());
        for (name, value) in form_urlencoded::parse(form) {
            let mut place = &mut root;
            for (depth, step) in name.split('.').enumerate() {
                let Self::Node(fields) = place else {
                    return Err(invalid(&name));
                };
                if depth == DEEPEST {
                    return Err(invalid(&name));
                }
                let new = || Self::Node(BTreeMap::new());
                place = fields.entry(step.to_owned()).or_insert_with(new);
            }
            match place {
                Self::Node(fields) if fields.is_empty() => *place = Self::Leaf(value.into_owned()),
                _ => return Err(invalid(&name)),
            }
        }
        Ok(root)
    }

    /// The text of a parameter.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self {
            Self::Node(fields) => match fields.get(name)? {
                Self::Leaf(text) => Some(text),
                Self::Node(_) => None,
            },
            Self::Leaf(_) => None,
        }
    }

    /// The parameters `name.1`, `name.2`, ... in their order, as EC2 writes lists.
    pub(super) fn numbered(&self, name: &str) -> Vec<&Self> {
        let Self::Node(fields) = self else {
            return Vec::new();
        };
        let Some(Self::Node(members)) = fields.get(name) else {
            return Vec::new();
        };
        let number = |(key, value)| Some((String::as_str(key).parse::<u32>().ok()?, value));
        let mut members: Vec<_> = members.iter().filter_map(number).collect();
        members.sort_by_key(|(number, _)| *number);
        members.into_iter().map(|(_, value)| value).collect()
    }

    /// As what an operation takes.
    pub(super) fn take<T: DeserializeOwned>(self) -> Result<T, ApiError> {
        T::deserialize(self).map_err(|Unfit(message)| ApiError::Validation(message))
    }

    /// The members of a list, in their order.
    fn members(self) -> Result<Vec<Self>, Unfit> {
        let refused = || Unfit("a list is written Name.member.1, Name.member.2, ...".to_owned());
        let mut fields = match self {
            Self::Leaf(text) if text.is_empty() => return Ok(Vec::new()),
            Self::Leaf(_) => return Err(refused()),
            Self::Node(fields) => fields,
        };
        let Some(Self::Node(members)) = fields.remove("member") else {
            return Err(refused());
        };
        let number = |(key, value): (String, Self)| Some((key.parse::<u32>().ok()?, value));
        let members: Option<Vec<_>> = members.into_iter().map(number).collect();
        let mut members = members.ok_or_else(refused)?;
        members.sort_by_key(|(number, _)| *number);
        Ok(members.into_iter().map(|(_, value)| value).collect())
    }

    fn leaf(self) -> Result<String, Unfit> {
        match self {
            Self::Leaf(text) => Ok(text),
            Self::Node(_) => Err(Unfit("a text was expected, not parts of one".to_owned())),
        }
    }
}

/// What a word of a closed set means.
pub(super) fn one_of<T: Copy>(
    parameter: &str,
    word: &str,
    words: &[(&str, T)],
) -> Result<T, ApiError> {
    let found = words.iter().find(|(known, _)| *known == word);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(known, _)| *known).collect();
        let known = known.join(", ");
        ApiError::Validation(format!("{parameter} must be one of {known}, not '{word}'"))
    })
}

fn invalid(name: &str) -> ApiError {
    ApiError::Validation(format!("the parameter '{name}' contradicts another one"))
}

/// What is wrong with a parameter.
#[derive(Debug)]
pub(super) struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }

    fn missing_field(field: &'static str) -> Self {
        Self(format!("the request must contain the parameter {field}"))
    }
}

impl IntoDeserializer<'_, Unfit> for Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($method:ident $visit:ident $type:ty, $what:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            let text = self.leaf()?;
            let value = text.parse::<$type>();
            visitor.$visit(value.map_err(|_| Unfit(format!("'{text}' is not {}", $what)))?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Tree {
    type Error = Unfit;

    parsed! {
        deserialize_bool visit_bool bool, "'true' or 'false'";
        deserialize_u16 visit_u16 u16, "a number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number";
        deserialize_u64 visit_u64 u64, "a whole number";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        match self {
            Self::Leaf(text) => visitor.visit_string(text),
            Self::Node(fields) => visitor.visit_map(MapDeserializer::new(fields.into_iter())),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(SeqDeserializer::new(self.members()?.into_iter()))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_enum(self.leaf()?.into_deserializer())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u8 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct map
        struct identifier ignored_any
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        name: String,
        port: Option<u16>,
        enabled: Option<bool>,
        #[serde(default)]
        targets: Vec<Target>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Target {
        id: String,
        #[serde(default)]
        zones: Vec<String>,
    }

    fn read(form: &str) -> Result<Request, String> {
        let tree = Tree::read(form.as_bytes()).map_err(|error| error.to_string())?;
        tree.take().map_err(|error| error.to_string())
    }

    #[test]
    fn a_form_becomes_what_an_operation_takes() {
        let form = "Action=X&Name=a%26b&Port=80&Enabled=true&Targets.member.10.Id=j\
                    &Targets.member.2.Id=b&Targets.member.2.Zones.member.1=z";
        let request = read(form).unwrap();
        assert_eq!((request.name.as_str(), request.port), ("a&b", Some(80)));
        assert_eq!(request.enabled, Some(true));
        let ids: Vec<_> = request.targets.iter().map(|target| &target.id).collect();
        assert_eq!(ids, ["b", "j"]);
        assert_eq!(request.targets[0].zones, ["z"]);
        assert_eq!(read("Name=a&Targets=").unwrap().targets, []);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let told = |form: &str| read(form).unwrap_err();
        assert_eq!(
            told("Port=80"),
            "the request must contain the parameter Name"
        );
        assert_eq!(told("Name=a&Port=x"), "'x' is not a number from 0 to 65535");
        assert_eq!(told("Name=a&Enabled=1"), "'1' is not 'true' or 'false'");
        assert!(told("Name=a&Targets=x").contains("a list is written"));
        assert!(told("Name=a&Targets.member.x.Id=1").contains("a list is written"));
        assert!(told("Name=a&Name.b=c").contains("contradicts"));
        assert!(told("Name=a&Name=b").contains("contradicts"));
        let deep = format!("Name=a&{}b=c", "a.".repeat(DEEPEST));
        assert!(told(&deep).contains("contradicts"));
    }
}
