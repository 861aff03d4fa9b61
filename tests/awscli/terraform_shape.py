"""The calls by which Terraform's AWS provider makes, reads, changes and deletes its resources, in its order.

Terraform itself is not run: its provider comes from a registry of its own. What stands here follows the provider's code for
`aws_lb`, `aws_lb_target_group`, `aws_lb_listener`, `aws_lb_listener_rule`, `aws_lb_listener_certificate` and
`aws_lb_target_group_attachment`: what it sends for which argument, defaults included, and from which answers it fills
its state. A plan is empty when what was read is what was written.
"""

from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from checks import Checks, free_ports
from elbow import HOST, Elbow
from scene import ACCOUNT, CERTIFICATE, SEEN, Site, curl, front

Arguments = dict[str, Any]

# Argument of the provider, attribute of the API, what makes text of it and reads it.
TEXT = (str, str)
WHOLE = (str, int)
FLAG = (lambda it: "true" if it else "false", lambda it: it == "true")
BALANCER = {
    "client_keep_alive": ("client_keep_alive.seconds", WHOLE),
    "desync_mitigation_mode": ("routing.http.desync_mitigation_mode", TEXT),
    "drop_invalid_header_fields": ("routing.http.drop_invalid_header_fields.enabled", FLAG),
    "enable_deletion_protection": ("deletion_protection.enabled", FLAG),
    "enable_http2": ("routing.http2.enabled", FLAG),
    "enable_tls_version_and_cipher_suite_headers": ("routing.http.x_amzn_tls_version_and_cipher_suite.enabled", FLAG),
    "enable_waf_fail_open": ("waf.fail_open.enabled", FLAG),
    "enable_xff_client_port": ("routing.http.xff_client_port.enabled", FLAG),
    "enable_zonal_shift": ("zonal_shift.config.enabled", FLAG),
    "idle_timeout": ("idle_timeout.timeout_seconds", WHOLE),
    "preserve_host_header": ("routing.http.preserve_host_header.enabled", FLAG),
    "xff_header_processing_mode": ("routing.http.xff_header_processing.mode", TEXT),
    "access_logs": ("access_logs.s3.enabled", FLAG),
    "connection_logs": ("connection_logs.s3.enabled", FLAG),
}
GROUP = {
    "deregistration_delay": ("deregistration_delay.timeout_seconds", WHOLE),
    "load_balancing_algorithm_type": ("load_balancing.algorithm.type", TEXT),
    "load_balancing_anomaly_mitigation": ("load_balancing.algorithm.anomaly_mitigation", TEXT),
    "load_balancing_cross_zone_enabled": ("load_balancing.cross_zone.enabled", TEXT),
    "slow_start": ("slow_start.duration_seconds", WHOLE),
    "stickiness": ("stickiness.enabled", FLAG),
    "stickiness_type": ("stickiness.type", TEXT),
    "cookie_duration": ("stickiness.lb_cookie.duration_seconds", WHOLE),
    "dns_failover_count": ("target_group_health.dns_failover.minimum_healthy_targets.count", TEXT),
    "dns_failover_percentage": ("target_group_health.dns_failover.minimum_healthy_targets.percentage", TEXT),
    "unhealthy_state_count": ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", WHOLE),
    "unhealthy_state_percentage": ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", TEXT),
}
LISTENER = {
    "routing_http_response_server_enabled": ("routing.http.response.server.enabled", FLAG),
    "routing_http_response_strict_transport_security_header_value":
        ("routing.http.response.strict_transport_security.header_value", TEXT),
}  # fmt: skip
HEALTH_CHECK = {
    "enabled": "HealthCheckEnabled", "interval": "HealthCheckIntervalSeconds", "healthy_threshold": "HealthyThresholdCount",
    "unhealthy_threshold": "UnhealthyThresholdCount", "timeout": "HealthCheckTimeoutSeconds", "path": "HealthCheckPath",
    "check_port": "HealthCheckPort", "check_protocol": "HealthCheckProtocol",
}  # fmt: skip


def written(known: dict[str, Any], arguments: Arguments) -> list[dict[str, str]]:
    return [{"Key": key, "Value": kind[0](arguments[name])} for name, (key, kind) in known.items() if name in arguments]


def read(known: dict[str, Any], attributes: list[dict[str, str]]) -> Arguments:
    found = {pair["Key"]: pair.get("Value", "") for pair in attributes}
    return {name: kind[1](found[key]) for name, (key, kind) in known.items() if key in found}


class Provider:
    def __init__(self, endpoint: str) -> None:
        self.elb = boto3.client("elbv2", endpoint_url=endpoint)
        self.sts = boto3.client("sts", endpoint_url=endpoint)
        self.ec2 = boto3.client("ec2", endpoint_url=endpoint)

    def _tags(self, arn: str) -> Arguments:
        [described] = self.elb.describe_tags(ResourceArns=[arn])["TagDescriptions"]
        return {"tags": {tag["Key"]: tag["Value"] for tag in described["Tags"]}}

    def is_free(self, describe: Callable[..., Any], name: str, code: str) -> bool:
        """Before it makes something it asks whether there is one, and wants to be told that there is none."""
        try:
            describe(Names=[name])
        except ClientError as error:
            return error.response["Error"]["Code"] == code
        return False

    # aws_lb_target_group

    def make_group(self, wanted: Arguments) -> str:
        check = {key: wanted[name] for name, key in HEALTH_CHECK.items()}
        [made] = self.elb.create_target_group(
            Name=wanted["name"], TargetType=wanted["target_type"], Port=wanted["port"],
            Protocol=wanted["protocol"], ProtocolVersion=wanted["protocol_version"], VpcId=wanted["vpc_id"],
            Matcher={"HttpCode": wanted["matcher"]}, **check, **tags(wanted),
        )["TargetGroups"]  # fmt: skip
        self.change_group(made["TargetGroupArn"], wanted)
        return made["TargetGroupArn"]

    def change_group(self, arn: str, changed: Arguments) -> None:
        self.elb.modify_target_group_attributes(TargetGroupArn=arn, Attributes=written(GROUP, changed))

    def group(self, arn: str) -> Arguments:
        [it] = self.elb.describe_target_groups(TargetGroupArns=[arn])["TargetGroups"]
        attributes = self.elb.describe_target_group_attributes(TargetGroupArn=arn)["Attributes"]
        return {
            "name": it["TargetGroupName"], "target_type": it["TargetType"], "port": it["Port"], "protocol": it["Protocol"],
            "protocol_version": it["ProtocolVersion"], "vpc_id": it["VpcId"], "ip_address_type": it["IpAddressType"],
            "matcher": it["Matcher"]["HttpCode"],
            **{name: it.get(key) for name, key in HEALTH_CHECK.items()}, **read(GROUP, attributes), **self._tags(arn),
        }  # fmt: skip

    # aws_lb

    def make_balancer(self, wanted: Arguments) -> str:
        [made] = self.elb.create_load_balancer(
            Name=wanted["name"], Type="application", SecurityGroups=wanted["security_groups"],
            Subnets=wanted["subnets"], IpAddressType=wanted["ip_address_type"], **tags(wanted),
        )["LoadBalancers"]  # fmt: skip
        arn = made["LoadBalancerArn"]
        self.change_balancer(arn, wanted)
        return arn

    def change_balancer(self, arn: str, changed: Arguments) -> None:
        if attributes := written(BALANCER, changed):
            self.elb.modify_load_balancer_attributes(LoadBalancerArn=arn, Attributes=attributes)

    def balancer(self, arn: str) -> Arguments:
        [it] = self.elb.describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
        attributes = self.elb.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        reserved = self.elb.describe_capacity_reservation(LoadBalancerArn=arn)
        return {
            "name": it["LoadBalancerName"], "internal": it["Scheme"] == "internal", "ip_address_type": it["IpAddressType"],
            "load_balancer_type": it["Type"], "state": it["State"]["Code"], "security_groups": sorted(it["SecurityGroups"]),
            "subnets": sorted(zone["SubnetId"] for zone in it["AvailabilityZones"]),
            "minimum_load_balancer_capacity": reserved.get("MinimumLoadBalancerCapacity"),
            "computed": all(it.get(key) for key in ("DNSName", "VpcId", "CanonicalHostedZoneId")),
            **read(BALANCER, attributes), **self._tags(arn),
        }  # fmt: skip

    # aws_lb_listener

    def make_listener(self, wanted: Arguments) -> str:
        secure = {}
        if wanted["protocol"] == "HTTPS":
            secure = {"SslPolicy": wanted["ssl_policy"], "Certificates": [{"CertificateArn": wanted["certificate_arn"]}]}
        [made] = self.elb.create_listener(
            LoadBalancerArn=wanted["load_balancer_arn"], Port=wanted["port"], Protocol=wanted["protocol"],
            DefaultActions=wanted["default_action"], **secure, **tags(wanted),
        )["Listeners"]  # fmt: skip
        if attributes := written(LISTENER, wanted):
            self.elb.modify_listener_attributes(ListenerArn=made["ListenerArn"], Attributes=attributes)
        return made["ListenerArn"]

    def listener(self, arn: str) -> Arguments:
        [it] = self.elb.describe_listeners(ListenerArns=[arn])["Listeners"]
        attributes = self.elb.describe_listener_attributes(ListenerArn=arn)["Attributes"]
        certificates = [each["CertificateArn"] for each in it.get("Certificates", [])]
        return {
            "load_balancer_arn": it["LoadBalancerArn"], "port": it["Port"], "protocol": it["Protocol"],
            "ssl_policy": it.get("SslPolicy"), "certificate_arn": certificates[0] if len(certificates) == 1 else None,
            "default_action": actions(it["DefaultActions"]), **read(LISTENER, attributes), **self._tags(arn),
        }  # fmt: skip

    # aws_lb_listener_rule

    def make_rule(self, wanted: Arguments) -> str:
        transforms = {"Transforms": wanted["transform"]} if wanted["transform"] else {}
        [made] = self.elb.create_rule(
            ListenerArn=wanted["listener_arn"], Priority=wanted["priority"], Actions=wanted["action"],
            Conditions=wanted["condition"], **transforms, **tags(wanted),
        )["Rules"]  # fmt: skip
        return made["RuleArn"]

    def rule(self, arn: str) -> Arguments:
        [it] = self.elb.describe_rules(RuleArns=[arn])["Rules"]
        # The listener's ARN is made out of the rule's.
        parts = arn.replace(":listener-rule/", ":listener/").rsplit("/", 1)
        # `Values` stands there for older clients, too; the provider reads what each kind of condition has of its own.
        conditions = [{key: value for key, value in each.items() if key != "Values"} for each in it["Conditions"]]
        return {
            "listener_arn": parts[0], "priority": int(it["Priority"]), "action": actions(it["Actions"]),
            "condition": conditions, "transform": it.get("Transforms", []), **self._tags(arn),
        }  # fmt: skip

    # aws_lb_target_group_attachment, aws_lb_listener_certificate

    def attached(self, group: str, target: dict[str, Any]) -> bool:
        told = self.elb.describe_target_health(TargetGroupArn=group, Targets=[target])["TargetHealthDescriptions"]
        gone = ("Target.DeregistrationInProgress", "Target.NotRegistered")
        return [it["TargetHealth"].get("Reason") in gone for it in told] == [False]

    def certificates(self, listener: str) -> list[str]:
        told = self.elb.describe_listener_certificates(ListenerArn=listener, PageSize=400)["Certificates"]
        return [it["CertificateArn"] for it in told if not it["IsDefault"]]

    def interfaces(self, balancer: str) -> list[Any]:
        """After it has deleted a load balancer it waits until there are none of these."""
        name = balancer.split("loadbalancer/")[1]
        filters = [("attachment.instance-owner-id", "amazon-elb"), ("description", f"ELB {name}")]
        wanted = [{"Name": key, "Values": [value]} for key, value in filters]
        return self.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]


def tags(wanted: Arguments) -> dict[str, list[dict[str, str]]]:
    """No tags are not said at all."""
    pairs = [{"Key": key, "Value": value} for key, value in wanted["tags"].items()]
    return {"Tags": pairs} if pairs else {}


def actions(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """An action that forwards to one group is told in two ways, of which the provider takes the one that was written."""
    kept = []
    for action in sorted(told, key=lambda it: it.get("Order", 1)):
        if "TargetGroupArn" in action:
            action = {key: value for key, value in action.items() if key != "ForwardConfig"}
        kept.append({"Order": 1, **action})
    return kept


def differences(wanted: Arguments, found: Arguments) -> dict[str, Any]:
    return {name: (value, found.get(name)) for name, value in wanted.items() if found.get(name) != value}


def group(name: str, port: int) -> Arguments:
    """All arguments of a target group, most with the provider's defaults."""
    return {
        "name": name, "target_type": "ip", "port": port, "protocol": "HTTP", "protocol_version": "HTTP1", "vpc_id": "vpc-elbow",
        "enabled": True, "interval": 10, "healthy_threshold": 3, "unhealthy_threshold": 3, "timeout": 5, "path": "/up",
        "check_port": "traffic-port", "check_protocol": "HTTP", "matcher": "200-299", "deregistration_delay": 30,
        "load_balancing_algorithm_type": "least_outstanding_requests", "load_balancing_anomaly_mitigation": "off",
        "load_balancing_cross_zone_enabled": "use_load_balancer_configuration", "slow_start": 0, "stickiness": True,
        "stickiness_type": "lb_cookie", "cookie_duration": 3600, "dns_failover_count": "1", "dns_failover_percentage": "off",
        "unhealthy_state_count": 1, "unhealthy_state_percentage": "off", "tags": {"Team": "web"},
    }  # fmt: skip


def balancer() -> Arguments:
    return {
        "name": "web", "internal": False, "ip_address_type": "ipv4", "load_balancer_type": "application", "state": "active",
        "security_groups": ["sg-0c"], "subnets": ["subnet-0a", "subnet-0b"], "client_keep_alive": 3600, "computed": True,
        "desync_mitigation_mode": "defensive", "drop_invalid_header_fields": False, "enable_deletion_protection": False,
        "enable_http2": True, "enable_tls_version_and_cipher_suite_headers": False, "enable_waf_fail_open": False,
        "enable_xff_client_port": True, "enable_zonal_shift": False, "idle_timeout": 30, "preserve_host_header": True,
        "xff_header_processing_mode": "append", "access_logs": False, "connection_logs": False, "tags": {"Team": "web"},
    }  # fmt: skip


def rules(listener: str, blue: str, green: str) -> list[Arguments]:
    both = [{"TargetGroupArn": blue, "Weight": 80}, {"TargetGroupArn": green, "Weight": 20}]
    weighted = {"TargetGroups": both, "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 600}}
    moved = {"Protocol": "HTTPS", "Port": "#{port}", "Host": "#{host}", "Path": "/new/#{path}", "Query": "#{query}"}
    fixed = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "short and stout"}
    rewrite = {"Rewrites": [{"Regex": "^/api/(.*)$", "Replace": "/$1"}]}
    made = [
        ([{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api/*"]}}], {"Type": "forward", "TargetGroupArn": green},
         [{"Type": "url-rewrite", "UrlRewriteConfig": rewrite}]),
        ([{"Field": "host-header", "HostHeaderConfig": {"Values": ["*.example.com"]}}],
         {"Type": "forward", "ForwardConfig": weighted}, []),
        ([{"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["pot*"]}}],
         {"Type": "fixed-response", "FixedResponseConfig": fixed}, []),
        ([{"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "a", "Value": "b"}]}}],
         {"Type": "redirect", "RedirectConfig": {**moved, "StatusCode": "HTTP_302"}}, []),
        ([{"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}],
         {"Type": "fixed-response", "FixedResponseConfig": {**fixed, "StatusCode": "403"}}, []),
        ([{"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["DELETE"]}}],
         {"Type": "fixed-response", "FixedResponseConfig": {**fixed, "StatusCode": "405"}}, []),
    ]  # fmt: skip
    return [
        {"listener_arn": listener, "priority": 10 * number, "condition": condition, "action": [{"Order": 1, **action}],
         "transform": transform, "tags": {"Rule": str(number)}}
        for number, (condition, action, transform) in enumerate(made, 1)
    ]  # fmt: skip


def main() -> None:
    checks = Checks()
    site = Site("shop")
    http, https = free_ports(2)
    with Elbow("terraform", SEEN) as elbow:
        elbow.configure(front("state", (http, https)) + second_certificate())
        elbow.start()
        provider = Provider(f"http://{elbow.admin}")
        checks.equal("the provider learns its account", provider.sts.get_caller_identity()["Account"], ACCOUNT)
        checks.check(
            "it finds that nothing is there yet",
            provider.is_free(provider.elb.describe_load_balancers, "web", "LoadBalancerNotFound")
            and provider.is_free(provider.elb.describe_target_groups, "blue", "TargetGroupNotFound"),
        )

        def plan(what: str, wanted: Arguments, found: Arguments) -> None:
            checks.equal(f"a plan is empty: {what}", differences(wanted, found), {})

        blue, green = group("blue", site.port), {**group("green", 81), "stickiness": False, "slow_start": 60}
        green["load_balancing_algorithm_type"] = "round_robin"
        arns = {each["name"]: provider.make_group(each) for each in (blue, green)}
        web = balancer()
        arns["web"] = provider.make_balancer(web)
        redirect = {"Protocol": "HTTPS", "Port": str(https), "Host": "#{host}", "Path": "/#{path}", "Query": "#{query}"}
        plain = {
            "load_balancer_arn": arns["web"], "port": http, "protocol": "HTTP", "tags": {},
            "default_action": [{"Order": 1, "Type": "redirect", "RedirectConfig": {**redirect, "StatusCode": "HTTP_301"}}],
        }  # fmt: skip
        secure = {
            "load_balancer_arn": arns["web"], "port": https, "protocol": "HTTPS", "tags": {"Front": "yes"},
            "ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06", "certificate_arn": CERTIFICATE,
            "routing_http_response_server_enabled": False,
            "routing_http_response_strict_transport_security_header_value": "max-age=31536000",
            "default_action": [{"Order": 1, "Type": "forward", "TargetGroupArn": arns["blue"]}],
        }  # fmt: skip
        arns["http"], arns["https"] = provider.make_listener(plain), provider.make_listener(secure)
        all_rules = {provider.make_rule(each): each for each in rules(arns["https"], arns["blue"], arns["green"])}
        target = {"Id": site.address, "Port": site.port}
        provider.elb.register_targets(TargetGroupArn=arns["blue"], Targets=[target])
        provider.elb.add_listener_certificates(ListenerArn=arns["https"], Certificates=[{"CertificateArn": f"{CERTIFICATE}-2"}])

        def all_is_as_written(when: str) -> None:
            plan(f"aws_lb_target_group{when}", blue, provider.group(arns["blue"]))
            plan(f"aws_lb_target_group without stickiness{when}", green, provider.group(arns["green"]))
            plan(f"aws_lb{when}", web, provider.balancer(arns["web"]))
            plan(f"aws_lb_listener that redirects{when}", plain, provider.listener(arns["http"]))
            plan(f"aws_lb_listener with certificate{when}", secure, provider.listener(arns["https"]))
            for arn, rule in all_rules.items():
                plan(f"aws_lb_listener_rule by {rule['condition'][0]['Field']}{when}", rule, provider.rule(arn))
            checks.check(f"a plan is empty: aws_lb_target_group_attachment{when}", provider.attached(arns["blue"], target))
            found = provider.certificates(arns["https"])
            checks.equal(f"a plan is empty: aws_lb_listener_certificate{when}", found, [f"{CERTIFICATE}-2"])

        all_is_as_written("")
        checks.in_time("what was made serves", lambda: curl(elbow, f"https://{HOST}:{https}/")[2] == "shop /\n")
        elbow.stop()
        elbow.start()
        all_is_as_written(", after a restart")
        change(provider, arns, all_rules, web, blue)
        all_is_as_written(", after changes")
        destroy(provider, arns, list(all_rules), target)
        checks.check(
            "destroyed, nothing is left",
            not provider.elb.describe_load_balancers()["LoadBalancers"] and not provider.elb.describe_target_groups()["TargetGroups"],
        )
        checks.equal("and the provider waits for nothing", provider.interfaces(arns["web"]), [])
    checks.end()


def second_certificate() -> str:
    return f'[[certificate]]\nname = "site-2"\ncertificate = "{HOST}.pem"\nprivate_key = "{HOST}.key"\n'


def change(provider: Provider, arns: dict[str, str], all_rules: dict[str, Arguments], web: Arguments, blue: Arguments) -> None:
    """One argument of each, by the call that the provider has for it."""
    web |= {"idle_timeout": 90, "security_groups": ["sg-0c", "sg-0d"], "subnets": ["subnet-0a"]}
    provider.change_balancer(arns["web"], {"idle_timeout": 90})
    provider.elb.set_security_groups(LoadBalancerArn=arns["web"], SecurityGroups=web["security_groups"])
    provider.elb.set_subnets(LoadBalancerArn=arns["web"], Subnets=web["subnets"])
    blue |= {"deregistration_delay": 60, "interval": 20, "matcher": "200"}
    check = {key: blue[name] for name, key in HEALTH_CHECK.items()}
    provider.elb.modify_target_group(TargetGroupArn=arns["blue"], Matcher={"HttpCode": blue["matcher"]}, **check)
    provider.change_group(arns["blue"], {"deregistration_delay": 60})
    provider.elb.add_tags(ResourceArns=[arns["blue"]], Tags=[{"Key": "Stage", "Value": "lab"}])
    provider.elb.remove_tags(ResourceArns=[arns["blue"]], TagKeys=["Team"])
    blue["tags"] = {"Stage": "lab"}
    [first, second, *_] = all_rules
    all_rules[first] |= {"priority": 15, "transform": []}
    provider.elb.set_rule_priorities(RulePriorities=[{"RuleArn": first, "Priority": 15}])
    provider.elb.modify_rule(RuleArn=first, ResetTransforms=True)
    all_rules[second]["action"] = [{"Order": 1, "Type": "forward", "TargetGroupArn": arns["green"]}]
    provider.elb.modify_rule(RuleArn=second, Actions=all_rules[second]["action"])


def destroy(provider: Provider, arns: dict[str, str], all_rules: list[str], target: dict[str, Any]) -> None:
    elb = provider.elb
    elb.remove_listener_certificates(ListenerArn=arns["https"], Certificates=[{"CertificateArn": f"{CERTIFICATE}-2"}])
    elb.deregister_targets(TargetGroupArn=arns["blue"], Targets=[target])
    for rule in all_rules:
        elb.delete_rule(RuleArn=rule)
    for listener in ("http", "https"):
        elb.delete_listener(ListenerArn=arns[listener])
    elb.delete_load_balancer(LoadBalancerArn=arns["web"])
    for each in ("blue", "green"):
        elb.delete_target_group(TargetGroupArn=arns[each])


main()
