//! What is different between two configurations, in the operator's words.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use crate::config::Config;

/// What is different between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// Load balancers by name; "changed" means nodes and attributes.
    pub load_balancers: Changes,
    /// Listeners, as `load-balancer:port`; "changed" means their rules.
    pub listeners: Changes,
    /// Target groups by name; "changed" means attributes and health check.
    pub target_groups: Changes,
    /// Targets, as `group/target`; "changed" means weight or zone.
    pub targets: Changes,
    /// Settings of the whole daemon, by key.
    pub settings: Changes,
}

/// The names of what was added, removed, changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only in the new one.
    pub added: Vec<String>,
    /// Only in the old one.
    pub removed: Vec<String>,
    /// In both, with other settings.
    pub changed: Vec<String>,
}

/// A line of a log should stay one that can be read.
const NAMES_SHOWN: usize = 5;

impl Difference {
    /// What `new` has made of `old`.
    pub fn between(old: &Config, new: &Config) -> Self {
        let (old, new) = (Parts::of(old), Parts::of(new));
        Self {
            load_balancers: Changes::between(&old.load_balancers, &new.load_balancers),
            listeners: Changes::between(&old.listeners, &new.listeners),
            target_groups: Changes::between(&old.target_groups, &new.target_groups),
            targets: Changes::between(&old.targets, &new.targets),
            settings: Changes::between(&old.settings, &new.settings),
        }
    }

    /// Whether both say the same.
    pub fn is_empty(&self) -> bool {
        self.kinds().iter().all(|(_, changes)| changes.is_empty())
    }

    fn kinds(&self) -> [(&'static str, &Changes); 5] {
        [
            ("load balancers", &self.load_balancers),
            ("listeners", &self.listeners),
            ("target groups", &self.target_groups),
            ("targets", &self.targets),
            ("settings", &self.settings),
        ]
    }
}

/// One line: `listeners +web:81 ~web:80, targets -site/a`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changed");
        }
        let mut separator = "";
        for (kind, changes) in self.kinds() {
            if !changes.is_empty() {
                write!(f, "{separator}{kind}{changes}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }

    fn between(old: &Named, new: &Named) -> Self {
        let without = |those: &Named, these: &Named| {
            let names = these.keys().filter(|name| !those.contains_key(*name));
            names.cloned().collect()
        };
        let changed = new.iter().filter(|(name, value)| {
            let before = old.get(*name);
            before.is_some_and(|before| before != *value)
        });
        Self {
            added: without(old, new),
            removed: without(new, old),
            changed: changed.map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signs = [
            ('+', &self.added),
            ('-', &self.removed),
            ('~', &self.changed),
        ];
        for (sign, names) in signs {
            if names.len() > NAMES_SHOWN {
                write!(f, " {sign}{}", names.len())?;
                continue;
            }
            for name in names {
                write!(f, " {sign}{name}")?;
            }
        }
        Ok(())
    }
}

type Named = BTreeMap<String, Value>;

/// A document taken apart: each part by its name, without the parts that have names themselves.
#[derive(Default)]
struct Parts {
    load_balancers: Named,
    listeners: Named,
    target_groups: Named,
    targets: Named,
    settings: Named,
}

impl Parts {
    fn of(config: &Config) -> Self {
        let mut parts = Self::default();
        // Every type of the document can be written as JSON: its keys are strings.
        let mut document = serde_json::to_value(config).unwrap_or_default();
        for mut load_balancer in take(&mut document, "load_balancer") {
            let name = text(&load_balancer, "name");
            for listener in take(&mut load_balancer, "listener") {
                let port = listener.get("port").unwrap_or_default().to_string();
                parts.listeners.insert(format!("{name}:{port}"), listener);
            }
            parts.load_balancers.insert(name, load_balancer);
        }
        for mut group in take(&mut document, "target_group") {
            let name = text(&group, "name");
            for target in take(&mut group, "targets") {
                let id = match text(&target, "id") {
                    id if id.is_empty() => text(&target, "address"),
                    id => id,
                };
                parts.targets.insert(format!("{name}/{id}"), target);
            }
            parts.target_groups.insert(name, group);
        }
        if let Value::Object(settings) = document {
            parts.settings.extend(settings);
        }
        parts
    }
}

/// Takes a list out of a table.
fn take(table: &mut Value, key: &str) -> Vec<Value> {
    match table.as_object_mut().and_then(|table| table.remove(key)) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    }
}

fn text(table: &Value, key: &str) -> String {
    let text = table.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
        [[load_balancer]]
        name = "web"
        [[load_balancer.listener]]
        port = 80
        default = { forward = "site" }

        [[target_group]]
        name = "site"
        targets = [{ id = "a", address = "10.0.0.1:80" }, { address = "10.0.0.2:80" }]
    "#;

    fn difference(after: &str) -> String {
        let read = |text| toml::from_str::<Config>(text).unwrap();
        Difference::between(&read(BEFORE), &read(after)).to_string()
    }

    #[test]
    fn the_same_configuration_changes_nothing() {
        assert_eq!(difference(BEFORE), "nothing changed");
    }

    #[test]
    fn what_comes_and_goes_is_named() {
        let after = BEFORE.replace("\"a\"", "\"b\"").replace("= 80", "= 81");
        let said = "listeners +web:81 -web:80, targets +site/b -site/a";
        assert_eq!(difference(&after), said);
    }

    #[test]
    fn a_setting_belongs_to_the_smallest_part_that_has_it() {
        let after = BEFORE.replace(
            "address = \"10.0.0.2:80\"",
            "address = \"10.0.0.2:80\", weight = 5",
        );
        assert_eq!(difference(&after), "targets ~site/10.0.0.2:80");
        let after = BEFORE.replace("name = \"site\"", "name = \"site\"\nfail_open = false");
        assert_eq!(difference(&after), "target groups ~site");
        let after = BEFORE.replace(
            "forward = \"site\"",
            "redirect = { status = 301, host = \"b\" }",
        );
        assert_eq!(difference(&after), "listeners ~web:80");
        let after = format!("shutdown_deadline = \"5s\"\n{BEFORE}");
        assert_eq!(difference(&after), "settings ~shutdown_deadline");
    }

    #[test]
    fn many_names_are_counted() {
        let after: String = (0..9)
            .map(|n| format!("[[target_group]]\nname = \"g{n}\"\n"))
            .collect();
        let said = difference(&format!("{BEFORE}\n{after}"));
        assert_eq!(said, "target groups +9");
    }
}
