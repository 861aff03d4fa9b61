//! ARNs: what AWS's API calls a thing by.

use std::str::FromStr;

use super::error::ApiError;
use super::place::Place;
use crate::config::inventory::Id;

/// What an ARN names. Region and account are not looked at: there is one of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Arn {
    /// `loadbalancer/app/NAME/ID`
    LoadBalancer { name: String, id: Id },
    /// `listener/app/NAME/LOAD-BALANCER/ID`
    Listener {
        name: String,
        load_balancer: Id,
        id: Id,
    },
    /// `listener-rule/app/NAME/LOAD-BALANCER/LISTENER/ID`
    Rule {
        name: String,
        load_balancer: Id,
        listener: Id,
        id: Id,
    },
    /// `targetgroup/NAME/ID`
    TargetGroup { name: String, id: Id },
    /// `truststore/NAME/ID`
    TrustStore { name: String, id: Id },
    /// `arn:aws:acm:...:certificate/NAME`, and IAM's `server-certificate/NAME`
    Certificate { name: String },
}

impl Arn {
    /// As text.
    pub(super) fn at(&self, place: &Place) -> String {
        let Place { region, account } = place;
        let elb = |rest: String| format!("arn:aws:elasticloadbalancing:{region}:{account}:{rest}");
        match self {
            Self::LoadBalancer { name, id } => elb(format!("loadbalancer/app/{name}/{id}")),
            Self::Listener {
                name,
                load_balancer,
                id,
            } => elb(format!("listener/app/{name}/{load_balancer}/{id}")),
            Self::Rule {
                name,
                load_balancer,
                listener,
                id,
            } => elb(format!(
                "listener-rule/app/{name}/{load_balancer}/{listener}/{id}"
            )),
            Self::TargetGroup { name, id } => elb(format!("targetgroup/{name}/{id}")),
            Self::TrustStore { name, id } => elb(format!("truststore/{name}/{id}")),
            Self::Certificate { name } => {
                format!("arn:aws:acm:{region}:{account}:certificate/{name}")
            }
        }
    }

    /// What its last part says: the id of what it names; of a certificate its name.
    pub(super) fn id(&self) -> Id {
        match self {
            Self::LoadBalancer { id, .. }
            | Self::Listener { id, .. }
            | Self::Rule { id, .. }
            | Self::TargetGroup { id, .. }
            | Self::TrustStore { id, .. } => id.clone(),
            Self::Certificate { name } => Id::given(name),
        }
    }
}

impl FromStr for Arn {
    type Err = ApiError;

    fn from_str(text: &str) -> Result<Self, ApiError> {
        let refused = || ApiError::Validation(format!("'{text}' is not a valid ARN"));
        let parts: Vec<_> = text.splitn(6, ':').collect();
        let ["arn", _, service, _, _, resource] = parts[..] else {
            return Err(refused());
        };
        let parts: Vec<_> = resource.split('/').collect();
        let name = |name: &str| name.to_owned();
        let id = Id::given;
        match (service, &parts[..]) {
            ("elasticloadbalancing", &["loadbalancer", "app", load_balancer, last]) => {
                Ok(Self::LoadBalancer {
                    name: name(load_balancer),
                    id: id(last),
                })
            }
            ("elasticloadbalancing", &["listener", "app", load_balancer, parent, last]) => {
                Ok(Self::Listener {
                    name: name(load_balancer),
                    load_balancer: id(parent),
                    id: id(last),
                })
            }
            (
                "elasticloadbalancing",
                &[
                    "listener-rule",
                    "app",
                    load_balancer,
                    parent,
                    listener,
                    last,
                ],
            ) => Ok(Self::Rule {
                name: name(load_balancer),
                load_balancer: id(parent),
                listener: id(listener),
                id: id(last),
            }),
            ("elasticloadbalancing", &["targetgroup", group, last]) => Ok(Self::TargetGroup {
                name: name(group),
                id: id(last),
            }),
            ("elasticloadbalancing", &["truststore", store, last]) => Ok(Self::TrustStore {
                name: name(store),
                id: id(last),
            }),
            ("acm", &["certificate", certificate])
            | ("iam", &["server-certificate", certificate]) => Ok(Self::Certificate {
                name: name(certificate),
            }),
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn an_arn_is_read_as_it_is_written() {
        let place = Place {
            region: "eu-central-1".to_owned(),
            account: "000000000000",
        };
        let name = "web".to_owned();
        let id = |last: &str| Id::given(last);
        let arns = [
            Arn::LoadBalancer {
                name: name.clone(),
                id: id("1"),
            },
            Arn::Listener {
                name: name.clone(),
                load_balancer: id("1"),
                id: id("2"),
            },
            Arn::Rule {
                name: name.clone(),
                load_balancer: id("1"),
                listener: id("2"),
                id: id("3"),
            },
            Arn::TargetGroup {
                name: name.clone(),
                id: id("4"),
            },
            Arn::TrustStore {
                name: name.clone(),
                id: id("5"),
            },
            Arn::Certificate { name },
        ];
        for arn in arns {
            let text = arn.at(&place);
            assert!(text.contains(":eu-central-1:000000000000:"), "{text}");
            assert_eq!(text.parse::<Arn>().unwrap(), arn, "{text}");
        }
        for odd in [
            "web",
            "arn:aws:elasticloadbalancing:r:a:targetgroup/web",
            "arn:aws:s3:::x",
        ] {
            assert!(odd.parse::<Arn>().is_err(), "{odd}");
        }
    }
}
