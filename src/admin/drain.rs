//! Takes a target out by hand, and puts it back.
//!
//! Both act on live state, not on the configuration: a drained target stays registered and drained
//! over reloads until it is put back.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::reload::Cause;
use crate::snapshot::Group;
use crate::target::Target;

use super::Context;
use super::answer::{Refusal, listed};
use super::load_balancers::span;
use super::target_health::find_group;

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    pub(super) port: Option<u16>,
}

#[derive(Debug, Serialize)]
pub(super) struct Done {
    target_group: String,
    target: String,
    state: &'static str,
    description: String,
}

/// No new requests from now on; those in flight may finish for the deregistration delay.
pub(super) async fn drain(
    State(context): State<Context>,
    Path((group, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Done>, Refusal> {
    let snapshot = context.snapshot();
    let group = find_group(&snapshot, &group)?;
    let target = find_target(group, &id, which.port)?;
    let delay = group.settings().deregistration_delay;
    target.state.drain(Instant::now(), delay);
    group.reconsider();
    let name = &group.settings().name;
    tracing::info!(target_group = %name, target = %target.key, "drained by the admin API");
    Ok(done(
        group,
        target,
        format!(
            "no new requests; those in flight may finish within {}",
            span(delay)
        ),
    ))
}

/// Registers a drained target again: it starts as a new one and needs one pass. Where targets keep the
/// address that they had when they were registered, this is when it is looked at anew.
pub(super) async fn undrain(
    State(context): State<Context>,
    Path((group, id)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Done>, Refusal> {
    let keeps_address = {
        let snapshot = context.snapshot();
        let group = find_group(&snapshot, &group)?;
        find_target(group, &id, which.port)?;
        group.settings().keeps_address
    };
    if keeps_address && let Err(error) = context.reload.reload(Cause::Api).await {
        tracing::warn!(error = %error, "the target's address could not be looked at anew");
    }
    let snapshot = context.snapshot();
    let group = find_group(&snapshot, &group)?;
    let target = find_target(group, &id, which.port)?;
    target.state.register();
    group.reconsider();
    let name = &group.settings().name;
    tracing::info!(target_group = %name, target = %target.key, "put back by the admin API");
    Ok(done(
        group,
        target,
        "takes requests again as soon as it is healthy".to_owned(),
    ))
}

fn done(group: &Group, target: &Target, description: String) -> Json<Done> {
    Json(Done {
        target_group: group.settings().name.to_string(),
        target: target.key.to_string(),
        state: target.state.describe(Instant::now()).state.as_str(),
        description,
    })
}

/// The registered target with this id, and this port if one is named.
pub(super) fn find_target<'a>(
    group: &'a Group,
    id: &str,
    port: Option<u16>,
) -> Result<&'a Target, Refusal> {
    let is_meant = |target: &&'a Target| {
        *target.key.id == *id && port.is_none_or(|port| port == target.key.port)
    };
    let targets = || group.targets().iter().map(|target| &**target);
    let mut found = targets().filter(is_meant);
    let name = &group.settings().name;
    match (found.next(), found.next()) {
        (Some(target), None) => Ok(target),
        (Some(_), Some(_)) => Err(Refusal::new(
            StatusCode::CONFLICT,
            format!("target group {name:?} has target {id:?} on several ports"),
            format!(
                "add ?port= with one of: {}",
                listed(targets().filter(is_meant).map(|target| target.key.port))
            ),
        )),
        (None, _) => Err(Refusal::not_found(
            match port {
                Some(port) => format!("target group {name:?} has no target {id:?} on port {port}"),
                None => format!("target group {name:?} has no target {id:?}"),
            },
            format!(
                "registered targets: {}",
                listed(targets().map(|target| &target.key))
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use crate::admin::sample::Sample;
    use crate::target::TargetHealth;

    #[tokio::test]
    async fn a_target_is_drained_and_put_back_by_hand() {
        let sample = Sample::start().await;
        sample.probe_all();
        let target = sample.target("wordpress", "wp-a", 80);
        let answer = sample
            .post("/target-groups/wordpress/targets/wp-a/drain")
            .await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(answer.json()["state"], "draining");
        assert_eq!(target.state.health(), TargetHealth::Draining);
        let answer = sample
            .post("/target-groups/wordpress/targets/wp-a/undrain")
            .await;
        assert_eq!(answer.json()["state"], "initial");
        assert_eq!(target.state.health(), TargetHealth::Initial);
    }

    #[tokio::test]
    async fn an_id_on_several_ports_needs_the_port() {
        let sample = Sample::start().await;
        let path = "/target-groups/wordpress/targets/wp-b/drain";
        let answer = sample.post(path).await;
        assert_eq!(answer.status, 409);
        assert_eq!(answer.json()["help"], "add ?port= with one of: 80, 81");
        let answer = sample.post(&format!("{path}?port=81")).await;
        assert_eq!(answer.json()["target"], "wp-b:81");
        let other = sample.target("wordpress", "wp-b", 80);
        assert_eq!(other.state.health(), TargetHealth::Initial);
    }

    #[tokio::test]
    async fn an_unknown_target_is_answered_with_those_that_exist() {
        let sample = Sample::start().await;
        for path in ["wp-x/drain", "wp-a/undrain?port=81"] {
            let path = format!("/target-groups/wordpress/targets/{path}");
            let answer = sample.post(&path).await;
            assert_eq!(answer.status, 404, "{path}");
            assert_eq!(
                answer.json()["help"],
                "registered targets: wp-a:80, wp-b:80, wp-b:81"
            );
        }
    }
}
