//! The tags of load balancers.

use serde::{Deserialize, Serialize};

use super::load_balancer;
use crate::aws::catalogue::Catalogue;
use crate::aws::elbv2::tags::{self, Tag};
use crate::aws::{ApiError, Call};
use crate::config::inventory::Id;

/// `DescribeTags`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeTags {
    load_balancer_names: Vec<String>,
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
    load_balancer_name: String,
    tags: Vec<Tag>,
}

/// `DescribeTags`.
pub(super) fn describe(call: &Call, wanted: DescribeTags) -> Result<TagDescriptions, ApiError> {
    let standing = call.standing();
    let catalogue = Catalogue::new(&standing, &call.place);
    let described = wanted.load_balancer_names.into_iter().map(|name| {
        load_balancer(&catalogue, &name)?;
        Ok(TagDescription {
            tags: tags::listed(&catalogue, &Id::of_load_balancer(&name)),
            load_balancer_name: name,
        })
    });
    Ok(TagDescriptions {
        tag_descriptions: described.collect::<Result<_, ApiError>>()?,
    })
}
