//! Changes who is active in an active/standby group, by hand.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Serialize;

use crate::snapshot::Group;
use crate::target_group::SwitchError;

use super::Context;
use super::answer::Refusal;
use super::drain::{Which, find_target};
use super::target_health::find_group;

#[derive(Debug, Serialize)]
pub(super) struct Switched {
    target_group: String,
    active_priority: u32,
    /// Those with that priority.
    active_targets: Vec<String>,
}

/// Makes the best targets that are healthy the active ones again.
pub(super) async fn fail_back(
    State(context): State<Context>,
    Path(group): Path<String>,
) -> Result<Json<Switched>, Refusal> {
    let snapshot = context.snapshot();
    let group = find_group(&snapshot, &group)?;
    let priority = group.fail_back().map_err(|error| refusal(group, error))?;
    Ok(switched(group, priority))
}

/// Makes a target, and those with its priority, the active ones.
pub(super) async fn activate(
    State(context): State<Context>,
    Path((group, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Switched>, Refusal> {
    let snapshot = context.snapshot();
    let group = find_group(&snapshot, &group)?;
    let target = find_target(group, &id, which.port)?;
    group
        .activate(target)
        .map_err(|error| refusal(group, error))?;
    Ok(switched(group, target.priority))
}

fn switched(group: &Group, priority: u32) -> Json<Switched> {
    let targets = group.targets().iter();
    let active = targets.filter(|target| target.priority == priority);
    Json(Switched {
        target_group: group.settings().name.to_string(),
        active_priority: priority,
        active_targets: active.map(|target| target.key.to_string()).collect(),
    })
}

fn refusal(group: &Group, error: SwitchError) -> Refusal {
    let help = match error {
        SwitchError::NotActiveStandby => "`active_standby` of a target group makes it one",
        SwitchError::AlreadyActive => "nothing has changed",
        SwitchError::TakesNothing => "elbow status shows why; it can be active once it is healthy",
        SwitchError::WouldFailBack => {
            "set `fail_back = \"manual\"`, or drain the target that is to stand by"
        }
    };
    let name = &group.settings().name;
    let error = format!("target group {name:?} stays as it is: {error}");
    Refusal::new(StatusCode::CONFLICT, error, help)
}
