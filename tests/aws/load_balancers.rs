//! Load balancers that are made, described, changed and deleted.

use crate::scene::Scene;
use crate::support::Target;

const FILE: &str = "[[load_balancer]]\nname = \"filed\"\n";

#[tokio::test]
async fn a_load_balancer_stands_in_the_subnets_that_it_is_made_in() {
    let target = Target::saying("hello").await;
    let scene = Scene::before(&target, FILE).await;
    let wanted = [
        ("Name", "web"),
        ("SubnetMappings.member.1.SubnetId", "a"),
        ("SubnetMappings.member.2.SubnetId", "b"),
        ("SubnetMappings.member.2.PrivateIPv4Address", "127.0.0.2"),
        ("SecurityGroups.member.1", "open"),
        ("Scheme", "internal"),
    ];
    let made = scene.done("CreateLoadBalancer", &wanted).await;
    assert_eq!(made.one("LoadBalancerName"), "web");
    assert_eq!(made.all("SubnetId"), ["a", "b"]);
    assert_eq!(made.all("ZoneName"), ["zone-a", "zone-b"]);
    assert_eq!(made.all("IpAddress"), ["127.0.0.1", "127.0.0.2"]);
    assert_eq!(made.all("PrivateIPv4Address"), ["127.0.0.2"]);
    assert_eq!(made.one("DNSName"), "127.0.0.1");
    assert_eq!(made.one("Scheme"), "internal");
    assert_eq!(made.one("Code"), "active");
    let arn = made.one("LoadBalancerArn");
    assert!(
        arn.starts_with(
            "arn:aws:elasticloadbalancing:eu-central-1:000000000000:loadbalancer/app/web/"
        ),
        "{arn}"
    );

    let again = scene.done("CreateLoadBalancer", &wanted).await;
    assert_eq!(again.one("LoadBalancerArn"), arn);
    let other = [("Name", "web"), ("Subnets.member.1", "a")];
    let (code, _) = scene.refused("CreateLoadBalancer", &other).await;
    assert_eq!(code, "DuplicateLoadBalancerName");
    let filed = [("Name", "filed")];
    let (code, _) = scene.refused("CreateLoadBalancer", &filed).await;
    assert_eq!(code, "DuplicateLoadBalancerName");

    let all = scene.done("DescribeLoadBalancers", &[]).await;
    assert_eq!(all.all("LoadBalancerName"), ["filed", "web"]);
    let by_arn = [("LoadBalancerArns.member.1", arn.as_str())];
    let one = scene.done("DescribeLoadBalancers", &by_arn).await;
    assert_eq!(one.one("LoadBalancerName"), "web");
    let first = scene
        .done("DescribeLoadBalancers", &[("PageSize", "1")])
        .await;
    assert_eq!(first.one("LoadBalancerName"), "filed");
    assert_eq!(first.one("NextMarker"), "1");
    let missing = [("Names.member.1", "gone")];
    let (code, _) = scene.refused("DescribeLoadBalancers", &missing).await;
    assert_eq!(code, "LoadBalancerNotFound");

    let scene = scene.restart().await;
    let one = scene.done("DescribeLoadBalancers", &by_arn).await;
    assert_eq!(one.one("CreatedTime"), made.one("CreatedTime"));
    let by_arn = [("LoadBalancerArn", arn.as_str())];
    scene.done("DeleteLoadBalancer", &by_arn).await;
    scene.done("DeleteLoadBalancer", &by_arn).await;
    let all = scene.done("DescribeLoadBalancers", &[]).await;
    assert_eq!(all.all("LoadBalancerName"), ["filed"]);
}

#[tokio::test]
async fn subnets_and_security_groups_can_be_changed() {
    let target = Target::saying("hello").await;
    let scene = Scene::before(&target, FILE).await;
    let arn = scene.load_balancer("web").await;
    let whose = ("LoadBalancerArn", arn.as_str());

    let both = [whose, ("Subnets.member.1", "a"), ("Subnets.member.2", "b")];
    let answer = scene.done("SetSubnets", &both).await;
    assert_eq!(answer.all("ZoneName"), ["zone-a", "zone-b"]);
    let group = [whose, ("SecurityGroups.member.1", "open")];
    let answer = scene.done("SetSecurityGroups", &group).await;
    assert!(answer.xml.contains("<member>open</member>"), "{answer:?}");
    let kind = [whose, ("IpAddressType", "dualstack")];
    let answer = scene.done("SetIpAddressType", &kind).await;
    assert_eq!(answer.one("IpAddressType"), "dualstack");
    let one = scene
        .done("DescribeLoadBalancers", &[("Names.member.1", "web")])
        .await;
    assert_eq!(one.one("IpAddressType"), "dualstack");
    assert!(one.xml.contains("<SecurityGroups><member>open</member>"));
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_nothing_is_kept() {
    let target = Target::saying("hello").await;
    let scene = Scene::before(&target, FILE).await;
    for (more, code, says) in [
        (("Subnets.member.1", "x"), "SubnetNotFound", "has a, b"),
        (
            ("SecurityGroups.member.1", "x"),
            "InvalidSecurityGroup",
            "has open",
        ),
        (("Type", "network"), "InvalidConfigurationRequest", "TCP"),
        (("Type", "odd"), "ValidationError", "application"),
        (("Scheme", "odd"), "ValidationError", "internet-facing"),
        (("IpAddressType", "ipv5"), "ValidationError", "dualstack"),
        (("Tags.member.1.Key", "aws:x"), "ValidationError", "aws:"),
        (
            ("Scheme", "internal"),
            "InvalidConfigurationRequest",
            "all addresses",
        ),
    ] {
        let wanted = [("Name", "web"), more];
        let (told, message) = scene.refused("CreateLoadBalancer", &wanted).await;
        assert_eq!(told, code, "{more:?}: {message}");
        assert!(message.contains(says), "{more:?}: {message}");
    }
    assert_eq!(scene.kept(), None);
    let all = scene.done("DescribeLoadBalancers", &[]).await;
    let arn = all.one("LoadBalancerArn");
    for action in ["DeleteLoadBalancer", "SetSubnets"] {
        let wanted = [("LoadBalancerArn", arn.as_str()), ("Subnets.member.1", "a")];
        let (code, message) = scene.refused(action, &wanted).await;
        assert_eq!(code, "OperationNotPermitted");
        assert!(message.contains("configuration file"), "{message}");
    }
    assert_eq!(scene.kept(), None);
}
