//! `redirect`. AWS says what a part stays as by a placeholder, the document by leaving it out.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::config::document::Redirect;

/// AWS: RedirectActionConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Config {
    protocol: Option<String>,
    port: Option<String>,
    host: Option<String>,
    path: Option<String>,
    query: Option<String>,
    status_code: String,
}

const SAME: [&str; 5] = ["#{protocol}", "#{port}", "#{host}", "/#{path}", "#{query}"];

pub(super) fn read(config: &Config) -> Result<Redirect, ApiError> {
    let [protocol, port, host, path, query] = SAME;
    let changed =
        |part: &Option<String>, same: &str| part.clone().filter(|text| text.as_str() != same);
    Ok(Redirect {
        protocol: changed(&config.protocol, protocol),
        host: changed(&config.host, host),
        port: changed(&config.port, port),
        path: changed(&config.path, path),
        query: changed(&config.query, query),
        status: match config.status_code.as_str() {
            "HTTP_301" => 301,
            "HTTP_302" => 302,
            other => {
                return Err(ApiError::Validation(format!(
                    "StatusCode '{other}' must be one of 'HTTP_301', 'HTTP_302'"
                )));
            }
        },
    })
}

pub(super) fn told(redirect: &Redirect) -> Config {
    let [protocol, port, host, path, query] = SAME;
    let or =
        |part: &Option<String>, same: &str| Some(part.clone().unwrap_or_else(|| same.to_owned()));
    Config {
        protocol: or(&redirect.protocol, protocol),
        port: or(&redirect.port, port),
        host: or(&redirect.host, host),
        path: or(&redirect.path, path),
        query: or(&redirect.query, query),
        status_code: format!("HTTP_{}", redirect.status),
    }
}
