//! `forward`: to one target group, or to several by weight.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::aws::catalogue::Catalogue;
use crate::config::Span;
use crate::config::document::{Forward, ForwardConfig, GroupStickiness, WeightedGroup};

/// AWS: ForwardActionConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Config {
    target_groups: Vec<TargetGroupTuple>,
    target_group_stickiness_config: Option<Stickiness>,
}

/// AWS: TargetGroupTuple.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TargetGroupTuple {
    target_group_arn: String,
    weight: Option<u32>,
}

/// AWS: TargetGroupStickinessConfig.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase", default)]
struct Stickiness {
    enabled: Option<bool>,
    duration_seconds: Option<u64>,
}

/// Reads both forms: a group alone, a list of groups, or the same group in both.
pub(super) fn read(
    alone: Option<&str>,
    config: Option<&Config>,
    catalogue: &Catalogue<'_>,
) -> Result<Forward, ApiError> {
    let name = |arn: &str| {
        let group = catalogue.target_group(arn)?;
        Ok(group.document.name.clone())
    };
    let Some(config) = config.filter(|config| !config.target_groups.is_empty()) else {
        return match alone {
            Some(arn) => name(arn).map(Forward::Group),
            None => Err(ApiError::Validation(
                "a forward action must contain TargetGroupArn or ForwardConfig".to_owned(),
            )),
        };
    };
    let is_other = |group: &TargetGroupTuple| Some(group.target_group_arn.as_str()) != alone;
    if alone.is_some()
        && (config.target_groups.len() > 1 || config.target_groups.iter().any(is_other))
    {
        return Err(ApiError::Validation(
            "If you specify both TargetGroupArn and ForwardConfig, you can specify only one target group using \
             ForwardConfig, and it must be the same one"
                .to_owned(),
        ));
    }
    let groups = config.target_groups.iter().map(|group| {
        Ok(WeightedGroup {
            group: name(&group.target_group_arn)?,
            weight: group.weight.unwrap_or(1),
        })
    });
    let groups = groups.collect::<Result<Vec<_>, ApiError>>()?;
    let wanted = config.target_group_stickiness_config.as_ref();
    // Who says how long must read it back, also where nobody stays.
    let said = wanted.filter(|it| it.enabled == Some(true) || it.duration_seconds.is_some());
    Ok(match (said, &groups[..]) {
        (Some(said), _) => Forward::Config(ForwardConfig {
            stickiness: GroupStickiness {
                enabled: said.enabled.unwrap_or(false),
                duration: said
                    .duration_seconds
                    .map_or(GroupStickiness::default().duration, Span::from_secs),
            },
            groups,
        }),
        (None, [WeightedGroup { group, weight: 1 }]) => Forward::Group(group.clone()),
        (None, _) => Forward::Weighted(groups),
    })
}

/// Both forms where it is one group, as AWS has it; else the list.
pub(super) fn told(forward: &Forward, catalogue: &Catalogue<'_>) -> (Option<String>, Config) {
    let arn = |name: &str| {
        let group = catalogue.target_group_named(name);
        group.map_or_else(|| name.to_owned(), |group| group.arn(catalogue.place))
    };
    let tuple = |name: &str, weight| TargetGroupTuple {
        target_group_arn: arn(name),
        weight: Some(weight),
    };
    let target_groups: Vec<_> = match forward {
        Forward::Group(name) => vec![tuple(name, 1)],
        Forward::Weighted(_) | Forward::Config(_) => {
            let shares = forward.shares().iter();
            shares.map(|it| tuple(&it.group, it.weight)).collect()
        }
    };
    let stickiness = match forward {
        Forward::Config(config) => Some(&config.stickiness),
        Forward::Group(_) | Forward::Weighted(_) => None,
    };
    let alone = match &target_groups[..] {
        [alone] => Some(alone.target_group_arn.clone()),
        _ => None,
    };
    let config = Config {
        target_groups,
        target_group_stickiness_config: Some(Stickiness {
            enabled: Some(stickiness.is_some_and(|it| it.enabled)),
            duration_seconds: stickiness.map(|it| it.duration.0.as_secs()),
        }),
    };
    (alone, config)
}
