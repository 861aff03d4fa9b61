//! What a demo target answers: a page that says who answered.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Html;
use axum::routing::get;

/// Filled in for each answer.
const PAGE: &str = include_str!("page.html");

/// A target, as its page shows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    pub(super) id: &'static str,
    pub(super) zone: &'static str,
}

/// The whole site of one target.
pub(super) fn site(site: Site) -> Router {
    Router::new()
        .route("/health", get(|| async { "healthy\n" }))
        .fallback(page)
        .with_state(site)
}

async fn page(State(site): State<Site>, uri: Uri, headers: HeaderMap) -> Html<String> {
    let field = |name: &str| {
        let value = headers.get(name).and_then(|value| value.to_str().ok());
        escape(value.unwrap_or("not sent"))
    };
    let (name, hue) = match site.id.split_once('-') {
        Some(("blog", "a")) => ("The blog", 265),
        Some(("blog", _)) => ("The blog", 325),
        Some((_, "a")) => ("The shop", 205),
        _ => ("The shop", 150),
    };
    Html(
        PAGE.replace("{name}", name)
            .replace("{id}", site.id)
            .replace("{zone}", site.zone)
            .replace("{hue}", &hue.to_string())
            .replace("{path}", &escape(&uri.to_string()))
            .replace("{forwarded_for}", &field("x-forwarded-for"))
            .replace("{trace_id}", &field("x-amzn-trace-id")),
    )
}

/// Text that a browser shows and does not obey.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('{', "&#123;")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_page_says_which_target_and_zone_answered() {
        let site = Site {
            id: "shop-a",
            zone: "zone-a",
        };
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "<b>{id}".parse().unwrap());
        let Html(shown) = page(State(site), Uri::from_static("/cart"), headers).await;
        for part in ["shop-a", "zone-a", "/cart", "&lt;b&gt;&#123;id}"] {
            assert!(shown.contains(part), "{part}");
        }
    }
}
