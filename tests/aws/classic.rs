//! The API of 2012, for a load balancer of type "classic".

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::scene::{Answer, Scene};
use crate::support::{Client, SOON, Target};

const VERSION: &str = "2012-06-01";

async fn scene(site: &Target) -> Scene {
    let port = site.address.port();
    Scene::start(&format!(
        "[[load_balancer]]\nname = \"wordpress\"\ntype = \"classic\"\nnodes = [{{ address = \"127.0.0.1\" }}]\n\
         listener = [{{ port = 0, default = {{ forward = \"wp\" }} }}]\n\
         [[target_group]]\nname = \"wp\"\n\
         health_check = {{ target = \"HTTP:{port}/\", interval = \"200ms\", timeout = \"150ms\" }}\n\
         targets = [{{ id = \"i-one\", address = \"127.0.0.1:{port}\" }}]\n"
    ))
    .await
}

async fn asked(scene: &Scene, action: &str, more: &[(&str, &str)]) -> Answer {
    let mut parameters = vec![("LoadBalancerName", "wordpress")];
    parameters.extend(more);
    scene.ask_version(VERSION, action, &parameters).await
}

#[tokio::test]
async fn the_commands_of_2014_say_how_instances_do() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    let end = Instant::now() + SOON;
    loop {
        let health = asked(&scene, "DescribeInstanceHealth", &[]).await;
        assert!(
            health
                .xml
                .contains("http://elasticloadbalancing.amazonaws.com/doc/2012-06-01/"),
            "{}",
            health.xml
        );
        if health.one("State") == "InService" {
            assert_eq!(health.one("ReasonCode"), "N/A");
            break;
        }
        assert!(Instant::now() < end, "{}", health.xml);
        sleep(Duration::from_millis(20)).await;
    }
    let stranger = [("Instances.member.1.InstanceId", "i-two")];
    let health = asked(&scene, "DescribeInstanceHealth", &stranger).await;
    assert_eq!(health.one("State"), "OutOfService");
    assert_eq!(
        health.one("Description"),
        "Instance is not currently registered with the LoadBalancer."
    );
    let names = [("LoadBalancerNames.member.1", "wordpress")];
    let described = scene
        .ask_version(VERSION, "DescribeLoadBalancers", &names)
        .await;
    assert_eq!(
        described.one("Target"),
        format!("HTTP:{}/", site.address.port())
    );
    assert_eq!(described.one("HealthyThreshold"), "10");
    assert_eq!(described.one("Timeout"), "1", "150 ms are not 0");
    assert_eq!(described.one("InstanceId"), "i-one");
    let attributes = asked(&scene, "DescribeLoadBalancerAttributes", &[]).await;
    assert!(
        attributes
            .xml
            .contains("<ConnectionDraining><Enabled>true</Enabled><Timeout>300</Timeout>"),
        "{}",
        attributes.xml
    );
    let all = scene.done("DescribeLoadBalancers", &[]).await;
    assert_eq!(
        all.all("LoadBalancerName"),
        [""; 0],
        "the other API does not know it"
    );
}

#[tokio::test]
async fn an_instance_is_registered_and_deregistered() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    let instance = [("Instances.member.1.InstanceId", "localhost")];
    let registered = asked(&scene, "RegisterInstancesWithLoadBalancer", &instance).await;
    assert_eq!(registered.all("InstanceId"), ["i-one", "localhost"]);
    let scene = scene.restart().await;
    let end = Instant::now() + SOON;
    while asked(&scene, "DescribeInstanceHealth", &instance)
        .await
        .one("State")
        != "InService"
    {
        assert!(Instant::now() < end, "not in service");
        sleep(Duration::from_millis(20)).await;
    }
    let mut client = Client::connect(scene.elbow.addresses("wordpress")[0]).await;
    assert_eq!(client.get("/").await.text(), "site");
    let rest = asked(&scene, "DeregisterInstancesFromLoadBalancer", &instance).await;
    assert_eq!(rest.one("InstanceId"), "i-one");
    let health = asked(&scene, "DescribeInstanceHealth", &instance).await;
    assert_eq!(health.one("State"), "InService");
    assert_eq!(
        health.one("Description"),
        "Instance deregistration currently in progress."
    );
}

#[tokio::test]
async fn what_is_not_there_is_refused_in_the_words_of_2012() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    for (action, name, instance, code) in [
        (
            "DescribeInstanceHealth",
            "other",
            "i-one",
            "LoadBalancerNotFound",
        ),
        (
            "RegisterInstancesWithLoadBalancer",
            "wordpress",
            "i one",
            "InvalidInstance",
        ),
        (
            "DeregisterInstancesFromLoadBalancer",
            "wordpress",
            "i-one",
            "OperationNotPermitted",
        ),
        ("CreateLoadBalancer", "new", "i-one", "InvalidAction"),
    ] {
        let parameters = [
            ("LoadBalancerName", name),
            ("Instances.member.1.InstanceId", instance),
        ];
        let answer = scene.ask_version(VERSION, action, &parameters).await;
        assert_eq!(
            (answer.status, answer.one("Code")),
            (400, code.to_owned()),
            "{action}"
        );
    }
}

#[tokio::test]
async fn every_tool_learns_who_it_is() {
    let site = Target::saying("site").await;
    let scene = scene(&site).await;
    let who = scene
        .ask_version("2011-06-15", "GetCallerIdentity", &[])
        .await;
    assert_eq!(who.status, 200, "{}", who.xml);
    assert_eq!(who.one("Account"), "000000000000");
    assert_eq!(who.one("Arn"), "arn:aws:iam::000000000000:root");
}
