//! Target groups that are made, described, changed and deleted, and what they do for requests.

use crate::scene::Scene;
use crate::support::{Client, Target};

/// A load balancer `lb` that forwards to `group`, and a group `site` of the file.
fn file(site: &Target, group: &str) -> String {
    format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"{group}\" }} }}]\n\
         [[target_group]]\nname = \"site\"\nhealth_check = {{ enabled = false }}\n{}\n",
        site.line()
    )
}

/// Makes a group `made` of addresses that is probed at once, and returns its ARN.
async fn made(scene: &Scene) -> String {
    let answer = scene
        .done(
            "CreateTargetGroup",
            &[
                ("Name", "made"),
                ("Protocol", "HTTP"),
                ("Port", "8080"),
                ("VpcId", "vpc-1"),
                ("TargetType", "ip"),
                ("HealthCheckIntervalSeconds", "2"),
                ("HealthCheckTimeoutSeconds", "1"),
            ],
        )
        .await;
    answer.one("TargetGroupArn")
}

#[tokio::test]
async fn a_group_serves_from_its_making_to_its_deletion() {
    let (site, target) = (Target::saying("site").await, Target::saying("made").await);
    let mut scene = Scene::start(&file(&site, "site")).await;
    let arn = made(&scene).await;
    let port = target.address.port().to_string();
    let of = ("TargetGroupArn", arn.as_str());
    let registered = [
        of,
        ("Targets.member.1.Id", "127.0.0.1"),
        ("Targets.member.1.Port", &port),
    ];
    scene.done("RegisterTargets", &registered).await;
    let health = scene.done("DescribeTargetHealth", &[of]).await;
    assert_eq!(health.health().one("State"), "unused");
    assert_eq!(health.health().one("Reason"), "Target.NotInUse");

    scene.rewrite(&file(&site, "made")).await;
    scene.expect_state(&arn, "healthy").await;
    let mut client = Client::connect(scene.elbow.address()).await;
    assert_eq!(client.get("/").await.text(), "made");
    let described = scene
        .done("DescribeTargetGroups", &[("Names.member.1", "made")])
        .await;
    let user = "<LoadBalancerArns><member>arn:aws:elasticloadbalancing:eu-central-1:";
    assert!(described.xml.contains(user), "{}", described.xml);
    let (code, message) = scene.refused("DeleteTargetGroup", &[of]).await;
    assert_eq!(code, "ResourceInUse");
    assert!(
        message.contains("the listener on port 0 of load balancer lb"),
        "{message}"
    );

    let mut scene = scene.restart().await;
    scene.expect_state(&arn, "healthy").await;
    let mut client = Client::connect(scene.elbow.address()).await;
    assert_eq!(client.get("/").await.text(), "made");
    scene.done("DeregisterTargets", &registered).await;
    let health = scene.done("DescribeTargetHealth", &[of]).await;
    assert_eq!(health.health().one("State"), "draining");
    assert_eq!(
        health.health().one("Reason"),
        "Target.DeregistrationInProgress"
    );
    assert_eq!(client.get("/").await.status(), 503);

    scene.rewrite(&file(&site, "site")).await;
    scene.done("DeleteTargetGroup", &[of]).await;
    let (code, _) = scene.refused("DescribeTargetHealth", &[of]).await;
    assert_eq!(code, "TargetGroupNotFound");
    scene.done("DeleteTargetGroup", &[of]).await;
}

#[tokio::test]
async fn making_a_group_again_is_no_mistake_unless_it_would_be_another() {
    let site = Target::saying("site").await;
    let scene = Scene::start(&file(&site, "site")).await;
    let arn = made(&scene).await;
    assert_eq!(made(&scene).await, arn);
    for (name, port) in [("made", "81"), ("site", "80")] {
        let wanted = [("Name", name), ("Protocol", "HTTP"), ("Port", port)];
        let (code, message) = scene.refused("CreateTargetGroup", &wanted).await;
        assert_eq!(code, "DuplicateTargetGroupName", "{message}");
    }
    let wanted = [
        ("Name", "other"),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("Tags.member.1.Key", "aws:x"),
    ];
    let (code, _) = scene.refused("CreateTargetGroup", &wanted).await;
    assert_eq!(code, "ValidationError");
    let all = scene.done("DescribeTargetGroups", &[]).await;
    assert_eq!(all.all("TargetGroupName"), ["site", "made"]);
}

#[tokio::test]
async fn a_change_that_is_refused_leaves_everything_as_it_was() {
    let site = Target::saying("site").await;
    let scene = Scene::start(&file(&site, "site")).await;
    let arn = made(&scene).await;
    let of = ("TargetGroupArn", arn.as_str());
    let before = (
        scene.kept(),
        scene.done("DescribeTargetGroups", &[]).await.xml.len(),
    );
    let (code, message) = scene
        .refused(
            "ModifyTargetGroup",
            &[of, ("HealthCheckTimeoutSeconds", "100")],
        )
        .await;
    assert_eq!(code, "InvalidConfigurationRequest");
    assert!(
        message.contains("must be shorter than the interval"),
        "{message}"
    );
    let (code, _) = scene
        .refused(
            "ModifyTargetGroupAttributes",
            &[
                of,
                ("Attributes.member.1.Key", "slow_start.duration_seconds"),
                ("Attributes.member.1.Value", "60"),
                ("Attributes.member.2.Key", "load_balancing.algorithm.type"),
                ("Attributes.member.2.Value", "least_outstanding_requests"),
            ],
        )
        .await;
    assert_eq!(code, "InvalidConfigurationRequest");
    let after = (
        scene.kept(),
        scene.done("DescribeTargetGroups", &[]).await.xml.len(),
    );
    assert_eq!(before, after);

    let site = scene.site().await;
    for (action, more) in [
        ("ModifyTargetGroup", ("HealthCheckPath", "/")),
        ("DeleteTargetGroup", ("Unused", "1")),
    ] {
        // A listener forwards to it, which is said first.
        let (code, message) = scene
            .refused(action, &[("TargetGroupArn", &site), more])
            .await;
        assert!(
            ["OperationNotPermitted", "ResourceInUse"].contains(&code.as_str()),
            "{message}"
        );
    }
}

#[tokio::test]
async fn what_is_changed_is_described_and_outlives_the_process() {
    let site = Target::saying("site").await;
    let scene = Scene::start(&file(&site, "site")).await;
    let arn = made(&scene).await;
    let of = ("TargetGroupArn", arn.as_str());
    let changed = scene
        .done(
            "ModifyTargetGroup",
            &[
                of,
                ("HealthCheckPath", "/ping"),
                ("Matcher.HttpCode", "200-299"),
                ("HealthyThresholdCount", "3"),
            ],
        )
        .await;
    assert_eq!(changed.one("HealthCheckPath"), "/ping");
    assert_eq!(
        changed.one("HealthCheckIntervalSeconds"),
        "2",
        "as it was made"
    );
    let attributes = scene
        .done(
            "ModifyTargetGroupAttributes",
            &[
                of,
                ("Attributes.member.1.Key", "stickiness.enabled"),
                ("Attributes.member.1.Value", "true"),
                (
                    "Attributes.member.2.Key",
                    "stickiness.app_cookie.duration_seconds",
                ),
                ("Attributes.member.2.Value", "77"),
                (
                    "Attributes.member.3.Key",
                    "deregistration_delay.timeout_seconds",
                ),
                ("Attributes.member.3.Value", "0"),
            ],
        )
        .await;
    assert_eq!(
        attributes.attribute("stickiness.enabled").as_deref(),
        Some("true")
    );
    let scene = scene.restart().await;
    let group = scene
        .done(
            "DescribeTargetGroups",
            &[("TargetGroupArns.member.1", &arn)],
        )
        .await;
    for (element, value) in [
        ("HealthCheckPath", "/ping"),
        ("HttpCode", "200-299"),
        ("HealthyThresholdCount", "3"),
        ("VpcId", "vpc-1"),
        ("TargetType", "ip"),
        ("IpAddressType", "ipv4"),
        ("Port", "8080"),
    ] {
        assert_eq!(group.one(element), value, "{element}");
    }
    let after = scene.done("DescribeTargetGroupAttributes", &[of]).await;
    for (key, value) in [
        ("stickiness.enabled", "true"),
        ("stickiness.app_cookie.duration_seconds", "77"),
        ("stickiness.lb_cookie.duration_seconds", "86400"),
        ("deregistration_delay.timeout_seconds", "0"),
    ] {
        assert_eq!(after.attribute(key).as_deref(), Some(value), "{key}");
    }
    let unknown = [
        of,
        ("Attributes.member.1.Key", "colour"),
        ("Attributes.member.1.Value", "red"),
    ];
    let (code, _) = scene.refused("ModifyTargetGroupAttributes", &unknown).await;
    assert_eq!(code, "InvalidConfigurationRequest");
}
