//! The network as EC2 describes it.

use crate::scene::Scene;
use crate::support::Target;

const VERSION: &str = "2016-11-15";
const NONE: &str = "[[load_balancer]]\nname = \"filed\"\n";

#[tokio::test]
async fn a_tool_finds_the_subnets_and_security_groups_of_the_file() {
    let target = Target::saying("site").await;
    let scene = Scene::before(&target, NONE).await;
    let ask = async |action: &str, parameters: &[(&str, &str)]| {
        scene.ask_version(VERSION, action, parameters).await
    };
    let subnets = ask("DescribeSubnets", &[]).await;
    assert_eq!(subnets.all("subnetId"), ["a", "b"], "{}", subnets.xml);
    assert_eq!(subnets.all("availabilityZone"), ["zone-a", "zone-b"]);
    let vpc = subnets.all("vpcId").remove(0);
    let filters = [
        ("Filter.1.Name", "vpc-id"),
        ("Filter.1.Value.1", vpc.as_str()),
        ("Filter.2.Name", "availability-zone"),
        ("Filter.2.Value.1", "zone-b"),
    ];
    assert_eq!(ask("DescribeSubnets", &filters).await.one("subnetId"), "b");
    let one = ask("DescribeSubnets", &[("SubnetId.1", "a")]).await;
    assert_eq!(one.one("cidrBlock"), "127.0.0.1/32");
    let groups = ask("DescribeSecurityGroups", &[("GroupId.1", "open")]).await;
    assert_eq!(groups.one("groupName"), "open");
    assert_eq!(
        groups.all("cidrIp"),
        ["0.0.0.0/0", "0.0.0.0/0"],
        "in and out"
    );
    let vpcs = ask("DescribeVpcs", &[("VpcId.1", vpc.as_str())]).await;
    assert_eq!(vpcs.one("isDefault"), "true");
    let zones = ask("DescribeAvailabilityZones", &[]).await;
    assert_eq!(zones.all("zoneName"), ["zone-a", "zone-b"]);

    let account = ask("DescribeAccountAttributes", &[]).await;
    assert_eq!(account.all("attributeValue"), ["VPC", vpc.as_str()]);

    for (action, parameters, code) in [
        (
            "DescribeSubnets",
            [("SubnetId.1", "c")],
            "InvalidSubnetID.NotFound",
        ),
        (
            "DescribeSecurityGroups",
            [("GroupId.1", "c")],
            "InvalidGroup.NotFound",
        ),
        ("RunInstances", [("MinCount", "1")], "InvalidAction"),
    ] {
        let answer = ask(action, &parameters).await;
        assert_eq!((answer.status, answer.one("Code")), (400, code.to_owned()));
    }
}
