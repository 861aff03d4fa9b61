//! All that can be described, with the ids and notes that ARNs and answers are made of.
//!
//! The document in force holds what the file says and what was made here, side by side; this is where they are told
//! apart.

use std::collections::BTreeMap;

use super::arn::Arn;
use super::error::ApiError;
use super::place::Place;
use crate::config::document::{Listener, LoadBalancer, LoadBalancerType, Rule, TargetGroup};
use crate::config::inventory::{Id, Notes};
use crate::reload::Standing;

/// What is in force, as a client in a place sees it.
#[derive(Debug)]
pub(super) struct Catalogue<'a> {
    pub(super) standing: &'a Standing,
    pub(super) place: &'a Place,
}

/// One thing of the catalogue.
#[derive(Debug)]
pub(super) struct Entry<'a, T> {
    pub(super) arn: Arn,
    pub(super) document: &'a T,
    /// None if the file says it, and only the file can change it.
    pub(super) notes: Option<&'a Notes>,
}

impl<T> Entry<'_, T> {
    /// As text.
    pub(super) fn arn(&self, place: &Place) -> String {
        self.arn.at(place)
    }

    /// Refuses to change what the file says. `what` is it: "load balancer web".
    pub(super) fn must_be_made(&self, what: impl std::fmt::Display) -> Result<(), ApiError> {
        match self.notes {
            Some(_) => Ok(()),
            None => Err(ApiError::OperationNotPermitted(format!(
                "{what} stands in Elbow's configuration file: change it there"
            ))),
        }
    }
}

impl<'a> Catalogue<'a> {
    pub(super) fn new(standing: &'a Standing, place: &'a Place) -> Self {
        Self { standing, place }
    }

    /// The load balancers of type "application", in the order of the document.
    pub(super) fn load_balancers(&self) -> impl Iterator<Item = Entry<'a, LoadBalancer>> {
        let made = &self.standing.inventory.load_balancers;
        let all = self.standing.config.load_balancer.iter();
        let all = all.filter(|it| it.kind == LoadBalancerType::Application);
        all.map(|document| {
            let made = made.iter().find(|made| made.document.name == document.name);
            let id = made.map_or_else(|| Id::of_load_balancer(&document.name), |it| it.id.clone());
            Entry {
                arn: Arn::LoadBalancer {
                    name: document.name.clone(),
                    id,
                },
                document,
                notes: made.map(|made| &made.notes),
            }
        })
    }

    /// The listeners of one of them.
    pub(super) fn listeners(
        &self,
        of: &Entry<'a, LoadBalancer>,
    ) -> impl Iterator<Item = Entry<'a, Listener>> {
        let (name, parent) = (of.document.name.as_str(), of.arn.id());
        let made = &self.standing.inventory.listeners;
        of.document.listener.iter().map(move |document| {
            let made = made.iter().find(|made| {
                made.load_balancer == name && made.listener.document.port == document.port
            });
            let id = made.map_or_else(
                || Id::of_listener(name, document.port),
                |it| it.listener.id.clone(),
            );
            Entry {
                arn: Arn::Listener {
                    name: name.to_owned(),
                    load_balancer: parent.clone(),
                    id,
                },
                document,
                notes: made.map(|made| &made.listener.notes),
            }
        })
    }

    /// The rules of a listener, by priority, without the default rule.
    pub(super) fn rules(&self, of: &Entry<'a, Listener>) -> Vec<Entry<'a, Rule>> {
        let Arn::Listener {
            name,
            load_balancer,
            id: listener,
        } = &of.arn
        else {
            return Vec::new();
        };
        let made = &self.standing.inventory.rules;
        let entry = |document: &'a Rule| {
            let made = made.iter().find(|made| {
                made.listener == *listener && made.rule.document.priority == document.priority
            });
            let id = made.map_or_else(
                || Id::of_rule(listener, document.priority),
                |it| it.rule.id.clone(),
            );
            Entry {
                arn: Arn::Rule {
                    name: name.clone(),
                    load_balancer: load_balancer.clone(),
                    listener: listener.clone(),
                    id,
                },
                document,
                notes: made.map(|made| &made.rule.notes),
            }
        };
        let mut rules: Vec<_> = of.document.rule.iter().map(entry).collect();
        rules.sort_by_key(|rule| rule.document.priority);
        rules
    }

    /// The target groups, in the order of the document.
    pub(super) fn target_groups(&self) -> impl Iterator<Item = Entry<'a, TargetGroup>> {
        let made = &self.standing.inventory.target_groups;
        self.standing.config.target_group.iter().map(|document| {
            let made = made.iter().find(|made| made.document.name == document.name);
            let id = made.map_or_else(|| Id::of_target_group(&document.name), |it| it.id.clone());
            Entry {
                arn: Arn::TargetGroup {
                    name: document.name.clone(),
                    id,
                },
                document,
                notes: made.map(|made| &made.notes),
            }
        })
    }

    /// The load balancer of that ARN.
    pub(super) fn load_balancer(&self, arn: &str) -> Result<Entry<'a, LoadBalancer>, ApiError> {
        let wanted: Arn = arn.parse()?;
        let found = self.load_balancers().find(|it| it.arn == wanted);
        found.ok_or_else(|| not_found("LoadBalancerNotFound", "Load balancer", arn))
    }

    /// The listener of that ARN, with its load balancer.
    pub(super) fn listener(
        &self,
        arn: &str,
    ) -> Result<(Entry<'a, LoadBalancer>, Entry<'a, Listener>), ApiError> {
        let wanted: Arn = arn.parse()?;
        for load_balancer in self.load_balancers() {
            let found = self.listeners(&load_balancer).find(|it| it.arn == wanted);
            if let Some(listener) = found {
                return Ok((load_balancer, listener));
            }
        }
        Err(not_found("ListenerNotFound", "Listener", arn))
    }

    /// The rule of that ARN, with its listener; of a default rule the listener alone.
    pub(super) fn rule(
        &self,
        arn: &str,
    ) -> Result<(Entry<'a, Listener>, Option<Entry<'a, Rule>>), ApiError> {
        let wanted: Arn = arn.parse()?;
        for load_balancer in self.load_balancers() {
            for listener in self.listeners(&load_balancer) {
                if self.default_rule(&listener) == wanted {
                    return Ok((listener, None));
                }
                let found = self
                    .rules(&listener)
                    .into_iter()
                    .find(|it| it.arn == wanted);
                if found.is_some() {
                    return Ok((listener, found));
                }
            }
        }
        Err(not_found("RuleNotFound", "Rule", arn))
    }

    /// The default rule of a listener.
    pub(super) fn default_rule(&self, of: &Entry<'a, Listener>) -> Arn {
        match of.arn.clone() {
            Arn::Listener {
                name,
                load_balancer,
                id: listener,
            } => Arn::Rule {
                id: Id::of_default_rule(&listener),
                name,
                load_balancer,
                listener,
            },
            other => other,
        }
    }

    /// The target group of that ARN.
    pub(super) fn target_group(&self, arn: &str) -> Result<Entry<'a, TargetGroup>, ApiError> {
        let wanted: Arn = arn.parse()?;
        let found = self.target_groups().find(|it| it.arn == wanted);
        found.ok_or_else(|| not_found("TargetGroupNotFound", "Target group", arn))
    }

    /// The target group of that name.
    pub(super) fn target_group_named(&self, name: &str) -> Option<Entry<'a, TargetGroup>> {
        self.target_groups().find(|it| it.document.name == name)
    }

    /// The port of a target that is registered without one: what the group was made with; for one of the file that of
    /// its first target.
    pub(super) fn port(&self, group: &Entry<'a, TargetGroup>) -> u16 {
        let parameters = group.notes.map(|notes| &notes.parameters);
        let made = parameters.and_then(|it| it.get("Port")).map(String::as_str);
        let first = group.document.targets.first();
        let first = first.and_then(|target| target.address.rsplit_once(':'));
        let port = made.or(first.map(|(_, port)| port));
        port.and_then(|port| port.parse().ok()).unwrap_or(80)
    }

    /// Its tags.
    pub(super) fn tags(&self, id: &Id) -> Option<&'a BTreeMap<String, String>> {
        self.standing.inventory.tags.get(id)
    }
}

/// There is none.
pub(super) fn not_found(code: &'static str, what: &'static str, name: &str) -> ApiError {
    ApiError::NotFound {
        code,
        what,
        name: name.to_owned(),
    }
}
