"""The machine under the lab: the guard route, Debian packages, disk space."""

import ipaddress
import json
import os
import shutil
from pathlib import Path

import settings
from report import Report
from shell import CommandFailed, run

_PACKAGES = ["iptables", "mmdebstrap", "hey", "prometheus", "goaccess"]
_ENGINE = ["docker.io"]
_PEERS = ["haproxy"]
_POLICY = Path("/usr/sbin/policy-rc.d")


def guard_networks() -> None:
    """Without this, a packet for a bridge that is down leaves the machine by the default route."""
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        if route["dst"] == "default" or route.get("dev", "").startswith(("elbow-lab", "docker0")):
            continue
        if route.get("type") == "unreachable" or route.get("table") == "local":
            continue
        if ipaddress.ip_network(route["dst"]).overlaps(ipaddress.ip_network(settings.RANGE)):
            raise CommandFailed(f"{settings.RANGE} is in use on this machine: {route['dst']} dev {route.get('dev')}")
    run("ip", "route", "replace", "unreachable", settings.RANGE, "metric", settings.GUARD_METRIC)


def unguard_networks() -> None:
    run("ip", "route", "del", "unreachable", settings.RANGE, "metric", settings.GUARD_METRIC, check=False)


def check_disk() -> None:
    free = shutil.disk_usage("/var/lib").free
    if free < settings.DISK_NEEDED and not settings.STORE.exists():
        raise CommandFailed(
            f"the lab needs {settings.DISK_NEEDED >> 30} GiB below /var/lib for its images, and {free >> 30} are free"
        )


def install(report: Report, engine: bool, peer: bool) -> None:
    """Installs what is missing, without starting any of the services that the packages bring."""
    wanted = _PACKAGES + (_ENGINE if engine else []) + (_PEERS if peer else [])
    missing = [name for name in wanted if not _installed(name)]
    if not missing:
        return
    report.say(f"installing Debian's {', '.join(missing)} (they stay)")
    quiet_services = not _POLICY.exists()
    if quiet_services:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
    try:
        env = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", timeout=180, env=env)
        run("apt-get", "install", "-y", "--no-install-recommends", *missing, timeout=300, env=env)
    finally:
        if quiet_services:
            _POLICY.unlink()


def tell_load(report: Report) -> None:
    """A machine that is busy with other things makes every balancer look bad: say so where it can be read later."""
    load, processors = os.getloadavg()[0], os.cpu_count() or 1
    if load > processors:
        report.say(
            f"note: {load:.1f} processes compete for {processors} processors; expect slow answers and lost probes"
        )


def require_root() -> None:
    if os.geteuid() != 0:
        raise CommandFailed("the lab makes networks and containers: run it as root")


def _installed(package: str) -> bool:
    return run("dpkg-query", "-W", "-f", "${db:Status-Status}", package, check=False) == "installed"
