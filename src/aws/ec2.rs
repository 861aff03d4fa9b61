//! What tools of load balancers ask EC2: which subnets and security groups there are, and whether a load balancer that was
//! deleted has left network interfaces. EC2 of 2016-11-15; nothing is made or changed here.
//!
//! The file's subnets and security groups have their names for ids, and all of them lie in one VPC. There are no network
//! interfaces, so none that anybody would have to wait for. EC2 has a dialect of its own: `Filter.1.Value.2` in a request,
//! `<item>` in an answer.

use ipnet::IpNet;
use serde_json::{Value, json};

use super::place::VPC;
use super::query::Tree;
use super::{ApiError, Call};
use crate::config::document::{InboundRule, RuleProtocol, SecurityGroup, Subnet};

/// What `Version` says.
pub(super) const VERSION: &str = "2016-11-15";

/// Of the answers.
pub(super) const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";

/// Answers one request.
pub(super) fn answer(call: &Call, action: &str, parameters: &Tree) -> Result<Value, ApiError> {
    let standing = call.standing();
    let config = &standing.config;
    let wanted = |ids: &'static str, code, kind| Wanted::of(parameters, ids, code, kind);
    match action {
        "DescribeAccountAttributes" => {
            let attribute = |name, value| json!({ "attributeName": name, "attributeValueSet": [{ "attributeValue": value }] });
            let all = [
                attribute("supported-platforms", "VPC"),
                attribute("default-vpc", VPC),
            ];
            Ok(json!({ "accountAttributeSet": all }))
        }
        "DescribeSecurityGroups" => {
            let wanted = wanted("GroupId", "InvalidGroup.NotFound", "security group");
            let all = config.security_group.iter();
            let all = all.map(|it| (it.name.as_str(), security_group(call, it)));
            Ok(json!({ "securityGroupInfo": wanted.among(all.collect())? }))
        }
        "DescribeSubnets" => {
            let wanted = wanted("SubnetId", "InvalidSubnetID.NotFound", "subnet ID");
            let all = config.subnet.iter();
            let all = all.map(|it| (it.name.as_str(), subnet(call, it)));
            Ok(json!({ "subnetSet": wanted.among(all.collect())? }))
        }
        "DescribeVpcs" => {
            let wanted = wanted("VpcId", "InvalidVpcID.NotFound", "vpc ID");
            let vpc = json!({
                "vpcId": VPC, "state": "available", "ownerId": call.place.account, "isDefault": true,
            });
            Ok(json!({ "vpcSet": wanted.among(vec![(VPC, vpc)])? }))
        }
        "DescribeAvailabilityZones" => {
            let mut zones: Vec<_> = config.subnet.iter().map(|it| it.zone.as_str()).collect();
            zones.sort_unstable();
            zones.dedup();
            let region = &call.place.region;
            let zone =
                |name| json!({ "zoneName": name, "zoneState": "available", "regionName": region });
            Ok(json!({ "availabilityZoneInfo": zones.into_iter().map(zone).collect::<Vec<_>>() }))
        }
        "DescribeNetworkInterfaces" => Ok(json!({ "networkInterfaceSet": [] })),
        _ => Err(ApiError::InvalidAction {
            action: action.to_owned(),
            version: VERSION.to_owned(),
        }),
    }
}

/// Which of the things of a kind a request is about.
struct Wanted {
    ids: Vec<String>,
    filters: Vec<Filter>,
    /// AWS's code for an id that is not there, and what its message calls such things.
    missing: (&'static str, &'static str),
}

/// AWS: Filter. What is described must have one of the values.
struct Filter {
    name: String,
    values: Vec<String>,
}

impl Wanted {
    fn of(parameters: &Tree, ids: &str, code: &'static str, kind: &'static str) -> Self {
        let filters = parameters.numbered("Filter").into_iter();
        let filters = filters.map(|filter| Filter {
            name: filter.text("Name").unwrap_or_default().to_owned(),
            values: texts(filter, "Value"),
        });
        Self {
            ids: texts(parameters, ids),
            filters: filters.collect(),
            missing: (code, kind),
        }
    }

    /// Those that are wanted, all of which must be there.
    fn among(&self, all: Vec<(&str, Value)>) -> Result<Vec<Value>, ApiError> {
        let (code, kind) = self.missing;
        for wanted in &self.ids {
            if all.iter().all(|(name, _)| name != wanted) {
                return Err(ApiError::Other {
                    code,
                    message: format!("The {kind} '{wanted}' does not exist"),
                });
            }
        }
        let met = |name: &str, it: &Value| {
            (self.ids.is_empty() || self.ids.iter().any(|wanted| wanted == name))
                && self.filters.iter().all(|filter| filter.is_met_by(it))
        };
        let wanted = all.into_iter().filter(|(name, it)| met(name, it));
        Ok(wanted.map(|(_, it)| it).collect())
    }
}

impl Filter {
    /// A filter is called like a field of the answer, with hyphens (`vpc-id`); what a description does not have, as
    /// tags, meets none.
    fn is_met_by(&self, description: &Value) -> bool {
        let mut words = self.name.split('-');
        let first = words.next().unwrap_or_default().to_owned();
        let field = words.fold(first, |name, word| {
            let (initial, rest) = word.split_at_checked(1).unwrap_or((word, ""));
            name + &initial.to_ascii_uppercase() + rest
        });
        let found = description.get(&field).and_then(|it| match it {
            Value::String(text) => Some(text.clone()),
            Value::Bool(flag) => Some(flag.to_string()),
            _ => None,
        });
        found.is_some_and(|found| self.values.contains(&found))
    }
}

/// `Name.1`, `Name.2`, ...
fn texts(parameters: &Tree, name: &str) -> Vec<String> {
    let all = parameters.numbered(name).into_iter();
    all.filter_map(|it| match it {
        Tree::Leaf(text) => Some(text.clone()),
        Tree::Node(_) => None,
    })
    .collect()
}

fn security_group(call: &Call, group: &SecurityGroup) -> Value {
    let account = call.place.account;
    let rules: Vec<_> = group
        .inbound
        .iter()
        .map(|it| permission(call, it))
        .collect();
    json!({
        "ownerId": account,
        "groupId": group.name,
        "groupName": group.name,
        "groupDescription": group.description.clone().unwrap_or_default(),
        "vpcId": VPC,
        "ipPermissions": rules,
        "ipPermissionsEgress": [{ "ipProtocol": "-1", "ipRanges": [{ "cidrIp": "0.0.0.0/0" }] }],
    })
}

/// AWS: IpPermission.
fn permission(call: &Call, rule: &InboundRule) -> Value {
    let (mut four, mut six, mut groups) = (Vec::new(), Vec::new(), Vec::new());
    for source in rule.source.all() {
        match source.parse::<IpNet>() {
            Ok(IpNet::V4(block)) => four.push(json!({ "cidrIp": block.to_string() })),
            Ok(IpNet::V6(block)) => six.push(json!({ "cidrIpv6": block.to_string() })),
            Err(_) => groups.push(json!({ "groupId": source, "userId": call.place.account })),
        }
    }
    let (protocol, has_ports) = match rule.protocol {
        RuleProtocol::Tcp => ("tcp", true),
        RuleProtocol::Udp => ("udp", true),
        RuleProtocol::All => ("-1", false),
    };
    let from = rule.port.or(rule.from_port).unwrap_or(0);
    let to = rule.port.or(rule.to_port).unwrap_or(u16::MAX);
    json!({
        "ipProtocol": protocol,
        "fromPort": has_ports.then_some(from),
        "toPort": has_ports.then_some(to),
        "groups": groups,
        "ipRanges": four,
        "ipv6Ranges": six,
    })
}

fn subnet(call: &Call, subnet: &Subnet) -> Value {
    let blocks = || {
        subnet
            .cidr_blocks
            .iter()
            .filter_map(|it| it.parse::<IpNet>().ok())
    };
    let four = blocks().find(|it| matches!(it, IpNet::V4(_)));
    let six = blocks().filter(|it| matches!(it, IpNet::V6(_)));
    let six = six.map(|it| json!({ "ipv6CidrBlock": it.to_string() }));
    json!({
        "subnetId": subnet.name,
        "state": "available",
        "ownerId": call.place.account,
        "vpcId": VPC,
        "availabilityZone": subnet.zone,
        "cidrBlock": four.map(|it| it.to_string()),
        "ipv6CidrBlockAssociationSet": six.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(form: &str) -> Result<Vec<Value>, ApiError> {
        let parameters = Tree::read(form.as_bytes())?;
        let wanted = Wanted::of(
            &parameters,
            "SubnetId",
            "InvalidSubnetID.NotFound",
            "subnet ID",
        );
        let all = ["a", "b", "c"].map(|name| {
            let zone = if name == "c" { "zone-2" } else { "zone-1" };
            (
                name,
                json!({ "subnetId": name, "availabilityZone": zone, "defaultForAz": name == "a" }),
            )
        });
        let all = wanted.among(all.to_vec())?;
        Ok(all.into_iter().map(|it| it["subnetId"].clone()).collect())
    }

    #[test]
    fn a_request_names_what_it_is_about_by_id_or_by_what_it_has() {
        assert_eq!(
            found("Action=X"),
            Ok(vec!["a".into(), "b".into(), "c".into()])
        );
        assert_eq!(
            found("SubnetId.1=c&SubnetId.2=a"),
            Ok(vec!["a".into(), "c".into()])
        );
        let zone =
            "Filter.1.Name=availability-zone&Filter.1.Value.1=zone-2&Filter.1.Value.2=zone-3";
        assert_eq!(found(zone), Ok(vec!["c".into()]));
        let both = "Filter.1.Name=availability-zone&Filter.1.Value.1=zone-1&Filter.2.Name=default-for-az&Filter.2.Value.1=true";
        assert_eq!(found(both), Ok(vec!["a".into()]));
        assert_eq!(
            found("Filter.1.Name=tag:Team&Filter.1.Value.1=web"),
            Ok(vec![])
        );
    }

    #[test]
    fn an_id_that_is_not_there_is_refused_with_ec2s_code() {
        let refused = found("SubnetId.1=d").map_err(|error| error.code());
        assert_eq!(refused, Err("InvalidSubnetID.NotFound"));
    }
}
