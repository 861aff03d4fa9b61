//! Security groups, subnets, network ACLs, and the scheme of a load balancer.

use super::{RIGHT, check, told};

/// The right configuration with more attributes of its load balancer, and more tables.
fn with(attributes: &str, tables: &str) -> String {
    RIGHT.replace(
        "name = \"wp-elb\"",
        &format!("name = \"wp-elb\"\n{attributes}"),
    ) + tables
}

const WEB: &str = "[[security_group]]\nname = \"web\"\n";

/// What is told of one inbound rule of a group that the load balancer has.
fn rule(rule: &str) -> Vec<String> {
    let tables = format!("{WEB}inbound = [{{ port = 8080, source = \"::/0\" }}, {{ {rule} }}]\n");
    let told = told(&with("security_groups = [\"web\"]", &tables));
    told.into_iter()
        .map(|problem| problem.split_once(' ').unwrap().1.to_owned())
        .collect()
}

#[test]
fn a_rule_has_ports_and_sources() {
    for right in [
        "port = 80, source = \"0.0.0.0/0\"",
        "source = [\"10.0.0.0/8\", \"192.0.2.7\", \"fd00::/8\", \"web\"]",
        "from_port = 8000, to_port = 8999, protocol = \"udp\", source = \"web\"",
        "protocol = \"all\", source = \"::1\", description = \"probes\"",
    ] {
        assert_eq!(rule(right), [""; 0], "{right}");
    }
    for (wrong, message) in [
        (
            "source = \"10.0.0.5/24\"",
            "`10.0.0.5/24` has bits behind its prefix",
        ),
        (
            "source = \"10.0.0.0/33\"",
            "`10.0.0.0/33` is not an address block",
        ),
        (
            "source = \"::ffff:10.0.0.1\"",
            "`::ffff:10.0.0.1` is an IPv4 address as IPv6 writes it",
        ),
        ("source = []", "the rule lets nobody in"),
        (
            "source = \"wbe\"",
            "there is no security group `wbe`; did you mean `web`?",
        ),
        (
            "port = 1, to_port = 2, source = \"::/0\"",
            "`port` with `to_port` does not say which ports",
        ),
        (
            "from_port = 1, source = \"::/0\"",
            "`from_port` does not say which ports",
        ),
        (
            "from_port = 2, to_port = 1, source = \"::/0\"",
            "there is no port from 2 to 1",
        ),
        (
            "protocol = \"all\", port = 1, source = \"::/0\"",
            "`all` is all protocols on all ports",
        ),
    ] {
        assert_eq!(rule(wrong), [message], "{wrong}");
    }
}

#[test]
fn security_groups_are_there_and_named_once() {
    let twice = with("security_groups = [\"web\", \"web\"]", WEB);
    assert_eq!(
        told(&twice),
        [
            "3:27 `web` is here already",
            "9:8 warning: no security group lets anybody in on port 8080 by TCP",
        ]
    );
    let unknown = told(&with("security_groups = [\"app\"]", ""));
    assert_eq!(unknown[0], "3:20 there is no security group `app`");
    let unknown = RIGHT.replace(
        "name = \"wordpress\"",
        "name = \"wordpress\"\nsecurity_groups = [\"app\"]",
    );
    assert_eq!(told(&unknown), ["17:20 there is no security group `app`"]);
    let two = format!("{WEB}{WEB}");
    assert_eq!(
        told(&with("", &two)),
        ["26:8 security_group[0] is named `web`, too"]
    );
    let six = format!("security_groups = {:?}", ["a", "b", "c", "d", "e", "f"]);
    let rule = "inbound = [{ source = \"::/0\" }]";
    let groups: String = ["a", "b", "c", "d", "e", "f"]
        .map(|name| format!("[[security_group]]\nname = \"{name}\"\n{rule}\n"))
        .concat();
    assert_eq!(
        told(&with(&six, &groups)),
        ["3:19 there are more than 5 security groups"]
    );
    assert_eq!(
        told(&format!("ranges = \"relaxed\"\n{}", with(&six, &groups))),
        [""; 0]
    );
}

#[test]
fn what_lets_nobody_in_is_worth_a_warning() {
    let tables = format!(
        "{WEB}inbound = [{{ source = \"hosts\" }}]\n[[security_group]]\nname = \"hosts\"\n"
    );
    let text = with("security_groups = [\"web\"]", &tables);
    assert_eq!(
        told(&text),
        ["25:23 warning: nobody belongs to security group `hosts`"]
    );
    let listed = format!("{text}members = [\"10.0.0.9\"]\n");
    assert_eq!(told(&listed), [""; 0]);
    let targets = text.replace(
        "name = \"wordpress\"",
        "name = \"wordpress\"\nsecurity_groups = [\"hosts\"]",
    );
    assert_eq!(told(&targets), [""; 0]);
    let own = text.replace("source = \"hosts\"", "source = \"web\"");
    assert_eq!(told(&own), [""; 0]);
    let nodes =
        &RIGHT[RIGHT.find("nodes").unwrap()..RIGHT.find("[[load_balancer.listener]]").unwrap()];
    let everywhere = told(&own.replace(nodes, ""));
    assert!(
        everywhere[0].contains("listens on all addresses: which of them"),
        "{everywhere:?}"
    );
    let second = "[[load_balancer]]\nname = \"second\"\nsecurity_groups = [\"web\"]\n\
                  [[load_balancer.listener]]\nport = 9090\n\
                  default = { fixed_response = { status = 200 } }\n";
    let everywhere = told(&format!("{own}{second}"));
    assert!(
        everywhere[0]
            .contains("load balancer `second` has security group `web` and listens on all"),
        "{everywhere:?}"
    );
}

#[test]
fn http3_needs_a_rule_for_udp() {
    let https = "port = 8080\nprotocol = \"HTTPS\"\nhttp3 = true\ncertificates = [{ certificate = \"site.pem\" }]";
    let rule = "inbound = [{ port = 8080, source = \"::/0\" }]\n";
    let text = with("security_groups = [\"web\"]", &format!("{WEB}{rule}"))
        .replace("port = 8080\ndefault", &format!("{https}\ndefault"));
    let warning = "no security group lets anybody in on port 8080 by UDP";
    assert_eq!(told(&text), [format!("11:9 warning: {warning}")]);
}

const SUBNET: &str =
    "[[subnet]]\nname = \"public-a\"\nzone = \"a\"\ncidr_blocks = [\"127.0.0.0/24\"]\n";

/// What is told with these two nodes, and the nodes.
fn nodes(nodes: &str, tables: &str) -> (Vec<String>, Vec<String>) {
    let old = RIGHT.find("nodes").unwrap()..RIGHT.find("[[load_balancer.listener]]").unwrap();
    let mut text = RIGHT.to_owned() + tables;
    text.replace_range(old, &format!("nodes = [{nodes}]\n"));
    let told = told(&text);
    let valid = check(&text).config;
    let nodes = valid.map_or_else(Vec::new, |valid| valid.load_balancers[0].nodes.clone());
    let nodes = nodes.iter().map(|node| {
        let zone = node.zone.as_ref().map_or("-", |zone| zone.as_str());
        let subnet = node.subnet.as_deref().unwrap_or("-");
        format!("{} {zone} {subnet}", node.address)
    });
    (told, nodes.collect())
}

#[test]
fn a_subnet_gives_its_nodes_zone_and_address() {
    let other = "[[subnet]]\nname = \"public-c\"\nzone = \"c\"\ncidr_blocks = [\"127.0.2.0/24\"]\naddresses = [\"127.0.2.9\"]\n";
    let tables = format!("{SUBNET}{other}");
    let (told, settled) = nodes(
        "{ subnet = \"public-a\" }, { subnet = \"public-c\" }",
        &tables,
    );
    assert_eq!(told, [""; 0]);
    assert_eq!(settled, ["127.0.0.4 a public-a", "127.0.2.9 c public-c"]);
    let (told, settled) = nodes(
        "{ address = \"127.0.0.77\" }, { zone = \"c\", address = \"127.0.9.9\" }",
        &tables,
    );
    assert_eq!(told, [""; 0]);
    assert_eq!(settled, ["127.0.0.77 a public-a", "127.0.9.9 c -"]);
}

#[test]
fn a_node_fits_its_subnet() {
    for (node, message) in [
        (
            "subnet = \"public-a\", address = \"127.0.1.4\"",
            "127.0.1.4 is not in subnet `public-a`",
        ),
        (
            "zone = \"c\", address = \"127.0.0.9\"",
            "the node is in subnet `public-a`, which is in zone `a`",
        ),
        ("subnet = \"public\"", "there is no subnet `public`"),
        ("zone = \"c\"", "the node has no address"),
    ] {
        let (told, _) = nodes(&format!("{{ {node} }}"), SUBNET);
        assert!(told[0].ends_with(message), "{told:?}");
    }
    let small = SUBNET.replace("/24", "/29");
    let two = "{ subnet = \"public-a\" }, { subnet = \"public-a\", zone = \"a\" }";
    let (told, _) = nodes(
        two,
        &small.replace("zone = \"a\"", "zone = \"a\"\naddresses = [\"127.0.0.6\"]"),
    );
    assert!(
        told.iter()
            .any(|told| told.ends_with("no address of subnet `public-a` is free")),
        "{told:?}"
    );
}

#[test]
fn subnets_are_distinct() {
    let subnet = SUBNET.replace("127.0.0.0/24", "10.9.0.0/24");
    let tables = format!(
        "{subnet}{}",
        subnet.replace("public-a", "b").replace("/24", "/25")
    );
    assert_eq!(
        told(&with("", &tables)),
        ["30:16 `10.9.0.0/25` overlaps with 10.9.0.0/24 of subnet `public-a`"]
    );
    let outside = format!("{subnet}addresses = [\"127.0.1.1\"]\n");
    assert_eq!(
        told(&with("", &outside))[0],
        "27:14 127.0.1.1 is not in the subnet's `cidr_blocks`"
    );
    let none = subnet.replace("\"10.9.0.0/24\"", "");
    assert_eq!(
        told(&with("", &none))[0],
        "26:15 the subnet has no addresses"
    );
}

#[test]
fn the_rules_of_a_network_acl_are_numbered() {
    let subnet = format!("{SUBNET}network_acl = \"public\"\n").replace("/24", "/29");
    assert_eq!(
        told(&with("", &subnet)),
        ["27:15 there is no network ACL `public`"]
    );
    let acl = "[[network_acl]]\nname = \"public\"\ninbound = [\n\
               { rule_number = 200, action = \"allow\", source = \"0.0.0.0/0\" },\n\
               { rule_number = 100, action = \"deny\", port = 8080, source = \"192.0.2.0/24\" },\n]\n";
    let right = with("", &format!("{subnet}{acl}"));
    assert_eq!(told(&right), [""; 0]);
    let twice = right.replace("rule_number = 200", "rule_number = 100");
    assert_eq!(told(&twice), ["32:17 inbound[0] has the number 100, too"]);
    let group = right.replace("\"192.0.2.0/24\"", "\"web\"");
    assert_eq!(told(&group), ["32:61 `web` is not an address block"]);
}

#[test]
fn an_internal_load_balancer_has_private_addresses() {
    let internal = with("scheme = \"internal\"", "");
    assert_eq!(told(&internal), [""; 0]);
    let public = internal.replace("127.0.0.12", "192.0.2.12");
    assert_eq!(
        told(&public),
        ["6:27 192.0.2.12 is a public address, and the load balancer is internal"]
    );
    let all = internal.replace("127.0.0.12", "::");
    assert!(
        told(&all)[0].contains(":: is all addresses"),
        "{:?}",
        told(&all)
    );
}

#[test]
fn words_of_awss_are_answered() {
    let tables = format!("{WEB}egress = []\n");
    let found = told(&with("", &tables));
    assert!(
        found[0].contains("what goes out is always let out"),
        "{found:?}"
    );
}
