//! `elbow explain`: what would become of a request, of a file or of a running daemon, as a page of text or as JSON.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::Method;
use serde::Deserialize;
use tokio::time::Instant;

use super::Failure;
use super::offline::compiled;
use super::remote;
use super::say::say;
use crate::explain::{
    CheckedCondition, Entered, Explanation, GroupShare, Outcome, Question, Seen, TriedRule, explain,
};
use crate::target::{self, ProbeRecord, Thresholds};

/// Explains by a file, as if all its targets were healthy.
pub(super) fn by_file(file: &Path, question: &Question, json: bool) -> Result<(), Failure> {
    let now = Instant::now();
    let snapshot = compiled(file, now)?;
    snapshot.take_over(now);
    for target in snapshot.groups.values().flat_map(|group| group.targets()) {
        let thresholds = Thresholds {
            healthy: 1,
            unhealthy: 1,
        };
        target.state.observe(passed(), &thresholds, None);
    }
    let explanation =
        explain(&snapshot, question, now).map_err(|error| Failure::Other(error.to_string()))?;
    print(&explanation, json)
}

/// A probe that nobody sent.
fn passed() -> ProbeRecord {
    ProbeRecord {
        at: SystemTime::UNIX_EPOCH,
        address: None,
        outcome: target::Outcome::Pass,
        status: None,
        latency: Duration::ZERO,
        detail: String::new(),
    }
}

/// What the admin API answers when it cannot explain.
#[derive(Debug, Deserialize)]
struct Refused {
    error: String,
}

/// Explains by what a daemon has in force, with the health of its targets at this moment.
pub(super) fn by_daemon(admin: SocketAddr, question: &Question, json: bool) -> Result<(), Failure> {
    let mut query = form_urlencoded::Serializer::new("/explain?".to_owned());
    query.append_pair("method", &question.method);
    query.append_pair("url", &question.url);
    for header in &question.headers {
        query.append_pair("header", header);
    }
    query.append_pair("source", &question.source.to_string());
    if let Some(node) = question.node {
        query.append_pair("node", &node.to_string());
    }
    if let Some(zone) = &question.zone {
        query.append_pair("zone", zone);
    }
    let answer = remote::ask(admin, Method::GET, &query.finish())?;
    if !answer.status.is_success() {
        let refused: Refused = remote::parse(admin, &answer)?;
        return Err(Failure::Other(refused.error));
    }
    print(&remote::parse(admin, &answer)?, json)
}

fn print(explanation: &Explanation, json: bool) -> Result<(), Failure> {
    if !json {
        return Ok(say(page(explanation))?);
    }
    let text = serde_json::to_string_pretty(explanation).map_err(std::io::Error::from)?;
    Ok(say(format_args!("{text}\n"))?)
}

// Writing to a string cannot fail, here and below.
fn page(explanation: &Explanation) -> String {
    let mut page = heading(&explanation.request, &explanation.entrance);
    if !explanation.rules.is_empty() {
        page.push('\n');
    }
    for rule in &explanation.rules {
        page += &rule_section(rule);
    }
    match explanation.matched_rule.as_deref() {
        Some("default") if explanation.rules.is_empty() => {
            page += "\nThere is only the default rule.\n"
        }
        Some("default") => page += "the default rule is met\n",
        _ => {}
    }
    page.push('\n');
    match explanation.authentication.as_deref() {
        Some("authenticate-oidc") => {
            page += "The user must have logged in (authenticate-oidc); then:\n"
        }
        Some(_) => page += "The request must bring a token (jwt-validation); then:\n",
        None => {}
    }
    if let Some(rewritten) = &explanation.transforms {
        let request = &explanation.request;
        let uri = match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        };
        let mut rows = Vec::new();
        if let Some(host) = &rewritten.host {
            rows.push([
                format!("The target's host is {host}"),
                format!("instead of {}", request.host),
            ]);
        }
        if let Some(new) = &rewritten.uri {
            rows.push([
                format!("The target is asked for {new}"),
                format!("instead of {uri}"),
            ]);
        }
        if rows.is_empty() && rewritten.status.is_none() {
            page += "The rule's transforms find nothing to rewrite.\n";
        }
        page += &columns("", &rows);
    }
    page += &outcome(&explanation.outcome);
    page
}

fn heading(request: &Seen, entrance: &Entered) -> String {
    let mut text = format!(
        "{} {} from {}\n",
        request.method, request.url, request.source
    );
    let _ = write!(
        text,
        "enters load balancer {} by listener {}:{}, node {}",
        entrance.load_balancer, entrance.protocol, entrance.port, entrance.node
    );
    if let Some(zone) = &entrance.zone {
        let _ = write!(text, " in {zone}");
    }
    if !entrance.other_nodes.is_empty() {
        let _ = write!(
            text,
            " (--node or --zone: {})",
            entrance.other_nodes.join(", ")
        );
    }
    text.push('\n');
    if request.path_was_normalized {
        let _ = writeln!(text, "rules see its path as {}", request.path);
    }
    text
}

fn rule_section(rule: &TriedRule) -> String {
    let verdict = if rule.is_met { "is met" } else { "is not met" };
    let rows: Vec<_> = rule.conditions.iter().map(condition_row).collect();
    format!("rule {} {verdict}\n{}", rule.priority, columns("  ", &rows))
}

fn condition_row(condition: &CheckedCondition) -> [String; 4] {
    let name = match &condition.http_header_name {
        Some(name) => format!("{} {name}", condition.field),
        None => condition.field.clone(),
    };
    let values = condition.values.join(" or ");
    let saw = match &condition.saw[..] {
        [] if condition.field == "query-string" => "there is no query".to_owned(),
        [] => "not sent".to_owned(),
        saw => format!("saw {}", saw.join(", ")),
    };
    [
        if condition.holds { "yes" } else { "no" }.to_owned(),
        name,
        match condition.is_regex {
            true => format!("matching {values}"),
            false => values,
        },
        saw,
    ]
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::NotLetIn { by, description } => format!(
            "The connection is reset: {description} ({by}; --source asks for another client).\n"
        ),
        Outcome::Refused {
            status,
            reason,
            description,
        } => {
            format!("Refused with {status}: {description} ({reason}).\n")
        }
        Outcome::Redirect { location: None, .. } => {
            "Refused with 507: the URL of the redirect would be too long.\n".to_owned()
        }
        Outcome::Redirect {
            status,
            location: Some(location),
            leads_to,
        } => {
            let mut text = format!("Redirected with {status} to {location}\n");
            match leads_to {
                Some(leads_to) if leads_to.is_loop => {
                    text += "There it meets the same rule: the client would go round in circles.\n";
                }
                Some(leads_to) if leads_to.matched_rule == "default" => {
                    text += "There it meets the default rule.\n";
                }
                Some(leads_to) => {
                    let _ = writeln!(text, "There it meets rule {}.", leads_to.matched_rule);
                }
                None => {}
            }
            text
        }
        Outcome::FixedResponse { status, body, .. } if body.is_empty() => {
            format!("Answered with {status}, without a body.\n")
        }
        Outcome::FixedResponse {
            status,
            content_type,
            body,
        } => {
            format!(
                "Answered with {status}, {content_type}:\n{}\n",
                body.trim_end()
            )
        }
        Outcome::Forward {
            target_groups,
            stickiness,
        } => {
            let stays = stickiness.as_ref().map(|cookie| {
                format!("Clients stay with their target group by {cookie}; of new ones:\n")
            });
            let sections = target_groups.iter().map(group_section);
            stays.into_iter().chain(sections).collect()
        }
    }
}

fn group_section(group: &GroupShare) -> String {
    let part = match group.share {
        1.0 => "Forwarded".to_owned(),
        share => format!("{} forwarded", percent(share)),
    };
    let name = &group.target_group;
    if let Some(refused) = &group.refused {
        return format!("{part} to target group {name}, which answers 503: {refused}.\n");
    }
    let open = match group.fail_open {
        true => "; no target is healthy, so all take requests",
        false => "",
    };
    let rows: Vec<_> = group
        .targets
        .iter()
        .map(|target| {
            [
                percent(target.share),
                target.id.clone(),
                target.address.clone(),
                target.zone.clone().unwrap_or_else(|| "-".to_owned()),
                target.state.clone(),
                target.reason.clone().unwrap_or_default(),
            ]
        })
        .collect();
    let algorithm = &group.algorithm;
    let stays = match &group.stickiness {
        Some(cookie) => format!(", where clients stay by {cookie}"),
        None => String::new(),
    };
    format!(
        "{part} to target group {name} by {algorithm}{stays}{open}:\n{}",
        columns("  ", &rows)
    )
}

/// `50 %`, `33.3 %`, `0 %`
fn percent(share: f64) -> String {
    let tenths = (share * 1000.0).round() / 10.0;
    format!("{tenths} %")
}

/// Rows with each column as wide as its widest cell.
fn columns<const N: usize>(indent: &str, rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        format!("{indent}{}\n", line.trim_end())
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    const SHOP: &str = r#"
        [[load_balancer]]
        name = "shop"
        nodes = [{ zone = "zone-a", address = "127.0.0.11" }, { zone = "zone-b", address = "127.0.0.12" }]
        [[load_balancer.listener]]
        port = 8080
        default = { redirect = { path = "/api/#{path}", status = 302 } }
        [[load_balancer.listener.rule]]
        priority = 10
        host = ["shop.example.com", "*.shop.example.com"]
        header = [{ name = "User-Agent", regex = ["^curl/"] }]
        fixed_response = { status = 403, body = "no" }
        [[load_balancer.listener.rule]]
        priority = 20
        path = ["/api/*"]
        url_rewrite = { regex = "^/api/", replace = "/" }
        host_header_rewrite = { regex = "^www[.]", replace = "internal." }
        forward = [{ group = "blue", weight = 9 }, { group = "green" }]
        [[target_group]]
        name = "blue"
        targets = [
          { id = "a", address = "10.0.0.6:80", zone = "zone-a" },
          { id = "b", address = "10.0.2.9:80", zone = "zone-b", weight = 2 },
        ]
        [[target_group]]
        name = "green"
    "#;

    fn page_of(method: &str, url: &str, headers: &[&str]) -> String {
        page_of_shop(SHOP, method, url, headers)
    }

    fn page_of_shop(shop: &str, method: &str, url: &str, headers: &[&str]) -> String {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), shop).unwrap();
        let now = Instant::now();
        let snapshot = compiled(file.path(), now).unwrap();
        snapshot.take_over(now);
        for target in snapshot.groups["blue"].targets() {
            let thresholds = Thresholds {
                healthy: 1,
                unhealthy: 1,
            };
            target.state.observe(passed(), &thresholds, None);
        }
        let question = Question {
            method: method.to_owned(),
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            ..Question::get(url.to_owned())
        };
        page(&explain(&snapshot, &question, now).unwrap())
    }

    #[test]
    fn an_operator_sees_which_rule_a_request_meets_and_why_not_the_others() {
        let shown = page_of("GET", "http://www.example.com:8080//%61pi/users?all", &[]);
        let expected = "\
GET http://www.example.com:8080//%61pi/users?all from 192.0.2.1
enters load balancer shop by listener HTTP:8080, node 127.0.0.11 in zone-a (--node or --zone: 127.0.0.12 in zone-b)
rules see its path as /api/users

rule 10 is not met
  no  host-header             shop.example.com or *.shop.example.com  saw www.example.com
  no  http-header User-Agent  matching ^curl/                         not sent
rule 20 is met
  yes  path-pattern  /api/*  saw /api/users

The target's host is internal.example.com  instead of www.example.com
The target is asked for /users?all         instead of /api/users?all
90 % forwarded to target group blue by round_robin:
  30 %  a  10.0.0.6:80  zone-a  healthy
  60 %  b  10.0.2.9:80  zone-b  healthy
10 % forwarded to target group green, which answers 503: no target is registered.
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_operator_sees_how_clients_stay() {
        let sticky = SHOP
            .replace(
                "forward = [{ group = \"blue\", weight = 9 }, { group = \"green\" }]",
                "forward = { groups = [{ group = \"blue\", weight = 9 }, { group = \"green\" }], \
                 stickiness = { enabled = true } }",
            )
            .replace(
                "name = \"blue\"",
                "name = \"blue\"\nstickiness = { enabled = true }",
            );
        let shown = page_of_shop(&sticky, "GET", "http://127.0.0.11:8080/api/", &[]);
        let lines: Vec<&str> = shown.lines().rev().take(5).collect();
        assert_eq!(
            lines[4],
            "Clients stay with their target group by AWSALBTG for 1h; of new ones:"
        );
        let blue = "90 % forwarded to target group blue by round_robin, \
                    where clients stay by AWSALB for 1day:";
        assert_eq!(lines[3], blue);
    }

    #[test]
    fn a_redirect_is_followed_as_far_as_the_listener_goes() {
        let shown = page_of(
            "GET",
            "http://127.0.0.12:8080/users",
            &["Host: www.example.com"],
        );
        let expected = "\
GET http://127.0.0.12:8080/users from 192.0.2.1
enters load balancer shop by listener HTTP:8080, node 127.0.0.12 in zone-b (--node or --zone: 127.0.0.11 in zone-a)

rule 10 is not met
  no  host-header             shop.example.com or *.shop.example.com  saw www.example.com
  no  http-header User-Agent  matching ^curl/                         not sent
rule 20 is not met
  no  path-pattern  /api/*  saw /users
the default rule is met

Redirected with 302 to http://www.example.com:8080/api/users
There it meets rule 20.
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_client_that_is_not_let_in_is_told_who_keeps_it_out() {
        let listener = "[[load_balancer.listener]]";
        let group = format!("security_groups = [\"web\"]\n{listener}");
        let web = "[[security_group]]\nname = \"web\"\ninbound = [{ source = \"10.0.0.0/8\" }]";
        let shop = format!("{}\n{web}", SHOP.replacen(listener, &group, 1));
        let shown = page_of_shop(&shop, "GET", "http://a.example.com:8080/", &[]);
        let told = "The connection is reset: no inbound rule of web lets 192.0.2.1 in on port 8080 \
                    (security_group; --source asks for another client).\n";
        assert!(shown.ends_with(told), "{shown}");
    }

    #[test]
    fn answers_and_refusals_are_told_in_a_line() {
        let answered = page_of(
            "GET",
            "http://shop.example.com:8080/",
            &["User-Agent: curl/8"],
        );
        assert!(
            answered.ends_with("Answered with 403, text/plain; charset=utf-8:\nno\n"),
            "{answered}"
        );
        let traced = page_of("TRACE", "http://shop.example.com:8080/", &[]);
        assert!(
            traced.ends_with("\n\nRefused with 405: method not allowed (MethodNotAllowed).\n"),
            "{traced}"
        );
        let malformed = page_of("GET", "http://shop.example.com:8080/a b", &[]);
        assert!(malformed.contains("Refused with 400: "), "{malformed}");
    }
}
