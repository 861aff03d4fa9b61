//! The admin side: what runs, how it is, and the few things an operator may do to it.
//!
//! [`router`] makes the routes from a [`Context`]; [`Readiness`] is what `/ready` answers. Every
//! answer but the page and the metrics is a JSON document of its own types, made from the snapshot
//! at that moment and never from types that run. The routes are served by the control runtime: no
//! scrape and no reload costs a request its latency.
//!
//! There are no users and no passwords here: whoever reaches the address may do all this. It is
//! meant for loopback, or for a network of operators; against web pages that misuse an operator's
//! browser, state-changing requests are guarded (`guard`).

mod acme;
mod answer;
mod aws;
mod drain;
mod explain;
mod guard;
mod health;
mod load_balancers;
mod metrics;
mod nft;
mod nodes;
mod page;
mod providers;
mod public_keys;
mod readiness;
mod reload;
mod rules;
#[cfg(test)]
mod sample;
mod status;
mod switch;
mod target_groups;
mod target_health;
mod upgrade;
mod zonal_shift;

use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use crate::access_log::AccessLog;
use crate::acme::Statuses;
use crate::auth::Signer;
use crate::aws::Api;
use crate::discovery::Board;
use crate::metrics::Metrics;
use crate::reload::ReloadHandle;
use crate::server::Addresses;
use crate::snapshot::{Shared, Snapshot};
use crate::succession::{Lineage, UpgradeHandle};

pub use readiness::Readiness;

/// What the admin side shows and asks.
#[derive(Clone, Debug)]
pub struct Context {
    /// The configuration in force, with the state of all targets.
    pub shared: Arc<Shared>,
    /// Asks for a reload.
    pub reload: ReloadHandle,
    /// What is measured.
    pub metrics: Metrics,
    /// Asked for its counts of lines.
    pub access_log: AccessLog,
    /// How the certificates that are ordered are.
    pub certificates: Statuses,
    /// The connection log.
    pub connection_log: AccessLog,
    /// Where the load balancers listen.
    pub addresses: Addresses,
    /// What providers have found.
    pub discovery: Arc<Board>,
    /// What `/ready` answers.
    pub readiness: Readiness,
    /// Knows the public keys of what targets are told.
    pub signer: Signer,
    /// Answers in AWS's own words.
    pub aws: Api,
    /// Which process this is.
    pub lineage: Lineage,
    /// Asks for a new process.
    pub upgrade: UpgradeHandle,
    /// When the process started.
    pub started: SystemTime,
}

impl Context {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.load()
    }
}

/// All routes, and `more` beside them: pages of whoever starts the daemon. All are guarded alike.
pub fn router(context: Context, more: Router) -> Router {
    Router::new()
        .route("/", get(page::show).post(aws::answer))
        .route("/metrics", get(metrics::scrape))
        .route("/live", get(health::live))
        .route("/ready", get(health::ready))
        .route("/status", get(status::show))
        .route("/load-balancers", get(load_balancers::list))
        .route(
            "/load-balancers/{name}/zonal-shift",
            post(zonal_shift::start).delete(zonal_shift::cancel),
        )
        .route("/nodes/{zone}/health", get(nodes::health))
        .route("/nft", get(nft::show))
        .route("/rules", get(rules::list))
        .route("/explain", get(explain::show))
        .route("/public-keys/{id}", get(public_keys::show))
        .route("/target-groups", get(target_groups::list))
        .route("/target-health", get(target_health::list))
        .route(
            "/target-groups/{group}/health",
            get(target_health::of_group),
        )
        .route(
            "/target-groups/{group}/targets/{id}/drain",
            post(drain::drain),
        )
        .route(
            "/target-groups/{group}/targets/{id}/undrain",
            post(drain::undrain),
        )
        .route("/providers", get(providers::list))
        .route(
            "/target-groups/{group}/targets/{id}/activate",
            post(switch::activate),
        )
        .route("/target-groups/{group}/fail-back", post(switch::fail_back))
        .route("/acme", get(acme::list))
        .route("/acme/{certificate}/renew", post(acme::renew))
        .route("/reload", post(reload::reload))
        .route("/upgrade", post(upgrade::upgrade))
        .with_state(context)
        .merge(more)
        .fallback(answer::not_found)
        .method_not_allowed_fallback(answer::method_not_allowed)
        .layer(middleware::from_fn(guard::guard))
}

#[cfg(test)]
mod tests {
    use super::sample::Sample;

    #[tokio::test]
    async fn what_is_not_there_is_answered_with_what_is() {
        let sample = Sample::start().await;
        let answer = sample.get("/nothing").await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.json()["error"], "there is nothing at /nothing");
        let help = answer.json()["help"].to_string();
        for path in ["/nft", "/providers", "/acme", "/upgrade", "/reload"] {
            assert!(help.contains(path), "{path}: {help}");
        }
        let answer = sample.get("/reload").await;
        assert_eq!(answer.status, 405);
        assert_eq!(answer.json()["help"], "use POST");
    }

    #[tokio::test]
    async fn a_foreign_page_can_change_nothing_here_nor_in_the_routes_beside() {
        let sample = Sample::start().await;
        let foreign = "Origin: http://evil.example\r\n";
        let own = format!("Origin: http://{}\r\n", sample.address);
        for path in [
            "/reload",
            "/target-groups/wordpress/targets/wp-a/drain",
            "/more",
            "/",
        ] {
            let refused = sample.ask("POST", path, foreign).await;
            assert_eq!(refused.status, 403, "{path}");
            let taken = sample.ask("POST", path, &own).await;
            assert_ne!(taken.status, 403, "{path}");
        }
        assert_eq!(sample.ask("GET", "/status", foreign).await.status, 200);
    }
}
