//! `/explain`: what would become of a request, by what is in force and the health of this moment.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use tokio::time::Instant;

use crate::explain::{Explanation, Question, explain};

use super::Context;
use super::answer::Refusal;

const HELP: &str = "GET /explain?method=GET&url=http://HOST:PORT/PATH, and if needed header=Name: value (any number), \
                    source=IP, node=IP, zone=NAME";

pub(super) async fn show(
    State(context): State<Context>,
    Query(parameters): Query<Vec<(String, String)>>,
) -> Result<Json<Explanation>, Refusal> {
    let refuse = |error: String| Refusal::new(StatusCode::BAD_REQUEST, error, HELP);
    let question = question(parameters).map_err(refuse)?;
    let explained = explain(&context.snapshot(), &question, Instant::now());
    explained
        .map(Json)
        .map_err(|error| refuse(error.to_string()))
}

fn question(parameters: Vec<(String, String)>) -> Result<Question, String> {
    let mut url = None;
    let mut question = Question::get(String::new());
    for (name, value) in parameters {
        let address = || {
            let address = value.parse();
            address.map_err(|_| format!("`{name}` is an IP address, not {value:?}"))
        };
        match &*name {
            "method" => question.method = value,
            "url" => url = Some(value),
            "header" => question.headers.push(value),
            "source" => question.source = address()?,
            "node" => question.node = Some(address()?),
            "zone" => question.zone = Some(value),
            _ => return Err(format!("there is no parameter `{name}`")),
        }
    }
    question.url = url.ok_or("the parameter `url` is missing")?;
    Ok(question)
}

#[cfg(test)]
mod tests {
    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn a_request_is_explained_with_the_health_of_this_moment() {
        let sample = Sample::start().await;
        sample.probe_all();
        let url = "/explain?url=http%3A%2F%2Fwww.test%3A8080%2Fa&header=X-A%3A+b&zone=c";
        let answer = sample.get(url).await.json();
        assert_eq!(answer["entrance"]["node"], "127.0.0.12");
        assert_eq!(answer["rules"][0]["priority"], 10);
        assert_eq!(answer["rules"][0]["conditions"][0]["saw"][0], "/a");
        assert_eq!(answer["matched_rule"], "default");
        let group = &answer["outcome"]["target_groups"][0];
        assert_eq!(group["targets"][0]["share"], 1.0);
        assert_eq!(group["targets"][1]["state"], "unhealthy");
        assert_eq!(group["targets"][1]["share"], 0.0);
    }

    #[tokio::test]
    async fn a_question_that_cannot_be_asked_is_refused_with_the_reason() {
        let sample = Sample::start().await;
        for (query, reason) in [
            ("", "`url` is missing"),
            (
                "?url=http%3A%2F%2Fa%3A81%2F",
                "no listener is HTTP:81: there are HTTP:8080",
            ),
            ("?url=http%3A%2F%2Fa%3A8080%2F&zone=b", "in zone b"),
            ("?url=a&source=b", "IP address"),
            ("?uri=a", "`uri`"),
        ] {
            let answer = sample.get(&format!("/explain{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            assert!(answer.body.contains(reason), "{}", answer.body);
        }
    }
}
