"""Two WordPress in two zones and one MariaDB, and the ways in which one of them can go away.

All networks are internal: a container has no way out of the machine.
"""

import json

import images
import settings
from engine import docker
from report import Report
from settings import Site
from shell import run, wait_until

_LABEL = "elbow-lab"


def up(report: Report) -> None:
    """The whole site, from nothing: whatever an earlier run left is removed first."""
    remove()
    for network in settings.NETWORKS:
        docker(
            *("network", "create", "--internal", "--label", _LABEL),
            *("--subnet", network.subnet, "--gateway", network.gateway),
            *("--opt", f"com.docker.network.bridge.name={network.name}", network.name),
        )
    docker("volume", "create", "--label", _LABEL, settings.CONTENT_VOLUME)
    _create(
        *(settings.DATABASE, settings.DATABASE_NETWORK.name, settings.DATABASE_ADDRESS, images.tag("mariadb")),
        *("--tmpfs", "/var/lib/mysql"),  # in memory: a busy disk is not what the lab is about
    )
    docker("start", settings.DATABASE)
    for site in settings.SITES:
        _create(
            *(site.container, site.network.name, site.addresses[0], images.tag("wordpress")),
            *("--hostname", site.id, "--volume", f"{settings.CONTENT_VOLUME}:/var/lib/wordpress/wp-content"),
            *("--env", f"LAB_URL={settings.URL}", "--env", f"LAB_DATABASE={settings.DATABASE_ADDRESS}"),
            *("--add-host", f"{settings.HOST.partition(':')[0]}:127.0.0.1"),
        )
        docker(
            *("network", "connect", "--ip", site.database_address),
            *(settings.DATABASE_NETWORK.name, site.container),
        )
        docker("start", site.container)
    wait_until("MariaDB answers", lambda: "alive" in docker("exec", settings.DATABASE, "mariadb-admin", "ping"), 60)
    report.say("two WordPress in two zones and one MariaDB are up")


def running() -> bool:
    names = docker("ps", "--filter", f"label={_LABEL}", "--format", "{{.Names}}", check=False).split()
    return {settings.DATABASE, *(site.container for site in settings.SITES)} <= set(names)


def remove() -> None:
    if containers := docker("ps", "--all", "--quiet", "--filter", f"label={_LABEL}").split():
        docker("rm", "--force", "--volumes", *containers, timeout=120)
    if networks := docker("network", "ls", "--quiet", "--filter", f"label={_LABEL}").split():
        docker("network", "rm", *networks)
    if volumes := docker("volume", "ls", "--quiet", "--filter", f"label={_LABEL}").split():
        docker("volume", "rm", *volumes)


def mend_all() -> None:
    """Puts back whatever an experiment that was cut short left broken."""
    for network in settings.NETWORKS:
        run("ip", "link", "set", network.name, "up")
    for site in settings.SITES:
        docker("unpause", site.container, check=False)
        docker("start", site.container)


def query(statement: str) -> str:
    return docker("exec", settings.DATABASE, "mariadb", "--batch", "--execute", statement)


def log(site: Site) -> str:
    return docker("logs", "--tail", "500", site.container)


def address(site: Site) -> str:
    """The address it has or, while it is stopped, will have."""
    networks = json.loads(docker("inspect", "--format", "{{json .NetworkSettings.Networks}}", site.container))
    return str(networks[site.network.name]["IPAMConfig"]["IPv4Address"])


def stop(site: Site) -> None:
    docker("stop", "--time", "10", site.container)


def start(site: Site) -> None:
    docker("start", site.container)


def kill(site: Site) -> None:
    docker("kill", site.container)


def pause(site: Site) -> None:
    docker("pause", site.container)


def unpause(site: Site) -> None:
    docker("unpause", site.container)


def cut_zone(site: Site) -> None:
    run("ip", "link", "set", site.network.name, "down")


def restore_zone(site: Site) -> None:
    run("ip", "link", "set", site.network.name, "up")


def move(site: Site) -> None:
    """Gives a stopped container its other address; its start is the caller's."""
    other = next(a for a in site.addresses if a != address(site))
    docker("network", "disconnect", site.network.name, site.container)
    docker("network", "connect", "--ip", other, site.network.name, site.container)


def _create(name: str, network: str, ip: str, image: str, *options: str) -> None:
    docker(
        *("create", "--label", _LABEL, "--name", name, "--network", network, "--ip", ip),
        *("--restart", "no", *options, image),
    )
