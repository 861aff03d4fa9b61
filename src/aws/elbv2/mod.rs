//! The API of Application Load Balancers: `elasticloadbalancing` of 2015-12-01.
//!
//! One file for each kind of thing. In each, a request and an answer are types with AWS's names, so that they read
//! like AWS's reference, and an operation is a function from one to the other.

mod actions;
mod attributes;
mod conditions;
mod limits;
mod listener_attributes;
mod listeners;
mod load_balancer_attributes;
pub(super) mod load_balancers;
pub(super) mod page;
mod rules;
pub(super) mod tags;
mod target_group_attributes;
pub(super) mod target_groups;
mod target_health;
pub(super) mod targets;
mod transforms;
mod trust_stores;

use serde::Serialize;
use serde_json::Value;

use super::query::Tree;
use super::{ApiError, Call, written};

/// What `Version` says.
pub(super) const VERSION: &str = "2015-12-01";

/// Of the answers.
pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Answers one request.
pub(super) async fn answer(call: &Call, action: &str, parameters: Tree) -> Result<Value, ApiError> {
    match action {
        "AddListenerCertificates" => written(listeners::add(call, parameters.take()?).await?),
        "AddTags" => written(tags::add(call, parameters.take()?).await?),
        "CreateListener" => written(listeners::create(call, parameters.take()?).await?),
        "CreateLoadBalancer" => written(load_balancers::create(call, parameters.take()?).await?),
        "CreateRule" => written(rules::create(call, parameters.take()?).await?),
        "CreateTargetGroup" => written(target_groups::create(call, parameters).await?),
        "DeleteListener" => written(listeners::delete(call, parameters.take()?).await?),
        "DeleteLoadBalancer" => written(load_balancers::delete(call, parameters.take()?).await?),
        "DeleteRule" => written(rules::delete(call, parameters.take()?).await?),
        "DeleteTargetGroup" => written(target_groups::delete(call, parameters.take()?).await?),
        "DeregisterTargets" => written(targets::deregister(call, parameters.take()?).await?),
        "DescribeAccountLimits" => written(limits::of_the_account(parameters.take()?)?),
        "DescribeCapacityReservation" => written(limits::reserved(call, &parameters.take()?)?),
        "DescribeListenerAttributes" => {
            written(listener_attributes::describe(call, &parameters.take()?)?)
        }
        "DescribeListenerCertificates" => {
            written(listeners::describe_certificates(call, parameters.take()?)?)
        }
        "DescribeListeners" => written(listeners::describe(call, parameters.take()?)?),
        "DescribeLoadBalancerAttributes" => written(load_balancer_attributes::describe(
            call,
            &parameters.take()?,
        )?),
        "DescribeLoadBalancers" => written(load_balancers::describe(call, parameters.take()?)?),
        "DescribeRules" => written(rules::describe(call, parameters.take()?)?),
        "DescribeSSLPolicies" => written(limits::ssl_policies(parameters.take()?)?),
        "DescribeTags" => written(tags::describe(call, parameters.take()?)?),
        "DescribeTargetGroupAttributes" => {
            written(target_group_attributes::describe(call, parameters.take()?)?)
        }
        "DescribeTargetGroups" => written(target_groups::describe(call, parameters.take()?)?),
        "DescribeTargetHealth" => written(target_health::describe(call, parameters.take()?)?),
        "DescribeTrustStoreAssociations" => {
            written(trust_stores::associations(call, parameters.take()?)?)
        }
        "DescribeTrustStores" => written(trust_stores::describe(call, parameters.take()?).await?),
        "ModifyCapacityReservation" => written(limits::reserve(call, &parameters.take()?)?),
        "ModifyListener" => written(listeners::modify(call, parameters.take()?).await?),
        "ModifyListenerAttributes" => {
            written(listener_attributes::modify(call, parameters.take()?).await?)
        }
        "ModifyLoadBalancerAttributes" => {
            written(load_balancer_attributes::modify(call, parameters.take()?).await?)
        }
        "ModifyRule" => written(rules::modify(call, parameters.take()?).await?),
        "ModifyTargetGroup" => written(target_groups::modify(call, parameters).await?),
        "ModifyTargetGroupAttributes" => {
            written(target_group_attributes::modify(call, parameters.take()?).await?)
        }
        "RegisterTargets" => written(targets::register(call, parameters.take()?).await?),
        "RemoveListenerCertificates" => written(listeners::remove(call, parameters.take()?).await?),
        "RemoveTags" => written(tags::remove(call, parameters.take()?).await?),
        "SetIpAddressType" => {
            written(load_balancers::set_ip_address_type(call, parameters.take()?).await?)
        }
        "SetRulePriorities" => written(rules::set_priorities(call, parameters.take()?).await?),
        "SetSecurityGroups" => {
            written(load_balancers::set_security_groups(call, parameters.take()?).await?)
        }
        "SetSubnets" => written(load_balancers::set_subnets(call, parameters.take()?).await?),
        _ => Err(ApiError::InvalidAction {
            action: action.to_owned(),
            version: VERSION.to_owned(),
        }),
    }
}

/// An operation's answer that says nothing.
#[derive(Debug, Serialize)]
struct Done {}
