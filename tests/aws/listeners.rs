//! Listeners that are made, described, changed and deleted, with their certificates and attributes.

use crate::scene::{Scene, at, free_port};
use crate::support::{Authority, Certificates, Client, Target};

const FILE: &str = "[[load_balancer]]\nname = \"filed\"\nnodes = [{ address = \"127.0.0.3\" }]\n\
                    listener = [{ port = 0, default = { fixed_response = { status = 404 } } }]\n";

/// What makes an HTTP listener that forwards to `site`.
fn plain<'a>(owner: &'a str, port: &'a str, site: &'a str) -> [(&'a str, &'a str); 5] {
    [
        ("LoadBalancerArn", owner),
        ("Protocol", "HTTP"),
        ("Port", port),
        ("DefaultActions.member.1.Type", "forward"),
        ("DefaultActions.member.1.TargetGroupArn", site),
    ]
}

#[tokio::test]
async fn a_listener_forwards_as_soon_as_it_is_made_and_survives_a_restart() {
    let target = Target::saying("hello").await;
    let scene = Scene::before(&target, FILE).await;
    let (owner, site) = (scene.load_balancer("web").await, scene.site().await);
    let (port, other) = (free_port(), free_port());
    let (port_text, other_text) = (port.to_string(), other.to_string());

    let wanted = plain(&owner, &port_text, &site);
    let made = scene.done("CreateListener", &wanted).await;
    let arn = made.one("ListenerArn");
    assert_eq!(made.one("Port"), port_text);
    assert_eq!(made.one("LoadBalancerArn"), owner);
    assert_eq!(made.all("TargetGroupArn"), [site.as_str(), site.as_str()]);
    assert_eq!(
        Client::connect(at(port)).await.get("/").await.text(),
        "hello"
    );

    let again = scene.done("CreateListener", &wanted).await;
    assert_eq!(again.one("ListenerArn"), arn);
    let fixed = [
        wanted[0],
        wanted[1],
        wanted[2],
        ("DefaultActions.member.1.Type", "fixed-response"),
        (
            "DefaultActions.member.1.FixedResponseConfig.StatusCode",
            "503",
        ),
    ];
    let (code, _) = scene.refused("CreateListener", &fixed).await;
    assert_eq!(code, "DuplicateListener");

    // A rule stays with the listener when that goes to another port.
    let rule = [
        ("ListenerArn", arn.as_str()),
        ("Priority", "5"),
        ("Conditions.member.1.Field", "path-pattern"),
        ("Conditions.member.1.Values.member.1", "/no"),
        ("Actions.member.1.Type", "fixed-response"),
        ("Actions.member.1.FixedResponseConfig.StatusCode", "410"),
    ];
    let rule = scene.done("CreateRule", &rule).await.one("RuleArn");
    let moved = [("ListenerArn", arn.as_str()), ("Port", &other_text)];
    let moved = scene.done("ModifyListener", &moved).await;
    assert_eq!(moved.one("ListenerArn"), arn);
    assert_eq!(moved.one("Port"), other_text);

    let scene = scene.restart().await;
    let mut client = Client::connect(at(other)).await;
    assert_eq!(client.get("/").await.text(), "hello");
    assert_eq!(client.get("/no").await.status(), 410);
    let rules = [("ListenerArn", arn.as_str())];
    let rules = scene.done("DescribeRules", &rules).await;
    assert_eq!(rules.all("RuleArn")[0], rule);
    assert_eq!(rules.all("Priority"), ["5", "default"]);

    let owned = [("LoadBalancerArn", owner.as_str())];
    scene.done("DeleteLoadBalancer", &owned).await;
    let kept = scene.kept().unwrap();
    let kept: serde_json::Value = serde_json::from_str(&kept).unwrap();
    for what in ["load_balancers", "listeners", "rules"] {
        assert_eq!(kept[what], serde_json::json!([]), "{what}");
    }
    let gone = [("ListenerArns.member.1", arn.as_str())];
    let (code, _) = scene.refused("DescribeListeners", &gone).await;
    assert_eq!(code, "ListenerNotFound");
}

#[tokio::test]
async fn a_secure_listener_has_the_certificates_of_the_file_by_their_names() {
    let certificates = Certificates::new();
    let (one, two) = (
        certificates.make("one", &["one.test"]),
        certificates.make("two", &["two.test"]),
    );
    let target = Target::saying("hello").await;
    let more = format!("certificate = [{one}, {two}]\n");
    let scene = Scene::before(&target, &more).await;
    let (owner, site) = (scene.load_balancer("web").await, scene.site().await);
    let port = free_port();
    let port_text = port.to_string();
    let arn = |name: &str| format!("arn:aws:acm:eu-central-1:000000000000:certificate/{name}");
    let (one, two, gone) = (arn("one"), arn("two"), arn("gone"));
    let mut wanted = plain(&owner, &port_text, &site).to_vec();
    wanted[1].1 = "HTTPS";
    let (code, _) = scene.refused("CreateListener", &wanted).await;
    assert_eq!(code, "ValidationError");
    wanted.push(("Certificates.member.1.CertificateArn", &gone));
    let (code, message) = scene.refused("CreateListener", &wanted).await;
    assert_eq!(code, "CertificateNotFound");
    assert!(message.contains("one, two"), "{message}");
    wanted[5].1 = &one;
    wanted.push(("SslPolicy", "ELBSecurityPolicy-odd"));
    let (code, _) = scene.refused("CreateListener", &wanted).await;
    assert_eq!(code, "SSLPolicyNotFound");
    wanted[6].1 = "ELBSecurityPolicy-TLS13-1-3-2021-06";
    let made = scene.done("CreateListener", &wanted).await;
    assert_eq!(made.one("CertificateArn"), one);
    assert_eq!(made.one("SslPolicy"), wanted[6].1);
    assert_eq!(made.one("Mode"), "off");
    let listener = made.one("ListenerArn");
    let whose = ("ListenerArn", listener.as_str());
    let secure = at(port);
    let mut client = certificates.visitor().visit(secure, "one.test").await;
    assert_eq!(client.get("/").await.text(), "hello");

    let second = [whose, ("Certificates.member.1.CertificateArn", &two)];
    let added = scene.done("AddListenerCertificates", &second).await;
    assert_eq!(added.one("IsDefault"), "false");
    scene.done("AddListenerCertificates", &second).await;
    let all = scene.done("DescribeListenerCertificates", &[whose]).await;
    assert_eq!(all.all("CertificateArn"), [one.as_str(), two.as_str()]);
    assert_eq!(all.all("IsDefault"), ["true", "false"]);
    let mut client = certificates.visitor().visit(secure, "two.test").await;
    assert_eq!(client.get("/").await.text(), "hello");

    let first = [whose, ("Certificates.member.1.CertificateArn", &one)];
    let (code, _) = scene.refused("RemoveListenerCertificates", &first).await;
    assert_eq!(code, "OperationNotPermitted");
    scene.done("RemoveListenerCertificates", &second).await;
    let all = scene.done("DescribeListenerCertificates", &[whose]).await;
    assert_eq!(all.one("CertificateArn"), one);

    // Back to plain HTTP: what belongs to TLS goes.
    let back = scene
        .done("ModifyListener", &[whose, ("Protocol", "HTTP")])
        .await;
    assert_eq!(back.all("CertificateArn"), Vec::<String>::new());
    assert_eq!(back.all("SslPolicy"), Vec::<String>::new());
    assert_eq!(
        Client::connect(at(port)).await.get("/").await.text(),
        "hello"
    );
}

#[tokio::test]
async fn attributes_have_defaults_and_their_effect() {
    let target =
        Target::answering("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 0\r\n\r\n").await;
    let scene = Scene::before(&target, FILE).await;
    let (owner, site) = (scene.load_balancer("web").await, scene.site().await);
    let port = free_port();
    let port_text = port.to_string();
    let made = scene
        .done("CreateListener", &plain(&owner, &port_text, &site))
        .await;
    let arn = made.one("ListenerArn");
    let whose = ("ListenerArn", arn.as_str());
    let server = "routing.http.response.server.enabled";
    let frames = "routing.http.response.x_frame_options.header_value";
    let all = scene.done("DescribeListenerAttributes", &[whose]).await;
    assert_eq!(all.attribute(server).as_deref(), Some("true"));
    assert_eq!(all.attribute(frames).as_deref(), Some(""));
    let wanted = [
        whose,
        ("Attributes.member.1.Key", server),
        ("Attributes.member.1.Value", "false"),
        ("Attributes.member.2.Key", frames),
        ("Attributes.member.2.Value", "DENY"),
    ];
    let all = scene.done("ModifyListenerAttributes", &wanted).await;
    assert_eq!(all.attribute(frames).as_deref(), Some("DENY"));
    let answer = Client::connect(at(port)).await.get("/").await;
    assert_eq!(answer.value("Server"), None);
    assert_eq!(answer.value("X-Frame-Options"), Some("DENY"));
    // Its attributes are no part of what a listener is made with.
    let again = scene
        .done("CreateListener", &plain(&owner, &port_text, &site))
        .await;
    assert_eq!(again.one("ListenerArn"), arn);

    let whose = ("LoadBalancerArn", owner.as_str());
    let drop = "routing.http.drop_invalid_header_fields.enabled";
    let all = scene.done("DescribeLoadBalancerAttributes", &[whose]).await;
    assert_eq!(all.attribute(drop).as_deref(), Some("false"));
    let wanted = [
        whose,
        ("Attributes.member.1.Key", drop),
        ("Attributes.member.1.Value", "true"),
        ("Attributes.member.2.Key", "deletion_protection.enabled"),
        ("Attributes.member.2.Value", "true"),
    ];
    scene.done("ModifyLoadBalancerAttributes", &wanted).await;
    let request = "GET / HTTP/1.1\r\nHost: a.test\r\nx_y: 1\r\n\r\n";
    Client::connect(at(port)).await.ask(request).await;
    assert_eq!(target.requests().last().unwrap().value("x_y"), None);
    let (code, _) = scene.refused("DeleteLoadBalancer", &[whose]).await;
    assert_eq!(code, "OperationNotPermitted");
    let odd = [
        whose,
        ("Attributes.member.1.Key", "idle_timeout.timeout_seconds"),
        ("Attributes.member.1.Value", "0"),
    ];
    let kept = scene.kept();
    let (code, _) = scene.refused("ModifyLoadBalancerAttributes", &odd).await;
    assert_eq!(code, "InvalidConfigurationRequest");
    assert_eq!(scene.kept(), kept);
}

#[tokio::test]
async fn a_listener_that_changes_its_protocol_leaves_what_was_of_that() {
    let target = Target::saying("hello").await;
    let group = format!(
        "[[target_group]]\nname = \"whole\"\nprotocol = \"TCP\"\nhealth_check = {{ enabled = false }}\n{}\n",
        target.line()
    );
    let scene = Scene::before(&target, &group).await;
    let (owner, site) = (scene.load_balancer("web").await, scene.site().await);
    let whole = [("Names.member.1", "whole")];
    let whole = scene.done("DescribeTargetGroups", &whole).await;
    let whole = whole.one("TargetGroupArn");
    let port = free_port();
    let port_text = port.to_string();
    let mut wanted = plain(&owner, &port_text, &whole);
    wanted[1].1 = "TCP";
    let made = scene.done("CreateListener", &wanted).await;
    let arn = made.one("ListenerArn");
    let whose = ("ListenerArn", arn.as_str());
    let idle = [
        whose,
        ("Attributes.member.1.Key", "tcp.idle_timeout.seconds"),
        ("Attributes.member.1.Value", "60"),
    ];
    let all = scene.done("ModifyListenerAttributes", &idle).await;
    assert_eq!(all.one("Value"), "60");
    let http = [whose, ("Protocol", "HTTP"), wanted[3], (wanted[4].0, &site)];
    let changed = scene.done("ModifyListener", &http).await;
    assert_eq!(changed.one("Protocol"), "HTTP");
    let answer = Client::connect(at(port)).await.get("/").await;
    assert_eq!(answer.text(), "hello");
    let tcp = [whose, ("Protocol", "TCP"), wanted[3], wanted[4]];
    scene.done("ModifyListener", &tcp).await;
    let all = scene.done("DescribeListenerAttributes", &[whose]).await;
    assert_eq!(all.one("Value"), "350");
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_everything_stays_as_it_was() {
    let target = Target::saying("hello").await;
    let scene = Scene::before(&target, FILE).await;
    let (owner, site) = (scene.load_balancer("web").await, scene.site().await);
    let kept = scene.kept();
    let gone = site.replace("/site/", "/gone/");
    let port = free_port().to_string();
    for (at, value, code) in [
        (1, "UDP", "UnsupportedProtocol"),
        (2, "0", "ValidationError"),
        (2, "65536", "ValidationError"),
        (3, "authenticate-cognito", "InvalidLoadBalancerAction"),
        (4, gone.as_str(), "TargetGroupNotFound"),
        (1, "TCP", "InvalidConfigurationRequest"),
    ] {
        let mut wanted = plain(&owner, &port, &site);
        wanted[at].1 = value;
        let (told, message) = scene.refused("CreateListener", &wanted).await;
        assert_eq!(told, code, "{value}: {message}");
    }
    let filed = [("Names.member.1", "filed")];
    let filed = scene.done("DescribeLoadBalancers", &filed).await;
    let filed = filed.one("LoadBalancerArn");
    let listeners = [("LoadBalancerArn", filed.as_str())];
    let listeners = scene.done("DescribeListeners", &listeners).await;
    let whose = ("ListenerArn", &*listeners.one("ListenerArn"));
    for action in ["DeleteListener", "ModifyListener"] {
        let (code, message) = scene.refused(action, &[whose, ("Port", "81")]).await;
        assert_eq!(code, "OperationNotPermitted");
        assert!(message.contains("configuration file"), "{message}");
    }
    assert_eq!(scene.kept(), kept);
    assert_eq!(
        scene.refused("DescribeListeners", &[]).await.0,
        "ValidationError"
    );
}

#[tokio::test]
async fn a_trust_store_is_told_with_the_listeners_that_have_it() {
    let certificates = Certificates::new();
    let site = certificates.make("site", &["site.test"]);
    let bundle = certificates.path("staff.ca");
    std::fs::write(&bundle, Authority::new("staff").pem()).unwrap();
    let target = Target::saying("hello").await;
    let more = format!(
        "certificate = [{site}]\ntrust_store = [{{ name = \"staff\", ca_certificates = {bundle:?} }}]\n"
    );
    let scene = Scene::before(&target, &more).await;
    let stores = scene.done("DescribeTrustStores", &[]).await;
    assert_eq!(stores.one("NumberOfCaCertificates"), "1");
    let store = stores.one("TrustStoreArn");
    let (owner, group) = (scene.load_balancer("web").await, scene.site().await);
    let port = free_port().to_string();
    let mut wanted = plain(&owner, &port, &group).to_vec();
    wanted[1].1 = "HTTPS";
    wanted.extend([
        (
            "Certificates.member.1.CertificateArn",
            "arn:aws:acm:eu-central-1:000000000000:certificate/site",
        ),
        ("MutualAuthentication.Mode", "verify"),
        ("MutualAuthentication.TrustStoreArn", store.as_str()),
    ]);
    let made = scene.done("CreateListener", &wanted).await;
    assert_eq!(made.one("TrustStoreArn"), store);
    assert_eq!(made.one("AdvertiseTrustStoreCaNames"), "off");
    let whose = [("TrustStoreArn", store.as_str())];
    let users = scene.done("DescribeTrustStoreAssociations", &whose).await;
    assert_eq!(users.one("ResourceArn"), made.one("ListenerArn"));
    let odd = [("Names.member.1", "guests")];
    let (code, _) = scene.refused("DescribeTrustStores", &odd).await;
    assert_eq!(code, "TrustStoreNotFound");
}
