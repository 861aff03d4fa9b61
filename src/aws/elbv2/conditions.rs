//! Conditions of rules, as AWS writes them and as the document does.
//!
//! AWS has two forms for host-header and path-pattern, `Values` and a configuration of its own; it answers with both.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::config::document::{HeaderCondition, QueryCondition, QueryPair, Rule};

/// AWS: RuleCondition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Condition {
    field: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regex_values: Vec<String>,
    host_header_config: Option<Texts>,
    path_pattern_config: Option<Texts>,
    http_header_config: Option<HttpHeader>,
    query_string_config: Option<QueryString>,
    http_request_method_config: Option<Texts>,
    source_ip_config: Option<Texts>,
}

/// AWS: HostHeaderConditionConfig, PathPatternConditionConfig and others.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct Texts {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regex_values: Vec<String>,
}

/// AWS: HttpHeaderConditionConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct HttpHeader {
    http_header_name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    regex_values: Vec<String>,
}

/// AWS: QueryStringConditionConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct QueryString {
    values: Vec<KeyAndValue>,
}

/// AWS: QueryStringKeyValuePair.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct KeyAndValue {
    key: Option<String>,
    value: String,
}

/// The fields, by AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Host,
    Path,
    Method,
    SourceIp,
    Header,
    Query,
}

impl Field {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Host, "host-header"),
        (Self::Path, "path-pattern"),
        (Self::Method, "http-request-method"),
        (Self::SourceIp, "source-ip"),
        (Self::Header, "http-header"),
        (Self::Query, "query-string"),
    ];

    fn named(name: &str) -> Result<Self, ApiError> {
        let found = Self::ALL.iter().find(|(_, other)| *other == name);
        found.map(|(field, _)| *field).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name).join("', '");
            ApiError::Validation(format!("Condition field '{name}' must be one of '{names}'"))
        })
    }
}

/// Puts conditions into a rule in the place of those that it has.
pub(super) fn read(conditions: &[Condition], rule: &mut Rule) -> Result<(), ApiError> {
    for list in [
        &mut rule.host,
        &mut rule.host_regex,
        &mut rule.path,
        &mut rule.path_regex,
        &mut rule.method,
        &mut rule.source_ip,
    ] {
        list.clear();
    }
    rule.header.clear();
    rule.query.clear();
    let mut seen = Vec::new();
    for condition in conditions {
        let field = condition.field()?;
        let may_repeat = matches!(field, Field::Header | Field::Query);
        if seen.contains(&field) && !may_repeat {
            let name = condition.field.clone().unwrap_or_default();
            let message = format!("A rule can have only one '{name}' condition");
            return Err(ApiError::Validation(message));
        }
        seen.push(field);
        condition.put(field, rule)?;
    }
    Ok(())
}

/// The conditions of a rule.
pub(super) fn told(rule: &Rule) -> Vec<Condition> {
    let texts = |values: &[String], regex: &[String]| Texts {
        values: values.to_vec(),
        regex_values: regex.to_vec(),
    };
    let mut all = Vec::new();
    let new = |field: &str| Condition {
        field: Some(field.to_owned()),
        ..Condition::default()
    };
    let (values, regex) = (&rule.host, &rule.host_regex);
    if !values.is_empty() || !regex.is_empty() {
        all.push(Condition {
            values: values.clone(),
            regex_values: regex.clone(),
            host_header_config: Some(texts(values, regex)),
            ..new("host-header")
        });
    }
    let (values, regex) = (&rule.path, &rule.path_regex);
    if !values.is_empty() || !regex.is_empty() {
        all.push(Condition {
            values: values.clone(),
            regex_values: regex.clone(),
            path_pattern_config: Some(texts(values, regex)),
            ..new("path-pattern")
        });
    }
    if !rule.method.is_empty() {
        all.push(Condition {
            http_request_method_config: Some(texts(&rule.method, &[])),
            ..new("http-request-method")
        });
    }
    if !rule.source_ip.is_empty() {
        all.push(Condition {
            source_ip_config: Some(texts(&rule.source_ip, &[])),
            ..new("source-ip")
        });
    }
    all.extend(rule.header.iter().map(|header| Condition {
        http_header_config: Some(HttpHeader {
            http_header_name: Some(header.name.clone()),
            values: header.values.clone(),
            regex_values: header.regex.clone(),
        }),
        ..new("http-header")
    }));
    all.extend(rule.query.iter().map(|query| {
        Condition {
            query_string_config: Some(QueryString {
                values: query
                    .all()
                    .map(|(key, value)| KeyAndValue {
                        key: key.cloned(),
                        value: value.clone(),
                    })
                    .collect(),
            }),
            ..new("query-string")
        }
    }));
    all
}

impl Condition {
    /// What it is about: AWS lets `Field` be left out where a configuration says it.
    fn field(&self) -> Result<Field, ApiError> {
        if let Some(name) = &self.field {
            return Field::named(name);
        }
        let configured = [
            (Field::Host, self.host_header_config.is_some()),
            (Field::Path, self.path_pattern_config.is_some()),
            (Field::Method, self.http_request_method_config.is_some()),
            (Field::SourceIp, self.source_ip_config.is_some()),
            (Field::Header, self.http_header_config.is_some()),
            (Field::Query, self.query_string_config.is_some()),
        ];
        let found = configured.iter().find(|(_, is_there)| *is_there);
        found
            .map(|(field, _)| *field)
            .ok_or_else(|| ApiError::Validation("a condition must contain Field".to_owned()))
    }

    fn put(&self, field: Field, rule: &mut Rule) -> Result<(), ApiError> {
        match field {
            Field::Host => {
                (rule.host, rule.host_regex) = self.either(self.host_header_config.as_ref())?;
            }
            Field::Path => {
                (rule.path, rule.path_regex) = self.either(self.path_pattern_config.as_ref())?;
            }
            Field::Method => {
                (rule.method, _) = self.either(self.http_request_method_config.as_ref())?;
            }
            Field::SourceIp => (rule.source_ip, _) = self.either(self.source_ip_config.as_ref())?,
            Field::Header => {
                let config = self.http_header_config.as_ref();
                let config = config.ok_or_else(|| missing("HttpHeaderConfig"))?;
                let name = config.http_header_name.clone();
                rule.header.push(HeaderCondition {
                    name: name.ok_or_else(|| missing("HttpHeaderName"))?,
                    values: config.values.clone(),
                    regex: config.regex_values.clone(),
                });
            }
            Field::Query => {
                let config = self.query_string_config.as_ref();
                let config = config.filter(|config| !config.values.is_empty());
                let config = config.ok_or_else(|| missing("QueryStringConfig"))?;
                rule.query.push(query(&config.values));
            }
        }
        Ok(())
    }

    /// Values and regular expressions, from whichever form has them.
    fn either(&self, config: Option<&Texts>) -> Result<(Vec<String>, Vec<String>), ApiError> {
        let plain = (self.values.clone(), self.regex_values.clone());
        let configured = config.map(|it| (it.values.clone(), it.regex_values.clone()));
        let is_empty =
            |(values, regex): &(Vec<String>, Vec<String>)| values.is_empty() && regex.is_empty();
        match configured.filter(|it| !is_empty(it)) {
            Some(configured) if is_empty(&plain) || plain == configured => Ok(configured),
            Some(_) => Err(ApiError::Validation(
                "a condition contains either Values or a configuration, or the same in both"
                    .to_owned(),
            )),
            None if is_empty(&plain) => Err(ApiError::Validation(
                "A condition value must be specified".to_owned(),
            )),
            None => Ok(plain),
        }
    }
}

/// Pairs with one key are a key with its values, as one writes it in the document.
fn query(pairs: &[KeyAndValue]) -> QueryCondition {
    let key = |pair: &KeyAndValue| pair.key.clone().filter(|key| !key.is_empty());
    let first = pairs.first().and_then(key);
    let one = pairs.iter().all(|pair| key(pair) == first);
    let values = pairs.iter().filter(|_| one);
    let mixed = pairs.iter().filter(|_| !one);
    QueryCondition {
        key: first.filter(|_| one),
        values: values.map(|pair| pair.value.clone()).collect(),
        pairs: mixed
            .map(|pair| QueryPair {
                key: key(pair),
                value: pair.value.clone(),
            })
            .collect(),
    }
}

fn missing(what: &str) -> ApiError {
    ApiError::Validation(format!("the request must contain the parameter {what}"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::aws::query::Tree;

    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Request {
        conditions: Vec<Condition>,
    }

    fn form(pairs: &[(&str, &str)]) -> Vec<Condition> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let named = pairs
            .iter()
            .map(|(name, value)| (format!("Conditions.member.{name}"), value));
        let form = form.extend_pairs(named).finish();
        let tree = Tree::read(form.as_bytes()).unwrap();
        tree.take::<Request>().unwrap().conditions
    }

    /// What the document makes of a request, and what is told of that; which is read as the same.
    fn round(pairs: &[(&str, &str)]) -> (Rule, String) {
        let mut rule = Rule::of_priority(1);
        read(&form(pairs), &mut rule).unwrap();
        let told = told(&rule);
        let mut again = Rule::of_priority(1);
        read(&told, &mut again).unwrap();
        let json = |rule: &Rule| serde_json::to_value(rule).unwrap();
        assert_eq!(json(&again), json(&rule));
        let text = serde_json::to_string(&told).unwrap();
        let absent = regex_lite::Regex::new("\"[A-Za-z]+\":null,?").unwrap();
        (rule, absent.replace_all(&text, "").replace(",}", "}"))
    }

    #[test]
    fn a_host_header_has_two_forms_and_is_told_in_both() {
        let plain = [
            ("1.Field", "host-header"),
            ("1.Values.member.1", "*.a.test"),
        ];
        let configured = [
            ("1.Field", "host-header"),
            ("1.HostHeaderConfig.Values.member.1", "*.a.test"),
        ];
        for pairs in [&plain, &configured] {
            let (rule, told) = round(pairs);
            assert_eq!(rule.host, ["*.a.test"]);
            assert_eq!(
                told,
                "[{\"Field\":\"host-header\",\"Values\":[\"*.a.test\"],\
                 \"HostHeaderConfig\":{\"Values\":[\"*.a.test\"]}}]"
            );
        }
        let (rule, told) = round(&[
            ("1.Field", "host-header"),
            ("1.HostHeaderConfig.RegexValues.member.1", "^a+"),
        ]);
        assert_eq!(rule.host_regex, ["^a+"]);
        assert!(
            told.contains("\"HostHeaderConfig\":{\"RegexValues\":[\"^a+\"]}"),
            "{told}"
        );
    }

    #[test]
    fn a_path_pattern_has_two_forms_and_is_told_in_both() {
        let plain = [("1.Field", "path-pattern"), ("1.Values.member.1", "/img/*")];
        let configured = [
            ("1.Field", "path-pattern"),
            ("1.PathPatternConfig.Values.member.1", "/img/*"),
        ];
        for pairs in [&plain, &configured] {
            let (rule, told) = round(pairs);
            assert_eq!(rule.path, ["/img/*"]);
            assert!(
                told.contains("\"Values\":[\"/img/*\"],\"PathPatternConfig\""),
                "{told}"
            );
        }
        let (rule, _) = round(&[
            ("1.Field", "path-pattern"),
            ("1.RegexValues.member.1", "^/x$"),
        ]);
        assert_eq!(rule.path_regex, ["^/x$"]);
    }

    #[test]
    fn headers_methods_and_addresses_have_configurations_only() {
        let (rule, told) = round(&[
            ("1.Field", "http-header"),
            ("1.HttpHeaderConfig.HttpHeaderName", "User-Agent"),
            ("1.HttpHeaderConfig.Values.member.1", "*curl*"),
            ("2.Field", "http-header"),
            ("2.HttpHeaderConfig.HttpHeaderName", "X-A"),
            ("2.HttpHeaderConfig.RegexValues.member.1", "^a"),
            ("3.Field", "http-request-method"),
            ("3.HttpRequestMethodConfig.Values.member.1", "PURGE"),
            ("4.Field", "source-ip"),
            ("4.SourceIpConfig.Values.member.1", "10.0.0.0/8"),
        ]);
        assert_eq!(
            (rule.method, rule.source_ip),
            (vec!["PURGE".to_owned()], vec!["10.0.0.0/8".to_owned()])
        );
        assert_eq!(rule.header.len(), 2);
        assert!(!told.contains("\"http-header\",\"Values\""), "{told}");
        assert!(
            told.contains("{\"HttpHeaderName\":\"X-A\",\"RegexValues\":[\"^a\"]}"),
            "{told}"
        );
    }

    #[test]
    fn a_query_string_has_pairs_of_one_key_or_of_several() {
        let of = "1.QueryStringConfig.Values.member";
        let pair = |number: u8, part: &str| format!("{of}.{number}.{part}");
        let (rule, told) = round(&[
            ("1.Field", "query-string"),
            (&pair(1, "Key"), "version"),
            (&pair(1, "Value"), "v1"),
            (&pair(2, "Key"), "version"),
            (&pair(2, "Value"), "v2"),
        ]);
        assert_eq!(rule.query[0].key.as_deref(), Some("version"));
        assert_eq!(rule.query[0].values, ["v1", "v2"]);
        assert!(
            told.contains("{\"Key\":\"version\",\"Value\":\"v2\"}"),
            "{told}"
        );
        let (rule, told) = round(&[
            ("1.Field", "query-string"),
            (&pair(1, "Key"), "version"),
            (&pair(1, "Value"), "v1"),
            (&pair(2, "Value"), "*example*"),
        ]);
        assert_eq!(rule.query[0].pairs.len(), 2);
        assert!(told.contains("{\"Value\":\"*example*\"}"), "{told}");
    }

    #[test]
    fn what_cannot_be_a_condition_is_refused() {
        let refused = |pairs: &[(&str, &str)]| {
            let mut rule = Rule::of_priority(1);
            read(&form(pairs), &mut rule).unwrap_err().to_string()
        };
        assert!(refused(&[("1.Field", "odd")]).contains("'source-ip'"));
        assert!(refused(&[("1.Field", "host-header")]).contains("value must be specified"));
        assert!(refused(&[("1.Values.member.1", "x")]).contains("Field"));
        assert!(refused(&[("1.Field", "http-header")]).contains("HttpHeaderConfig"));
        let twice = [
            ("1.Field", "path-pattern"),
            ("1.Values.member.1", "/a"),
            ("2.Field", "path-pattern"),
            ("2.Values.member.1", "/b"),
        ];
        assert!(refused(&twice).contains("only one"));
        let both = [
            ("1.Field", "path-pattern"),
            ("1.Values.member.1", "/a"),
            ("1.PathPatternConfig.Values.member.1", "/b"),
        ];
        assert!(refused(&both).contains("either"));
    }
}
