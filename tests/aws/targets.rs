//! Targets that are registered and deregistered, in groups of the file and in groups that were made.

use tokio::time::Instant;

use crate::scene::Scene;
use crate::support::{Client, SOON, Target};

/// A load balancer `lb` in front of the group `site`, which the file says with the target.
async fn scene(site: &Target) -> Scene {
    Scene::start(&format!(
        "[[load_balancer]]\nname = \"lb\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"site\" }} }}]\n\
         [[target_group]]\nname = \"site\"\nhealth_check = {{ enabled = false }}\n{}\n",
        site.line()
    ))
    .await
}

#[tokio::test]
async fn a_target_joins_those_that_the_file_registers_and_leaves_them() {
    let (site, joining) = (
        Target::saying("site").await,
        Target::saying("joining").await,
    );
    let scene = scene(&site).await;
    let arn = scene.site().await;
    let of = ("TargetGroupArn", arn.as_str());
    let port = joining.address.port().to_string();
    let target = [
        of,
        ("Targets.member.1.Id", "127.0.0.1"),
        ("Targets.member.1.Port", port.as_str()),
    ];
    scene.done("RegisterTargets", &target).await;
    let health = scene.done("DescribeTargetHealth", &[of]).await;
    assert_eq!(health.all("Id"), ["127.0.0.1", "127.0.0.1"]);
    let mut client = Client::connect(scene.elbow.address()).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(client.get("/").await.text().to_owned());
    }
    answers.sort();
    assert_eq!(answers, ["joining", "joining", "site", "site"]);

    let scene = scene.restart().await;
    let health = scene.done("DescribeTargetHealth", &target).await;
    assert_eq!(health.health().one("State"), "unavailable");
    scene.done("DeregisterTargets", &target).await;
    let health = scene.done("DescribeTargetHealth", &target).await;
    assert_eq!(health.health().one("State"), "draining");
    let mut client = Client::connect(scene.elbow.address()).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.text(), "site");
    }
}

#[tokio::test]
async fn the_files_own_targets_stay() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    let arn = scene.site().await;
    let target = [
        ("TargetGroupArn", arn.as_str()),
        ("Targets.member.1.Id", "127.0.0.1"),
    ];
    scene.done("RegisterTargets", &target).await;
    let (code, message) = scene.refused("DeregisterTargets", &target).await;
    assert_eq!(code, "OperationNotPermitted");
    assert!(message.contains("configuration file"), "{message}");
    let health = scene.done("DescribeTargetHealth", &target).await;
    assert_eq!(health.health().one("State"), "unavailable");
}

#[tokio::test]
async fn a_target_is_shown_as_it_was_registered() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    let wanted = [
        ("Name", "v6"),
        ("Protocol", "HTTP"),
        ("Port", "8080"),
        ("TargetType", "ip"),
        ("IpAddressType", "ipv6"),
    ];
    let arn = scene
        .done("CreateTargetGroup", &wanted)
        .await
        .one("TargetGroupArn");
    let of = ("TargetGroupArn", arn.as_str());
    let target = [
        of,
        ("Targets.member.1.Id", "FD00::0:1"),
        ("Targets.member.1.AvailabilityZone", "all"),
        ("Targets.member.2.Id", "fd00::1"),
        ("Targets.member.2.Port", "8080"),
        ("Targets.member.2.AvailabilityZone", "all"),
    ];
    scene.done("RegisterTargets", &target).await;
    let health = scene.done("DescribeTargetHealth", &[of]).await;
    assert_eq!(health.one("Id"), "fd00::1");
    assert_eq!(health.one("Port"), "8080");
    assert_eq!(health.one("AvailabilityZone"), "all");
    assert!(
        health.xml.contains("<State>no_override</State>"),
        "{}",
        health.xml
    );

    let (code, message) = scene
        .refused(
            "RegisterTargets",
            &[of, ("Targets.member.1.Id", "10.0.0.1")],
        )
        .await;
    assert_eq!(code, "InvalidTarget");
    assert!(message.contains("IPv6"), "{message}");
    let stranger = [of, ("Targets.member.1.Id", "fd00::9")];
    scene.done("DeregisterTargets", &stranger).await;
    let health = scene.done("DescribeTargetHealth", &stranger).await;
    assert_eq!(health.health().one("State"), "unused");
    assert_eq!(health.health().one("Reason"), "Target.NotRegistered");
    assert_eq!(health.one("Port"), "8080");
}

#[tokio::test]
async fn an_instance_is_called_by_its_name_also_where_nothing_is_probed() {
    let (site, joining) = (
        Target::saying("site").await,
        Target::saying("joining").await,
    );
    let scene = scene(&site).await;
    let arn = scene.site().await;
    let port = joining.address.port().to_string();
    let target = [
        ("TargetGroupArn", arn.as_str()),
        ("Targets.member.1.Id", "localhost"),
        ("Targets.member.1.Port", port.as_str()),
    ];
    scene.done("RegisterTargets", &target).await;
    let mut client = Client::connect(scene.elbow.address()).await;
    // Its name is looked up first; until then requests go elsewhere.
    let end = Instant::now() + SOON;
    while client.get("/").await.text() != "joining" {
        assert!(Instant::now() < end, "it gets no request");
    }
}
