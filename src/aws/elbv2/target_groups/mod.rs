//! Target groups: described, made, changed, deleted.

mod description;
mod request;

use serde::{Deserialize, Serialize};

use super::Done;
use super::page::Page;
use super::tags::{self, Tag};
use crate::aws::catalogue::{Catalogue, Entry, not_found};
use crate::aws::query::Tree;
use crate::aws::{ApiError, Call};
use crate::config::Inventory;
use crate::config::document::TargetGroup;
use crate::config::inventory::{Id, Made};

pub(in crate::aws) use description::seconds;
pub(super) use description::speaks_http;
use description::{TargetGroupDescription, described, forwards, users};
use request::{CreateTargetGroup, HealthCheckSettings, notes};

/// `DescribeTargetGroups`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct DescribeTargetGroups {
    load_balancer_arn: Option<String>,
    target_group_arns: Vec<String>,
    names: Vec<String>,
    marker: Option<String>,
    page_size: Option<u32>,
}

/// Its answer, and that of what makes or changes one.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroups {
    target_groups: Vec<TargetGroupDescription>,
    next_marker: Option<String>,
}

/// Of any request about one group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TheTargetGroup {
    pub(super) target_group_arn: String,
}

/// Tags beside other parameters.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tagged {
    #[serde(default)]
    tags: Vec<Tag>,
}

/// `DescribeTargetGroups`.
pub(super) fn describe(
    call: &Call,
    wanted: DescribeTargetGroups,
) -> Result<TargetGroups, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let mut groups: Vec<_> = catalogue.target_groups().collect();
    if let Some(arn) = &wanted.load_balancer_arn {
        let load_balancer = catalogue.load_balancer(arn)?;
        groups.retain(|group| {
            let users = users(&catalogue, group);
            users.contains(&load_balancer.arn(&call.place))
        });
    }
    for arn in &wanted.target_group_arns {
        catalogue.target_group(arn)?;
    }
    for name in &wanted.names {
        let found = catalogue.target_group_named(name);
        found.ok_or_else(|| not_found("TargetGroupNotFound", "Target group", name))?;
    }
    if !wanted.target_group_arns.is_empty() || !wanted.names.is_empty() {
        groups.retain(|group| {
            wanted.target_group_arns.contains(&group.arn(&call.place))
                || wanted.names.contains(&group.document.name)
        });
    }
    let described = groups.iter().map(|group| described(&catalogue, group));
    let page = Page::of(wanted.page_size, wanted.marker);
    let (target_groups, next_marker) = page.cut(described.collect())?;
    Ok(TargetGroups {
        target_groups,
        next_marker,
    })
}

/// `CreateTargetGroup`. Making one again that is there with the same settings is no mistake.
pub(super) async fn create(call: &Call, parameters: Tree) -> Result<TargetGroups, ApiError> {
    let check: HealthCheckSettings = parameters.clone().take()?;
    let Tagged { tags } = parameters.clone().take()?;
    let wanted: CreateTargetGroup = parameters.take()?;
    let (document, parameters) = wanted.document(&check)?;
    let tags = tags::checked(tags)?;
    let notes = notes(parameters);
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        if let Some(there) = catalogue.target_group_named(&wanted.name) {
            let again = Entry {
                arn: there.arn.clone(),
                document: &document,
                notes: Some(&notes),
            };
            let is_same = described(catalogue, &again) == described(catalogue, &there);
            return match (there.notes, is_same) {
                (Some(_), true) => Ok(()),
                (Some(_), false) => Err(duplicate(&wanted.name, "with other settings")),
                (None, _) => Err(duplicate(&wanted.name, "in Elbow's configuration file")),
            };
        }
        let id = Id::random();
        tags::put(inventory, &id, tags)?;
        inventory.target_groups.push(Made {
            id,
            notes: notes.clone(),
            document: document.clone(),
        });
        Ok(())
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    answer(&catalogue, catalogue.target_group_named(&wanted.name))
}

/// `ModifyTargetGroup`: how its targets are probed.
pub(super) async fn modify(call: &Call, parameters: Tree) -> Result<TargetGroups, ApiError> {
    let check: HealthCheckSettings = parameters.clone().take()?;
    let TheTargetGroup {
        target_group_arn: arn,
    } = parameters.take()?;
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        check.apply(&mut made(catalogue, inventory, &arn)?.document)
    };
    let ((), standing) = call.change(edit).await?;
    let catalogue = Catalogue::new(&standing, &call.place);
    answer(&catalogue, catalogue.target_group(&arn).ok())
}

/// `DeleteTargetGroup`. One that is not there is no mistake.
pub(super) async fn delete(call: &Call, wanted: TheTargetGroup) -> Result<Done, ApiError> {
    let edit = |catalogue: &Catalogue<'_>, inventory: &mut Inventory| {
        let arn = &wanted.target_group_arn;
        let id = match catalogue.target_group(arn) {
            Ok(group) => {
                must_be_idle(catalogue, &group.document.name)?;
                made(catalogue, inventory, arn)?.id.clone()
            }
            Err(ApiError::NotFound { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        inventory.target_groups.retain(|made| made.id != id);
        inventory.forget(&id);
        Ok(())
    };
    call.change(edit).await.map(|_| Done {})
}

/// The group of that ARN, to change it.
pub(super) fn made<'i>(
    catalogue: &Catalogue<'_>,
    inventory: &'i mut Inventory,
    arn: &str,
) -> Result<&'i mut Made<TargetGroup>, ApiError> {
    let group = catalogue.target_group(arn)?;
    let name = &group.document.name;
    group.must_be_made(format_args!("target group {name}"))?;
    let id = group.arn.id();
    let mut made = inventory.target_groups.iter_mut();
    let made = made.find(|made| made.id == id);
    made.ok_or_else(|| not_found("TargetGroupNotFound", "Target group", arn))
}

/// Refuses where anything forwards to the group, and says what.
fn must_be_idle(catalogue: &Catalogue<'_>, name: &str) -> Result<(), ApiError> {
    let users = catalogue.standing.config.load_balancer.iter();
    let mut users = users.flat_map(|it| {
        let places = forwards(it, name).into_iter();
        places.map(|place| format!("{place} of load balancer {}", it.name))
    });
    match users.next() {
        None => Ok(()),
        Some(user) => Err(ApiError::ResourceInUse(format!(
            "Target group '{name}' is currently in use by {user}"
        ))),
    }
}

fn duplicate(name: &str, how: &str) -> ApiError {
    ApiError::Duplicate {
        code: "DuplicateTargetGroupName",
        message: format!("A target group with the name '{name}' exists {how}"),
    }
}

fn answer(
    catalogue: &Catalogue<'_>,
    group: Option<Entry<'_, TargetGroup>>,
) -> Result<TargetGroups, ApiError> {
    // Nothing takes it away in between but a reload of a file that has one of that name now.
    let group =
        group.ok_or_else(|| ApiError::Internal("the target group is gone again".to_owned()))?;
    Ok(TargetGroups {
        target_groups: vec![described(catalogue, &group)],
        next_marker: None,
    })
}
