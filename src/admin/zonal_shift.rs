//! `/load-balancers/{name}/zonal-shift`: keeps traffic away from a zone for a while, or lets it back.
//!
//! It acts on live state, not on the configuration: it goes on over reloads, and ends by itself.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::snapshot::ShiftError;
use crate::target_group::ZonalShift;

use super::Context;
use super::answer::{Refusal, listed};

#[derive(Debug, Deserialize)]
pub(super) struct Order {
    away_from: Option<String>,
    expires_in: Option<String>,
    #[serde(default)]
    comment: String,
}

/// A shift that holds.
#[derive(Debug, Serialize)]
pub(super) struct ShiftDocument {
    away_from: String,
    expires_in_seconds: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    comment: String,
}

#[derive(Debug, Serialize)]
pub(super) struct Done {
    load_balancer: String,
    zonal_shift: Option<ShiftDocument>,
    description: String,
}

impl ShiftDocument {
    pub(super) fn new(shift: &ZonalShift, now: Instant) -> Self {
        let left = shift.until.saturating_duration_since(now);
        Self {
            away_from: shift.away_from.to_string(),
            expires_in_seconds: left.as_secs_f64().ceil() as u64,
            comment: shift.comment.clone(),
        }
    }
}

pub(super) async fn start(
    State(context): State<Context>,
    Path(name): Path<String>,
    Query(order): Query<Order>,
) -> Result<Json<Done>, Refusal> {
    let bad = |error: String| {
        let help = "POST .../zonal-shift?away_from=ZONE&expires_in=2h";
        Refusal::new(StatusCode::BAD_REQUEST, error, help)
    };
    let zone = order.away_from.as_deref();
    let zone = zone.ok_or_else(|| bad("away_from, a zone, is missing".to_owned()))?;
    let lasts = order.expires_in.as_deref();
    let lasts = lasts.ok_or_else(|| bad("expires_in, a duration, is missing".to_owned()))?;
    let lasts: Duration = humantime::parse_duration(lasts)
        .map_err(|error| bad(format!("expires_in {lasts:?} is no duration: {error}")))?;
    let comment: String = order.comment.chars().filter(|c| !c.is_control()).collect();
    let now = Instant::now();
    context
        .shared
        .start_zonal_shift(&name, zone, lasts, &comment, now)
        .map_err(|error| refusal(&context, &name, &error))?;
    tracing::warn!(
        load_balancer = name, away_from = zone, expires_in = %humantime::format_duration(lasts),
        comment, "zonal shift started"
    );
    let description = format!(
        "no new requests go to targets in zone {zone}, for {}",
        humantime::format_duration(lasts)
    );
    Ok(done(&context, name, description))
}

pub(super) async fn cancel(
    State(context): State<Context>,
    Path(name): Path<String>,
) -> Result<Json<Done>, Refusal> {
    let before = context
        .shared
        .cancel_zonal_shift(&name, Instant::now())
        .map_err(|error| refusal(&context, &name, &error))?;
    let description = match before {
        Some(shift) => {
            tracing::info!(load_balancer = name, away_from = %shift.away_from, "zonal shift ended");
            format!("zone {} takes requests again", shift.away_from)
        }
        None => "there was no zonal shift".to_owned(),
    };
    Ok(done(&context, name, description))
}

fn done(context: &Context, name: String, description: String) -> Json<Done> {
    let (snapshot, now) = (context.snapshot(), Instant::now());
    let shift = snapshot
        .load_balancer(&name)
        .and_then(|it| it.shift.active(now));
    Json(Done {
        zonal_shift: shift.map(|shift| ShiftDocument::new(&shift, now)),
        load_balancer: name,
        description,
    })
}

fn refusal(context: &Context, name: &str, error: &ShiftError) -> Refusal {
    let snapshot = context.snapshot();
    let (status, help) = match error {
        ShiftError::NoLoadBalancer(_) => {
            let names = snapshot.load_balancers.iter().map(|it| &it.name);
            let help = format!("load balancers: {}", listed(names));
            (StatusCode::NOT_FOUND, help)
        }
        ShiftError::NoZone { .. } => {
            let nodes = snapshot.load_balancer(name).map(|it| it.nodes.iter());
            let zones = nodes
                .into_iter()
                .flatten()
                .filter_map(|node| node.zone.as_ref());
            (
                StatusCode::NOT_FOUND,
                format!("its zones: {}", listed(zones)),
            )
        }
        ShiftError::NotEnabled(_) => (
            StatusCode::CONFLICT,
            "set `zonal_shift = true` for it in the configuration".to_owned(),
        ),
        ShiftError::OtherZone(_) => (
            StatusCode::CONFLICT,
            "one zone at a time: DELETE that shift first".to_owned(),
        ),
        ShiftError::Expiry => (
            StatusCode::BAD_REQUEST,
            "write expires_in=2h, say; it can be ended before, or started anew".to_owned(),
        ),
    };
    Refusal::new(status, error.to_string(), help)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::admin::sample::Sample;

    const PATH: &str = "/load-balancers/wp-elb/zonal-shift";

    #[tokio::test]
    async fn traffic_is_kept_away_from_a_zone_and_let_back() {
        let sample = Sample::start().await;
        sample.probe_all();
        let order = format!("{PATH}?away_from=c&expires_in=2h&comment=gray%20failure");
        let answer = sample.post(&order).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let shift = json!({
            "away_from": "c", "expires_in_seconds": 7200, "comment": "gray failure",
        });
        assert_eq!(answer.json()["zonal_shift"], shift);
        let answer = sample.get("/load-balancers").await.json();
        let load_balancer = &answer["load_balancers"][0];
        assert_eq!(load_balancer["zonal_shift"]["away_from"], "c");
        let health = sample.get("/target-groups/wordpress/health").await.json();
        let targets = &health["target_groups"][0]["targets"];
        let states = [0, 1].map(|n| targets[n]["administrative_override"]["state"].clone());
        assert_eq!(states, ["no_override", "zonal_shift_active"]);
        let metrics = sample.get("/metrics").await.body;
        let row = "elbow_zonal_shift_hosts{load_balancer=\"wp-elb\",\
             target_group=\"wordpress\",zone=\"c\"} 2";
        assert!(metrics.contains(row), "{metrics}");
        let answer = sample.ask("DELETE", PATH, "").await;
        assert_eq!(answer.json()["zonal_shift"], json!(null));
        assert_eq!(answer.json()["description"], "zone c takes requests again");
    }

    #[tokio::test]
    async fn an_order_that_makes_no_sense_is_answered_with_what_would() {
        let sample = Sample::start().await;
        for (query, status, help) in [
            ("", 400, "expires_in=2h"),
            ("?away_from=a", 400, "expires_in=2h"),
            ("?away_from=a&expires_in=soon", 400, "expires_in=2h"),
            ("?away_from=a&expires_in=5d", 400, "expires_in=2h"),
            ("?away_from=x&expires_in=1h", 404, "its zones: a, c"),
        ] {
            let answer = sample.post(&format!("{PATH}{query}")).await;
            assert_eq!(answer.status, status, "{query}");
            let said = answer.json()["help"].to_string();
            assert!(said.contains(help), "{query}: {said}");
        }
        let answer = sample
            .post("/load-balancers/web/zonal-shift?away_from=a&expires_in=1h")
            .await;
        assert_eq!(answer.json()["help"], "load balancers: wp-elb");
    }
}
