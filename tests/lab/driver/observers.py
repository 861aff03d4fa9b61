"""Stage `prometheus`: those who look at the daemon from outside understand what it says.

A real Prometheus scrapes and answers queries, promtool judges the metrics page, GoAccess reads the access log.
"""

import contextlib
import http.client
import json
import shutil
import urllib.parse
from string import Template

import balancer
import browser
import phases
import settings
from balancer import ACCESS_LOG
from browser import Browser
from report import Report
from shell import CommandFailed, Daemon, run, wait_until

_PROMETHEUS = Daemon("prometheus")
_REQUESTS = 40
_HEALTHY_HOSTS = f'sum({settings.METRIC_HEALTHY}{{target_group="{settings.GROUP}"}})'


def stage(report: Report) -> None:
    report.stage("Prometheus, promtool and GoAccess")
    phases.ensure_phase_3(report)
    _promtool(report)
    try:
        _prometheus(report)
    finally:
        stop()
    _goaccess(report)


def stop() -> None:
    _PROMETHEUS.stop()


def _promtool(report: Report) -> None:
    page = settings.LOGS / "metrics.txt"
    page.write_text(balancer.ask("/metrics"))
    complaints = run("sh", "-c", 'promtool check metrics < "$1"', "sh", page, check=False).strip()
    report.check("`promtool check metrics` has nothing to say", complaints == "", complaints)


def _prometheus(report: Report) -> None:
    data = settings.RUNTIME / "prometheus"
    shutil.rmtree(data, ignore_errors=True)
    config = settings.RUNTIME / "prometheus.yml"
    template = Template((settings.LAB / "config" / "prometheus.yml").read_text())
    config.write_text(template.substitute(admin="{}:{}".format(*settings.ADMIN)))
    _PROMETHEUS.start(
        *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={data}"),
        *(f"--web.listen-address=127.0.0.1:{settings.PROMETHEUS_PORT}", "--log.level=warn"),
    )
    try:
        healthy = wait_until("Prometheus has scraped", lambda: _query(_HEALTHY_HOSTS), 30)
    except TimeoutError as error:
        raise CommandFailed(f"{error}\n{_PROMETHEUS.tail()}") from None
    report.check("Prometheus scrapes the daemon", _query('up{job="elbow"}') == 1.0)
    report.check("Prometheus: two healthy hosts", healthy == 2.0, healthy)
    before = _requests()
    for _ in range(_REQUESTS):
        Browser(browser.NODE_A).get("/lab/answers.html")
    with contextlib.suppress(TimeoutError):
        wait_until("the count rises", lambda: _requests() >= before + _REQUESTS, 15)
    rise = _requests() - before
    report.check(f"Prometheus: {_REQUESTS} requests are {_REQUESTS} more", rise == _REQUESTS, rise)


def _requests() -> float:
    return _query(f"sum({settings.METRIC_REQUESTS})") or 0.0


def _query(expression: str) -> float | None:
    """An instant query's single value; None while there is none."""
    connection = http.client.HTTPConnection("127.0.0.1", settings.PROMETHEUS_PORT, timeout=5)
    try:
        connection.request("GET", "/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    result = answer["data"]["result"] if answer.get("status") == "success" else []
    return float(result[0]["value"][1]) if result else None


def _goaccess(report: Report) -> None:
    """GoAccess knows ALB's log by name; every line must be one that it understands."""
    before = len(_lines())
    Browser(browser.NODE_A).get("/lab/answers.html?last")
    wait_until("the last request is in the access log", lambda: "?last " in ACCESS_LOG.read_text()[-20000:], 10)
    copy, result = settings.LOGS / "access-copy.log", settings.LOGS / "goaccess.json"
    copy.write_text("\n".join(_lines()) + "\n")
    run("goaccess", copy, "--log-format=AWSALB", "--no-global-config", "--output", result, timeout=60)
    general = json.loads(result.read_text())["general"]
    lines = len(copy.read_text().splitlines())
    counts = {key: general[key] for key in ("total_requests", "valid_requests", "failed_requests")}
    understood = counts["valid_requests"] == lines and counts["failed_requests"] == 0
    report.check(f"GoAccess reads all {lines} lines of the access log", understood and lines > before, counts)


def _lines() -> list[str]:
    """Those of requests: GoAccess does not know those of connections that a TCP listener forwards, which are NLB's."""
    return [line for line in ACCESS_LOG.read_text().splitlines() if not line.startswith("tcp ")]
