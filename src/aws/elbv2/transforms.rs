//! Transforms of rules, as AWS writes them and as the document does.

use serde::{Deserialize, Serialize};

use crate::aws::ApiError;
use crate::config::document::{Rewrite, Rule};

/// AWS: RuleTransform.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Transform {
    #[serde(rename = "Type")]
    kind: String,
    host_header_rewrite_config: Option<Config>,
    url_rewrite_config: Option<Config>,
}

/// AWS: HostHeaderRewriteConfig, UrlRewriteConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    rewrites: Vec<RewriteConfig>,
}

/// AWS: RewriteConfig.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RewriteConfig {
    regex: String,
    replace: String,
}

/// Puts transforms into a rule in the place of those that it has.
pub(super) fn read(transforms: &[Transform], rule: &mut Rule) -> Result<(), ApiError> {
    rule.host_header_rewrite = None;
    rule.url_rewrite = None;
    for transform in transforms {
        let (place, config) = match transform.kind.as_str() {
            "host-header-rewrite" => (
                &mut rule.host_header_rewrite,
                &transform.host_header_rewrite_config,
            ),
            "url-rewrite" => (&mut rule.url_rewrite, &transform.url_rewrite_config),
            other => {
                return Err(ApiError::Validation(format!(
                    "Type '{other}' must be one of 'host-header-rewrite', 'url-rewrite'"
                )));
            }
        };
        let rewrites = config.as_ref().map(|config| &config.rewrites[..]);
        let (Some([rewrite]), None) = (rewrites, &place) else {
            let kind = &transform.kind;
            return Err(ApiError::Validation(format!(
                "a rule has at most one transform of type '{kind}', with one rewrite"
            )));
        };
        *place = Some(Rewrite {
            regex: rewrite.regex.clone(),
            replace: rewrite.replace.clone(),
        });
    }
    Ok(())
}

/// The transforms of a rule.
pub(super) fn told(rule: &Rule) -> Vec<Transform> {
    let config = |rewrite: &Rewrite| Config {
        rewrites: vec![RewriteConfig {
            regex: rewrite.regex.clone(),
            replace: rewrite.replace.clone(),
        }],
    };
    let host = rule.host_header_rewrite.iter().map(|rewrite| Transform {
        kind: "host-header-rewrite".to_owned(),
        host_header_rewrite_config: Some(config(rewrite)),
        url_rewrite_config: None,
    });
    let url = rule.url_rewrite.iter().map(|rewrite| Transform {
        kind: "url-rewrite".to_owned(),
        host_header_rewrite_config: None,
        url_rewrite_config: Some(config(rewrite)),
    });
    host.chain(url).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    fn config() -> Option<Config> {
        Some(Config {
            rewrites: vec![RewriteConfig {
                regex: "^/a".to_owned(),
                replace: "/b".to_owned(),
            }],
        })
    }

    #[test]
    fn transforms_are_told_as_they_were_made() {
        let both = [
            Transform {
                kind: "host-header-rewrite".to_owned(),
                host_header_rewrite_config: config(),
                url_rewrite_config: None,
            },
            Transform {
                kind: "url-rewrite".to_owned(),
                host_header_rewrite_config: None,
                url_rewrite_config: config(),
            },
        ];
        let mut rule = Rule::of_priority(1);
        read(&both, &mut rule).unwrap();
        assert_eq!(told(&rule), both);
        let [host, url] = both;
        let twice = read(&[url.clone(), url], &mut rule).unwrap_err();
        assert!(twice.to_string().contains("at most one"), "{twice}");
        let odd = Transform {
            kind: "odd".to_owned(),
            ..host
        };
        assert!(read(&[odd], &mut rule).is_err());
        read(&[], &mut rule).unwrap();
        assert_eq!(told(&rule), []);
    }
}
