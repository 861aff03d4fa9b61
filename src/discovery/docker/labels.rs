//! What a container's labels ask for.
//!
//! | Label | Meaning |
//! | --- | --- |
//! | `elbow.target_group` | the groups it is a target of: `wordpress`, or `wordpress, api:8080` with a port each |
//! | `elbow.port` | its port, where `target_group` names none; default: the only TCP port that its image exposes |
//! | `elbow.id` | the target's id; default: see `identity` in [`super::targets`] |
//! | `elbow.zone` | its zone; default: the provider's, by address or for all |
//! | `elbow.weight` | 0-999; default: 1 |
//! | `elbow.priority` | its place in an active/standby group, 1-999; default: 1 |
//! | `elbow.network` | the network whose address is used, with or without its Compose project's name |
//! | `elbow.deregister_on` | `remove` or `stop`; default: the provider's |
//! | `elbow.health` | `ignore` or `follow`; default: the provider's |

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::DockerSource;
use crate::config::document::{ContainerHealth, DeregisterOn};

/// What labels ask for, with the provider's settings where they say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// The groups, each with its port if one is given.
    pub(super) groups: Vec<(Arc<str>, Option<u16>)>,
    pub(super) id: Option<String>,
    pub(super) zone: Option<String>,
    pub(super) weight: u32,
    pub(super) priority: Option<u32>,
    pub(super) network: Option<String>,
    pub(super) deregister_on: DeregisterOn,
    pub(super) health: ContainerHealth,
}

const KNOWN: [&str; 9] = [
    "target_group",
    "port",
    "id",
    "zone",
    "weight",
    "priority",
    "network",
    "deregister_on",
    "health",
];

/// Reads the labels of one container; also everything that is wrong with them. Labels without a
/// group ask for nothing. A wrong label is as if it were not there, but a wrong group or port leaves
/// the container out of that group.
pub(super) fn read(
    labels: &BTreeMap<String, String>,
    source: &DockerSource,
) -> (Option<Wish>, Vec<String>) {
    let mut reading = Reading {
        labels,
        source,
        problems: Vec::new(),
    };
    let wish = reading.wish();
    if wish.is_some() {
        reading.unknown();
    }
    (wish, reading.problems)
}

struct Reading<'a> {
    labels: &'a BTreeMap<String, String>,
    source: &'a DockerSource,
    problems: Vec<String>,
}

impl<'a> Reading<'a> {
    fn wish(&mut self) -> Option<Wish> {
        let groups = self.label("target_group")?;
        let default = self.parsed("port", "a port is 1 to 65535", port);
        // With a wrong port the only one that is exposed would be a guess.
        let guess = default.is_some() || self.label("port").is_none();
        let groups = match guess {
            true => self.groups(groups, default),
            false => Vec::new(),
        };
        let weight = |text: &str| text.parse().ok().filter(|weight| *weight <= 999);
        let weight = self.parsed("weight", "a weight is 0 to 999", weight);
        let place = |text: &str| text.parse().ok().filter(|place| (1..=999).contains(place));
        let priority = self.parsed("priority", "a priority is 1 to 999", place);
        let deregister_on = self.parsed("deregister_on", "write remove or stop", deregister_on);
        let health = self.parsed("health", "write ignore or follow", health);
        let text = |name| self.label(name).map(str::to_owned);
        Some(Wish {
            groups,
            id: text("id"),
            zone: text("zone"),
            weight: weight.unwrap_or(1),
            priority,
            network: text("network").or_else(|| self.source.network.clone()),
            deregister_on: deregister_on.unwrap_or(self.source.deregister_on),
            health: health.unwrap_or(self.source.container_health),
        })
    }

    /// `wordpress, api:8080`
    fn groups(&mut self, text: &str, default: Option<u16>) -> Vec<(Arc<str>, Option<u16>)> {
        let allowed = &self.source.target_groups;
        let mut groups = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (name, own) = match entry.split_once(':') {
                Some((name, own)) => (name, Some(own)),
                None => (entry, None),
            };
            let Some(group) = allowed.iter().find(|group| ***group == *name) else {
                self.problems.push(format!(
                    "its label names target group `{name}`, which this engine's containers may not \
                     join: `target_groups` allows {}",
                    allowed.join(", ")
                ));
                continue;
            };
            match own.map(|own| port(own).ok_or(own)) {
                Some(Err(wrong)) => self.problems.push(format!(
                    "its label gives target group `{name}` the port `{wrong}`: a port is 1 to 65535"
                )),
                Some(Ok(own)) => groups.push((Arc::clone(group), Some(own))),
                None => groups.push((Arc::clone(group), default)),
            }
        }
        groups
    }

    fn parsed<T>(
        &mut self,
        name: &str,
        help: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<T> {
        let text = self.label(name)?;
        let parsed = parse(text);
        if parsed.is_none() {
            let prefix = &self.source.label_prefix;
            let message = format!("its label `{prefix}.{name}={text}` is wrong: {help}");
            self.problems.push(message);
        }
        parsed
    }

    fn label(&self, name: &str) -> Option<&'a str> {
        let mut own = self.own();
        own.find(|(known, _)| *known == name).map(|(_, text)| text)
    }

    /// The labels that are meant for us, without their prefix.
    fn own(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let prefix = self.source.label_prefix.as_str();
        self.labels.iter().filter_map(move |(name, text)| {
            let name = name.strip_prefix(prefix)?.strip_prefix('.')?;
            Some((name, text.trim()))
        })
    }

    fn unknown(&mut self) {
        let unknown = self.own().filter(|(name, _)| !KNOWN.contains(name));
        for (name, _) in unknown {
            let prefix = &self.source.label_prefix;
            let known = KNOWN.join(", ");
            self.problems.push(format!(
                "there is no label `{prefix}.{name}`: after `{prefix}.` comes one of {known}"
            ));
        }
    }
}

fn port(text: &str) -> Option<u16> {
    text.trim().parse().ok().filter(|port| *port > 0)
}

fn deregister_on(text: &str) -> Option<DeregisterOn> {
    match text {
        "remove" => Some(DeregisterOn::Remove),
        "stop" => Some(DeregisterOn::Stop),
        _ => None,
    }
}

fn health(text: &str) -> Option<ContainerHealth> {
    match text {
        "ignore" => Some(ContainerHealth::Ignore),
        "follow" => Some(ContainerHealth::Follow),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::discovery::docker::sample;

    fn asked(labels: &[(&str, &str)]) -> (Option<Wish>, Vec<String>) {
        let labels = labels.iter();
        let labels = labels.map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        read(&labels.collect(), &sample::source())
    }

    fn told(labels: &[(&str, &str)]) -> Vec<String> {
        asked(labels).1
    }

    #[test]
    fn a_container_joins_the_group_that_its_label_names() {
        let (wish, told) = asked(&[
            ("elbow.target_group", "wordpress"),
            ("elbow.port", "8080"),
            ("elbow.id", "wp-a"),
            ("elbow.zone", "a"),
            ("elbow.weight", "7"),
            ("elbow.priority", "2"),
            ("elbow.network", "front"),
            ("elbow.deregister_on", "stop"),
            ("elbow.health", "follow"),
            ("com.docker.compose.project", "blog"),
        ]);
        let wish = wish.unwrap();
        assert_eq!(told, [""; 0]);
        assert_eq!(wish.groups, [("wordpress".into(), Some(8080))]);
        assert_eq!(wish.id.as_deref(), Some("wp-a"));
        assert_eq!(wish.zone.as_deref(), Some("a"));
        assert_eq!(wish.weight, 7);
        assert_eq!(wish.priority, Some(2));
        assert_eq!(wish.network.as_deref(), Some("front"));
        assert_eq!(wish.deregister_on, DeregisterOn::Stop);
        assert_eq!(wish.health, ContainerHealth::Follow);
    }

    #[test]
    fn a_container_may_join_several_groups_each_on_its_port() {
        let (wish, told) = asked(&[
            ("elbow.target_group", "wordpress, api:9000"),
            ("elbow.port", "80"),
        ]);
        let groups = wish.unwrap().groups;
        let expected = [("wordpress".into(), Some(80)), ("api".into(), Some(9000))];
        assert_eq!(groups, expected);
        assert_eq!(told, [""; 0]);
    }

    #[test]
    fn labels_may_only_name_groups_that_the_file_allows() {
        let (wish, told) = asked(&[("elbow.target_group", "admin, wordpress")]);
        assert_eq!(wish.unwrap().groups.len(), 1);
        let expected = "its label names target group `admin`, which this engine's containers may \
                        not join: `target_groups` allows wordpress, api";
        assert_eq!(told, [expected]);
    }

    #[test]
    fn a_wrong_label_is_told_with_what_would_be_right() {
        let group = ("elbow.target_group", "wordpress");
        for (label, expected) in [
            (
                ("elbow.weight", "1000"),
                "`elbow.weight=1000` is wrong: a weight is 0 to 999",
            ),
            (
                ("elbow.port", "http"),
                "`elbow.port=http` is wrong: a port is 1 to 65535",
            ),
            (("elbow.health", "yes"), "write ignore or follow"),
            (("elbow.prot", "80"), "there is no label `elbow.prot`"),
        ] {
            let told = told(&[group, label]);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].contains(expected), "{told:?}");
        }
    }

    #[test]
    fn a_wrong_port_is_not_replaced_by_a_guess() {
        let (wish, _) = asked(&[("elbow.target_group", "wordpress"), ("elbow.port", "http")]);
        assert!(wish.unwrap().groups.is_empty());
    }

    #[test]
    fn a_container_without_our_labels_asks_for_nothing() {
        assert_eq!(asked(&[("elbowroom", "much")]), (None, Vec::new()));
    }
}
