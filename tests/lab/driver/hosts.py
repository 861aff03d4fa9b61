"""The ways in which a WordPress can go away, and come back."""

import compose
import settings
from engine import docker
from settings import Site
from shell import run

_FAULT = "/run/lab-fault-500"
_MAINTENANCE = "/usr/share/wordpress/.maintenance"


def mend_all() -> None:
    """Puts back whatever an experiment that was cut short left broken."""
    for bridge in settings.BRIDGES:
        run("ip", "link", "set", bridge, "up")
    for site in settings.SITES:
        docker("unpause", compose.container(site.id), check=False)
        docker("start", compose.container(site.id))
        connect(site)
        heal(site)
        compose.execute(site.id, "rm", "-f", _MAINTENANCE)


def stop(site: Site) -> None:
    docker("stop", "--time", "10", compose.container(site.id))


def start(site: Site) -> None:
    docker("start", compose.container(site.id))


def kill(site: Site) -> None:
    docker("kill", compose.container(site.id))


def pause(site: Site) -> None:
    docker("pause", compose.container(site.id))


def unpause(site: Site) -> None:
    docker("unpause", compose.container(site.id))


def start_elsewhere(site: Site) -> None:
    """A stopped host gets its other address, and is started."""
    disconnect(site)
    connect(site, site.other_address)
    start(site)


def return_home(site: Site) -> None:
    """A stopped host gets its own address back."""
    disconnect(site)
    connect(site)


def answers(site: Site, address: str) -> bool:
    """Whether its Apache answers at that address, as it finds itself."""
    ask = f"echo file_get_contents('http://{address}/lab/answers.html');"
    return "Apache answers" in compose.execute(site.id, "php", "-r", ask, check=False)


def disconnect(site: Site) -> None:
    docker("network", "disconnect", compose.network(site.network), compose.container(site.id))


def connect(site: Site, address: str | None = None) -> None:
    """Does nothing when it is connected."""
    network, container = compose.network(site.network), compose.container(site.id)
    docker("network", "connect", "--ip", address or site.address, network, container, check=False)


def cut_zone(site: Site) -> None:
    """The zone's network is down, and no engine knows."""
    run("ip", "link", "set", site.bridge, "down")


def restore_zone(site: Site) -> None:
    run("ip", "link", "set", site.bridge, "up")


def fill(site: Site) -> None:
    """Every worker of Apache's is busy for a while, and more wait."""
    ask = f"file_get_contents('http://127.0.0.1/lab/slow.php?ms={settings.AWAY * 1000}');"
    many = f"for i in $(seq 16); do php -r \"{ask}\" & done; wait"
    docker("exec", "--detach", compose.container(site.id), "sh", "-c", many)


def fault(site: Site) -> None:
    compose.execute(site.id, "touch", _FAULT)


def heal(site: Site) -> None:
    compose.execute(site.id, "rm", "-f", _FAULT)


def maintain(site: Site) -> None:
    """What WordPress does while it updates a plug-in."""
    compose.execute(site.id, "sh", "-c", f"echo '<?php $upgrading = time();' > {_MAINTENANCE}")


def maintained(site: Site) -> None:
    compose.execute(site.id, "rm", "-f", _MAINTENANCE)


def nothing(_site: Site) -> None:
    """For what mends itself."""
