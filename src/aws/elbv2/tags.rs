//! Tags, of anything that has an ARN: also of what the file says, for they change nothing of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Done;
use crate::aws::arn::Arn;
use crate::aws::catalogue::{Catalogue, not_found};
use crate::aws::{ApiError, Call};
use crate::config::Inventory;
use crate::config::inventory::Id;

/// The most that a thing has.
const MOST: usize = 50;

/// The longest key and the longest value, in characters.
const LONGEST: (usize, usize) = (128, 256);

/// AWS: Tag.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::aws) struct Tag {
    key: String,
    value: Option<String>,
}

/// `AddTags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddTags {
    resource_arns: Vec<String>,
    tags: Vec<Tag>,
}

/// `RemoveTags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RemoveTags {
    resource_arns: Vec<String>,
    tag_keys: Vec<String>,
}

/// `DescribeTags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTags {
    resource_arns: Vec<String>,
}

/// Its answer.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagDescriptions {
    tag_descriptions: Vec<TagDescription>,
}

/// AWS: TagDescription.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagDescription {
    resource_arn: String,
    tags: Vec<Tag>,
}

/// `DescribeTags`.
pub(super) fn describe(call: &Call, wanted: DescribeTags) -> Result<TagDescriptions, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let described = wanted.resource_arns.into_iter().map(|resource_arn| {
        let id = thing(&catalogue, &resource_arn)?;
        Ok(TagDescription {
            resource_arn,
            tags: listed(&catalogue, &id),
        })
    });
    Ok(TagDescriptions {
        tag_descriptions: described.collect::<Result<_, ApiError>>()?,
    })
}

/// `AddTags`. A key that is there gets the other value.
pub(super) async fn add(call: &Call, wanted: AddTags) -> Result<Done, ApiError> {
    let tags = checked(wanted.tags)?;
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        for arn in &wanted.resource_arns {
            put(inventory, &thing(catalogue, arn)?, tags.clone())?;
        }
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// `RemoveTags`. A key that is not there is no mistake.
pub(super) async fn remove(call: &Call, wanted: RemoveTags) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        for arn in &wanted.resource_arns {
            let id = thing(catalogue, arn)?;
            let Some(tags) = inventory.tags.get_mut(&id) else {
                continue;
            };
            tags.retain(|key, _| !wanted.tag_keys.contains(key));
            if tags.is_empty() {
                inventory.tags.remove(&id);
            }
        }
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// The tags of one thing, in the order of their keys.
pub(in crate::aws) fn listed(catalogue: &Catalogue<'_>, id: &Id) -> Vec<Tag> {
    let tags = catalogue.tags(id).into_iter().flatten();
    let tag = |(key, value): (&String, &String)| Tag {
        key: key.clone(),
        value: Some(value.clone()),
    };
    tags.map(tag).collect()
}

/// What a request says of tags, if it may.
pub(super) fn checked(tags: Vec<Tag>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut checked = BTreeMap::new();
    for Tag { key, value } in tags {
        let value = value.unwrap_or_default();
        if !(1..=LONGEST.0).contains(&key.chars().count()) || value.chars().count() > LONGEST.1 {
            return Err(ApiError::Validation(format!(
                "a tag has a key of 1 to {} characters and a value of at most {}: '{key}'",
                LONGEST.0, LONGEST.1
            )));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            let message = format!("tag keys that begin with 'aws:' are AWS's own: '{key}'");
            return Err(ApiError::Validation(message));
        }
        if checked.insert(key.clone(), value).is_some() {
            return Err(ApiError::Other {
                code: "DuplicateTagKeys",
                message: format!("the tag key '{key}' is there twice"),
            });
        }
    }
    Ok(checked)
}

/// Adds tags, [`checked`], to those of a thing.
pub(super) fn put(
    inventory: &mut Inventory,
    id: &Id,
    new: BTreeMap<String, String>,
) -> Result<(), ApiError> {
    if new.is_empty() {
        return Ok(());
    }
    let tags = inventory.tags.entry(id.clone()).or_default();
    tags.extend(new);
    match tags.len() > MOST {
        true => Err(ApiError::Other {
            code: "TooManyTags",
            message: format!("at most {MOST} tags can be added to a resource"),
        }),
        false => Ok(()),
    }
}

/// What the ARN names, if it is there.
fn thing(catalogue: &Catalogue<'_>, arn: &str) -> Result<Id, ApiError> {
    let wanted: Arn = arn.parse()?;
    match &wanted {
        Arn::LoadBalancer { .. } => catalogue.load_balancer(arn).map(|it| it.arn.id()),
        Arn::Listener { .. } => catalogue.listener(arn).map(|(_, it)| it.arn.id()),
        Arn::TargetGroup { .. } => catalogue.target_group(arn).map(|it| it.arn.id()),
        Arn::Rule { id, .. } => {
            let mut listeners = catalogue.load_balancers().flat_map(|load_balancer| {
                let listeners: Vec<_> = catalogue.listeners(&load_balancer).collect();
                listeners
            });
            let is_there = listeners.any(|listener| {
                let default = Id::of_default_rule(&listener.arn.id());
                let mut rules = catalogue.rules(&listener).into_iter();
                rules.any(|rule| rule.arn == wanted) || *id == default
            });
            match is_there {
                true => Ok(id.clone()),
                false => Err(not_found("RuleNotFound", "Rule", arn)),
            }
        }
        Arn::TrustStore { name, id } => {
            let mut stores = catalogue.standing.config.trust_store.iter();
            match stores.any(|store| store.name == *name && Id::of_trust_store(name) == *id) {
                true => Ok(id.clone()),
                false => Err(not_found("TrustStoreNotFound", "Trust store", arn)),
            }
        }
        Arn::Certificate { .. } => Err(ApiError::Validation(format!(
            "'{arn}' is not the ARN of something that has tags here"
        ))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn tag(key: &str) -> Tag {
        Tag {
            key: key.to_owned(),
            value: None,
        }
    }

    #[test]
    fn a_key_is_there_once_and_is_not_awss() {
        let code = |tags: Vec<Tag>| checked(tags).unwrap_err().code();
        assert_eq!(code(vec![tag("a"), tag("b"), tag("a")]), "DuplicateTagKeys");
        assert_eq!(code(vec![tag("")]), "ValidationError");
        assert_eq!(code(vec![tag("aws:x")]), "ValidationError");
        assert_eq!(code(vec![tag(&"k".repeat(129))]), "ValidationError");
        let tags = checked(vec![tag("a"), tag(&"ä".repeat(128))]).unwrap();
        assert_eq!(tags.get("a").unwrap(), "");
    }

    #[test]
    fn fifty_tags_are_the_most_however_they_came() {
        let id = Id::given("1");
        let mut inventory = Inventory::default();
        let tags = |from: usize, to: usize| {
            checked((from..to).map(|n| tag(&n.to_string())).collect()).unwrap()
        };
        put(&mut inventory, &id, tags(0, 50)).unwrap();
        put(&mut inventory, &id, tags(10, 20)).unwrap();
        let error = put(&mut inventory, &id, tags(50, 51)).unwrap_err();
        assert_eq!(error.code(), "TooManyTags");
        inventory.forget(&id);
        assert!(inventory.tags.is_empty());
    }
}
