//! Who is trusted to say who the client is.

use super::{RIGHT, check, told, told_with};
use crate::config::Others;
use crate::proxy_protocol::Version;

fn listener(settings: &str) -> Vec<String> {
    told_with(
        "port = 8080",
        &format!("port = 8080\nproxy_protocol = {settings}"),
    )
}

#[test]
fn a_proxy_is_trusted_by_its_address_block() {
    assert_eq!(listener("{ from = [] }"), ["9:27 no proxy is named"]);
    assert_eq!(
        listener("{ from = [\"10.0.0.0/8\", \"proxy.test\"], timeout = \"0s\" }"),
        [
            "9:42 `proxy.test` is not an address block: write CIDR such as 10.0.0.0/8, 192.0.2.7 or fd00::/8",
            "9:67 0s is out of range: write 100ms to 60s",
        ]
    );
    assert_eq!(
        listener("{ from = [\"::/0\"] }"),
        ["9:28 warning: `::/0` is everyone: any client may claim to be any other"]
    );
}

#[test]
fn what_is_not_written_of_the_proxy_protocol_is_lenient_to_direct_clients() {
    let text = RIGHT.replace(
        "port = 8080",
        "port = 8080\nproxy_protocol = { from = [\"10.0.0.7\"] }",
    );
    let config = check(&text).config.unwrap();
    let settings = config.load_balancers[0].listeners[0]
        .proxy_protocol
        .as_ref();
    let settings = settings.unwrap();
    assert!(settings.from.contains([10, 0, 0, 7].into()));
    assert_eq!(
        (settings.others, settings.timeout.as_secs()),
        (Others::Serve, 5)
    );
}

#[test]
fn probes_of_the_traffic_port_begin_like_requests_and_those_of_another_port_do_not() {
    let group = "name = \"wordpress\"\n";
    let with = RIGHT.replace(group, &format!("{group}proxy_protocol = \"v2\"\n"));
    let config = check(&with).config.unwrap();
    let group = &config.target_groups[0];
    assert_eq!(group.settings.proxy_protocol, Some(Version::V2));
    assert_eq!(group.health_check.proxy_protocol, Some(Version::V2));
    let other = with.replace("health_check = {", "health_check = { port = 9,");
    let config = check(&other).config.unwrap();
    assert_eq!(config.target_groups[0].health_check.proxy_protocol, None);
    assert_eq!(told(&with), [""; 0]);
}

fn balancer(settings: &str) -> Vec<String> {
    told_with(
        "name = \"wp-elb\"",
        &format!("name = \"wp-elb\"\n{settings}"),
    )
}

#[test]
fn who_is_trusted_is_named_and_what_a_balancer_calls_itself_is_an_address_or_hidden() {
    assert_eq!(
        balancer("trusted_proxies = { from = [] }"),
        ["3:28 no proxy is named"]
    );
    assert_eq!(
        balancer("trusted_proxies = { from = [\"10.0.0.0/8\", \"cdn\"] }"),
        [
            "3:43 `cdn` is not an address block: write CIDR such as 10.0.0.0/8, 192.0.2.7 or fd00::/8"
        ]
    );
    for by in ["_", "shop", "_shop.test:80", "10.0.0.1"] {
        assert_eq!(
            balancer(&format!(
                "forwarded = {{ mode = \"append\", by = \"{by}\" }}"
            )),
            [format!("3:37 `{by}` is not what a proxy may call itself")]
        );
    }
    for by in ["address", "_shop.1-a_b"] {
        let settings = format!("forwarded = {{ mode = \"append\", by = \"{by}\" }}");
        assert_eq!(balancer(&settings), [""; 0]);
    }
}
