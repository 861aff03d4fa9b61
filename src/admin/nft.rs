//! `/nft`: the rules of a packet filter that hold what the targets' security groups say.

use axum::extract::State;

use super::Context;
use crate::nft::ruleset;

pub(super) async fn show(State(context): State<Context>) -> String {
    ruleset(&context.snapshot())
}
