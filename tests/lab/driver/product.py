"""Stages `product` and `image`: Elbow's own image, as whoever uses it gets it."""

import http.client
import json
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import images
import settings
from engine import docker
from report import Report
from shell import wait_until

_NAME = "elbow-lab-product"
_HOLDS = 3.0  # seconds that the target takes for an answer
_IN_FLIGHT = 12
_CONFIG = """
ranges = "relaxed"
[[load_balancer]]
name = "hello"
[[load_balancer.listener]]
port = 80
default = {{ fixed_response = {{ status = 200, body = "Hello.\\n" }} }}
[[load_balancer.listener.rule]]
priority = 1
path = ["/slow"]
forward = "slow"
[[target_group]]
name = "slow"
health_check = {{ enabled = false }}
targets = [{{ address = "{target}" }}]
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
    began = time.monotonic()
    images.full(report)
    report.say(f"built in {time.monotonic() - began:.0f} s")
    added = images.size(images.FULL) - images.size(images.BASE)
    report.check(f"it adds {added / 1e6:.1f} MB to its base", added <= settings.IMAGE_ADDS, added)
    _try(report, images.FULL)


class _Slow(BaseHTTPRequestHandler):
    """A target that takes its time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(_HOLDS)
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"slow")

    def log_message(self, format: str, *args: object) -> None:
        pass


def _try(report: Report, image: str) -> None:
    """In a network of its own, without a way out."""
    docker("rm", "--force", _NAME, check=False)
    docker("network", "rm", _NAME, check=False)
    network = ("--internal", "--subnet", settings.PRODUCT_RANGE, "--gateway", settings.PRODUCT_GATEWAY)
    docker("network", "create", *network, _NAME)
    target = None
    try:
        target = ThreadingHTTPServer((settings.PRODUCT_GATEWAY, 0), _Slow)
        threading.Thread(target=target.serve_forever, daemon=True).start()
        config = settings.RUNTIME / "hello.toml"
        config.write_text(_CONFIG.format(target=f"{settings.PRODUCT_GATEWAY}:{target.server_port}"))
        settings.RUNTIME.chmod(0o755)
        docker(
            *("run", "--detach", "--name", _NAME, "--network", _NAME, "--ip", settings.PRODUCT),
            *("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--health-interval", "1s", "--volume", f"{config}:/etc/elbow/elbow.toml:ro", image),
        )
        _run(report)
    finally:
        docker("rm", "--force", _NAME, check=False)
        docker("network", "rm", _NAME, check=False)
        if target:
            target.shutdown()


def _run(report: Report) -> None:
    healthy = wait_until("Docker calls it healthy", lambda: _inspect("State", "Health", "Status") == "healthy", 20)
    report.check("without a right, on a read-only file system, it is healthy by its own check", healthy)
    user = _inspect("Config", "User")
    report.check("it does not run as root", user not in ("", "0", "root"), user)
    written = docker("exec", _NAME, "sh", "-c", "for file in /x /tmp/x /etc/elbow/x; do touch $file && echo written; done", check=False)
    report.check("and can write nowhere", "written" not in written, written)
    hello = _ask("/")
    report.check("it answers", hello == (200, "Hello.\n"), hello)
    answers: list[object] = []
    visitors = [threading.Thread(target=lambda: answers.append(_ask("/slow"))) for _ in range(_IN_FLIGHT)]
    for visitor in visitors:
        visitor.start()
    time.sleep(_HOLDS / 2)
    began = time.monotonic()
    docker("stop", "--time", "20", _NAME)
    took, code = time.monotonic() - began, _inspect("State", "ExitCode")
    for visitor in visitors:
        visitor.join(30)
    lost = [answer for answer in answers if answer != (200, "slow")]
    in_order = code == 0 and took < 10
    report.check(f"it ends in order on SIGTERM, in {took:.1f} s, with exit code 0", in_order, (code, took))
    all_there = len(answers) == _IN_FLIGHT and not lost
    report.check(f"all {_IN_FLIGHT} requests that were in flight are answered first", all_there, lost)


def _ask(path: str) -> object:
    connection = http.client.HTTPConnection(settings.PRODUCT, 80, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return repr(error)
    finally:
        connection.close()


def _inspect(*path: str) -> object:
    value: object = json.loads(docker("inspect", _NAME))[0]
    for step in path:
        assert isinstance(value, dict)
        value = value.get(step)
    return value
