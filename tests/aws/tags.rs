//! Tags, also of what the file says.

use crate::scene::Scene;
use crate::support::Target;

const FILE: &str = "[[load_balancer]]\nname = \"lb\"\nnodes = [{ address = \"127.0.0.1\" }]\n\
                    listener = [{ port = 0, default = { forward = \"site\" } }]\n";

#[tokio::test]
async fn anything_with_an_arn_has_tags_until_it_is_deleted() {
    let target = Target::saying("site").await;
    let scene = Scene::before(&target, FILE).await;
    let site = scene.site().await;
    let balancers = scene.done("DescribeLoadBalancers", &[]).await;
    let balancer = balancers.one("LoadBalancerArn");
    let wanted = [
        ("Name", "made"),
        ("Protocol", "HTTP"),
        ("Port", "80"),
        ("Tags.member.1.Key", "born"),
        ("Tags.member.1.Value", "with"),
    ];
    let made = scene
        .done("CreateTargetGroup", &wanted)
        .await
        .one("TargetGroupArn");
    let all = [
        ("ResourceArns.member.1", site.as_str()),
        ("ResourceArns.member.2", balancer.as_str()),
        ("ResourceArns.member.3", made.as_str()),
    ];
    let mut adding = all.to_vec();
    adding.extend([
        ("Tags.member.1.Key", "stage"),
        ("Tags.member.1.Value", "a<b"),
    ]);
    scene.done("AddTags", &adding).await;
    let scene = scene.restart().await;
    let tags = scene.done("DescribeTags", &all).await;
    assert_eq!(tags.all("Key"), ["stage", "stage", "born", "stage"]);
    assert_eq!(tags.all("Value"), ["a<b", "a<b", "with", "a<b"]);

    let mut removing = all.to_vec();
    removing.extend([("TagKeys.member.1", "stage"), ("TagKeys.member.2", "other")]);
    scene.done("RemoveTags", &removing).await;
    let tags = scene.done("DescribeTags", &all).await;
    assert_eq!(tags.all("Key"), ["born"]);
    assert!(scene.kept().unwrap().contains("born"));
    scene
        .done("DeleteTargetGroup", &[("TargetGroupArn", &made)])
        .await;
    assert!(!scene.kept().unwrap().contains("born"));
    let (code, _) = scene.refused("DescribeTags", &all).await;
    assert_eq!(code, "TargetGroupNotFound");
}

#[tokio::test]
async fn tags_have_albs_limits() {
    let target = Target::saying("site").await;
    let scene = Scene::before(&target, FILE).await;
    let site = scene.site().await;
    let of = ("ResourceArns.member.1", site.as_str());
    let twice = [of, ("Tags.member.1.Key", "a"), ("Tags.member.2.Key", "a")];
    assert_eq!(scene.refused("AddTags", &twice).await.0, "DuplicateTagKeys");
    let names: Vec<_> = (1..=51).map(|n| format!("Tags.member.{n}.Key")).collect();
    let keys: Vec<_> = (1..=51).map(|n| format!("key-{n}")).collect();
    let many = names
        .iter()
        .map(String::as_str)
        .zip(keys.iter().map(String::as_str));
    let many: Vec<_> = [of].into_iter().chain(many).collect();
    assert_eq!(scene.refused("AddTags", &many).await.0, "TooManyTags");
    scene.done("AddTags", &many[..51]).await;
    let none = [
        (
            "ResourceArns.member.1",
            "arn:aws:elasticloadbalancing:r:a:targetgroup/x/1",
        ),
        ("Tags.member.1.Key", "a"),
    ];
    assert_eq!(
        scene.refused("AddTags", &none).await.0,
        "TargetGroupNotFound"
    );
}
