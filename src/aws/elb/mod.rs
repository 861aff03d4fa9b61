//! The API of 2012, of Classic Load Balancers: `elasticloadbalancing` of 2012-06-01.
//!
//! It describes load balancers of type "classic", registers instances with them, and says how these do. Making
//! and configuring them is the file's: those operations are not there.
//!
//! An instance is called by the id of its target: a host name or an address. It is registered with every target group
//! behind the listeners of its load balancer, on the port that the group has.

mod attributes;
mod instance_health;
mod instances;
mod load_balancers;
mod tags;

use serde_json::Value;

use super::catalogue::{Catalogue, Entry};
use super::query::Tree;
use super::{ApiError, Call, written};
use crate::config::document::{LoadBalancer, LoadBalancerType, TargetGroup};

/// What `Version` says.
pub(super) const VERSION: &str = "2012-06-01";

/// Of the answers.
pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/";

/// Answers one request.
pub(super) async fn answer(call: &Call, action: &str, parameters: Tree) -> Result<Value, ApiError> {
    match action {
        "DeregisterInstancesFromLoadBalancer" => {
            written(instances::deregister(call, parameters.take()?).await?)
        }
        "DescribeInstanceHealth" => written(instance_health::describe(call, parameters.take()?)?),
        "DescribeLoadBalancerAttributes" => {
            written(attributes::describe(call, &parameters.take()?)?)
        }
        "DescribeLoadBalancers" => written(load_balancers::describe(call, parameters.take()?)?),
        "DescribeTags" => written(tags::describe(call, parameters.take()?)?),
        "RegisterInstancesWithLoadBalancer" => {
            written(instances::register(call, parameters.take()?).await?)
        }
        _ => Err(ApiError::InvalidAction {
            action: action.to_owned(),
            version: VERSION.to_owned(),
        }),
    }
}

/// The load balancers of type "classic", in the order of the document.
fn load_balancers<'a>(catalogue: &Catalogue<'a>) -> impl Iterator<Item = &'a LoadBalancer> {
    let all = catalogue.standing.config.load_balancer.iter();
    all.filter(|it| it.kind == LoadBalancerType::Classic)
}

/// The one of that name.
fn load_balancer<'a>(catalogue: &Catalogue<'a>, name: &str) -> Result<&'a LoadBalancer, ApiError> {
    let found = load_balancers(catalogue).find(|it| it.name == name);
    found.ok_or_else(|| ApiError::Other {
        code: "LoadBalancerNotFound",
        message: format!("There is no ACTIVE Load Balancer named '{name}'"),
    })
}

/// The target groups behind its listeners, each once.
fn groups<'a>(
    catalogue: &Catalogue<'a>,
    load_balancer: &LoadBalancer,
) -> Vec<Entry<'a, TargetGroup>> {
    let mut groups: Vec<Entry<'a, TargetGroup>> = Vec::new();
    for name in load_balancer
        .listener
        .iter()
        .flat_map(|it| it.default.forward.iter())
        .flat_map(|forward| forward.names())
    {
        if groups.iter().all(|group| group.document.name != *name) {
            groups.extend(catalogue.target_group_named(name));
        }
    }
    groups
}
