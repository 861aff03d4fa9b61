//! Load balancers that make no sense: nodes, listeners, rules, actions.

use super::{RIGHT, told, told_with};

#[test]
fn load_balancers_and_their_nodes_are_distinct() {
    assert_eq!(
        told_with("\"wp-elb\"", "\"internal-wp\""),
        ["2:8 the name of a load balancer does not begin with `internal-`"]
    );
    assert_eq!(
        told_with("\"wp-elb\"", "\"this-name-is-longer-than-32-characters\""),
        ["2:8 the name has 38 characters"]
    );
    assert_eq!(
        told_with("127.0.0.12", "127.0.0.11"),
        ["5:27 nodes[0] has the address 127.0.0.11, too"]
    );
    assert_eq!(
        told_with("127.0.0.12", "0.0.0.0"),
        ["5:27 nodes[0] has the address 127.0.0.11: one of the two means all addresses"]
    );
    assert_eq!(
        told_with(
            "zone = \"c\", address = \"127",
            "zone = \"a\", address = \"127"
        ),
        [
            "5:12 zone `a` has a node already, nodes[0]",
            "20:50 warning: load balancer `wp-elb` has no node in zone `c`: the target will be `unused`"
        ]
    );
    let second = "[[load_balancer]]\nname = \"wp-elb\"\n[[load_balancer.listener]]\nport = 8080\ndefault = { forward = \"wordpress\" }\n";
    assert_eq!(
        told(&format!("{RIGHT}{second}")),
        [
            "23:8 load_balancer[0] is named `wp-elb`, too",
            "25:8 port 8080 is already taken by load balancer `wp-elb`",
            "26:23 target group `wordpress` is already used by load balancer `wp-elb`"
        ]
    );
}

#[test]
fn ports_are_distinct_as_they_are_written() {
    let second = "[[load_balancer.listener]]\nport = 8080\ndefault = { forward = \"wordpress\" }\n[[target_group]]";
    assert_eq!(
        told_with("[[target_group]]", second),
        ["16:8 listener[0] has port 8080, too"]
    );
    let text = RIGHT.replace("[[target_group]]", second);
    assert_eq!(
        told(&text.replace("8080", "0")),
        ["16:8 listener[0] has port 0, too"]
    );
    let admin = "[admin]\naddress = \"0.0.0.0:8080\"\n";
    assert_eq!(
        told(&format!("{RIGHT}{admin}")),
        ["8:8 port 8080 is already taken by the admin address 0.0.0.0:8080"]
    );
}

#[test]
fn an_action_is_exactly_one() {
    assert_eq!(
        told_with("{ forward = \"wordpress\" }", "{}"),
        [
            "9:11 there is no action",
            "16:8 warning: no rule forwards to target group `wordpress`"
        ]
    );
    assert_eq!(
        told_with("priority = 10", "priority = 10\nforward = \"wordpress\""),
        ["10:1 there are 2 actions: forward and redirect"]
    );
}

#[test]
fn the_shares_of_a_forward_make_sense() {
    let forward = |shares: &str| {
        told_with("forward = \"wordpress\"", &format!("forward = {shares}"))
            .into_iter()
            .filter(|told| !told.contains("warning"))
            .collect::<Vec<_>>()
    };
    assert_eq!(forward("[]"), ["9:23 no target group is named"]);
    assert_eq!(
        forward("[{ group = \"wordpress\", weight = 0 }]"),
        ["9:23 every group has the weight 0"]
    );
    assert_eq!(
        forward("[{ group = \"wordpress\" }, { group = \"wordpress\" }]"),
        ["9:59 target group `wordpress` is there twice"]
    );
    let six = ["{ group = \"wordpress\" }"; 6].join(", ");
    assert_eq!(
        forward(&format!("[{six}]"))[0],
        "9:23 6 target groups are named; at most 5 may be"
    );
}

#[test]
fn rules_have_conditions_that_alb_accepts() {
    assert_eq!(
        told_with("path = [\"/old/*\"]\n", "")[0],
        "10:1 rule 10 has no condition: what all other requests get is the listener's default action"
    );
    assert_eq!(
        told_with(
            "path = [\"/old/*\"]",
            "path = [\"/ok\", \"old\"]\nsource_ip = [\"10.0.0.0/99\", \"10.0.0.1/8\"]\nheader = [{ name = \"Host\", values = [\"x\"] }]\nquery = [{ key = \"k\", values = [] }]"
        )
        .iter()
        .map(|told| told.split(' ').next().unwrap_or_default())
        .collect::<Vec<_>>(),
        ["12:16", "13:14", "14:20", "15:32"]
    );
    let many = told_with("[\"/old/*\"]", "[\"/1\", \"/2\", \"/3\", \"/4\"]");
    assert!(
        many[0].contains("path-pattern condition with 4 values"),
        "{many:?}"
    );
    let relaxed = RIGHT.replace("[\"/old/*\"]", "[\"/1\", \"/2\", \"/3\", \"/4\"]");
    assert_eq!(told(&format!("ranges = \"relaxed\"\n{relaxed}")), [""; 0]);
}

#[test]
fn every_wrong_part_of_a_redirect_is_told() {
    let told = told_with(
        "redirect = { path = \"/new/#{path}\", status = 301 }",
        "redirect = { protocol = \"ftp\", port = \"x\", path = \"new\", query = \"?a\", status = 303 }",
    );
    let places: Vec<&str> = told
        .iter()
        .filter_map(|told| told.split(' ').next())
        .collect();
    assert_eq!(
        places,
        ["13:25", "13:39", "13:51", "13:66", "13:81"],
        "{told:#?}"
    );
    for nothing in ["", "port = \"8080\", protocol = \"HTTP\", "] {
        let told = told_with("path = \"/new/#{path}\", ", nothing);
        assert!(
            told[0].starts_with("13:12 this redirect leads back"),
            "{told:?}"
        );
    }
    let told = told_with("path = \"/new/#{path}\", ", "");
    assert!(
        told[0].starts_with("13:12 this redirect leads back"),
        "{told:?}"
    );
}
