//! Rules: made, described, changed, deleted, put in another order.
//!
//! Rules can be made on a listener of the file, too. The default rule is the listener's, and changed with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::actions::{self, Action};
use super::conditions::{self, Condition};
use super::page::Page;
use super::tags::{self, Tag};
use super::transforms::{self, Transform};
use super::{Done, actions::of_rule};
use crate::aws::catalogue::{Catalogue, Entry};
use crate::aws::{ApiError, Call, now};
use crate::config::Inventory;
use crate::config::document::{Listener, Rule};
use crate::config::inventory::{Id, Made, MadeRule, Notes};

/// AWS: the highest priority.
const LAST: u32 = 50_000;

/// `DescribeRules`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeRules {
    listener_arn: Option<String>,
    rule_arns: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// `CreateRule`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRule {
    listener_arn: String,
    conditions: Vec<Condition>,
    priority: u32,
    actions: Vec<Action>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    transforms: Vec<Transform>,
}

/// `ModifyRule`. What is left out stays.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ModifyRule {
    rule_arn: String,
    #[serde(default)]
    conditions: Vec<Condition>,
    #[serde(default)]
    actions: Vec<Action>,
    #[serde(default)]
    transforms: Vec<Transform>,
    #[serde(default)]
    reset_transforms: bool,
}

/// `DeleteRule`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DeleteRule {
    rule_arn: String,
}

/// `SetRulePriorities`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetRulePriorities {
    rule_priorities: Vec<RulePriorityPair>,
}

/// AWS: RulePriorityPair.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RulePriorityPair {
    rule_arn: String,
    priority: u32,
}

/// The answer to all but deleting.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Rules {
    rules: Vec<RuleDescription>,
    next_marker: Option<String>,
}

/// AWS: Rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuleDescription {
    rule_arn: String,
    priority: String,
    conditions: Vec<Condition>,
    actions: Vec<Action>,
    is_default: bool,
    transforms: Vec<Transform>,
}

pub(super) fn describe(call: &Call, wanted: DescribeRules) -> Result<Rules, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let rules = match &wanted.listener_arn {
        Some(arn) => {
            let (_, listener) = catalogue.listener(arn)?;
            let rules = catalogue.rules(&listener);
            let rules = rules.iter().map(|rule| described(&catalogue, rule));
            rules
                .chain([described_default(&catalogue, &listener)])
                .collect()
        }
        None if wanted.rule_arns.is_empty() => {
            let message = "You must specify either a listener ARN or rule ARNs";
            return Err(ApiError::Validation(message.to_owned()));
        }
        None => describe_all(&catalogue, wanted.rule_arns.iter())?,
    };
    let (rules, next_marker) = Page::of(wanted.page_size, wanted.marker).cut(rules)?;
    Ok(Rules { rules, next_marker })
}

fn describe_all<'a>(
    catalogue: &Catalogue<'_>,
    arns: impl Iterator<Item = &'a String>,
) -> Result<Vec<RuleDescription>, ApiError> {
    arns.map(|arn| match catalogue.rule(arn)? {
        (_, Some(rule)) => Ok(described(catalogue, &rule)),
        (listener, None) => Ok(described_default(catalogue, &listener)),
    })
    .collect()
}

fn described(catalogue: &Catalogue<'_>, rule: &Entry<'_, Rule>) -> RuleDescription {
    RuleDescription {
        rule_arn: rule.arn(catalogue.place),
        priority: rule.document.priority.to_string(),
        conditions: conditions::told(rule.document),
        actions: actions::told(&of_rule(rule.document), rule.notes, catalogue),
        is_default: false,
        transforms: transforms::told(rule.document),
    }
}

fn described_default(catalogue: &Catalogue<'_>, listener: &Entry<'_, Listener>) -> RuleDescription {
    RuleDescription {
        rule_arn: catalogue.default_rule(listener).at(catalogue.place),
        priority: "default".to_owned(),
        conditions: Vec::new(),
        actions: actions::told(&listener.document.default, listener.notes, catalogue),
        is_default: true,
        transforms: Vec::new(),
    }
}

pub(super) async fn create(call: &Call, wanted: CreateRule) -> Result<Rules, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let (_, listener) = catalogue.listener(&wanted.listener_arn)?;
        let priority = in_range(wanted.priority)?;
        let mut rules = listener.document.rule.iter();
        if rules.any(|rule| rule.priority == priority) {
            return Err(in_use(priority));
        }
        if wanted.conditions.is_empty() {
            let message = "A condition must be specified";
            return Err(ApiError::Validation(message.to_owned()));
        }
        let mut document = Rule::of_priority(priority);
        conditions::read(&wanted.conditions, &mut document)?;
        let action = actions::read(&wanted.actions, None, catalogue)?;
        actions::into_rule(action, &mut document);
        transforms::read(&wanted.transforms, &mut document)?;
        let mut notes = Notes {
            created: now(),
            ..Notes::default()
        };
        actions::note_order(&wanted.actions, &mut notes);
        let id = Id::random();
        tags::put(inventory, &id, tags::checked(wanted.tags.clone())?)?;
        inventory.rules.push(MadeRule {
            listener: listener.arn.id(),
            rule: Made {
                id: id.clone(),
                notes,
                document,
            },
        });
        Ok(id)
    };
    let (id, standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let (_, listener) = catalogue.listener(&wanted.listener_arn)?;
    let rules = catalogue.rules(&listener);
    let made = rules.iter().filter(|rule| rule.arn.id() == id);
    Ok(Rules {
        rules: made.map(|rule| described(&catalogue, rule)).collect(),
        next_marker: None,
    })
}

pub(super) async fn modify(call: &Call, wanted: ModifyRule) -> Result<Rules, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let made = made(
            catalogue,
            inventory,
            &wanted.rule_arn,
            "modified: change it by ModifyListener",
        )?;
        let document = &mut made.document;
        if !wanted.conditions.is_empty() {
            conditions::read(&wanted.conditions, document)?;
        }
        if !wanted.actions.is_empty() {
            let before = of_rule(document);
            let action = actions::read(&wanted.actions, Some(&before), catalogue)?;
            actions::into_rule(action, document);
            actions::note_order(&wanted.actions, &mut made.notes);
        }
        if wanted.reset_transforms && !wanted.transforms.is_empty() {
            let message = "Transforms and ResetTransforms cannot both be given";
            return Err(ApiError::Validation(message.to_owned()));
        }
        if wanted.reset_transforms || !wanted.transforms.is_empty() {
            transforms::read(&wanted.transforms, document)?;
        }
        Ok(())
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    Ok(Rules {
        rules: describe_all(&catalogue, [&wanted.rule_arn].into_iter())?,
        next_marker: None,
    })
}

pub(super) async fn delete(call: &Call, wanted: DeleteRule) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let id = made(catalogue, inventory, &wanted.rule_arn, "deleted")?
            .id
            .clone();
        inventory.rules.retain(|it| it.rule.id != id);
        inventory.forget(&id);
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// All at once: rules may change places with each other.
pub(super) async fn set_priorities(
    call: &Call,
    wanted: SetRulePriorities,
) -> Result<Rules, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        // For each listener its rules with the priorities that they have then.
        let mut listeners: BTreeMap<Id, BTreeMap<Id, u32>> = BTreeMap::new();
        for pair in &wanted.rule_priorities {
            let priority = in_range(pair.priority)?;
            let made = made(catalogue, inventory, &pair.rule_arn, "given a priority")?;
            made.document.priority = priority;
            let id = made.id.clone();
            let (listener, _) = catalogue.rule(&pair.rule_arn)?;
            let rules = listeners.entry(listener.arn.id()).or_insert_with(|| {
                let rules = catalogue.rules(&listener).into_iter();
                rules
                    .map(|it| (it.arn.id(), it.document.priority))
                    .collect()
            });
            rules.insert(id, priority);
        }
        for rules in listeners.values() {
            let mut taken: Vec<_> = rules.values().copied().collect();
            taken.sort_unstable();
            if let Some(twice) = taken.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(in_use(twice[0]));
            }
        }
        Ok(())
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    let arns = wanted.rule_priorities.iter().map(|pair| &pair.rule_arn);
    Ok(Rules {
        rules: describe_all(&catalogue, arns)?,
        next_marker: None,
    })
}

/// The rule of the inventory with that ARN. `cannot` is what a default rule cannot be.
fn made<'a>(
    catalogue: &Catalogue<'_>,
    inventory: &'a mut Inventory,
    arn: &str,
    cannot: &str,
) -> Result<&'a mut Made<Rule>, ApiError> {
    let (_, rule) = catalogue.rule(arn)?;
    let Some(rule) = rule else {
        let message = format!("Default rule '{arn}' cannot be {cannot}");
        return Err(ApiError::OperationNotPermitted(message));
    };
    rule.must_be_made(format_args!(
        "the rule of priority {}",
        rule.document.priority
    ))?;
    let id = rule.arn.id();
    let mut made = inventory.rules.iter_mut();
    let made = made.find(|it| it.rule.id == id);
    made.map(|it| &mut it.rule).ok_or(ApiError::Unavailable)
}

fn in_range(priority: u32) -> Result<u32, ApiError> {
    match (1..=LAST).contains(&priority) {
        true => Ok(priority),
        false => Err(ApiError::Validation(format!(
            "Priority {priority} must be between 1 and {LAST}"
        ))),
    }
}

fn in_use(priority: u32) -> ApiError {
    ApiError::Other {
        code: "PriorityInUse",
        message: format!("Priority '{priority}' is currently in use"),
    }
}
