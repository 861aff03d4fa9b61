"""Stage `product`: Elbow's own image, as whoever uses it gets it."""

import json
import signal
import time

import images
import settings
from engine import docker
from report import Report
from shell import wait_until

_NAME = "elbow-lab-product"
_CONFIG = """
[[load_balancer]]
name = "hello"
[[load_balancer.listener]]
port = 80
default = { fixed_response = { status = 200, body = "Hello.\\n" } }
"""


def stage(report: Report) -> None:
    """The image with the program that is built already: what it is made of, not what it weighs."""
    report.stage("Elbow's image, with a program that is built already")
    images.elbow(report)
    _try(report, images.ELBOW)


def full(report: Report) -> None:
    """The image by `docker build .`."""
    report.stage("Elbow's image, by `docker build .`")
    signal.alarm(settings.TIME_LIMIT + settings.BUILD_LIMIT)
    images.full(report)
    added = images.size(images.FULL) - images.size(images.BASE)
    report.check(f"it adds {added / 1e6:.1f} MB to its base", added <= settings.IMAGE_ADDS, added)
    _try(report, images.FULL)


def _try(report: Report, image: str) -> None:
    config = settings.RUNTIME / "hello.toml"
    config.write_text(_CONFIG)
    docker("rm", "--force", _NAME, check=False)
    docker(
        *("run", "--detach", "--name", _NAME, "--network", "none"),
        *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
        *("--health-interval", "1s", "--volume", f"{config}:/etc/elbow/elbow.toml:ro", image),
    )
    try:
        _run(report)
    finally:
        docker("rm", "--force", _NAME, check=False)


def _run(report: Report) -> None:
    healthy = wait_until("Docker calls it healthy", lambda: _inspect("State", "Health", "Status") == "healthy", 20)
    report.check("without a right, on a read-only file system, it is healthy by its own check", healthy)
    user = _inspect("Config", "User")
    report.check("it does not run as root", user not in ("", "0", "root"), user)
    began = time.monotonic()
    docker("stop", "--time", "20", _NAME)
    took, code = time.monotonic() - began, _inspect("State", "ExitCode")
    report.check(f"it ends in order on SIGTERM, in {took:.1f} s", code == 0 and took < 10, (code, took))


def _inspect(*path: str) -> object:
    value: object = json.loads(docker("inspect", _NAME))[0]
    for step in path:
        assert isinstance(value, dict)
        value = value.get(step)
    return value
