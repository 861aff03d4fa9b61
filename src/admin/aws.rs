//! `POST /`: AWS's own API, where the AWS CLI looks for it with `--endpoint-url`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;

use super::Context;

pub(super) async fn answer(
    State(context): State<Context>,
    headers: HeaderMap,
    form: Bytes,
) -> Response {
    context.aws.answer(&headers, &form).await
}
