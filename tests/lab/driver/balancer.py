"""The balancer in front: the daemon or, for comparison, HAProxy. Both answer the same questions."""

import csv
import http.client
import json
import os
import socket
from collections.abc import Callable
from string import Template

import containers
import settings
from report import Report
from settings import Site
from shell import CommandFailed, Daemon, run, wait_until

ACCESS_LOG = settings.LOGS / "access.log"
_ADMIN = ("127.0.0.1", settings.ADMIN_PORT)
_HOSTS = settings.RUNTIME / "hosts"


class Elbow:
    name = "elbow"
    follows_names = True

    def __init__(self) -> None:
        self._daemon = Daemon("elbow")

    def running(self) -> bool:
        return self._daemon.running()

    def start(self) -> None:
        """In a mount namespace of its own, with its own /etc/hosts: the machine's stays untouched."""
        if not settings.ELBOW_BIN.exists():
            _build()
        config = settings.RUNTIME / "elbow.toml"
        config.write_text(_fill("elbow.toml", wp_a=settings.WP_A.hostname, wp_b=settings.WP_B.hostname))
        ACCESS_LOG.unlink(missing_ok=True)
        write_hosts()
        run(settings.ELBOW_BIN, "check", config)
        self._daemon.start(
            *("unshare", "--mount", "--propagation", "private", "sh", "-ec"),
            'mount --bind "$1" /etc/hosts; shift; exec "$@"',
            *("sh", _HOSTS, settings.ELBOW_BIN, "run", "--config", config),
        )
        _wait_ready(self._daemon, lambda: self._admin("/ready"))

    def stop(self) -> None:
        self._daemon.stop()

    def health(self, site: Site) -> tuple[str, str]:
        """State and reason code; the reason is empty for a healthy target."""
        document = json.loads(self._admin("/target-health"))
        groups = {group["target_group"]: group["targets"] for group in document["target_groups"]}
        health = {target["target"]["id"]: target["target_health"] for target in groups[settings.GROUP]}[site.id]
        return health["state"], health.get("reason") or ""

    def repeated(self) -> int:
        return int(sum(self.metric(name) for name in settings.METRICS_REPEATED))

    def metric(self, name: str) -> float:
        """The sum over all of a family's samples."""
        samples = [line.rpartition(" ") for line in self.metrics().splitlines() if not line.startswith("#")]
        return sum(float(value) for series, _, value in samples if series.partition("{")[0] == name)

    def metrics(self) -> str:
        return self._admin("/metrics")

    def _admin(self, path: str) -> str:
        connection = http.client.HTTPConnection(*_ADMIN, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read().decode()
        except http.client.HTTPException as error:
            raise OSError(f"{path}: {error!r}") from None
        finally:
            connection.close()
        if answer.status != 200:
            raise ValueError(f"{path} answered {answer.status}: {body[:200]}")
        return body


class HAProxy:
    name = "haproxy"
    follows_names = False  # without a DNS server for its resolvers it looks names up at start only

    def __init__(self) -> None:
        self._daemon = Daemon("haproxy")
        self._socket = settings.RUNTIME / "haproxy.sock"

    def running(self) -> bool:
        return self._daemon.running()

    def start(self) -> None:
        config = settings.RUNTIME / "haproxy.cfg"
        addresses = {"wp_a": containers.address(settings.WP_A), "wp_b": containers.address(settings.WP_B)}
        config.write_text(_fill("haproxy.cfg", socket=self._socket, **addresses))
        self._daemon.start("haproxy", "-db", "-f", config)
        _wait_ready(self._daemon, self._servers)

    def stop(self) -> None:
        self._daemon.stop()

    def health(self, site: Site) -> tuple[str, str]:
        row = self._servers()[site.id]
        if row["status"].startswith("UP"):
            return "healthy", ""
        reasons = {"TOUT": settings.REASON_TIMEOUT, "STS": settings.REASON_MISMATCH}
        return "unhealthy", reasons.get(row["check_status"].strip("* ")[2:], settings.REASON_FAILED)

    def repeated(self) -> int:
        total = self._servers()["BACKEND"]
        return int(total["wretr"]) + int(total["wredis"])

    def _servers(self) -> dict[str, dict[str, str]]:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(str(self._socket))
            connection.sendall(b"show stat\n")
            text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
        rows = csv.DictReader(text.removeprefix("# ").splitlines())
        return {row["svname"]: row for row in rows if row["pxname"] == "wordpress"}


Balancer = Elbow | HAProxy
ALL: dict[str, Balancer] = {balancer.name: balancer for balancer in (Elbow(), HAProxy())}


def put_in_front(report: Report, balancer: Balancer) -> None:
    """Only one balancer is in front at a time: they listen on the same addresses."""
    for other in ALL.values():
        if other is not balancer:
            other.stop()
    if not balancer.running():
        _require_free((settings.NODE_A, settings.PORT), (settings.NODE_C, settings.PORT), _ADMIN)
        balancer.start()
        report.say(f"{balancer.name} is in front of {settings.URL}, on {settings.NODE_A} and {settings.NODE_C}")
    else:
        write_hosts()


def wait_healthy(balancer: Balancer) -> None:
    """Until both targets are."""
    wait_until(
        "both targets are healthy",
        lambda: all(balancer.health(site)[0] == "healthy" for site in settings.SITES),
        settings.RETURN_LIMIT,
    )


def stop_all() -> None:
    for balancer in ALL.values():
        balancer.stop()


def write_hosts() -> None:
    """Where the daemon finds the targets by name. Written in place: the daemon's /etc/hosts is this very file."""
    names = "".join(f"{containers.address(site)} {site.hostname}\n" for site in settings.SITES)
    with os.fdopen(os.open(_HOSTS, os.O_RDWR | os.O_CREAT, 0o644), "r+") as hosts:
        hosts.write(f"127.0.0.1 localhost\n{names}")
        hosts.truncate()


def _require_free(*addresses: tuple[str, int]) -> None:
    """A stranger on one of the addresses would answer in the balancer's place."""
    for address in addresses:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(address)
            except OSError as error:
                raise CommandFailed(f"{address[0]}:{address[1]} is in use by another program: {error}") from None


def _wait_ready(daemon: Daemon, ready: Callable[[], object]) -> None:
    """Until it is ready, or has ended already; what it wrote last is the best message there is."""
    try:
        wait_until(f"{daemon.name} is ready", lambda: not daemon.running() or ready(), 20)
    except TimeoutError as error:
        raise CommandFailed(f"{error}\n{daemon.tail()}") from None
    if not daemon.running():
        raise CommandFailed(f"{daemon.name} ended at once:\n{daemon.tail()}")


def _build() -> None:
    if os.environ.get("ELBOW_BIN"):
        raise CommandFailed(f"ELBOW_BIN names {settings.ELBOW_BIN}, which is not there")
    manifest = settings.CHECKOUT / "Cargo.toml"
    run("nice", "-n", "5", "cargo", "build", "--locked", "--manifest-path", manifest, timeout=600)


def _fill(name: str, **more: object) -> str:
    template = Template((settings.LAB / "config" / name).read_text())
    return template.substitute(
        port=settings.PORT,
        node_a=settings.NODE_A,
        node_c=settings.NODE_C,
        admin_port=settings.ADMIN_PORT,
        access_log=ACCESS_LOG,
        group=settings.GROUP,
        health_path=settings.HEALTH_PATH,
        host=settings.HOST,
        **more,
    )
