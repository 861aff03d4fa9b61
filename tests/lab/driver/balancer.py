"""Elbow in its container: its certificate, its configuration, and what its admin address says."""

import http.client
import json
import shutil
import socket
from string import Template
from typing import Any

import compose
import images
import machine
import settings
from report import Report
from shell import CommandFailed, run, wait_until

ACCESS_LOG = settings.LOGS / "elbow" / "access.log"
AUTHORITY_CERTIFICATE = settings.AUTHORITY / "ca.pem"
_USER = 65532  # of Elbow's image


def prepare(report: Report) -> None:
    """All that the container needs before it starts: image, certificate, configuration, folders."""
    images.elbow(report)
    for folder in (settings.CERTIFICATES, settings.AUTHORITY):
        shutil.rmtree(folder, ignore_errors=True)
    settings.CERTIFICATES.mkdir()
    ACCESS_LOG.parent.mkdir(parents=True, exist_ok=True)
    ACCESS_LOG.unlink(missing_ok=True)
    run(
        *(settings.ELBOW_BIN, "cert", settings.HOST, "--ca", settings.AUTHORITY),
        *("--out", settings.CERTIFICATES),
    )
    _write_configuration(stale_ip_after_stop=False)
    for path in (settings.CERTIFICATES, *settings.CERTIFICATES.iterdir(), ACCESS_LOG.parent):
        shutil.chown(path, _USER, _USER)
    settings.RUNTIME.chmod(0o755)


def configure(*, stale_ip_after_stop: bool = False) -> None:
    """Changes what can be changed in the configuration, and reloads."""
    _write_configuration(stale_ip_after_stop=stale_ip_after_stop)
    ask("/reload", "POST")


def _write_configuration(*, stale_ip_after_stop: bool) -> None:
    template = Template((settings.LAB / "config" / "elbow.toml").read_text())
    stale = str(stale_ip_after_stop).lower()
    text = template.substitute(net=settings.NET, stale_ip_after_stop=stale)
    path = settings.CERTIFICATES / "elbow.toml"
    path.write_text(text)
    shutil.chown(path, _USER, _USER)


def install_program() -> None:
    """Puts the program where the experiment of upgrades runs it from: another file in place of the last one."""
    folder = settings.RUNTIME / "program"
    folder.mkdir(exist_ok=True)
    shutil.copy(settings.ELBOW_BIN, folder / "elbow.new")
    (folder / "elbow.new").rename(folder / "elbow")


def process() -> dict[str, Any]:
    """Which process answers."""
    found: dict[str, Any] = document("/status")["process"]
    return found


def wait_ready() -> None:
    """Until it is, or has ended already; what it wrote last is the best message there is."""
    try:
        wait_until("elbow is ready", lambda: not compose.is_running("elbow") or ask("/ready"), 30)
    except TimeoutError as error:
        raise CommandFailed(f"{error}\n{compose.log('elbow')[-3000:]}") from None
    if not compose.is_running("elbow"):
        raise CommandFailed(f"elbow ended at once:\n{compose.log('elbow')[-3000:]}")


def health(target: str, group: str = settings.GROUP) -> tuple[str, str]:
    """State and reason code; the reason is empty for a healthy target, and the state for one that is not there."""
    for found in targets(group):
        if found["target"]["id"] == target:
            return found["target_health"]["state"], found["target_health"].get("reason") or ""
    return "", ""


def targets(group: str = settings.GROUP) -> list[dict[str, Any]]:
    groups: list[dict[str, Any]] = document(f"/target-groups/{group}/health")["target_groups"]
    return list(groups[0]["targets"])


def address(target: str, group: str = settings.GROUP) -> str:
    """Where the balancer asks a target."""
    found = [found["target"]["address"] for found in targets(group) if found["target"]["id"] == target]
    return str(found[0]).partition(":")[0] if found else ""


def found(target: str, outcome: str, group: str = settings.GROUP) -> int:
    """How many of its latest probes in a row found this."""
    probes = [found["probes"] for found in targets(group) if found["target"]["id"] == target][0]
    return next((n for n, probe in enumerate(reversed(probes)) if probe["outcome"] != outcome), len(probes))


def healthy(group: str = settings.GROUP) -> set[str]:
    return {found["target"]["id"] for found in targets(group) if found["target_health"]["state"] == "healthy"}


def wait_healthy() -> None:
    """Until both WordPress are."""
    wanted = {site.id for site in settings.SITES}
    wait_until("both targets are healthy", lambda: wanted <= healthy(), settings.RETURN_LIMIT)


def repeated() -> int:
    return int(sum(metric(name) for name in settings.METRICS_REPEATED))


def metric(name: str) -> float:
    """The sum over all of a family's samples."""
    samples = [line.rpartition(" ") for line in ask("/metrics").splitlines() if not line.startswith("#")]
    return sum(float(value) for series, _, value in samples if series.partition("{")[0] == name)


def document(path: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(ask(path))
    return answer


def ask(path: str, method: str = "GET") -> str:
    connection = http.client.HTTPConnection(*settings.ADMIN, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read().decode()
    except http.client.HTTPException as error:
        raise OSError(f"{path}: {error!r}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"{path} answered {answer.status}: {body[:200]}")
    return body


def check_shield(report: Report) -> None:
    """Past the balancer nobody reaches a WordPress, once what Elbow says of their security group is loaded there."""
    rules = settings.RUNTIME / "hosts.nft"
    rules.write_text(run(settings.ELBOW_BIN, "nft", "--admin", f"{settings.ADMIN[0]}:{settings.ADMIN[1]}"))
    for site in settings.SITES:
        machine.load_rules(compose.process(site.id), rules)
        report.check(f"port 80 of {site.id} is refused to all but the balancer", not _connects(site.address, 80))
    report.check("and the balancer's ports are open", _connects(settings.NODE_A, 443) and _connects(settings.NODE_C, 80))


def _connects(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
