//! The page at `/`: one document without a reference to anything outside of it.

use axum::http::HeaderName;
use axum::http::header;
use axum::response::{Html, IntoResponse};

const PAGE: &str = include_str!("page.html");

/// The page may ask its own daemon and nobody else, and no other page may frame it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

pub(super) async fn show() -> impl IntoResponse {
    const FIELDS: [(HeaderName, &str); 3] = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (FIELDS, Html(PAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::sample::Sample;

    #[tokio::test]
    async fn the_page_refers_to_nothing_outside_and_may_not_be_framed() {
        let sample = Sample::start().await;
        let answer = sample.get("/").await;
        assert!(
            answer
                .head
                .contains("content-type: text/html; charset=utf-8")
        );
        assert!(answer.head.contains("frame-ancestors 'none'"));
        assert!(!answer.body.contains("http://") && !answer.body.contains("https://"));
        assert!(
            !answer.body.contains("innerHTML"),
            "text of targets must stay text"
        );
    }

    #[tokio::test]
    async fn every_document_that_the_page_asks_for_exists() {
        let sample = Sample::start().await;
        let mut asked = 0;
        for (at, _) in PAGE.match_indices("get(\"") {
            let path = PAGE[at + 5..].split('"').next().unwrap_or_default();
            assert_eq!(sample.get(path).await.status, 200, "{path}");
            asked += 1;
        }
        assert_eq!(asked, 5);
    }
}
