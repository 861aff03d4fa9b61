//! `/live` and `/ready`: is the process there, and does it want traffic.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;

use super::Context;

#[derive(Debug, Serialize)]
pub(super) struct Live {
    live: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct Ready {
    ready: bool,
}

/// 200 as long as the process can answer at all.
pub(super) async fn live() -> Json<Live> {
    Json(Live { live: true })
}

/// 200 when the daemon wants traffic, else 503.
pub(super) async fn ready(State(context): State<Context>) -> (StatusCode, Json<Ready>) {
    let ready = context.readiness.is_ready();
    let status = match ready {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    (status, Json(Ready { ready }))
}

#[cfg(test)]
mod tests {
    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn a_daemon_that_is_not_ready_is_alive_nonetheless() {
        let sample = Sample::start().await;
        assert_eq!(sample.get("/live").await.status, 200);
        assert_eq!(sample.get("/ready").await.status, 503);
        sample.context.readiness.set(true);
        assert_eq!(sample.get("/ready").await.status, 200);
        sample.context.readiness.set(false);
        let answer = sample.get("/ready").await;
        assert_eq!((answer.status, &*answer.body), (503, r#"{"ready":false}"#));
    }
}
