//! What providers besides the file contribute, and how it becomes part of the configuration.
//!
//! A contributed target is checked as one of the file's is, but alone: one that is wrong is left
//! out, and told of, and neither the file nor any other target suffers for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::document::{Config, Target};
use super::valid::{ValidConfig, ValidTargetGroup};
use super::validate::contributed;
use crate::target::TargetKey;

/// The targets of one provider.
#[derive(Clone, Debug)]
pub struct Contribution {
    /// Its name.
    pub provider: Arc<str>,
    /// What it has found last.
    pub targets: Arc<[Contributed]>,
}

/// One contributed target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contributed {
    /// The group it is for.
    pub group: Arc<str>,
    /// What to call it in messages: `container wp-a`.
    pub origin: String,
    /// The target.
    pub target: Target,
}

/// A contributed target that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Whose it is.
    pub provider: Arc<str>,
    /// Which one: `container wp-a`.
    pub origin: String,
    /// Why.
    pub message: String,
}

impl ValidConfig {
    /// Takes in what providers contribute, here and in the `document` that this was made of. What
    /// comes first stays: the file's targets, then those of the providers in their order.
    pub fn contribute(
        &mut self,
        document: &mut Config,
        contributions: &[Contribution],
    ) -> Vec<Rejected> {
        let ranges = self.ranges;
        let mut places: HashMap<Arc<str>, Place<'_>> = self
            .target_groups
            .iter_mut()
            .map(|group| (Arc::clone(&group.settings.name), Place::new(group)))
            .collect();
        let mut rejected = Vec::new();
        for contribution in contributions {
            let provider = &contribution.provider;
            let found = self.providers.iter().find(|known| known.name == *provider);
            let Some(known) = found else {
                continue; // It is not configured any more.
            };
            for contributed in contribution.targets.iter() {
                // It had leave to, and has it no longer; the provider will find out by itself.
                if !known.may_feed(&contributed.group) {
                    continue;
                }
                let Some(place) = places.get_mut(&contributed.group) else {
                    continue;
                };
                if let Err(message) = place.take(&contributed.target, ranges) {
                    rejected.push(Rejected {
                        provider: Arc::clone(provider),
                        origin: contributed.origin.clone(),
                        message,
                    });
                    continue;
                }
                let mut groups = document.target_group.iter_mut();
                if let Some(group) = groups.find(|group| *group.name == *contributed.group) {
                    group.targets.push(contributed.target.clone());
                }
            }
        }
        rejected
    }
}

/// A group that takes targets in.
struct Place<'a> {
    group: &'a mut ValidTargetGroup,
    keys: HashSet<TargetKey>,
}

impl<'a> Place<'a> {
    fn new(group: &'a mut ValidTargetGroup) -> Self {
        let registrations = group.registrations.iter();
        Self {
            keys: registrations.map(|target| target.key.clone()).collect(),
            group,
        }
    }

    fn take(&mut self, target: &Target, ranges: super::Ranges) -> Result<(), String> {
        let registration = contributed(target, ranges)?;
        if !self.keys.insert(registration.key.clone()) {
            let name = &self.group.settings.name;
            let key = &registration.key;
            return Err(format!(
                "target group `{name}` has a target {key} already: id and port identify a target"
            ));
        }
        self.group.registrations.push(registration);
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;
    use crate::config::{check_text, parse};

    const FILE: &str = r#"
        [[load_balancer]]
        name = "web"
        [[load_balancer.listener]]
        port = 80
        default = { forward = "site" }

        [[target_group]]
        name = "site"
        targets = [{ id = "a", address = "10.0.0.1:80" }]
        [[target_group]]
        name = "other"

        [[docker]]
        target_groups = ["site"]
    "#;

    fn contributed(group: &str, id: &str, address: &str) -> Contributed {
        let text = format!("id = \"{id}\"\naddress = \"{address}\"\n");
        Contributed {
            group: group.into(),
            origin: format!("container {id}"),
            target: toml::from_str(&text).unwrap(),
        }
    }

    /// The keys of the group `site`, and what was rejected, as lines.
    fn contribute(provider: &str, targets: Vec<Contributed>) -> (Vec<String>, Vec<String>) {
        let mut valid = check_text(FILE, "test").config.unwrap();
        let mut document = parse(FILE, "test").unwrap();
        let contribution = Contribution {
            provider: provider.into(),
            targets: targets.into(),
        };
        let rejected = valid.contribute(&mut document, &[contribution]);
        let registrations = valid.target_groups[0].registrations.iter();
        let keys: Vec<_> = registrations.map(|target| target.key.to_string()).collect();
        assert_eq!(keys.len(), document.target_group[0].targets.len());
        assert!(valid.target_groups[1].registrations.is_empty());
        let told = rejected.iter();
        let told = told.map(|rejected| format!("{}: {}", rejected.origin, rejected.message));
        (keys, told.collect())
    }

    #[test]
    fn a_contributed_target_joins_those_of_the_file() {
        let (keys, told) = contribute("docker", vec![contributed("site", "b", "10.0.0.2:80")]);
        assert_eq!(keys, ["a:80", "b:80"]);
        assert_eq!(told, [""; 0]);
    }

    #[test]
    fn a_wrong_one_is_told_of_and_no_other_suffers() {
        let targets = vec![
            contributed("site", "a", "10.0.0.9:80"),
            contributed("site", "b", "10.0.0.2:0"),
            contributed("site", "c", "10.0.0.3:80"),
        ];
        let (keys, told) = contribute("docker", targets);
        assert_eq!(keys, ["a:80", "c:80"]);
        assert_eq!(
            told,
            [
                "container a: target group `site` has a target a:80 already: id and port identify \
                 a target",
                "container b: `10.0.0.2:0` has port 0",
            ]
        );
    }

    #[test]
    fn a_provider_feeds_only_the_groups_that_the_file_allows() {
        let (keys, told) = contribute("docker", vec![contributed("other", "b", "10.0.0.2:80")]);
        assert_eq!((keys, told), (vec!["a:80".to_owned()], Vec::new()));
    }

    #[test]
    fn a_provider_that_is_configured_no_longer_contributes_nothing() {
        let (keys, _) = contribute("podman", vec![contributed("site", "b", "10.0.0.2:80")]);
        assert_eq!(keys, ["a:80"]);
    }
}
