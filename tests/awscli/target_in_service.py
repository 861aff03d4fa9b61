"""What ALB promises of `aws elbv2 wait`: a target is registered, waited for, lost, seen, deregistered and waited for."""

import time
import urllib.request

from checks import Checks, free_ports
from elbow import Elbow
from scene import SEEN, Cli, Site


def main() -> None:
    checks = Checks()
    site = Site("shop")
    [port] = free_ports(1)
    with Elbow("wait", SEEN) as elbow:
        elbow.configure(
            f"""
state_directory = "state"
[[load_balancer]]
name = "web"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {port}
default = {{ forward = "shop" }}
[[target_group]]
name = "shop"
deregistration_delay = "3s"
health_check = {{ interval = "500ms", timeout = "400ms" }}
"""
        )
        elbow.start()
        aws = Cli(elbow)
        [group] = aws("describe-target-groups", "--names", "shop")["TargetGroups"]
        which = ("--target-group-arn", group["TargetGroupArn"])
        target = ("--targets", f"Id=127.0.0.1,Port={site.port}")

        def health() -> dict[str, str]:
            [described] = aws("describe-target-health", *which)["TargetHealthDescriptions"]
            return described["TargetHealth"]

        checks.equal("a group of the file has no target yet", aws("describe-target-health", *which)["TargetHealthDescriptions"], [])
        site.stop()
        aws("register-targets", *which, *target)
        checks.in_time(
            "a target that nothing listens at is not in service",
            lambda: health()["State"] == "unhealthy",
        )
        checks.equal("its reason is ALB's", health()["Reason"], "Target.FailedHealthChecks")
        began = time.monotonic()
        site.start()
        aws("wait", "target-in-service", *which, *target)
        checks.equal("`aws elbv2 wait target-in-service` returns when it is healthy", health(), {"State": "healthy"})
        checks.check("and not before it was", time.monotonic() - began > 2, "5 passed probes take 2 s")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/cart", timeout=10) as answer:
            checks.equal("requests reach it", answer.read(), b"shop /cart\n")
        site.stop()
        checks.in_time("a target that is stopped is unhealthy", lambda: health()["State"] == "unhealthy")
        said = health()
        checks.equal("with ALB's reason code", said.get("Reason"), "Target.FailedHealthChecks")
        checks.equal("and its sentence", said.get("Description"), "Health checks failed")
        site.start()
        checks.in_time("one that is back is healthy by itself", lambda: health()["State"] == "healthy")
        aws("deregister-targets", *which, *target)
        said = health()
        checks.equal(
            "a target that is deregistered is draining",
            (said["State"], said.get("Reason")),
            ("draining", "Target.DeregistrationInProgress"),
        )
        aws("wait", "target-deregistered", *which, *target)
        checks.equal(
            "`aws elbv2 wait target-deregistered` returns when it is gone",
            aws("describe-target-health", *which)["TargetHealthDescriptions"],
            [],
        )
    checks.end()


main()
