"""The machine under the lab: the guard route, Debian packages, disk space."""

import ipaddress
import json
import os
import shutil
from pathlib import Path

import settings
from report import Report
from shell import CommandFailed, run

_IMAGES = ["iptables", "mmdebstrap"]
_PACKAGES = [*_IMAGES, "nftables", "prometheus", "goaccess", "chromium", "chromium-driver", "libnss3-tools"]
_ENGINE = ["docker.io"]
_COMPOSE = ["docker-compose"]
_POLICY = Path("/usr/sbin/policy-rc.d")


def guard_networks() -> None:
    """Without this, a packet for a bridge that is down leaves the machine by the default route."""
    for route in json.loads(run("ip", "-json", "-4", "route", "show", "table", "all")):
        if route["dst"] == "default" or route.get("dev", "").startswith(("elbow-lab", "docker0")):
            continue
        if route.get("type") == "unreachable" or route.get("table") == "local":
            continue
        if ipaddress.ip_network(route["dst"]).overlaps(ipaddress.ip_network(settings.RANGE)):
            raise CommandFailed(
                f"{settings.RANGE} is in use on this machine ({route['dst']} dev {route.get('dev')}): give the lab "
                "another range, for example ELBOW_LAB_NET=10.201"
            )
    run("ip", "route", "replace", "unreachable", settings.RANGE, "metric", settings.GUARD_METRIC)


def unguard_networks() -> None:
    run("ip", "route", "del", "unreachable", settings.RANGE, "metric", settings.GUARD_METRIC, check=False)


def load_rules(process: int, rules: Path) -> None:
    """Loads rules of nftables on the host that the process belongs to: in its network namespace."""
    run("nsenter", f"--target={process}", "--net", "nft", "-f", rules)


def check_disk() -> None:
    free = shutil.disk_usage("/var/lib").free
    if free < settings.DISK_NEEDED and not settings.STORE.exists():
        raise CommandFailed(
            f"the lab needs {settings.DISK_NEEDED >> 30} GiB below /var/lib for its images, and {free >> 30} are free"
        )


def install(report: Report, engine: bool, compose: bool, images_only: bool = False) -> None:
    """Installs what is missing, without starting any of the services that the packages bring."""
    wanted = (_IMAGES if images_only else _PACKAGES) + (_ENGINE if engine else []) + (_COMPOSE if compose else [])
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


def slowness() -> float:
    """By how much everything takes longer than on a machine that has nothing else to do: 1 to 3."""
    return max(1.0, min(3.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def require_root() -> None:
    if os.geteuid() != 0:
        raise CommandFailed("the lab makes networks and containers: run it as root")


def _installed(package: str) -> bool:
    return run("dpkg-query", "-W", "-f", "${db:Status-Status}", package, check=False) == "installed"
