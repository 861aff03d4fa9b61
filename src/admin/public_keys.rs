//! `/public-keys/{id}`: what a target verifies `x-amzn-oidc-data` with, in PEM.

use std::time::SystemTime;

use axum::extract::{Path, State};

use super::Context;
use super::answer::Refusal;

pub(super) async fn show(
    State(context): State<Context>,
    Path(id): Path<String>,
) -> Result<String, Refusal> {
    let key = context.signer.public_key(&id, SystemTime::now());
    key.ok_or_else(|| {
        Refusal::not_found(
            format!("there is no key {id:?}"),
            "the id is `kid` in the header of an x-amzn-oidc-data field",
        )
    })
}
