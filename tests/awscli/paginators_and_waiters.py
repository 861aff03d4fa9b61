"""boto3's paginators and waiters, which Python programs and Ansible stand on."""

import threading
import time
from typing import Any

import boto3
from botocore.exceptions import ClientError, WaiterError

from checks import Checks, free_ports
from elbow import Elbow
from scene import SEEN, Site, front

SOON = {"Delay": 1, "MaxAttempts": 20}


def pages(client: Any, operation: str, name: str, **arguments: Any) -> list[int]:
    """How many each page has, two at a time."""
    paginator = client.get_paginator(operation).paginate(PaginationConfig={"PageSize": 2}, **arguments)
    return [len(page[name]) for page in paginator]


def made(client: Any, site: Site, port: int) -> tuple[str, str, str]:
    """Three groups, a load balancer and a listener with four rules: the ARNs of the load balancer, the listener, a group."""
    arns = []
    for name in ("one", "two", "three"):
        [group] = client.create_target_group(
            Name=name, Protocol="HTTP", Port=site.port, VpcId="vpc-elbow", TargetType="ip", HealthCheckIntervalSeconds=5,
            HealthCheckTimeoutSeconds=2, HealthyThresholdCount=2, UnhealthyThresholdCount=2,
        )["TargetGroups"]  # fmt: skip
        arns.append(group["TargetGroupArn"])
    client.modify_target_group_attributes(
        TargetGroupArn=arns[0], Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "1"}]
    )
    [balancer] = client.create_load_balancer(Name="web", Subnets=["subnet-0a"], SecurityGroups=["sg-0d"])["LoadBalancers"]
    forward = [{"Type": "forward", "TargetGroupArn": arns[0]}]
    [listener] = client.create_listener(
        LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=forward
    )["Listeners"]
    for priority in range(1, 5):
        path = [{"Field": "path-pattern", "PathPatternConfig": {"Values": [f"/{priority}"]}}]
        client.create_rule(ListenerArn=listener["ListenerArn"], Priority=priority, Conditions=path, Actions=forward)
    return balancer["LoadBalancerArn"], listener["ListenerArn"], arns[0]


def waits(checks: Checks, client: Any, balancer: str, group: str, site: Site) -> None:
    def wait(name: str, **arguments: Any) -> None:
        client.get_waiter(name).wait(WaiterConfig=SOON, **arguments)

    wait("load_balancer_exists", Names=["web"])
    wait("load_balancer_available", LoadBalancerArns=[balancer])
    checks.check("waiters: the load balancer is there and active", True)
    target = {"Id": site.address}
    try:
        client.get_waiter("load_balancers_deleted").wait(LoadBalancerArns=[balancer], WaiterConfig={"Delay": 1, "MaxAttempts": 2})
        gone = True
    except WaiterError:
        gone = False
    checks.check("waiters: load_balancers_deleted does not return while it is there", not gone)
    site.stop()
    client.register_targets(TargetGroupArn=group, Targets=[target])
    began = time.monotonic()
    threading.Timer(3, site.start).start()
    wait("target_in_service", TargetGroupArn=group, Targets=[target])
    checks.check("waiters: target_in_service returns when the target has come up", time.monotonic() - began > 3)
    [told] = client.describe_target_health(TargetGroupArn=group, Targets=[target])["TargetHealthDescriptions"]
    checks.equal("a target without a port has the group's", told["Target"]["Port"], site.port)
    client.deregister_targets(TargetGroupArn=group, Targets=[target])
    wait("target_deregistered", TargetGroupArn=group, Targets=[target])
    left = client.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    checks.equal("waiters: target_deregistered returns when the target is gone", left, [])
    try:
        [told] = client.describe_target_health(TargetGroupArn=group, Targets=[target])["TargetHealthDescriptions"]
        said = told["TargetHealth"].get("Reason")
    except ClientError as error:
        said = error.response["Error"]["Code"]
    checks.check("who asks for it then is told that it is not registered", said in ("Target.NotRegistered", "InvalidTarget"), said)
    client.delete_load_balancer(LoadBalancerArn=balancer)
    wait("load_balancers_deleted", LoadBalancerArns=[balancer])
    checks.check("waiters: load_balancers_deleted returns when it is deleted", True)


def main() -> None:
    checks = Checks()
    site = Site("shop")
    http, https = free_ports(2)
    with Elbow("boto3", SEEN) as elbow:
        elbow.configure(front("state", (http, https)))
        elbow.start()
        client = boto3.client("elbv2", endpoint_url=f"http://{elbow.admin}")
        balancer, listener, group = made(client, site, http)
        checks.equal("pages: target groups", pages(client, "describe_target_groups", "TargetGroups"), [2, 1])
        checks.equal("pages: load balancers", pages(client, "describe_load_balancers", "LoadBalancers"), [1])
        checks.equal("pages: listeners", pages(client, "describe_listeners", "Listeners", LoadBalancerArn=balancer), [1])
        checks.equal("pages: rules, and the default one last", pages(client, "describe_rules", "Rules", ListenerArn=listener), [2, 2, 1])
        limits = client.get_paginator("describe_account_limits").paginate().build_full_result()["Limits"]
        checks.check("limits of the account are told", any(it["Name"] == "rules-per-application-load-balancer" for it in limits), limits)
        policies = [it["Name"] for it in client.describe_ssl_policies()["SslPolicies"]]
        checks.check("and the security policies", "ELBSecurityPolicy-TLS13-1-2-2021-06" in policies, policies)
        waits(checks, client, balancer, group, site)
    checks.end()


main()
