"""A whole site that is made, used, kept over a restart and deleted by the AWS CLI alone."""

import json
from typing import Any

from checks import Checks, free_ports
from elbow import HOST, Elbow
from scene import CERTIFICATE, SEEN, Cli, Site, curl, front


class Scene:
    def __init__(self, elbow: Elbow, http: int, https: int) -> None:
        self.elbow = elbow
        self.aws = Cli(elbow)
        self.http = http
        self.https = https
        self.groups: dict[str, str] = {}
        self.load_balancer = ""
        self.listeners: dict[str, str] = {}
        self.rules: dict[int, str] = {}

    def ask(self, path: str, *arguments: str, address: str = "127.0.0.11") -> tuple[int, dict[str, str], str]:
        return curl(self.elbow, f"https://{HOST}:{self.https}{path}", *arguments, address=address)

    def attributes(self, what: str, arn: str) -> dict[str, str]:
        """Of a `load-balancer` or a `target-group`."""
        answer = self.aws(f"describe-{what}-attributes", f"--{what}-arn", arn)
        return {pair["Key"]: pair["Value"] for pair in answer["Attributes"]}

    def all(self) -> dict[str, Any]:
        """All that can be described, as it should be again after a restart."""
        aws, told = self.aws, {}
        told["load balancers"] = aws("describe-load-balancers")
        told["attributes"] = self.attributes("load-balancer", self.load_balancer)
        told["listeners"] = aws("describe-listeners", "--load-balancer-arn", self.load_balancer)
        for protocol, arn in self.listeners.items():
            told[f"rules of {protocol}"] = aws("describe-rules", "--listener-arn", arn)
        told["certificates"] = aws("describe-listener-certificates", "--listener-arn", self.listeners["HTTPS"])
        told["target groups"] = aws("describe-target-groups")
        for name, arn in self.groups.items():
            told[f"attributes of {name}"] = self.attributes("target-group", arn)
            health = aws("describe-target-health", "--target-group-arn", arn)
            told[f"targets of {name}"] = [it["Target"] for it in health["TargetHealthDescriptions"]]
        arns = [self.load_balancer, *self.groups.values(), *self.listeners.values(), *self.rules.values()]
        told["tags"] = aws("describe-tags", "--resource-arns", *arns)
        return told


def make(scene: Scene, checks: Checks, sites: dict[str, list[Site]]) -> None:
    aws = scene.aws
    for name in sites:
        made = aws(
            "create-target-group", "--name", name, "--protocol", "HTTP", "--port", "80", "--target-type", "ip",
            "--vpc-id", "vpc-elbow", "--health-check-path", "/up", "--health-check-interval-seconds", "5",
            "--health-check-timeout-seconds", "2", "--healthy-threshold-count", "2", "--tags", f"Key=Part,Value={name}",
        )  # fmt: skip
        scene.groups[name] = made["TargetGroups"][0]["TargetGroupArn"]
    [made] = aws(
        "create-load-balancer", "--name", "web", "--subnets", "subnet-0a", "subnet-0b", "--security-groups", "sg-0c",
        "--tags", "Key=Team,Value=web team",
    )["LoadBalancers"]  # fmt: skip
    scene.load_balancer = made["LoadBalancerArn"]
    aws("wait", "load-balancer-available", "--load-balancer-arns", scene.load_balancer)
    checks.equal(
        "a load balancer is made in the subnets and security groups of the file",
        (sorted(zone["ZoneName"] for zone in made["AvailabilityZones"]), made["SecurityGroups"], made["Scheme"]),
        (["eu-central-1a", "eu-central-1b"], ["sg-0c"], "internet-facing"),
    )
    redirect = {"Protocol": "HTTPS", "Port": str(scene.https), "StatusCode": "HTTP_301"}
    [listener] = aws(
        "create-listener", "--load-balancer-arn", scene.load_balancer, "--protocol", "HTTP", "--port", str(scene.http),
        "--default-actions", json.dumps([{"Type": "redirect", "RedirectConfig": redirect}]),
    )["Listeners"]  # fmt: skip
    scene.listeners["HTTP"] = listener["ListenerArn"]
    [listener] = aws(
        "create-listener", "--load-balancer-arn", scene.load_balancer, "--protocol", "HTTPS", "--port", str(scene.https),
        "--certificates", f"CertificateArn={CERTIFICATE}", "--ssl-policy", "ELBSecurityPolicy-TLS13-1-2-2021-06",
        "--default-actions", f"Type=forward,TargetGroupArn={scene.groups['shop']}",
    )["Listeners"]  # fmt: skip
    scene.listeners["HTTPS"] = listener["ListenerArn"]
    checks.equal(
        "an HTTPS listener has its certificate and its policy",
        (listener["Certificates"][0]["CertificateArn"], listener["SslPolicy"]),
        (CERTIFICATE, "ELBSecurityPolicy-TLS13-1-2-2021-06"),
    )
    for name, all_of_it in sites.items():
        targets = [f"Id={site.address},Port={site.port}" for site in all_of_it]
        aws("register-targets", "--target-group-arn", scene.groups[name], "--targets", *targets)


def rules(scene: Scene) -> list[tuple[int, list[dict[str, Any]], dict[str, Any]]]:
    """Priority, conditions, action."""
    both = [{"TargetGroupArn": scene.groups["shop"], "Weight": 0}, {"TargetGroupArn": scene.groups["admin"], "Weight": 10}]
    weighted = {"TargetGroups": both, "TargetGroupStickinessConfig": {"Enabled": True, "DurationSeconds": 60}}
    teapot = {"StatusCode": "418", "ContentType": "text/plain", "MessageBody": "short and stout"}
    moved = {"Protocol": "#{protocol}", "Port": "#{port}", "Host": "#{host}", "Path": "/new/#{path}", "StatusCode": "HTTP_302"}
    header = {"Field": "http-header", "HttpHeaderConfig": {"HttpHeaderName": "X-Kind", "Values": ["pot*"]}}
    query = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "page", "Value": "old"}]}}
    methods = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["DELETE"]}}
    there = {"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}
    return [
        (10, [{"Field": "path-pattern", "Values": ["/admin/*"]}], {"Type": "forward", "TargetGroupArn": scene.groups["admin"]}),
        (20, [header], {"Type": "fixed-response", "FixedResponseConfig": teapot}),
        (30, [query, there], {"Type": "redirect", "RedirectConfig": moved}),
        (40, [methods], {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "403"}}),
        (50, [{"Field": "host-header", "HostHeaderConfig": {"Values": ["blue.*.com"]}}], {"Type": "forward", "ForwardConfig": weighted}),
    ]


def make_rules(scene: Scene) -> None:
    for priority, conditions, action in rules(scene):
        [rule] = scene.aws(
            "create-rule", "--listener-arn", scene.listeners["HTTPS"], "--priority", str(priority),
            "--conditions", json.dumps(conditions), "--actions", json.dumps([action]),
        )["Rules"]  # fmt: skip
        scene.rules[priority] = rule["RuleArn"]


def serves(scene: Scene, checks: Checks, when: str) -> None:
    """Real requests, answered as the rules say."""
    checks.in_time(f"targets are in service{when}", lambda: scene.ask("/")[0] == 200 and scene.ask("/admin/x")[0] == 200)
    status, fields, _ = curl(scene.elbow, f"http://{HOST}:{scene.http}/cart?a=b")
    checks.equal(
        f"HTTP is redirected to HTTPS{when}",
        (status, fields.get("location")),
        (301, f"https://{HOST}:{scene.https}/cart?a=b"),
    )
    checks.check(f"the default action forwards{when}", scene.ask("/cart")[2].startswith("shop-"), scene.ask("/cart"))
    checks.equal(f"so does the node of the other zone{when}", scene.ask("/cart", address="127.0.0.12")[0], 200)
    checks.equal(f"path-pattern forwards to the other group{when}", scene.ask("/admin/x")[2], "admin /admin/x\n")
    checks.equal(f"http-header answers itself{when}", scene.ask("/", "-H", "X-Kind: pots")[::2], (418, "short and stout"))
    status, fields, _ = scene.ask("/x?page=old")
    checks.equal(
        f"query-string and source-ip redirect{when}",
        (status, fields.get("location", "").removesuffix("?page=old")),
        (302, f"https://{HOST}:{scene.https}/new/x"),
    )
    checks.equal(f"http-request-method refuses{when}", scene.ask("/", "-X", "DELETE")[0], 403)
    blue = curl(scene.elbow, f"https://{HOST}:{scene.https}/blue", "-H", "Host: blue.example.com")
    checks.equal(f"host-header forwards by weight{when}", blue[2], "admin /blue\n")


def change(scene: Scene, checks: Checks) -> None:
    aws = scene.aws
    scene.aws(
        "modify-target-group-attributes", "--target-group-arn", scene.groups["shop"], "--attributes",
        "Key=stickiness.enabled,Value=true", "Key=stickiness.type,Value=lb_cookie",
        "Key=stickiness.lb_cookie.duration_seconds,Value=300", "Key=deregistration_delay.timeout_seconds,Value=2",
        "Key=load_balancing.algorithm.type,Value=least_outstanding_requests",
    )  # fmt: skip
    kept = scene.attributes("target-group", scene.groups["shop"])
    checks.equal(
        "attributes of a target group are kept",
        [kept[key] for key in ("stickiness.enabled", "deregistration_delay.timeout_seconds", "load_balancing.algorithm.type")],
        ["true", "2", "least_outstanding_requests"],
    )
    checks.check("and stickiness takes hold", "AWSALB=" in str(scene.ask("/cart", "-o", "/dev/null")[1]), scene.ask("/cart")[1])
    aws(
        "modify-load-balancer-attributes", "--load-balancer-arn", scene.load_balancer, "--attributes",
        "Key=idle_timeout.timeout_seconds,Value=30", "Key=deletion_protection.enabled,Value=true",
        "Key=routing.http.preserve_host_header.enabled,Value=true",
    )  # fmt: skip
    kept = scene.attributes("load-balancer", scene.load_balancer)
    checks.equal(
        "attributes of a load balancer are kept",
        [kept[key] for key in ("idle_timeout.timeout_seconds", "deletion_protection.enabled", "routing.http2.enabled")],
        ["30", "true", "true"],
    )
    aws("set-rule-priorities", "--rule-priorities", f"RuleArn={scene.rules[40]},Priority=5", f"RuleArn={scene.rules[10]},Priority=40")
    told = aws("describe-rules", "--listener-arn", scene.listeners["HTTPS"])["Rules"]
    checks.equal("rules have their new priorities", [rule["Priority"] for rule in told], ["5", "20", "30", "40", "50", "default"])
    checks.equal("the one that moved up is asked first", scene.ask("/admin/x", "-X", "DELETE")[0], 403)
    moved = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "451"}}
    aws("modify-rule", "--rule-arn", scene.rules[40], "--actions", json.dumps([moved]))
    checks.equal("a rule that is modified answers anew", scene.ask("/", "-X", "DELETE")[0], 451)
    moved["FixedResponseConfig"]["StatusCode"] = "403"  # type: ignore[index]
    aws("modify-rule", "--rule-arn", scene.rules[40], "--actions", json.dumps([moved]))
    aws("add-tags", "--resource-arns", scene.load_balancer, scene.rules[10], "--tags", "Key=Stage,Value=lab")
    aws("remove-tags", "--resource-arns", scene.load_balancer, "--tag-keys", "Team")
    told = aws("describe-tags", "--resource-arns", scene.load_balancer, scene.groups["shop"])["TagDescriptions"]
    checks.equal(
        "tags come and go",
        [each["Tags"] for each in told],
        [[{"Key": "Stage", "Value": "lab"}], [{"Key": "Part", "Value": "shop"}]],
    )


def refuses(scene: Scene, checks: Checks) -> None:
    """What AWS refuses, by AWS's codes."""
    aws, https = scene.aws, scene.listeners["HTTPS"]
    teapot = json.dumps([{"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "418"}}])
    path = json.dumps([{"Field": "path-pattern", "Values": ["/x"]}])
    listener = ("create-listener", "--load-balancer-arn", scene.load_balancer, "--default-actions", teapot)
    default = aws("describe-rules", "--listener-arn", https)["Rules"][-1]["RuleArn"]
    group = ("create-target-group", "--name", "shop", "--protocol", "HTTP", "--vpc-id", "vpc-elbow")
    unknown = scene.groups["shop"][:-1] + ("0" if scene.groups["shop"][-1] != "0" else "1")
    for code, what, arguments in [
        ("DuplicateListener", "a second listener on a port", (*listener, "--protocol", "HTTP", "--port", str(scene.http))),
        ("CertificateNotFound", "a certificate that is not there",
         (*listener, "--protocol", "HTTPS", "--port", "444", "--certificates", f"CertificateArn={CERTIFICATE}x")),
        ("DuplicateTargetGroupName", "a second group of that name", (*group, "--port", "81")),
        ("DuplicateLoadBalancerName", "a second load balancer of that name",
         ("create-load-balancer", "--name", "web", "--subnets", "subnet-0a", "--scheme", "internal")),
        ("PriorityInUse", "a second rule of that priority",
         ("create-rule", "--listener-arn", https, "--priority", "20", "--conditions", path, "--actions", teapot)),
        ("TargetGroupNotFound", "a group that is not there",
         ("register-targets", "--target-group-arn", unknown, "--targets", "Id=127.0.0.1,Port=1")),
        ("LoadBalancerNotFound", "a load balancer that is not there", ("describe-load-balancers", "--names", "nobody")),
        ("OperationNotPermitted", "to delete what is protected", ("delete-load-balancer", "--load-balancer-arn", scene.load_balancer)),
        ("OperationNotPermitted", "to delete the default rule", ("delete-rule", "--rule-arn", default)),
        ("ResourceInUse", "to delete a group that a listener uses", ("delete-target-group", "--target-group-arn", scene.groups["shop"])),
        ("ResourceInUse", "to delete a group that a rule uses", ("delete-target-group", "--target-group-arn", scene.groups["admin"])),
    ]:  # fmt: skip
        checks.equal(f"refused, {code}: {what}", aws.refusal(*arguments), code)


def delete(scene: Scene, checks: Checks) -> None:
    aws = scene.aws
    aws("delete-rule", "--rule-arn", scene.rules[20])
    checks.equal("a rule that is deleted answers nothing more", scene.ask("/", "-H", "X-Kind: pots")[0], 200)
    aws("delete-listener", "--listener-arn", scene.listeners["HTTP"])
    checks.in_time("nothing listens where a listener was", lambda: is_closed(scene))
    aws("modify-load-balancer-attributes", "--load-balancer-arn", scene.load_balancer, "--attributes", "Key=deletion_protection.enabled,Value=false")
    aws("delete-load-balancer", "--load-balancer-arn", scene.load_balancer)
    aws("wait", "load-balancers-deleted", "--load-balancer-arns", scene.load_balancer)
    checks.equal("a load balancer goes with its listeners", aws("describe-load-balancers")["LoadBalancers"], [])
    for arn in scene.groups.values():
        aws("delete-target-group", "--target-group-arn", arn)
    checks.equal("groups can go then", aws("describe-target-groups")["TargetGroups"], [])


def is_closed(scene: Scene) -> bool:
    try:
        curl(scene.elbow, f"http://{HOST}:{scene.http}/")
    except OSError:
        return True
    return False


def main() -> None:
    checks = Checks()
    http, https = free_ports(2)
    sites = {"shop": [Site("shop-a"), Site("shop-b", "127.0.0.3")], "admin": [Site("admin")]}
    with Elbow("site", SEEN) as elbow:
        elbow.configure(front("state", (http, https)))
        elbow.start()
        scene = Scene(elbow, http, https)
        make(scene, checks, sites)
        make_rules(scene)
        serves(scene, checks, "")
        change(scene, checks)
        refuses(scene, checks)
        before = scene.all()
        elbow.stop()
        elbow.start()
        after = scene.all()
        different = [what for what in before if before[what] != after[what]]
        checks.equal("after a restart all is described as before", [(it, before[it], after[it]) for it in different], [])
        serves(scene, checks, " after a restart")
        delete(scene, checks)
    checks.end()


main()
