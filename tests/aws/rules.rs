//! Rules that are made, described, changed, put in another order and deleted.

use crate::scene::{Answer, Scene, at, free_port};
use crate::support::{Client, Target};

const FILE: &str = "[[load_balancer]]\nname = \"filed\"\nnodes = [{ address = \"127.0.0.3\" }]\n\
                    [[load_balancer.listener]]\nport = 0\ndefault = { fixed_response = { status = 404 } }\n\
                    [[load_balancer.listener.rule]]\npriority = 7\npath = [\"/filed\"]\n\
                    fixed_response = { status = 200, body = \"filed\" }\n";

/// A scene with a listener of the load balancer `web` that answers 404, its ARN and its port.
async fn listening(target: &Target) -> (Scene, String, u16) {
    let scene = Scene::before(target, FILE).await;
    let owner = scene.load_balancer("web").await;
    let port = free_port();
    let text = port.to_string();
    let wanted = [
        ("LoadBalancerArn", owner.as_str()),
        ("Protocol", "HTTP"),
        ("Port", &text),
        ("DefaultActions.member.1.Type", "fixed-response"),
        (
            "DefaultActions.member.1.FixedResponseConfig.StatusCode",
            "404",
        ),
    ];
    let made = scene.done("CreateListener", &wanted).await;
    (scene, made.one("ListenerArn"), port)
}

/// A rule for a path that answers a status.
async fn rule(scene: &Scene, listener: &str, priority: &str, path: &str, status: &str) -> Answer {
    let wanted = [
        ("ListenerArn", listener),
        ("Priority", priority),
        ("Conditions.member.1.Field", "path-pattern"),
        (
            "Conditions.member.1.PathPatternConfig.Values.member.1",
            path,
        ),
        ("Actions.member.1.Type", "fixed-response"),
        ("Actions.member.1.FixedResponseConfig.StatusCode", status),
    ];
    scene.ask("CreateRule", &wanted).await
}

#[tokio::test]
async fn requests_are_answered_as_the_rules_say() {
    let target = Target::saying("hello").await;
    let (scene, listener, port) = listening(&target).await;
    let site = scene.site().await;
    let wanted = [
        ("ListenerArn", listener.as_str()),
        ("Priority", "10"),
        ("Conditions.member.1.Field", "host-header"),
        ("Conditions.member.1.Values.member.1", "*.site.test"),
        ("Conditions.member.2.Field", "query-string"),
        (
            "Conditions.member.2.QueryStringConfig.Values.member.1.Key",
            "v",
        ),
        (
            "Conditions.member.2.QueryStringConfig.Values.member.1.Value",
            "1",
        ),
        (
            "Conditions.member.2.QueryStringConfig.Values.member.2.Value",
            "any",
        ),
        ("Actions.member.1.Type", "forward"),
        ("Actions.member.1.TargetGroupArn", &site),
        ("Transforms.member.1.Type", "url-rewrite"),
        (
            "Transforms.member.1.UrlRewriteConfig.Rewrites.member.1.Regex",
            "^/old",
        ),
        (
            "Transforms.member.1.UrlRewriteConfig.Rewrites.member.1.Replace",
            "/new",
        ),
        ("Tags.member.1.Key", "team"),
        ("Tags.member.1.Value", "a"),
    ];
    let made = scene.done("CreateRule", &wanted).await;
    assert_eq!(made.one("Priority"), "10");
    assert_eq!(made.one("IsDefault"), "false");
    assert_eq!(made.one("Regex"), "^/old");
    let redirect = [
        wanted[0],
        ("Priority", "20"),
        ("Conditions.member.1.Field", "http-request-method"),
        (
            "Conditions.member.1.HttpRequestMethodConfig.Values.member.1",
            "DELETE",
        ),
        ("Actions.member.1.Type", "redirect"),
        ("Actions.member.1.RedirectConfig.Host", "other.test"),
        ("Actions.member.1.RedirectConfig.StatusCode", "HTTP_302"),
    ];
    scene.done("CreateRule", &redirect).await;

    let mut client = Client::connect(at(port)).await;
    for (query, status) in [("v=1", 200), ("x=any", 200), ("v=2", 404)] {
        let request = format!("GET /old/a?{query} HTTP/1.1\r\nHost: www.site.test\r\n\r\n");
        assert_eq!(client.ask(request).await.status(), status, "{query}");
    }
    let first = target.requests().remove(0);
    assert!(
        first.start_line().starts_with("GET /new/a?v=1 "),
        "{first:?}"
    );
    let deleted = client
        .ask("DELETE /x HTTP/1.1\r\nHost: a.test\r\n\r\n")
        .await;
    assert_eq!(deleted.status(), 302);
    assert!(deleted.value("Location").unwrap().contains("other.test"));

    let arn = made.one("RuleArn");
    let tags = [("ResourceArns.member.1", arn.as_str())];
    assert_eq!(scene.done("DescribeTags", &tags).await.one("Key"), "team");
    let whose = ("RuleArn", arn.as_str());
    let modified = [
        whose,
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/old*"),
        ("ResetTransforms", "true"),
    ];
    let answer = scene.done("ModifyRule", &modified).await;
    assert_eq!(answer.all("Regex"), Vec::<String>::new());
    assert_eq!(answer.all("TargetGroupArn"), [site.as_str(), site.as_str()]);
    assert_eq!(client.get("/old").await.text(), "hello");
    let last = target.requests().pop().unwrap();
    assert!(last.start_line().starts_with("GET /old "), "{last:?}");
    scene.done("DeleteRule", &[whose]).await;
    assert_eq!(client.get("/old").await.status(), 404);
    assert!(
        !scene.kept().unwrap().contains("team"),
        "its tags are forgotten"
    );
    let (code, _) = scene.refused("DeleteRule", &[whose]).await;
    assert_eq!(code, "RuleNotFound");
}

#[tokio::test]
async fn rules_change_places_all_at_once() {
    let target = Target::saying("hello").await;
    let (scene, listener, port) = listening(&target).await;
    let one = rule(&scene, &listener, "1", "/a*", "401")
        .await
        .one("RuleArn");
    let two = rule(&scene, &listener, "2", "/*", "402")
        .await
        .one("RuleArn");
    let mut client = Client::connect(at(port)).await;
    assert_eq!(client.get("/a").await.status(), 401);
    let swapped = [
        ("RulePriorities.member.1.RuleArn", one.as_str()),
        ("RulePriorities.member.1.Priority", "2"),
        ("RulePriorities.member.2.RuleArn", &two),
        ("RulePriorities.member.2.Priority", "1"),
    ];
    let answer = scene.done("SetRulePriorities", &swapped).await;
    assert_eq!(answer.all("RuleArn"), [one.as_str(), two.as_str()]);
    assert_eq!(answer.all("Priority"), ["2", "1"]);
    assert_eq!(client.get("/a").await.status(), 402);
    // The same again is no mistake.
    scene.done("SetRulePriorities", &swapped[..2]).await;
}

#[tokio::test]
async fn a_priority_is_there_once() {
    let target = Target::saying("hello").await;
    let (scene, listener, _) = listening(&target).await;
    let one = rule(&scene, &listener, "1", "/a", "401")
        .await
        .one("RuleArn");
    rule(&scene, &listener, "2", "/b", "402")
        .await
        .one("RuleArn");
    let kept = scene.kept();
    let twice = rule(&scene, &listener, "2", "/c", "403").await;
    assert_eq!(twice.one("Code"), "PriorityInUse");
    let clash = [
        ("RulePriorities.member.1.RuleArn", one.as_str()),
        ("RulePriorities.member.1.Priority", "2"),
    ];
    let (code, _) = scene.refused("SetRulePriorities", &clash).await;
    assert_eq!(code, "PriorityInUse");
    for priority in ["0", "50001", "x"] {
        let refused = rule(&scene, &listener, priority, "/c", "403").await;
        assert_eq!(refused.one("Code"), "ValidationError", "{priority}");
    }
    assert_eq!(scene.kept(), kept);
}

#[tokio::test]
async fn the_default_rule_and_those_of_the_file_are_told_and_stay() {
    let target = Target::saying("hello").await;
    let (scene, listener, _) = listening(&target).await;
    let whose = [("ListenerArn", listener.as_str())];
    let rules = scene.done("DescribeRules", &whose).await;
    assert_eq!(rules.one("Priority"), "default");
    assert_eq!(rules.one("IsDefault"), "true");
    let default = rules.one("RuleArn");
    let by_arn = [("RuleArns.member.1", default.as_str())];
    assert_eq!(
        scene.done("DescribeRules", &by_arn).await.one("RuleArn"),
        default
    );
    for action in ["DeleteRule", "ModifyRule"] {
        let (code, _) = scene.refused(action, &[("RuleArn", &default)]).await;
        assert_eq!(code, "OperationNotPermitted");
    }

    // A listener of the file: rules can be made on it, and its own stay.
    let filed = [("Names.member.1", "filed")];
    let filed = scene.done("DescribeLoadBalancers", &filed).await;
    let filed = [("LoadBalancerArn", &*filed.one("LoadBalancerArn"))];
    let listener = scene.done("DescribeListeners", &filed).await;
    let listener = listener.one("ListenerArn");
    let own = [("ListenerArn", listener.as_str())];
    let own = scene
        .done("DescribeRules", &own)
        .await
        .all("RuleArn")
        .remove(0);
    let (code, message) = scene.refused("DeleteRule", &[("RuleArn", &own)]).await;
    assert_eq!(code, "OperationNotPermitted");
    assert!(message.contains("configuration file"), "{message}");
    let made = rule(&scene, &listener, "3", "/made", "418").await;
    assert_eq!(made.status, 200, "{}", made.xml);
    let address = scene.elbow.addresses("filed")[0];
    let mut client = Client::connect(address).await;
    assert_eq!(client.get("/made").await.status(), 418);
    assert_eq!(client.get("/filed").await.text(), "filed");
    let taken = rule(&scene, &listener, "7", "/x", "418").await;
    assert_eq!(taken.one("Code"), "PriorityInUse");
}
