//! What would become of a request, and why: which listener and rule it meets, why it does not meet the rules before, what is
//! rewritten, and which targets take it.
//!
//! [`explain`] asks a [`Snapshot`] a [`Question`]. It reads the head with the parser of the data path, lets the proxy
//! examine it, and tries the rules of the table that requests meet: what it says is what happens.

mod answer;
mod entrance;
mod question;

use std::net::SocketAddr;

use thiserror::Error;
use tokio::time::Instant;

use crate::http1::{HeadError, HeadLimits, HeadScanner, RequestHead};
use crate::inbound::{Refused, Transport};
use crate::proxy::{Examined, ProxyError, examine};
use crate::routing::{Check, Condition, Redirect, RequestView, Transformed, Transforms, Trial};
use crate::snapshot::{Action, Authenticator, Entrance, Forward, Group, Snapshot};
use crate::target::{HealthReason, Zone};

pub use answer::{
    CheckedCondition, Entered, Explanation, GroupShare, LeadsTo, Outcome, Rewritten, Seen,
    TargetShare, TriedRule,
};
pub use entrance::NoEntrance;
pub use question::{Question, QuestionError};

use question::Url;

/// Why there is no explanation.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ExplainError {
    /// The question cannot be asked.
    #[error(transparent)]
    Question(#[from] QuestionError),
    /// No listener is asked.
    #[error(transparent)]
    Entrance(#[from] NoEntrance),
}

/// Says what would become of a request at `now`.
pub fn explain(
    snapshot: &Snapshot,
    question: &Question,
    now: Instant,
) -> Result<Explanation, ExplainError> {
    let url = Url::parse(&question.url)?;
    let head = question.head(&url)?;
    let (entrance, entered) = entrance::find(snapshot, question, &url)?;
    let ended = |outcome: Outcome| Explanation {
        request: Seen {
            method: question.method.clone(),
            url: question.url.clone(),
            host: url.host.to_owned(),
            path: String::new(),
            path_was_normalized: false,
            query: None,
            source: question.source.to_string(),
        },
        entrance: entered.clone(),
        rules: Vec::new(),
        matched_rule: None,
        authentication: None,
        transforms: None,
        outcome,
    };
    let refused = |error: &ProxyError| ended(refusal(error));
    if let Err(by) = entrance.would_admit(question.source, Transport::Tcp) {
        return Ok(ended(not_let_in(by, question, &entered)));
    }
    let head = match parse(head, entrance) {
        Ok(head) => head,
        Err(error) => return Ok(refused(&ProxyError::RequestHead(error))),
    };
    let client = SocketAddr::new(question.source, 0);
    let node = SocketAddr::new(entrance.key.address.ip(), entered.port);
    let examined = examine(entrance, &head, client, node, |examined| {
        answer(question, entrance, &entered, &examined, now)
    });
    Ok(examined.unwrap_or_else(|error| refused(&error)))
}

fn parse(head: Vec<u8>, entrance: &Entrance) -> Result<RequestHead, HeadError> {
    let limits = &entrance.load_balancer.attributes.limits;
    let mut scanner = HeadScanner::request(HeadLimits {
        start_line: limits.request_line,
        field: limits.header,
        fields: limits.headers,
    });
    let end = scanner.scan(&head)?.ok_or(HeadError::Malformed)?;
    RequestHead::parse(head, end).map_err(|(error, _)| error)
}

/// What a client sees that may not connect.
fn not_let_in(by: Refused, question: &Question, entered: &Entered) -> Outcome {
    let (source, port) = (question.source, entered.port);
    let description = match by {
        Refused::SecurityGroup => {
            let groups = entered.security_groups.join(", ");
            format!("no inbound rule of {groups} lets {source} in on port {port}")
        }
        Refused::NetworkAcl(Some(number)) => {
            format!("rule {number} of the network ACL of the node's subnet denies {source}")
        }
        Refused::NetworkAcl(None) => {
            format!(
                "no rule of the network ACL of the node's subnet allows {source} on port {port}"
            )
        }
    };
    Outcome::NotLetIn {
        by: by.as_str().to_owned(),
        description,
    }
}

fn refusal(error: &ProxyError) -> Outcome {
    Outcome::Refused {
        status: error.status(),
        reason: error.reason().to_owned(),
        description: error.to_string(),
    }
}

fn answer(
    question: &Question,
    entrance: &Entrance,
    entered: &Entered,
    examined: &Examined<'_>,
    now: Instant,
) -> Explanation {
    let rules = &entrance.listener.rules;
    examined.look(|view| {
        let trials = rules.trials(view);
        let matched = rules.find(view);
        let (authentication, action) = before(matched.action);
        let (transforms, outcome) = match action {
            // Only the last action is asked for.
            Action::Authenticate(_) => (None, refusal(&ProxyError::NoListener)),
            Action::Forward(forward) => {
                let transformed = examined.transformed(matched.transforms);
                let rewritten = rewritten(&transformed, matched.transforms);
                let outcome = match transformed {
                    Ok(_) => forwarded(forward, entrance.zone.as_ref(), now),
                    Err(error) => refusal(&ProxyError::Transform(error)),
                };
                (rewritten, outcome)
            }
            Action::Redirect(redirect) => {
                (None, redirected(redirect, view, entrance, matched.priority))
            }
            Action::FixedResponse(response) => {
                let outcome = Outcome::FixedResponse {
                    status: response.status(),
                    content_type: response.content_type().field_value().to_owned(),
                    body: response.body().to_owned(),
                };
                (None, outcome)
            }
        };
        Explanation {
            request: rules.read(view, |read| Seen {
                method: read.method.to_owned(),
                url: question.url.clone(),
                host: read.host.to_owned(),
                path: read.path.to_owned(),
                path_was_normalized: read.path != view.path,
                query: read.query.map(str::to_owned),
                source: read.source.to_string(),
            }),
            entrance: entered.clone(),
            rules: trials.iter().map(tried).collect(),
            matched_rule: Some(rule_name(matched.priority)),
            authentication: authentication.map(str::to_owned),
            transforms,
            outcome,
        }
    })
}

/// What stands before an action, and the action.
fn before(action: &Action) -> (Option<&'static str>, &Action) {
    match action {
        Action::Authenticate(authenticated) => {
            let by = match authenticated.by {
                Authenticator::Oidc(_) => "authenticate-oidc",
                Authenticator::Jwt(_) => "jwt-validation",
            };
            (Some(by), &authenticated.then)
        }
        action => (None, action),
    }
}

/// As ALB's API has it.
fn rule_name(priority: u32) -> String {
    match priority {
        0 => "default".to_owned(),
        priority => priority.to_string(),
    }
}

fn tried<A>(trial: &Trial<'_, A>) -> TriedRule {
    TriedRule {
        priority: trial.rule.priority(),
        is_met: trial.is_met(),
        conditions: trial.checks.iter().map(checked).collect(),
    }
}

fn checked(check: &Check<'_>) -> CheckedCondition {
    let condition = check.condition;
    let values = condition.texts();
    CheckedCondition {
        field: condition.kind().to_string(),
        http_header_name: match condition {
            Condition::HttpHeader(header) => Some(header.name().to_owned()),
            _ => None,
        },
        is_regex: condition.is_regex(),
        saw: check.seen.clone(),
        holds: check.fit.is_some(),
        fits: check.fit.and_then(|place| values.get(place).cloned()),
        values,
    }
}

fn rewritten(
    transformed: &Result<Transformed, crate::routing::TransformError>,
    transforms: Option<&Transforms>,
) -> Option<Rewritten> {
    let rewritten = match transformed {
        Ok(transformed) => {
            let changed = transforms.is_some() && *transformed != Transformed::default();
            Rewritten {
                host: transformed.host.clone(),
                uri: transformed.uri.clone(),
                status: changed.then(|| Transforms::SUCCESS.to_owned()),
            }
        }
        Err(error) => Rewritten {
            host: None,
            uri: None,
            status: Some(error.as_str().to_owned()),
        },
    };
    let says_something = transforms.is_some() || rewritten.uri.is_some();
    says_something.then_some(rewritten)
}

fn redirected(
    redirect: &Redirect,
    view: &RequestView<'_>,
    entrance: &Entrance,
    priority: u32,
) -> Outcome {
    let location = redirect.location(view).ok();
    let there = location.as_deref().and_then(|url| Url::parse(url).ok());
    let there = there.filter(|url| url.scheme == view.scheme && url.port() == view.port);
    let leads_to = there.map(|url| {
        let (path, query) = match url.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (url.target, None),
        };
        let rules = &entrance.listener.rules;
        let matched = rules.find(&RequestView {
            host: url.host,
            path,
            query,
            ..*view
        });
        LeadsTo {
            matched_rule: rule_name(matched.priority),
            is_loop: matched.priority == priority,
        }
    });
    Outcome::Redirect {
        status: redirect.status().code(),
        location,
        leads_to,
    }
}

fn forwarded(forward: &Forward, entry: Option<&Zone>, now: Instant) -> Outcome {
    let choices = forward.choices();
    let total: f64 = choices.iter().map(|choice| f64::from(choice.weight)).sum();
    let groups = choices.iter().map(|choice| {
        let share = match choices {
            [_] => 1.0,
            _ => f64::from(choice.weight) / total.max(1.0),
        };
        group_share(&choice.group, choice.weight, share, entry, now)
    });
    let span = |time| humantime::format_duration(time);
    let stays = forward.stickiness();
    Outcome::Forward {
        target_groups: groups.collect(),
        stickiness: stays.map(|time| format!("AWSALBTG for {}", span(time))),
    }
}

fn group_share(
    group: &Group,
    weight: u32,
    share: f64,
    entry: Option<&Zone>,
    now: Instant,
) -> GroupShare {
    let shares = group.long_run_shares(entry, now);
    let targets = group.targets().iter().map(|target| {
        let health = target.state.describe(now);
        let taken = shares.as_ref().ok().and_then(|shares| {
            let mut taking = shares.targets.iter();
            taking.find(|(taking, _)| taking.key == target.key)
        });
        TargetShare {
            id: target.key.id.to_string(),
            address: target.address.to_string(),
            zone: target.zone.as_ref().map(ToString::to_string),
            state: health.state.as_str().to_owned(),
            reason: health.reason.as_ref().map(HealthReason::to_string),
            share: taken.map_or(0.0, |(_, of_group)| share * of_group),
        }
    });
    GroupShare {
        target_group: group.settings().name.to_string(),
        weight,
        share,
        algorithm: group.settings().algorithm.as_str().to_owned(),
        stickiness: group
            .settings()
            .stickiness
            .as_ref()
            .map(ToString::to_string),
        fail_open: shares.as_ref().is_ok_and(|shares| shares.fail_open),
        targets: targets.collect(),
        refused: shares.err().map(|error| error.to_string()),
    }
}
